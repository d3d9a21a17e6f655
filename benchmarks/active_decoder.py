"""How many labelled frames does `maskwright pick` save when the decoder is fine-tuned on them? Simulated.

    python benchmarks/active.py decoder --pool FOLDER ... --test SLICE=FOLDER ... --work FOLDER

Footage with truth stands in for a person. Of every frame a few objects are asked for by one click, and what the base
makes of it is put into a mask store, as `annotate` does. Frames are chosen by what a user types, `maskwright pick
--frames --vectors`, at random, or by uncertainty alone; a label is a frame whose masks were put right: what has an IoU
of 0.9 is accepted as it is, all else is edited, so that the next pick knows what was decided. The decoder is tuned on
what was labelled (`train/tune`, features kept, a fixed number of steps), from the base at every budget, and scored by
one click and by box on other footage. Every strategy begins with the same random frames; each seed begins with others.

A folder of --pool holds an episode (`train scenes episodes`), episodes, or anything that `maskwright train` reads. The
work folder keeps features and results: what was cut off goes on where it was.
"""

import argparse
import json
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from harness import machine
from jaxtyping import Float
from PIL import Image as PillowImage

from maskwright.core import Accept, BoxPrompt, Edit, FrameRef, MaskRecord, PointPrompt, ReviewEvent, new_id
from maskwright.datasets.images import read_image
from maskwright.masks import area, box_xyxy, decode, encode, iou
from maskwright.models import load_model
from maskwright.models.frame import ModelFrame
from maskwright.models.sam.model import SamModel
from maskwright.predict import ImageEmbedding, predict, to_records
from maskwright.predict.embedding import model_ref
from maskwright.predict.records import utc_now
from maskwright.review.active import Limits, PickSettings, auc, measure
from maskwright.review.active.kinds import DEFAULT_GROUPS, signals_of
from maskwright.store import ANY_STATUS, Query, SeenFrame, create_store, open_store
from maskwright.train.dice import Dice
from maskwright.train.tune.examples import Example, ExampleMask
from maskwright.train.tune.features import FeatureCache
from maskwright.train.tune.recipe import TuneRecipe
from maskwright.train.tune.samples import Samples, batch_of, seed_of
from maskwright.train.tune.step import tune_step
from maskwright.train.tune.tuner import make_tuner
from maskwright.train.tune.views import views_of
from maskwright.workflows.pick_masks import pick_masks
from maskwright.workflows.picture_vectors import PictureVectors
from maskwright.workflows.training_data import read_training_data

LEAST_AREA = 400  # pixels; smaller remains are not asked about
GOOD = 0.9  # IoU from which a proposal is accepted as it is
POOR = 0.7
NO_LIMITS = Limits(per_episode=1_000_000, per_frame=1_000_000, min_gap=0, diversity=0.0)
STRATEGIES = ("random", "uncertainty alone", "ours")


@dataclass(frozen=True, kw_only=True)
class Shot:
    """A frame with its truth, the folder that it came from, and its place in its episode."""

    example: Example
    source: str
    ref: FrameRef


def shots_of(folder: Path, *, stride: int, most_masks: int, most: int | None) -> list[Shot]:
    """Read a folder of footage; of each frame some objects are kept, the same ones at every run."""
    episodes = sorted(path.parent for path in folder.glob("**/episode.json"))
    found = [*_episodes(folder, episodes, stride)] if episodes else _others(folder)
    kept = [replace(one, example=_fewer(one.example, most_masks)) for one in found]
    kept = [one for one in kept if one.example.masks]
    if most is not None and len(kept) > most:
        kept = [kept[i] for i in np.linspace(0, len(kept) - 1, most).round().astype(int)]
    return kept


def _episodes(folder: Path, episodes: Sequence[Path], stride: int) -> Iterator[Shot]:
    for episode in episodes:
        names = {int(key): name for key, name in json.loads((episode / "episode.json").read_text())["objects"].items()}
        paths = sorted((episode / "images").iterdir())[::stride]
        for number, path in enumerate(paths):
            index = np.asarray(PillowImage.open(episode / "masks" / f"{path.stem}.png"))  # a palette: numbers of things
            masks = tuple(
                ExampleMask(key=str(key), rle=encode(index == key), label=name)
                for key, name in names.items()
                if (index == key).any()
            )
            where = str(episode.relative_to(folder.parent))
            example = Example(
                name=f"{where}/{path.name}",
                group=where,
                digest=read_image(path).digest,
                masks=masks,
                read=partial(read_image, path),
            )
            ref = FrameRef(dataset=folder.name, episode=where, camera="camera", frame_index=number * stride)
            yield Shot(example=example, source=folder.name, ref=ref)


