"""Means over objects and videos: what stands in the table of an evaluation of trackers, and in its JSON.

As in DAVIS 2017 a mean is over the objects of all videos, each the mean of its frames; counts are sums over all.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from typing import Any

import numpy as np

from maskwright.evaluate.table import markdown
from maskwright.evaluate.track_meter import TrackScores, decay, recall
from maskwright.evaluate.tracking import SequenceScores, TrackEvaluation

FORMAT = "maskwright-track-evaluation-1"

TRACK_METRICS: dict[str, str] = {
    "J&F": "mean of J and F",
    "J": "region similarity: mean IoU",
    "J recall": "share of frames with J above 0.5",
    "J decay": "mean J of the first quarter of the frames less that of the last",
    "F": "contour accuracy: F measure of outlines, matched within 0.8 % of the picture's diagonal",
    "F recall": "share of frames with F above 0.5",
    "F decay": "the same of F as of J",
    "switches": "how often an object was matched (IoU 0.5) to another track than before",
    "lost": "how often J of a visible object fell below 0.1",
    "re-found": "how often it came back to 0.5 from there",
    "phantoms": "frames with a mask of an object that is not seen, counted for each object",
    "flicker": "how much less a mask overlaps its predecessor than the true masks do, motion taken out",
    "frames/s": "frames in a second, as the tracker ran with decoding left out",
    "ms p50": "median milliseconds a frame",
    "ms p95": "milliseconds that 95 of 100 frames stay below",
}
_DECIMALS = {"switches": 0, "lost": 0, "re-found": 0, "phantoms": 0, "frames/s": 1, "ms p50": 0, "ms p95": 0}
_DECIMALS |= {"flicker": 4}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackSummary:
    """Everything that is told of one tracker: over all videos, and video by video."""

    tracker: str
    scores: Mapping[str, float | None]
    sequences: Mapping[str, Mapping[str, float | None]]


def summarise_tracking(evaluation: TrackEvaluation) -> list[TrackSummary]:
    """Average an evaluation, one summary a tracker."""
    return [
        TrackSummary(
            tracker=name,
            scores=_scores(evaluation.of(name)),
            sequences={one.sequence: _scores([one]) for one in evaluation.of(name)},
        )
        for name in evaluation.trackers
    ]


def _scores(of: Sequence[SequenceScores]) -> dict[str, float | None]:
    objects = [one.scores for video in of for one in video.objects]
    seconds = [step for video in of for step in video.step_s]
    found: dict[str, float | None] = {
        **_davis(objects),
        "switches": float(sum(video.num_switches for video in of)),
        "lost": float(sum(one.num_lost for one in objects)),
        "re-found": float(sum(one.num_refound for one in objects)),
        "phantoms": float(sum(one.num_phantoms for one in objects)),
        "flicker": _mean(one.flicker for one in objects),
    }
    if seconds and sum(seconds) > 0:
        p50, p95 = np.percentile(seconds, (50, 95)).tolist()
        found |= {"frames/s": len(seconds) / fsum(seconds), "ms p50": 1000 * p50, "ms p95": 1000 * p95}
    return {metric: found.get(metric) for metric in TRACK_METRICS}


def _davis(objects: Sequence[TrackScores]) -> dict[str, float | None]:
    return {
        "J&F": _mean(one.j_and_f for one in objects),
        "J": _mean(_mean(one.j) for one in objects),
        "J recall": _mean(recall(one.j) for one in objects),
        "J decay": _mean(decay(one.j) for one in objects),
        "F": _mean(_mean(one.f) for one in objects),
        "F recall": _mean(recall(one.f) for one in objects),
        "F decay": _mean(decay(one.f) for one in objects),
    }


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fsum(known) / len(known) if known else None


def format_track_score(metric: str, value: float | None) -> str:
    """Write a score with as many digits as it deserves; a dash where there is none."""
    return "-" if value is None else f"{value:.{_DECIMALS.get(metric, 3)}f}"


def format_tracking(summaries: Sequence[TrackSummary]) -> str:
    """Write the scores of trackers side by side, then J&F video by video where there are several."""
    names = [one.tracker for one in summaries]
    lines = [
        [metric, *(format_track_score(metric, one.scores[metric]) for one in summaries)]
        for metric in TRACK_METRICS
        if any(one.scores[metric] is not None for one in summaries)
    ]
    tables = [markdown(["", *names], lines)]
    videos = list(summaries[0].sequences)
    if len(videos) > 1:
        rows = [[v, *(format_track_score("J&F", one.sequences[v]["J&F"]) for one in summaries)] for v in videos]
        tables.append(markdown(["J&F", *names], rows))
    return "\n\n".join(tables)


def tracking_json(
    evaluation: TrackEvaluation, summaries: Sequence[TrackSummary], made_by: Mapping[str, Any]
) -> dict[str, Any]:
    """Describe an evaluation as JSON types; `made_by` says when, with which command, versions and checkpoints."""
    return {
        "format": FORMAT,
        "made_by": dict(made_by),
        "data": {
            "name": evaluation.dataset,
            "num_sequences": len(evaluation.sequences),
            "num_frames": evaluation.num_frames,
            "num_objects": sum(len(one.objects) for one in evaluation.of(evaluation.trackers[0])),
        },
        "tasks": ["track"],
        "start": evaluation.start,
        "ends": "scored" if evaluation.keep_ends else "the frame of the prompt and the last frame are not scored",
        "notes": list(evaluation.notes),
        "meaning": TRACK_METRICS,
        "trackers": [
            {
                "name": one.tracker,
                "scores": _rounded(one.scores),
                "sequences": [_sequence_json(video, one) for video in evaluation.of(one.tracker)],
            }
            for one in summaries
        ],
    }


def _sequence_json(video: SequenceScores, summary: TrackSummary) -> dict[str, Any]:
    return {
        "name": video.sequence,
        "scores": _rounded(summary.sequences[video.sequence]),
        "objects": [
            {
                "key": one.key,
                "label": one.label,
                "start": one.start,
                "num_frames": len(one.frames),
                **_rounded(_davis([one.scores])),
                "lost": one.scores.num_lost,
                "re-found": one.scores.num_refound,
                "phantoms": one.scores.num_phantoms,
                **_rounded({"flicker": one.scores.flicker}),
            }
            for one in video.objects
        ],
    }


def _rounded(scores: Mapping[str, float | None]) -> dict[str, float | int | None]:
    def one(metric: str, value: float | None) -> float | int | None:
        is_count = _DECIMALS.get(metric) == 0 and not metric.startswith("ms")
        return value if value is None else int(value) if is_count else round(value, 5)

    return {metric: one(metric, value) for metric, value in scores.items()}


def tracking_csv(evaluation: TrackEvaluation) -> str:
    """Write J and F of every object on every frame that counts as a line of CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("tracker", "sequence", "object", "label", "frame", "j", "f"))
    for video in evaluation.scores:
        for one in video.objects:
            for index, j, f in zip(one.frames, one.scores.j, one.scores.f, strict=True):
                writer.writerow((video.tracker, video.sequence, one.key, one.label, index, f"{j:.5g}", f"{f:.5g}"))
    return text.getvalue()


__all__ = [
    "FORMAT",
    "TRACK_METRICS",
    "TrackSummary",
    "format_track_score",
    "format_tracking",
    "summarise_tracking",
    "tracking_csv",
    "tracking_json",
]
