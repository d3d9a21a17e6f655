"""How many labels does a chosen order save? Choice by `maskwright.review.active` beside random, simulated.

    python benchmarks/active.py --pool SCENES --test SCENES --features FOLDER     SCENES as `train scenes` writes them
    python benchmarks/active.py decoder ...     the decoder of a segmenter as the learner: active_decoder.py

The masks of a pool of scenes stand unnamed, their outlines right; a label is one name said. A cheap learner names the
others: a linear discriminant on features of the frozen encoder of `tiny`, pooled over each mask, computed once into
FOLDER. It is not the decoder of a segmenter: what is measured is how fast mean IoU over names grows on the pixels of
other scenes, which the pool never holds, when names are painted into true outlines. Masks come to the choice as a store
gives them: how likely the best name is stands for predicted IoU, how far ahead of the second for stability, and a
second learner of half the labels is the other model. Two lists of names: kinds, of which a few are rare, and groups.

Every strategy begins with the same random masks. Each seed begins with others.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import active_decoder
import numpy as np
from harness import machine
from jaxtyping import Float, Int

from maskwright.core import FrameRef, MaskRecord, ModelRef, Provenance, Scores
from maskwright.core.resolved import ResolvedRecord
from maskwright.masks import area, box_xyxy, encode
from maskwright.models import load_model
from maskwright.models.tiny import TinySam
from maskwright.review.active import Limits, PickSettings, Sources, pick
from maskwright.store import SeenFrame, StoredFrame
from maskwright.train.feature_store import build_store
from maskwright.train.scene_folder import LabelledObject, read_scene_folder

SIDE = 40  # of the encoder's grid of cells
FIRST, STEP, LAST = 40, 40, 640
SHRINKAGE, SHRUNK_MEANS = 1.0, 1.0  # towards independence of features, towards the mean of all (in masks)
LEAST_TEST = 5  # scenes that a name is on, to be scored
STARTED = datetime(2026, 1, 1, tzinfo=UTC)
STRATEGIES: dict[str, tuple[tuple[str, ...], float]] = {
    "ours": (("uncertainty", "disagreement"), Limits().diversity),
    "uncertainty alone": (("uncertainty",), 0.0),
    "diversity alone": (("uncertainty",), 1.0),
}
KINDS = ("robot arm", "robot gripper", "table", "wall", "floor", "cable", "wire", "rope")
GROUPS = {
    "robot": "robot arm|robot gripper",
    "table": "table",
    "wall": "wall",
    "floor": "floor",
    "furniture": "cabinet|shelf|chair|drawer|desk|sofa",
    "thin": "cable|wire|rope|hose|string|cord|tape|chain",
    "vessel": "bottle|jar|mug|cup|bowl|can|vase|pot|pan|plate|glass|coffee pot|pitcher|kettle",
    "bin": "bin|tray|crate|basket",
    "block": "cube|block|brick|book|box|carton|cereal box",
    "round": "ball|ring|cylinder|cone|pyramid|peg|nut",
}


def kind_of(one: LabelledObject) -> str:
    """The robot, what stands around, what is thin or can be seen through; all else is a thing."""
    if one.material in ("transparent", "glass"):
        return "glass"
    return one.name if one.name in KINDS else "thing"


def group_of(one: LabelledObject) -> str:
    """A name by its use, or other."""
    return next((group for group, names in GROUPS.items() if one.name in names.split("|")), "other")


@dataclass(frozen=True)
class Masks:
    """All masks of some scenes: cells, pooled features, what each is, and the scene that it is on."""

    cells: list[Int[np.ndarray, " K"]]
    vectors: Float[np.ndarray, "N D"]
    frames: Int[np.ndarray, " N"]
    objects: list[LabelledObject]

    def names(self, name_of: Callable[[LabelledObject], str], known: Sequence[str]) -> Int[np.ndarray, " N"]:
        """The number of each mask's name."""
        return np.array([known.index(name_of(one)) for one in self.objects])

    @cached_property
    def sizes(self) -> Int[np.ndarray, " N"]:
        """Cells of each mask."""
        return np.array([len(one) for one in self.cells])

    @cached_property
    def records(self) -> list[MaskRecord]:
        """Each mask as a store has it, but for scores."""
        places = zip(self.frames.tolist(), self.cells, strict=True)
        return [_record(f"{i}", frame, cells) for i, (frame, cells) in enumerate(places)]