def _others(folder: Path) -> list[Shot]:
    data = read_training_data(str(folder))
    return [
        Shot(
            example=one,
            source=folder.name,
            ref=FrameRef(dataset=folder.name, episode=f"{folder.name}/{one.name}", camera="camera", frame_index=0),
        )
        for one in data.examples
    ]


def _fewer(example: Example, most: int) -> Example:
    masks = [one for one in example.masks if area(one.rle) >= LEAST_AREA]
    order = np.random.default_rng(int(example.digest[:8], 16)).permutation(len(masks))[:most]
    return replace(example, masks=tuple(masks[i] for i in sorted(order)))


class Bench:
    """The base with its features of all footage, and the store of what it proposes."""

    def __init__(self, base: str, pool: list[Shot], test: dict[str, list[Shot]], work: Path) -> None:
        self.base, self.pool, self.test, self.work = base, pool, test, work
        self.recipe = TuneRecipe(
            mirror=0, crops=0, corrections=0, per_picture=64, batch=8, learning_rate=6e-4, warmup=5, ema=0.9
        )
        model = self.fresh()
        self.cache = FeatureCache(work / "features", model)
        shots = [*pool, *(one for some in test.values() for one in some)]
        views = [view for one in shots for view in views_of(one.example, mirror=False, crops=0)]
        self.cache.fill(model, views, progress=lambda done, total: told(f"encoded {done} of {total}", every=done % 20))
        self.model = model

    def fresh(self) -> SamModel:
        model = load_model(self.base)
        assert isinstance(model, SamModel)
        return model

    def embedding(self, model: SamModel, shot: Shot) -> ImageEmbedding:
        """What the frozen encoder made of a frame."""
        (view,) = views_of(shot.example, mirror=False, crops=0)
        frame = ModelFrame.of(shot.example.masks[0].rle.size_hw, model.frame)
        return ImageEmbedding(
            features=self.cache.take([view]), frame=frame, image_digest=shot.example.digest, model=model_ref(model)
        )

    def proposals(self, model: SamModel, shot: Shot, *, by_box: bool = False) -> list[MaskRecord]:
        """What a model makes of one click, or a box, on each object."""
        prompts = [BoxPrompt(box_xyxy(one.rle)) if by_box else PointPrompt([middle(one)]) for one in shot.example.masks]
        return to_records(predict(model, self.embedding(model, shot), prompts), frame=shot.ref)

    def store(self) -> tuple[Path, dict[str, tuple[Shot, ExampleMask]]]:
        """The store of the base's proposals, and the truth of each mask of it."""
        path, known = self.work / "proposed", self.work / "proposed.json"
        by_name = {one.example.name: one for one in self.pool}
        if not known.exists():
            shutil.rmtree(path, ignore_errors=True)
            truth: dict[str, tuple[str, int]] = {}
            with create_store(path) as store:
                for shot in self.pool:
                    records = self.proposals(self.model, shot)
                    seen = SeenFrame(
                        name=shot.example.name,
                        size_hw=records[0].rle.size_hw,
                        ref=shot.ref,
                        image_digest=shot.example.digest,
                    )
                    store.put(records, frames=[seen], run="clicks")
                    truth |= {record.id: (shot.example.name, at) for at, record in enumerate(records)}
            self.vectors().write(self.work / "vectors.npz")
            known.write_text(json.dumps(truth))
        found: dict[str, tuple[Shot, ExampleMask]] = {}
        for record, (name, at) in json.loads(known.read_text()).items():
            found[record] = by_name[name], by_name[name].example.masks[at]
        return path, found

    def vectors(self) -> PictureVectors:
        """As `maskwright pick --vectors tiny` computes them: mean and spread of each channel of the embedding."""
        rows = []
        for shot in self.pool:
            features = self.embedding(self.model, shot).features.image_embedding[0]
            rows.append(np.concatenate([features.mean(dim=(1, 2)).numpy(), features.std(dim=(1, 2)).numpy()]))
        return PictureVectors({one.example.digest: i for i, one in enumerate(self.pool)}, np.stack(rows))

    def tuned(self, shots: Sequence[Shot], epochs: int, seed: int) -> SamModel:
        """Tune the decoder on some frames, from the base: so many epochs, whatever their number."""
        recipe = replace(self.recipe, seed=seed, epochs=epochs)
        samples = Samples([one.example for one in shots], recipe, crops=0)
        pieces = [
            (epoch, start, drawn[start : start + recipe.batch])
            for epoch in range(epochs)
            for drawn in (samples.epoch(epoch),)
            for start in range(0, len(drawn), recipe.batch)
        ]
        tuner = make_tuner(self.fresh(), recipe, num_steps=len(pieces))
        for epoch, start, piece in pieces:
            batch = batch_of(piece, tuner.model.frame, "cpu")
            if batch is not None:
                tune_step(tuner, self.cache, batch, Dice(seed_of(recipe, epoch, start)))
        return tuner.average

    def scores(self, model: SamModel) -> dict[str, float]:
        """Mean IoU on each slice of the test, by one click and by box."""
        found: dict[str, float] = {}
        for name, shots in self.test.items():
            for how in ("click", "box"):
                ious = [
                    iou(record.rle, mask.rle)
                    for shot in shots
                    for record, mask in zip(
                        self.proposals(model, shot, by_box=how == "box"), shot.example.masks, strict=True
                    )
                ]
                found[f"{name} {how}"] = round(float(np.mean(ious)), 4)
        return found


