"""What depth adds to masks of glass: IoU by colours alone, and with depth, by a box and by one click.

    python benchmarks/depth_cues.py score SCENES [--model tiny] [--seed 31] [--limit N]
    python benchmarks/depth_cues.py real RGBD_FOLDER          images/, masks/, depth/ of real cameras
    python benchmarks/depth_cues.py fit SCENES -o src/maskwright/robot/depth_weights.json

SCENES are labelled scenes with glass and true depth (`maskwright train scenes robots SCENES --hard glass`); the depth
that is used is what a sensor would have given (`robot/depth_failure.py`). `fit` is for other scenes than `score`.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

import maskwright as mw
from maskwright.core import BoxPrompt, Image, PointPrompt
from maskwright.datasets.images import read_image
from maskwright.evaluate import middle_click
from maskwright.masks import decode
from maskwright.models.protocol import Model
from maskwright.predict.embedding import embed
from maskwright.predict.looks import look
from maskwright.robot.depth_answers import look_with_depth
from maskwright.robot.depth_cues import find_cues
from maskwright.robot.depth_evidence import NAMES, Evidence, gather
from maskwright.robot.depth_failure import camera_for, fail_like_a_sensor
from maskwright.robot.depth_maps import DepthMap, depth_map
from maskwright.train.scene_folder import LabelledScene, SceneFolder, read_scene_folder

_LEAST_AREA = 100
_HIDDEN, _STEPS, _PIXELS, _NOISES = 16, 2500, 400, 3


@dataclass(frozen=True, kw_only=True)
class Row:
    """One glass thing, asked for by one prompt."""

    frame: int
    kind: str
    colours: float
    with_depth: float
    failing: float


def sensed(scene: LabelledScene, seed: int, number: int) -> DepthMap:
    """The depth that a sensor would have given of a scene."""
    assert scene.depth_mm is not None, "these scenes have no depth"
    true_m = scene.depth_mm / 1000
    glass, mirrors = ([o.index for o in scene.objects if o.material == name] for name in ("glass", "shiny"))
    rng = np.random.default_rng([seed, number])
    raw = fail_like_a_sensor(true_m, scene.masks, glass=glass, mirrors=mirrors, rng=rng)
    return depth_map(raw, size_hw=raw.shape, camera=camera_for(true_m))


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / max(1, (a | b).sum()))


def box_of(mask: np.ndarray) -> tuple[float, float, float, float]:
    ys, xs = np.nonzero(mask)
    return float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1)


def wanted(scene: LabelledScene) -> list[np.ndarray]:
    masks = [scene.masks == o.index for o in scene.objects if o.material == "glass"]
    return [mask for mask in masks if mask.sum() >= _LEAST_AREA]


def chosen(folder: SceneFolder, limit: int | None) -> list[int]:
    return np.linspace(0, len(folder) - 1, min(limit or len(folder), len(folder))).round().astype(int).tolist()


def ask(model: Model, image: Image, depth: DepthMap, truths: list[np.ndarray], frame: int) -> Iterator[Row]:
    """Ask for every thing by its box and by a click in its middle."""
    cues, embedding = find_cues(depth), embed(model, image)
    for truth in truths:
        click = middle_click(np.zeros_like(truth), truth)
        for kind, prompt in (("box", BoxPrompt(box_of(truth))), ("click", PointPrompt([click.xy]))):
            answer = look_with_depth(model, image, prompt, depth, cues=cues, embedding=embedding)
            yield Row(
                frame=frame,
                kind=kind,
                colours=iou(decode(answer.first.record().rle), truth),
                with_depth=iou(answer.refined.mask, truth),
                failing=answer.refined.failing,
            )


def score(path: Path, model: Model, seed: int, limit: int | None) -> list[Row]:
    folder, rows = read_scene_folder(path), []
    for number in chosen(folder, limit):
        scene = folder[number]
        if truths := wanted(scene):
            rows += ask(model, Image(scene.image), sensed(scene, seed, number), truths, number)
    return rows


def table(rows: list[Row]) -> Iterator[str]:
    """Means over things; the spread is of the gain's mean when frames are drawn again."""
    yield "| prompt | things | IoU by colours | with depth | gain | 90 % of draws | better | worse by 0.1 |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    rng = np.random.default_rng(0)
    for kind in dict.fromkeys(row.kind for row in rows):
        some = [row for row in rows if row.kind == kind]
        before, after = (np.array([getattr(row, name) for row in some]) for name in ("colours", "with_depth"))
        gain, frames = after - before, np.array([row.frame for row in some])
        groups = [gain[frames == frame] for frame in np.unique(frames)]
        drawn = [np.concatenate([groups[i] for i in rng.integers(len(groups), size=len(groups))]).mean()
                 for _ in range(1000)]  # fmt: skip
        low, high = np.quantile(drawn, [0.05, 0.95])
        yield (
            f"| {kind} | {len(some)} | {before.mean():.3f} | {after.mean():.3f} | {gain.mean():+.3f} | "
            f"{low:+.3f} to {high:+.3f} | {(gain > 0).mean():.0%} | {(gain < -0.1).mean():.0%} |"
        )