def read(folder: Path, out: Path, model: TinySam) -> Masks:
    """Read scenes, with features from `out` or computed into it."""
    store = build_store(model, folder, out, progress=lambda done, total: print(f"\rencoded {done} of {total}", end=""))
    cells, vectors, frames, objects = [], [], [], []
    for at, scene in enumerate(read_scene_folder(folder).objects):
        embedding, fine = np.asarray(store.tensors[0][at]), np.asarray(store.tensors[1][at])
        fine = fine.reshape(SIDE, 2, SIDE, 2, -1).astype(np.float32).mean((1, 3)).reshape(SIDE * SIDE, -1)
        features = np.concatenate([embedding.reshape(len(embedding), -1).T.astype(np.float32), fine], 1)
        pitch = store.index_maps.shape[1] // SIDE
        index = np.asarray(store.index_maps[at])[pitch // 2 :: pitch, pitch // 2 :: pitch].ravel()
        for position, one in enumerate(scene):
            here = np.flatnonzero(index == position + 1)
            if len(here):
                cells.append(here)
                vectors.append(_pooled(features[here], here))
                frames.append(at)
                objects.append(one)
    return Masks(cells, np.stack(vectors), np.array(frames), objects)


def _pooled(features: Float[np.ndarray, "K D"], cells: Int[np.ndarray, " K"]) -> Float[np.ndarray, " V"]:
    """Mean and spread of a mask's features, its size, place and shape."""
    y, x = cells // SIDE, cells % SIDE
    height, width = np.ptp(y) + 1, np.ptp(x) + 1
    shape = (
        np.log(len(cells)), np.log(height), np.log(width), len(cells) / height / width, y.mean() / SIDE, x.mean() / SIDE
    )  # fmt: skip
    return np.concatenate([features.mean(0), features.std(0), shape]).astype(np.float32)


class Learner:
    """A linear discriminant of masks: one mean for each name, one covariance for all, which needs no labels."""

    def __init__(self, vectors: Float[np.ndarray, "N D"], num_names: int) -> None:
        self.num_names = num_names
        self.centre, self.spread = vectors.mean(0), vectors.std(0) + 1e-3
        covariance = np.cov(self.scaled(vectors).T) + SHRINKAGE * np.eye(vectors.shape[1])
        self.inverse = np.linalg.inv(covariance).astype(np.float32)

    def scaled(self, vectors: Float[np.ndarray, "N D"]) -> Float[np.ndarray, "N D"]:
        """Features of one spread."""
        return (vectors - self.centre) / self.spread

    def fit(self, vectors: Float[np.ndarray, "N D"], names: Int[np.ndarray, " N"]) -> Self:
        """Learn from named masks: every mask counts the same, a name by the root of its masks."""
        learner = copy(self)
        counts = np.bincount(names, minlength=self.num_names)
        means = np.zeros((self.num_names, vectors.shape[1]), np.float32)
        np.add.at(means, names, self.scaled(vectors))
        means /= (counts + SHRUNK_MEANS)[:, None]
        learner.weights = self.inverse @ means.T
        prior = 0.5 * np.log(np.maximum(counts, 1e-9))  # a name that nobody has said is not guessed
        learner.bias = prior - 0.5 * (means @ self.inverse * means).sum(1)
        return learner

    def ask(self, vectors: Float[np.ndarray, "N D"]) -> Float[np.ndarray, "N K"]:
        """How likely each mask has each name."""
        told = self.scaled(vectors) @ self.weights + self.bias
        told = np.exp(told - told.max(1, keepdims=True))
        return told / told.sum(1, keepdims=True)


def mean_iou(learner: Learner, test: Masks, names: Int[np.ndarray, " N"]) -> float:
    """The mean over names of IoU, over all cells of all masks of the test scenes."""
    guess = learner.ask(test.vectors).argmax(1)
    counted = [name for name in range(learner.num_names) if len(set(test.frames[names == name])) >= LEAST_TEST]
    both = [test.sizes[(names == one) & (guess == one)].sum() for one in counted]
    either = [test.sizes[(names == one) | (guess == one)].sum() for one in counted]
    return float(np.mean(np.array(both) / np.maximum(1, either)))


def stored(pool: Masks, free: Sequence[int], first: Learner, second: Learner) -> list[StoredFrame]:
    """The masks that nobody has named as a store has them; the second model has those that it would name so, too."""
    likely, other = first.ask(pool.vectors[free]), second.ask(pool.vectors[free])
    sure = np.sort(likely, axis=1)
    by_frame: dict[int, list[ResolvedRecord]] = {}
    for at, i in enumerate(free):
        scores = Scores(predicted_iou=float(sure[at, -1]), stability=float(sure[at, -1] - sure[at, -2]))
        masks = by_frame.setdefault(int(pool.frames[i]), [])
        masks.append(ResolvedRecord(record=replace(pool.records[i], scores=scores)))
        if likely[at].argmax() == other[at].argmax():
            record = replace(pool.records[i], id=f"{i} second", provenance=_provenance("second"))
            masks.append(ResolvedRecord(record=record, status="accepted"))
    return [
        StoredFrame(frame=SeenFrame(name=f"{frame}", size_hw=(SIDE, SIDE), ref=_ref(frame)), masks=tuple(masks))
        for frame, masks in sorted(by_frame.items())
    ]


def _ref(frame: int) -> FrameRef:
    return FrameRef(dataset="pool", episode=f"{frame}", camera="camera", frame_index=0)


def _provenance(model: str) -> Provenance:
    ref = ModelRef(name=model, family="linear", checkpoint_sha256=model)
    return Provenance(method="sam_raw", created_at=STARTED, model=ref)


def _record(name: str, frame: int, cells: Int[np.ndarray, " K"]) -> MaskRecord:
    dense = np.zeros(SIDE * SIDE, bool)
    dense[cells] = True
    rle = encode(dense.reshape(SIDE, SIDE))
    return MaskRecord(
        id=name,
        image_digest=f"{frame}",
        rle=rle,
        box_xyxy=box_xyxy(rle),
        area=area(rle),
        provenance=_provenance("first"),
        frame=_ref(frame),
    )


@dataclass(frozen=True)
class Task:
    """Pool and test scenes with one list of names."""

    pool: Masks
    test: Masks
    names: Int[np.ndarray, " N"]
    truth: Int[np.ndarray, " T"]
    untaught: Learner

    def taught(self, named: Sequence[int]) -> Learner:
        """A learner of some named masks."""
        return self.untaught.fit(self.pool.vectors[list(named)], self.names[list(named)])


def chosen(task: Task, strategy: str, named: Sequence[int], seed: int) -> list[int]:
    """Choose as `maskwright pick` does."""
    by, diversity = STRATEGIES[strategy]
    half = np.random.default_rng(seed).permutation(named)[: len(named) // 2].tolist()
    free = sorted(set(range(len(task.names))) - set(named))
    scaled = task.untaught.scaled(task.pool.vectors)
    sources = Sources(
        vectors_of=lambda names: scaled[[int(name.split()[0]) for name in names]],
        known=scaled[list(named)],
        is_by_mask=True,
    )
    settings = PickSettings(budget=STEP, by=by, limits=Limits(diversity=diversity), seed=seed)
    found = pick(stored(task.pool, free, task.taught(named), task.taught(half)), settings, sources=sources)
    return [int(one.record_ids[0]) for one in found.picks]


def run(task: Task, strategy: str, seed: int) -> list[float]:
    """Name masks round by round, and score after each."""
    order = np.random.default_rng(seed).permutation(len(task.names)).tolist()
    named = order[:FIRST]
    scores: list[float] = []
    while True:
        scores.append(mean_iou(task.taught(named), task.test, task.truth))
        if len(named) >= LAST:
            return scores
        taken = set(named)
        named += (
            [i for i in order if i not in taken][:STEP] if strategy == "random" else chosen(task, strategy, named, seed)
        )


def labels_for(curve: Sequence[float], wanted: float) -> float | None:
    """How many labels a mean curve needs for an IoU, between rounds by a straight line; None where it never has it."""
    best = np.maximum.accumulate(curve)
    at = int(np.searchsorted(best, wanted))
    if at >= len(best):
        return None
    if at == 0:
        return float(FIRST)
    return FIRST + STEP * (at - 1 + (wanted - best[at - 1]) / max(1e-9, best[at] - best[at - 1]))


def draw(curves: dict[str, dict[str, np.ndarray]], path: Path) -> None:
    """Draw mean curves with the spread of seeds."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(curves), figsize=(5.2 * len(curves), 4), squeeze=False)
    labels = np.arange(FIRST, LAST + 1, STEP)
    for axes, (names, found) in zip(panels[0], curves.items(), strict=True):
        for name, runs in found.items():
            (line,) = axes.plot(labels, runs.mean(0), label=name, linewidth=2 if name in ("ours", "random") else 1)
            axes.fill_between(labels, runs.min(0), runs.max(0), alpha=0.15, color=line.get_color())
        axes.axhline(found["random"].mean(0)[-1], color="grey", linewidth=0.8, linestyle="--")
        axes.set(xlabel="masks labelled", ylabel="mean IoU on other scenes", title=f"names: {names}")
        axes.grid(alpha=0.3)
        axes.legend(loc="lower right")
    figure.tight_layout()
    figure.savefig(path, dpi=100)


def main() -> None:
    """Run all strategies and seeds, and tell how many labels each needs."""
    if sys.argv[1:2] == ["decoder"]:
        active_decoder.main(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pool", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--picture", type=Path, help="the curves, as PNG")
    parser.add_argument("--out", type=Path, help="all figures, as JSON")
    parser.add_argument("--strategies", nargs="*", default=list(STRATEGIES), choices=list(STRATEGIES))
    args = parser.parse_args()
    model = load_model("tiny")
    assert isinstance(model, TinySam)
    pool, test = (read(folder, args.features / folder.name, model) for folder in (args.pool, args.test))
    print(f"\n{len(pool.objects)} masks to choose from, {len(test.objects)} on other scenes to score on")
    began = time.perf_counter()
    rows: list[dict[str, Any]] = []
    curves: dict[str, dict[str, np.ndarray]] = {}
    for names, name_of in (("kinds", kind_of), ("groups", group_of)):
        known = sorted({name_of(one) for masks in (pool, test) for one in masks.objects})
        untaught = Learner(pool.vectors, len(known))
        task = Task(pool, test, pool.names(name_of, known), test.names(name_of, known), untaught)
        curves[names] = {}
        for strategy in ("random", *args.strategies):
            found = np.array([run(task, strategy, seed) for seed in args.seeds])
            curves[names][strategy] = found
            told = np.round(found.mean(0), 3).tolist()
            print(names, strategy, told, f"{time.perf_counter() - began:.0f} s", flush=True)
        everything = mean_iou(task.taught(range(len(task.names))), test, task.truth)
        rows += compared(names, curves[names], everything)
    about = {"pool_masks": len(pool.objects), "test_masks": len(test.objects), "seeds": args.seeds, **machine()}
    drawn = {one: {name: np.round(runs, 4).tolist() for name, runs in found.items()} for one, found in curves.items()}
    content = {"first": FIRST, "step": STEP, "curves": drawn, "rows": rows, "about": about}
    if args.out is not None:
        args.out.write_text(json.dumps(content, indent=1) + "\n")
    if args.picture is not None:
        draw(curves, args.picture)


def compared(names: str, curves: dict[str, np.ndarray], everything: float) -> list[dict[str, Any]]:
    """Say how many labels each strategy needs for what random choice has at half, three quarters and all of its own."""
    rows: list[dict[str, Any]] = []
    random = curves["random"].mean(0)
    for share in (0.5, 0.75, 1.0):
        at = round(share * (len(random) - 1))
        of_random = FIRST + STEP * at
        for name, runs in curves.items():
            needed = labels_for(runs.mean(0).tolist(), random[at])
            each = [labels_for(one.tolist(), random[at]) for one in runs]
            rows.append(
                {
                    "names": names,
                    "strategy": name,
                    "iou": round(float(random[at]), 4),
                    "labels_of_random": of_random,
                    "labels": None if needed is None else round(needed),
                    "share": None if needed is None else round(needed / of_random, 2),
                    "share_of_each_seed": [None if one is None else round(one / of_random, 2) for one in each],
                    "iou_of_all_labels": round(everything, 4),
                }
            )
            print(rows[-1])
    return rows


if __name__ == "__main__":
    main()