def middle(mask: ExampleMask) -> tuple[float, float]:
    """The pixel that is farthest from the mask's edge."""
    dense = np.pad(decode(mask.rle), 1).view(np.uint8)
    distance = cv2.distanceTransform(dense, cv2.DIST_L2, cv2.DIST_MASK_5)
    y, x = np.unravel_index(int(distance.argmax()), distance.shape)
    return float(x) - 0.5, float(y) - 0.5


class Labelling:
    """One person with one strategy: a store of his own, in which he decides about the frames that were chosen."""

    def __init__(self, bench: Bench, strategy: str, seed: int) -> None:
        self.bench, self.strategy, self.seed = bench, strategy, seed
        proposed, self.truth = bench.store()
        self.path = bench.work / "stores" / f"{strategy.replace(' ', '-')}-{seed}"
        shutil.rmtree(self.path, ignore_errors=True)
        shutil.copytree(proposed, self.path)
        self.order = np.random.default_rng(seed).permutation(len(bench.pool)).tolist()
        self.labelled: list[str] = []

    def choose(self, count: int) -> list[str]:
        """Choose more frames, by name."""
        if self.strategy == "random" or not self.labelled:
            names = [self.bench.pool[i].example.name for i in self.order]
            return [name for name in names if name not in self.labelled][:count]
        is_ours = self.strategy == "ours"
        settings = PickSettings(
            budget=count,
            by=DEFAULT_GROUPS if is_ours else ("uncertainty",),
            limits=Limits() if is_ours else NO_LIMITS,
            of_frames=True,
            seed=self.seed,
        )
        vectors = self.bench.work / "vectors.npz" if is_ours else None
        done = pick_masks(self.path, settings, name="picked", replaces=True, vectors=vectors)
        self.weights = done.picked.weights
        return list(dict.fromkeys(self.truth[one.record_ids[0]][0].example.name for one in done.picked.picks))

    def label(self, names: Sequence[str]) -> None:
        """Put the masks of some frames right."""
        events: list[ReviewEvent] = []
        with open_store(self.path) as store:
            proposed = {one.record.id: one.record for one in store.query(Query())}
            for record_id, (shot, mask) in self.truth.items():
                if shot.example.name not in names:
                    continue
                event = partial(ReviewEvent, record_id=record_id, actor="ann", at=utc_now())
                if iou(proposed[record_id].rle, mask.rle) < GOOD:
                    events.append(event(id=new_id(), action=Edit(mask.rle)))
                events.append(event(id=new_id(), action=Accept()))
            store.append(events)
        self.labelled += names

    @property
    def shots(self) -> list[Shot]:
        """What is labelled."""
        return [one for one in self.bench.pool if one.example.name in set(self.labelled)]


