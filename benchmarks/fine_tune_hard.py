"""What does fine-tuning bring on hard scenes: glass, mirror-like metal, thin things, a gripper of another kind?

python benchmarks/fine_tune_hard.py --frames 1000 --out FOLDER [--assets DIR ...] [--textures LIST]

Every stage goes on where it stopped: scenes, tuning, scores, the table and the picture. Scenes are robot tabletops of
seeds, assets and grippers that the embedded model never saw; whole scenes (episodes) are held out. Asked for are the
hard things alone; ordinary tabletops and painted scenes tell what was forgotten. Times are processor seconds of one
thread, so other work on the machine counts little.
"""

import argparse
import csv
import json
import logging
import os
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from fine_tune_hard_picture import draw_before_and_after

from maskwright.evaluate import ModelSegmenter, evaluate, summarise
from maskwright.models import load_model
from maskwright.predict.cache import EmbeddingCache
from maskwright.train.painted_folder import PaintedRecipe, write_painted_scenes
from maskwright.train.recipe import changed
from maskwright.train.robot_scenes import RobotSceneRecipe, write_robot_scenes
from maskwright.train.scene_folder import LabelledObject, read_scene_folder
from maskwright.train.tabletop.grippers import GRIPPERS
from maskwright.train.tabletop.hard_things import HARD
from maskwright.train.tabletop.layout import NO_CHALLENGE, Challenge
from maskwright.train.tiny import open_pack
from maskwright.train.tune.recipe import TuneRecipe
from maskwright.workflows.fine_tune import FineTuneJob, fine_tune
from maskwright.workflows.training_data import read_training_data

VIEWS = 4
TRAIN_SEED, TEST_SEED, GENERAL_SEED, PAINTED_SEED = 7500, 7200, 7300, 7400
SCORES = ("box", "box boundary", "1 click", "3 clicks", "5 clicks")
_THIN = frozenset(
    ("wire", "cable", "string", "whisk", "rack", "ring", "hook", "rod", "stick", "pin", "pen", "pencil", "fork",
     "knife")
)  # fmt: skip


def kind_of(one: LabelledObject) -> str | None:
    """Which hard kind an object is; None for what is not asked for."""
    if one.name == "robot gripper":
        return "gripper"
    if one.material in ("glass", "shiny"):
        return "glass" if one.material == "glass" else "specular"
    return "thin" if one.name in _THIN else None


class Clock:
    """Processor seconds by stage, kept in a file so that runs that go on add up."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.seconds: dict[str, float] = json.loads(path.read_text()) if path.exists() else {}
        self._at = time.process_time()

    def __call__(self, stage: str) -> None:
        """Book the time since the last call."""
        now = time.process_time()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._at
        self._at = now
        self._path.write_text(json.dumps(self.seconds, indent=1))


def make_scenes(args: argparse.Namespace, clock: Clock) -> None:
    """Render what is missing of the folders."""
    hard = Challenge(hard=tuple(HARD), grippers=tuple(GRIPPERS))
    folders = (
        ("train", TRAIN_SEED, args.frames, hard, VIEWS), ("test", TEST_SEED, args.test_frames, hard, VIEWS),
        ("general", GENERAL_SEED, args.general_frames, NO_CHALLENGE, 2),
    )  # fmt: skip
    for name, seed, count, challenge, views in folders:
        root = args.out / name
        if not (root / "objects.json").exists() or len(read_scene_folder(root)) < count:
            recipe = RobotSceneRecipe(
                seed=seed, assets=tuple(args.assets), textures=args.textures, split="held-out", challenge=challenge,
                views=views,
            )  # fmt: skip
            write_robot_scenes(root, recipe, count=count, progress=partial(_told_rarely, name))
            clock(f"rendering {name}")
    pack = open_pack(args.pack, split="held-out" if args.pack else "all").to("cpu")
    painted = PaintedRecipe(seed=PAINTED_SEED, pack=args.pack.name if args.pack else "computed", mix="training")
    write_painted_scenes(args.out / "painted", painted, pack, count=args.general_frames // 2)
    for name, count in (("train", args.frames), ("test", args.test_frames)):
        hard_only(args.out / name, args.out / f"{name}_hard", count)
    clock("slicing")


def hard_only(root: Path, out: Path, count: int) -> None:
    """Write the masks of the hard things of a folder's first pictures; the pictures are linked."""
    listing = json.loads((root / "objects.json").read_text())
    folder = read_scene_folder(root)
    kept = []
    (out / "masks").mkdir(parents=True, exist_ok=True)
    if not (out / "images").exists():
        (out / "images").symlink_to((root / "images").resolve(), target_is_directory=True)
    for scene, objects in list(zip(listing["scenes"], folder.objects, strict=True))[:count]:
        chosen = {one.index for one in objects if kind_of(one)}
        if not chosen:
            continue
        path = out / "masks" / f"{Path(scene['image']).stem}.png"
        if not path.exists():
            masks = cv2.imread(str(root / "masks" / path.name), cv2.IMREAD_UNCHANGED)
            assert masks is not None
            cv2.imwrite(str(path), np.where(np.isin(masks, list(chosen)), masks, 0))
        kept.append({**scene, "objects": [one for one in scene["objects"] if one["id"] in chosen]})
    partial = out / f".objects.{os.getpid()}.json"
    partial.write_text(json.dumps({**listing, "scenes": kept}))
    partial.replace(out / "objects.json")