def real(root: Path, model: Model) -> Iterator[str]:
    """Pictures of real cameras, each part of their foreground asked for by its box and a click; mm, default camera."""
    for folder in (root, root / "cleargrasp"):
        for picture in sorted((folder / "images").iterdir()):
            found = sorted((folder / "depth").glob(f"{picture.stem}*.png"))
            depth_path = next((p for p in found if "transparent" in p.stem), found[0])
            raw = cv2.imread(str(depth_path), cv2.IMREAD_UNCHANGED)
            foreground = cv2.imread(str(folder / "masks" / f"{picture.stem}.png"), cv2.IMREAD_UNCHANGED) > 0
            image = read_image(picture)
            _, labels, stats, _ = cv2.connectedComponentsWithStats(foreground.astype(np.uint8))
            truths = [labels == i for i in range(1, len(stats)) if stats[i, cv2.CC_STAT_AREA] >= _LEAST_AREA]
            rows = list(ask(model, image, depth_map(raw, size_hw=image.size_hw, unit="mm"), truths, 0))
            for kind in ("box", "click"):
                some = [row for row in rows if row.kind == kind]
                means = [np.mean([getattr(row, name) for row in some]) for name in ("colours", "with_depth")]
                yield f"| {picture.stem} | {kind} | {len(some)} | {means[0]:.3f} | {means[1]:.3f} |"


def fit(path: Path, model: Model, limit: int | None) -> dict[str, object]:
    """Fit the network on what `model` answers to boxes, with several draws of how the sensor fails."""
    folder, examples = read_scene_folder(path), []
    for number in chosen(folder, limit):
        scene = folder[number]
        truths, image = wanted(scene), Image(scene.image)
        if not truths:
            continue
        embedding = embed(model, image)
        answers = [look(model, image, BoxPrompt(box_of(truth)), embedding=embedding) for truth in truths]
        for noise in range(_NOISES):
            cues = find_cues(sensed(scene, 11 + noise, number))
            for truth, answer in zip(truths, answers, strict=True):
                evidence = gather(decode(answer.record().rle), cues, box_of(truth))
                examples.append((evidence, truth[evidence.window]))
    return fitted(examples)


def fitted(examples: list[tuple[Evidence, np.ndarray]]) -> dict[str, object]:
    rng, inputs, targets = np.random.default_rng(0), [], []
    for evidence, truth in examples:
        at = rng.choice(np.flatnonzero(evidence.in_box.ravel()), _PIXELS)
        inputs.append(evidence.measures.reshape(-1, len(NAMES))[at])
        targets.append(truth.ravel()[at])
    x, y = (torch.tensor(np.concatenate(one), dtype=torch.float32) for one in (inputs, targets))
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(len(NAMES), _HIDDEN), torch.nn.Tanh(), torch.nn.Linear(_HIDDEN, 1))
    optimizer = torch.optim.AdamW(network.parameters(), 4e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=_STEPS)
    for _ in range(_STEPS):
        at = torch.randint(len(x), (1024,))
        loss = torch.nn.functional.binary_cross_entropy_with_logits(network(x[at])[:, 0], y[at])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    first, last = network[0].state_dict(), network[2].state_dict()

    def rounded(values: torch.Tensor) -> list[float]:
        return np.round(values.double().numpy(), 4).tolist()

    return {
        "inputs": list(NAMES), "hidden": rounded(first["weight"]), "hidden_bias": rounded(first["bias"]),
        "out": rounded(last["weight"][0]), "out_bias": rounded(last["bias"])[0],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("score", "real", "fit"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--seed", type=int, default=31, help="of how the sensor fails")
    parser.add_argument("--limit", type=int, help="at most so many pictures, evenly spread")
    parser.add_argument("-o", "--out", type=Path)
    options = parser.parse_args()
    model = mw.load_model(options.model)
    if options.what == "fit":
        content = json.dumps(fit(options.folder, model, options.limit))
        options.out.write_text(content + "\n", encoding="utf-8") if options.out else print(content)
        return
    if options.what == "real":
        print("| picture | prompt | things | IoU by colours | with depth |\n| --- | --- | --- | --- | --- |")
        print("\n".join(real(options.folder, model)))
        return
    rows = score(options.folder, model, options.seed, options.limit)
    print("\n".join(table(rows)))
    if options.out:
        options.out.write_text(json.dumps([vars(row) for row in rows]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