def told(text: str, every: int = 0) -> None:
    """Tell, where `every` is 0."""
    if not every:
        print(f"{time.process_time():7.0f} s  {text}", flush=True)


def signal_report(bench: Bench) -> list[dict[str, Any]]:
    """How well each signal tells beforehand that a proposal is poor, of masks and of frames: area under its ROC."""
    path, truth = bench.store()
    kinds = signals_of(DEFAULT_GROUPS)
    with open_store(path, read_only=True) as store:
        items = list(measure(store.frames(Query(status=ANY_STATUS)), kinds))
        ious = {one.record.id: iou(one.record.rle, truth[one.record.id][1].rle) for one in store.query(Query())}
    values = np.array([one.values for one in items])
    reached = np.array([ious[one.record_ids[0]] for one in items])
    rows: list[dict[str, Any]] = []
    for at, kind in enumerate(kinds):
        known = ~np.isnan(values[:, at])
        if known.any() and np.ptp(values[known, at]) > 0:
            found = auc(values[known, at], reached[known] < POOR)
            rows.append({"signal": kind.name, "masks": int(known.sum()), "auc": round(found, 3)})
    by_source: dict[str, list[float]] = {}
    for item, value in zip(items, reached, strict=True):
        by_source.setdefault(truth[item.record_ids[0]][0].source, []).append(float(value))
    for name, found in by_source.items():
        poor = np.mean(np.array(found) < POOR)
        told(f"{name}: {len(found)} masks, mean IoU {np.mean(found):.3f}, {poor:.0%} below {POOR}")
    for row in rows:
        told(f"{row['signal']}: {row['auc']:.3f} of {row['masks']}")
    return rows


def run(bench: Bench, strategy: str, seed: int, budgets: Sequence[int], epochs: int, results: "Results") -> None:
    """Label, tune and score at each budget; what is known already is not done again."""
    person = Labelling(bench, strategy, seed)
    for budget in budgets:
        person.label(person.choose(budget - len(person.labelled)))
        is_shared = budget == budgets[0]  # the same frames for all strategies
        key = {"strategy": "random" if is_shared else strategy, "seed": seed, "frames": len(person.labelled)}
        if results.has(key):
            continue
        masks = sum(len(one.example.masks) for one in person.shots)
        sources = dict(Counter(one.source for one in person.shots))
        scores = bench.scores(bench.tuned(person.shots, epochs, seed))
        results.add({**key, "masks": masks, "sources": sources, "scores": scores})


def found_report(bench: Bench, seeds: Sequence[int], budgets: Sequence[int]) -> list[dict[str, Any]]:
    """What each strategy finds, whatever is learnt from it: poor proposals and frames of each folder, of how many."""
    path, truth = bench.store()
    with open_store(path, read_only=True) as store:
        reached = {one.record.id: iou(one.record.rle, truth[one.record.id][1].rle) for one in store.query(Query())}
    poor = Counter(shot.example.name for record, (shot, _) in truth.items() if reached[record] < POOR)
    rows: list[dict[str, Any]] = []
    for strategy in STRATEGIES:
        for seed in seeds:
            person = Labelling(bench, strategy, seed)
            for budget in budgets:
                person.label(person.choose(budget - len(person.labelled)))
                row: dict[str, Any] = {"strategy": strategy, "seed": seed, "frames": budget}
                row["masks"] = sum(len(one.example.masks) for one in person.shots)
                row["poor"] = sum(poor[name] for name in person.labelled)
                rows.append(row | Counter(one.source for one in person.shots))
        for budget in budgets:
            those = [row for row in rows if (row["strategy"], row["frames"]) == (strategy, budget)]
            names = list(dict.fromkeys(name for row in those for name in row if name not in ("strategy", "seed")))
            told(
                f"{strategy}: "
                + ", ".join(f"{name} {np.mean([row.get(name, 0) for row in those]):.1f}" for name in names)
            )
    return rows