def fine_tuned(args: argparse.Namespace, clock: Clock) -> dict[str, Any]:
    """Fine-tune, or read what a finished run says."""
    out = args.out / args.run
    if not (out / "results.json").exists():
        recipe = changed(TuneRecipe(), args.changes)
        job = FineTuneJob(
            source=str(args.out / "train_hard"), test=str(args.out / "test_hard"), general=str(args.out / "general"),
            out=out, base=args.model, recipe=recipe, command="python benchmarks/fine_tune_hard.py",
        )  # fmt: skip
        told = _Stages(clock)
        fine_tune(job, told=told)
        told.close()
    return json.loads((out / "results.json").read_text())


class _Stages:
    """Books time by what fine-tuning says it does."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._stage = clock, "reading"

    def __call__(self, what: str, done: int, total: int | None) -> None:
        stage = "training" if what.startswith("epoch") else what
        if stage != self._stage:
            self._clock(self._stage)
            self._stage = stage
        if total and (done % 50 == 0 or done == total):
            self._clock(self._stage)
            _say(f"{what} {done}/{total}")

    def close(self) -> None:
        self._clock(self._stage)


def by_kind(rows: Path, test: Path, names: Sequence[str]) -> dict[str, dict[str, dict[str, float]]]:
    """Mean IoU by hard kind, question and model, from the rows of a run; "all" is every object."""
    labels = {
        f"{one.name}#{i}": kind_of(LabelledObject(index=1, name=mask.label or "", material=mask.material)) or "other"
        for one in read_training_data(str(test)).examples
        for i, mask in enumerate(one.masks)
    }
    found: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    with rows.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            asked = {"box": "box", "click": f"{row['step']} click"}.get(row["kind"])
            if asked in ("box", "1 click", "3 click"):
                for kind in (labels[row["asked"]], "all"):
                    found[kind, asked, row["segmenter"]].append(float(row["iou"]))
    kinds = [kind for kind in ("all", "glass", "specular", "thin", "gripper") if (kind, "box", names[0]) in found]
    table: dict[str, dict[str, dict[str, float]]] = {}
    for kind in kinds:
        table[kind] = {"objects": {"": len(found[kind, "box", names[0]])}}
        for asked in ("box", "1 click", "3 click"):
            means = [float(np.mean(found[kind, asked, name])) if found[kind, asked, name] else 0.0 for name in names]
            table[kind][asked] = {"before": means[0], "after": means[1], "change": means[1] - means[0]}
    return table


def general_scores(args: argparse.Namespace, clock: Clock) -> dict[str, dict[str, float]]:
    """Score base and result on painted scenes that nothing was chosen on."""
    path = args.out / args.run / "painted.json"
    if not path.exists():
        data = read_training_data(str(args.out / "painted")).dataset()
        cache = EmbeddingCache(memory_bytes=256 << 20)
        models = {"before": args.model, "after": str(args.out / args.run)}
        asked = [ModelSegmenter(load_model(what, precision="fp32"), name, cache=cache) for name, what in models.items()]
        summaries = summarise(evaluate(asked, data, tasks=("box", "click")))
        found = {one.segmenter: {name: one.scores[name] or 0.0 for name in SCORES} for one in summaries}
        path.write_text(json.dumps(found, indent=1))
        clock("scoring painted")
    return json.loads(path.read_text())


def told(table: Mapping[str, Any], results: Mapping[str, Any], painted: Mapping[str, Any], clock: Clock) -> str:
    """Everything as Markdown."""
    lines = ["| held out | objects | box | 1 click | 3 clicks |", "| --- | --- | --- | --- | --- |"]
    for kind, scores in table.items():
        cells = [
            f"{s['before']:.3f} to {s['after']:.3f} ({s['change']:+.3f})" for k, s in scores.items() if k != "objects"
        ]
        lines.append(f"| {kind} | {scores['objects']['']} | " + " | ".join(cells) + " |")
    kept = results["retention"]
    pairs = ", ".join(f"{name} {kept['before'][name]:.3f} to {kept['after'][name]:.3f}" for name in kept["before"])
    lines += ["", f"ordinary robot tabletops: {pairs}"]
    pairs = ", ".join(f"{name} {painted['before'][name]:.3f} to {painted['after'][name]:.3f}" for name in SCORES)
    lines += [f"painted scenes: {pairs}", f"best epoch {results['best_epoch']} of {results['num_epochs']}", ""]
    lines += [f"{stage}: {seconds:.0f} s of one thread" for stage, seconds in clock.seconds.items()]
    return "\n".join(lines)


def _told_rarely(what: str, done: int, total: int) -> None:
    if done % 20 == 0 or done == total:
        _say(f"{what} {done}/{total}")


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--frames", type=int, default=1000, help="to learn from; some episodes of it decide when to stop"
    )
    parser.add_argument("--test-frames", type=int, default=120)
    parser.add_argument("--general-frames", type=int, default=60)
    parser.add_argument("--assets", type=Path, action="append", default=[], help="folders of meshes and arms")
    parser.add_argument("--textures", type=Path, help="list of photographs and textures")
    parser.add_argument("--pack", type=Path, help="asset pack for painted scenes; without, computed ones")
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--run", default="tuned", help="name of the run within the folder")
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    """Run what is missing, then tell."""
    args = _parse()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    clock = Clock(args.out / "seconds_scenes.json")
    make_scenes(args, clock)
    clock = Clock(args.out / f"seconds_{args.run}.json")
    results = fine_tuned(args, clock)
    names = [one["name"] for one in results["segmenters"]] if "segmenters" in results else [args.model, args.run]
    table = by_kind(args.out / args.run / "rows.csv", args.out / "test_hard", names)
    text = told(table, results, general_scores(args, clock), clock)
    (args.out / args.run / "table.md").write_text(text + "\n")
    draw_before_and_after(args.out / args.run, args.out / "test_hard", base=args.model, kind_of=kind_of)
    print(text)


if __name__ == "__main__":
    main()
