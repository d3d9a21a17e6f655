"""Means over trials: what stands in the table of an evaluation, its slices, its calibration and its curves.

Every number has one name, METRICS lists them with their meaning, and a number that does not apply is None.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from maskwright.evaluate.evaluation import FEW_CLICKS, NUM_DRAWS, Evaluation
from maskwright.evaluate.proposals import average_recall
from maskwright.evaluate.trials import Step, Trial

NUM_BINS = 10
_TRUSTED = 0.5  # an answer to a phrase is right from this IoU on

METRICS: dict[str, str] = {
    "box": "mIoU by a tight box",
    "box boundary": "boundary IoU by a tight box",
    "box + click": "mIoU by the box and one click in the middle of the largest error",
    "1 click": "mIoU by a click in the middle of the object",
    "1 click boundary": "boundary IoU by that click",
    "3 clicks": "mIoU after three clicks, each in the middle of the largest error",
    "5 clicks": "mIoU after five",
    "NoC@85": "clicks until IoU 0.85, of at most 20",
    "NoC@90": "clicks until IoU 0.90, of at most 20",
    "1 random click": "mIoU by a click anywhere in the object, the deeper inside the likelier",
    "NoC@85 random": "clicks until IoU 0.85 when each lands anywhere in the errors; mean of three draws",
    "NoC@85 spread": "standard deviation of NoC@85 between the draws, averaged over objects",
    "NoC@90 random": "the same until IoU 0.90",
    "AR@1000": "average recall of at most 1000 masks of everything-mode, IoU 0.50 to 0.95",
    "AR kept": "average recall of the masks that everything-mode keeps",
    "masks kept": "how many these are in a picture",
    "text": "mIoU of phrases of a name, or of a colour and a name",
    "name right": "share of names answered with IoU 0.5 or more",
    "colour + name right": "the same of phrases of a colour and a name",
    "text answered": "share of phrases of a name, or of a colour and a name, with an answer: a mask that is not empty",
    "text precision": "share of these answers, and of those about absent things, with IoU 0.5 or more",
    "absent told": "share of absent things without an answer",
    "belief error": "mean |predicted IoU - IoU| by a box, a corrected box and one to five clicks",
    "ECE": "expected calibration error of the same, ten bins",
    "ms to open": "milliseconds to prepare a picture",
    "ms a prompt": "milliseconds for an answer",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Answers of about the same predicted IoU: how many, what was predicted and what was reached on average."""

    num_answers: int
    predicted: float
    reached: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceRow:
    """Scores of the objects of one slice, as `size: below 2 %`."""

    dimension: str
    bucket: str
    num_objects: int
    scores: Mapping[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Everything that is told of one segmenter. `curves` are mIoU after 1, 2, ... clicks, by kind of click."""

    segmenter: str
    scores: Mapping[str, float | None]
    slices: tuple[SliceRow, ...]
    bins: tuple[Bin, ...]
    curves: Mapping[str, tuple[float, ...]]


def summarise(evaluation: Evaluation) -> list[Summary]:
    """Average an evaluation, one summary a segmenter."""
    return [_summarise_one(evaluation, name) for name in evaluation.segmenters]


def _summarise_one(evaluation: Evaluation, name: str) -> Summary:
    trials = [trial for trial in evaluation.trials if trial.segmenter == name]
    beliefs = _beliefs(trials)
    scores = _scores(trials, evaluation.most_clicks) | {
        "masks kept": evaluation.num_kept.get(name),
        "belief error": _mean(abs(predicted - reached) for predicted, reached in beliefs),
        "ECE": calibration_error(beliefs),
        **_times(evaluation, name),
    }
    return Summary(
        segmenter=name,
        scores={metric: scores.get(metric) for metric in METRICS},
        slices=tuple(_slices(trials, evaluation.most_clicks)),
        bins=reliability_bins(beliefs),
        curves={
            kind: tuple(_curve(of_kind, evaluation.most_clicks))
            for kind in ("click", "random")
            if (of_kind := [trial for trial in trials if trial.kind == kind])
        },
    )


def _scores(trials: Sequence[Trial], most: int) -> dict[str, float | None]:
    """Average what trials alone tell."""
    of: dict[str, list[Trial]] = defaultdict(list)
    for trial in trials:
        of[trial.kind].append(trial)

    def after(
        kind: str, num_clicks: int, value: Callable[[Step], float | None] = lambda step: step.iou
    ) -> float | None:
        return _mean(value(trial.after(num_clicks)) for trial in of[kind])

    def noc(kind: str, quality: float) -> float | None:
        return _mean(trial.clicks_to(quality, most=most) for trial in of[kind]) if most > FEW_CLICKS else None

    def boundary(step: Step) -> float | None:
        return step.boundary_iou

    return {
        "box": after("box", 1),
        "box boundary": after("box", 1, boundary),
        "box + click": after("box+click", 1),
        "1 click": after("click", 1),
        "1 click boundary": after("click", 1, boundary),
        "3 clicks": after("click", 3),
        "5 clicks": after("click", 5),
        "NoC@85": noc("click", 0.85),
        "NoC@90": noc("click", 0.90),
        "1 random click": after("random", 1),
        "NoC@85 random": noc("random", 0.85),
        "NoC@85 spread": _spread(of["random"], 0.85, most),
        "NoC@90 random": noc("random", 0.90),
        "AR@1000": _recall(of["everything"]),
        "AR kept": _recall(of["kept"]),
        "text": _mean(trial.steps[0].iou for trial in of["name"] + of["colour+name"]),
        "name right": _mean(trial.steps[0].iou >= _TRUSTED for trial in of["name"]),
        "colour + name right": _mean(trial.steps[0].iou >= _TRUSTED for trial in of["colour+name"]),
        "text answered": _mean(trial.steps[0].is_given for trial in of["name"] + of["colour+name"]),
        "text precision": _text_precision(of["name"] + of["colour+name"], of["absent"]),
        "absent told": _mean(not trial.steps[0].is_given for trial in of["absent"]),
    }


def _recall(trials: Sequence[Trial]) -> float | None:
    return average_recall([trial.steps[0].iou for trial in trials]) if trials else None


def _spread(trials: Sequence[Trial], quality: float, most: int) -> float | None:
    """How much the luck of the clicks matters: the standard deviation between draws, averaged over objects."""
    counts: dict[tuple[str, str], list[int]] = defaultdict(list)
    for trial in trials:
        counts[trial.picture, trial.asked].append(trial.clicks_to(quality, most=most))
    return _mean(float(np.std(found, ddof=1)) for found in counts.values() if len(found) == NUM_DRAWS)


def _text_precision(present: Sequence[Trial], absent: Sequence[Trial]) -> float | None:
    right = [trial.steps[0].iou >= _TRUSTED for trial in present if trial.steps[0].is_given]
    return _mean(right + [False for trial in absent if trial.steps[0].is_given])


def _beliefs(trials: Iterable[Trial]) -> list[tuple[float, float]]:
    """Pair what was believed with what was reached."""
    return [
        (step.predicted_iou, step.iou)
        for trial in trials
        if trial.kind in ("box", "box+click", "click")
        for step in trial.steps[:FEW_CLICKS]
        if step.predicted_iou is not None
    ]


def reliability_bins(beliefs: Sequence[tuple[float, float]]) -> tuple[Bin, ...]:
    """Sort (predicted, reached) into ten bins of predicted IoU; empty ones are left out."""
    bins: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for predicted, reached in beliefs:
        bins[min(max(int(predicted * NUM_BINS), 0), NUM_BINS - 1)].append((predicted, reached))
    return tuple(
        Bin(
            num_answers=len(found),
            predicted=math.fsum(p for p, _ in found) / len(found),
            reached=math.fsum(r for _, r in found) / len(found),
        )
        for _, found in sorted(bins.items())
    )


def calibration_error(beliefs: Sequence[tuple[float, float]]) -> float | None:
    """Average, over bins weighted by their answers, how far the mean belief is from the mean IoU."""
    if not beliefs:
        return None
    bins = reliability_bins(beliefs)
    return math.fsum(one.num_answers * abs(one.predicted - one.reached) for one in bins) / len(beliefs)


_SLICED = ("box", "box boundary", "1 click", "1 click boundary", "5 clicks", "NoC@85", "AR@1000")


def _slices(trials: Sequence[Trial], most: int) -> Iterable[SliceRow]:
    found: dict[tuple[str, str], list[Trial]] = defaultdict(list)
    for trial in trials:
        if trial.facts is not None:
            for place in trial.facts.slices().items():
                found[place].append(trial)
    for (dimension, bucket), some in sorted(found.items(), key=_slice_order):
        scores = _scores(some, most)
        yield SliceRow(
            dimension=dimension,
            bucket=bucket,
            num_objects=len({(trial.picture, trial.asked) for trial in some}),
            scores={metric: scores[metric] for metric in _SLICED},
        )


_DIMENSIONS = ("size", "width", "occlusion", "material")
_WORDS = ("below", "to", "above")


def _slice_order(entry: tuple[tuple[str, str], list[Trial]]) -> tuple[int, int, str]:
    """Sort "below", "2 to 10", "above" by size and materials by name."""
    dimension, bucket = entry[0]
    rank = next((i for i, word in enumerate(_WORDS) if word in bucket.split()), 0)
    return _DIMENSIONS.index(dimension), rank, bucket


def _curve(trials: Sequence[Trial], most: int) -> Iterable[float]:
    for num_clicks in range(1, most + 1):
        value = _mean(trial.after(num_clicks).iou for trial in trials)
        assert value is not None
        yield value


def _times(evaluation: Evaluation, name: str) -> dict[str, float | None]:
    timing = evaluation.timings.get(name)
    if timing is None:
        return {}
    return {
        "ms to open": 1000 * timing.open_s / timing.num_opened if timing.num_opened else None,
        "ms a prompt": 1000 * timing.answer_s / timing.num_answers if timing.num_answers else None,
    }


def _mean(values: Iterable[float | None]) -> float | None:
    known = [float(value) for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None


__all__ = [
    "METRICS",
    "NUM_BINS",
    "Bin",
    "SliceRow",
    "Summary",
    "calibration_error",
    "reliability_bins",
    "summarise",
]