class Results:
    """One line of JSON for each budget of each run, written as it comes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, Any]] = []
        if path.exists():
            self.rows = [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]

    def has(self, key: dict[str, Any]) -> bool:
        """Whether a budget was scored before."""
        return any(all(row[name] == value for name, value in key.items()) for row in self.rows)

    def add(self, row: dict[str, Any]) -> None:
        """Keep a row."""
        self.rows.append(row)
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        told(json.dumps(row))

    def curve(self, strategy: str, seed: int, budgets: Sequence[int], what: str) -> Float[np.ndarray, " B"]:
        """The scores of one run, nan where it was not run; `what` is a score, or several joined by + for their mean."""
        found = []
        for budget in budgets:
            name = "random" if budget == budgets[0] and budget else strategy
            rows = [one for one in self.rows if (one["strategy"], one["seed"], one["frames"]) == (name, seed, budget)]
            found.append(np.mean([rows[0]["scores"][part] for part in what.split("+")]) if rows else np.nan)
        return np.array(found)


def compared(results: Results, seeds: Sequence[int], budgets: Sequence[int], what: str) -> list[dict[str, Any]]:
    """Say how many frames each strategy needs for what random choice has at each budget but the first."""
    curves = {name: np.array([results.curve(name, seed, budgets, what) for seed in seeds]) for name in STRATEGIES}
    rows: list[dict[str, Any]] = []
    of_random = np.maximum.accumulate(curves["random"].mean(0))
    for at in range(1, len(budgets)):
        for name in STRATEGIES[1:]:
            if np.isnan(of_random[at]) or np.isnan(curves[name].mean(0)[1]):
                continue
            found = needed(budgets, curves[name].mean(0), of_random[at])
            each = [needed(budgets, one, of_random[at]) for one in curves[name]]
            row = {
                "score": what,
                "strategy": name,
                "iou": round(float(of_random[at]), 4),
                "frames_of_random": budgets[at],
                "share": None if found is None else round(found / budgets[at], 2),
                "share_of_each_seed": [None if one is None else round(one / budgets[at], 2) for one in each],
            }
            rows.append(row)
            told(json.dumps(row))
    return rows


def draw(results: Results, seeds: Sequence[int], budgets: Sequence[int], scores: Sequence[str], path: Path) -> None:
    """Draw mean curves with the spread of seeds, and what the base has."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(scores), figsize=(4.6 * len(scores), 4), squeeze=False)
    for axes, what in zip(panels[0], scores, strict=True):
        for name in STRATEGIES:
            runs = np.array([results.curve(name, seed, budgets, what) for seed in seeds])
            if np.isnan(runs.mean(0)[1]):
                continue
            (line,) = axes.plot(budgets, runs.mean(0), label=name, marker="o", linewidth=2 if name == "ours" else 1)
            axes.fill_between(budgets, runs.min(0), runs.max(0), alpha=0.15, color=line.get_color())
        axes.axhline(results.curve("base", 0, [0], what)[0], color="grey", linewidth=0.8, linestyle="--", label="base")
        axes.set(xlabel="frames labelled", ylabel="mean IoU", title=what.replace("+", ", "), xscale="log")
        axes.set_xticks(budgets, [str(one) for one in budgets])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.legend(loc="lower right")
    figure.tight_layout()
    figure.savefig(path, dpi=100)


def draw_found(rows: Sequence[dict[str, Any]], names: Sequence[str], path: Path) -> None:
    """Draw how much of what each strategy finds: means, with the least and most of the seeds."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(names), figsize=(4.6 * len(names), 4), squeeze=False)
    for axes, name in zip(panels[0], names, strict=True):
        for strategy in STRATEGIES:
            seeds, budgets, runs = found_of(rows, strategy, name)
            (line,) = axes.plot(
                budgets, runs.mean(0), label=strategy, marker="o", linewidth=2 if strategy == "ours" else 1
            )
            axes.fill_between(budgets, runs.min(0), runs.max(0), alpha=0.15, color=line.get_color())
        axes.set(xlabel="frames labelled", ylabel=f"found ({seeds} seeds)", title=name)
        axes.grid(alpha=0.3)
        axes.legend(loc="upper left")
    figure.tight_layout()
    figure.savefig(path, dpi=100)


def found_of(
    rows: Sequence[dict[str, Any]], strategy: str, name: str
) -> tuple[int, list[int], Float[np.ndarray, "S B"]]:
    """What a strategy found at each budget, a row a seed."""
    those = [row for row in rows if row["strategy"] == strategy]
    seeds, budgets = (sorted({row[key] for row in those}) for key in ("seed", "frames"))
    known = {(row["seed"], row["frames"]): float(row.get(name, 0)) for row in those}
    return len(seeds), budgets, np.array([[known[seed, budget] for budget in budgets] for seed in seeds])


def share_of_found(rows: Sequence[dict[str, Any]], strategy: str, name: str, *, at: int) -> list[float | None]:
    """For each seed, the share of random choice's frames after which as much is found as random choice has at last."""
    _, budgets, of_random = found_of(rows, "random", name)
    _, _, runs = found_of(rows, strategy, name)
    column = budgets.index(at)
    found = [needed(budgets, one, float(of_random.mean(0)[column])) for one in runs]
    return [None if one is None else round(one / at, 2) for one in found]


def needed(budgets: Sequence[int], curve: Float[np.ndarray, " B"], wanted: float) -> float | None:
    """How many frames a curve needs for an IoU, between budgets by a straight line in their logarithm."""
    best = np.maximum.accumulate(curve[~np.isnan(curve)])
    at = int(np.searchsorted(best, wanted))
    if at >= len(best):
        return None
    if at == 0:
        return float(budgets[0])
    low, high = np.log(budgets[at - 1]), np.log(budgets[at])
    return float(np.exp(low + (high - low) * (wanted - best[at - 1]) / max(1e-9, best[at] - best[at - 1])))


def main(arguments: Sequence[str]) -> None:
    """Prepare, tell what the signals know, run what is not there yet, and compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pool", type=limited, nargs="+", required=True, metavar="FOLDER[:MOST]")
    parser.add_argument("--test", nargs="+", required=True, metavar="SLICE=FOLDER[:MOST]")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--stride", type=int, default=5, help="of frames of episodes")
    parser.add_argument("--masks", type=int, default=3, help="most objects of a frame")
    parser.add_argument("--budgets", type=int, nargs="+", default=[8, 16, 32, 64])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--found", type=int, default=10, help="seeds for what is found, which costs no training")
    parser.add_argument("--scores", nargs="+", help="a slice and click or box, joined by + for a mean; default: each")
    parser.add_argument("--compare", action="store_true", help="what is there already, and run nothing")
    parser.add_argument("--picture", type=Path, help="the curves, as PNG")
    parser.add_argument("--out", type=Path, help="all figures, as JSON")
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    read = partial(shots_of, stride=args.stride, most_masks=args.masks)
    pool = [one for folder, most in args.pool for one in read(folder, most=most)]
    test: dict[str, list[Shot]] = {}
    for text in args.test:
        name, _, where = text.partition("=")
        folder, most = limited(where)
        test[name] = read(folder, most=most)
    told(f"{len(pool)} frames to choose from; scored on " + ", ".join(f"{len(b)} of {a}" for a, b in test.items()))
    args.work.mkdir(parents=True, exist_ok=True)
    bench = Bench(args.model, pool, test, args.work)
    signals = signal_report(bench)
    found = found_report(bench, range(args.found), args.budgets)
    results = Results(args.work / "results.jsonl")
    if not results.has({"strategy": "base"}):
        results.add({"strategy": "base", "seed": 0, "frames": 0, "scores": bench.scores(bench.model)})
    # What is wanted most comes first, the cheap before the dear, so that a run that is cut off tells something.
    for strategies in () if args.compare else (("random", "ours"), ("uncertainty alone",)):
        for upto in range(2, len(args.budgets) + 1):
            for seed in args.seeds:
                for strategy in strategies:
                    run(bench, strategy, seed, args.budgets[:upto], args.epochs, results)
    scores = args.scores or [f"{name} {how}" for name in test for how in ("click", "box")]
    rows = [row for what in scores for row in compared(results, args.seeds, args.budgets, what)]
    if args.out is not None:
        about = {"pool": len(pool), "epochs": args.epochs, "model": args.model, **machine()}
        content = {"results": results.rows, "signals": signals, "found": found, "compared": rows, "about": about}
        args.out.write_text(json.dumps(content, indent=1) + "\n")
    if args.picture is not None:
        draw(results, args.seeds, args.budgets, scores, args.picture)


def limited(text: str) -> tuple[Path, int | None]:
    """A folder, and how many frames of it at most."""
    folder, _, most = text.partition(":")
    return Path(folder), int(most) if most else None
