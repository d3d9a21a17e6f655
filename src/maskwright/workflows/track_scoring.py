"""From models and video with true masks to scores of trackers on disk: results.json, rows.csv and report.html.

All three are written together at the end, so that an interrupted run leaves nothing half-written.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from maskwright.core.errors import SettingError
from maskwright.evaluate.segmenter import ModelSegmenter
from maskwright.evaluate.sequences import LabelledSequence
from maskwright.evaluate.track_report import tracking_report
from maskwright.evaluate.track_summary import (
    TrackSummary,
    format_tracking,
    summarise_tracking,
    tracking_csv,
    tracking_json,
)
from maskwright.evaluate.tracker_baselines import TRACKER_BASELINES, baseline_tracker
from maskwright.evaluate.tracking import Contender, Start, TrackEvaluation, check_start, evaluate_tracking
from maskwright.models import Model, VideoModel
from maskwright.predict.records import utc_now
from maskwright.predict.tracking import Tracker, make_tracker, tracker_settings
from maskwright.workflows.outputs import write_all
from maskwright.workflows.scoring import REPORT, RESULTS, ROWS, describe_making

MakeTracker = Callable[[Model | VideoModel], Tracker]


@dataclass(frozen=True, slots=True, kw_only=True)
class TracksScored:
    """An evaluation of trackers, its averages, and where they were written."""

    evaluation: TrackEvaluation
    summaries: tuple[TrackSummary, ...]
    results: Mapping[str, Any]
    report: Path | None

    def as_text(self) -> str:
        """The table of scores, then J&F video by video."""
        return format_tracking(self.summaries)


def score_trackers(
    models: Mapping[str, Model | VideoModel],
    sequences: Sequence[LabelledSequence],
    *,
    dataset: str,
    baselines: Sequence[str] = (),
    start: Start = "mask",
    budget: str = "default",
    keep_ends: bool = False,
    closer: bool = False,
    out: Path | None = None,
    command: str | None = None,
    make: MakeTracker | None = None,
    progress: Callable[[int, int], None] | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> TracksScored:
    """Let models track, by the names they should have in tables, beside baselines; write to `out` if there is one.

    `make` makes a model's tracker; if it is left out it is the package's own, by `budget`, which video models do not
    take. Baselines that need a model ask each of `models` that draws single pictures, with a second look at small
    objects if `closer`; without such a model they are left out and a note says so.

    Raises:
        SettingError: a baseline, start or budget is unknown, or the folder cannot be written.
        InputError: no video could be used.
    """
    check_baselines(baselines)
    check_start(start)
    settings = tracker_settings(budget)
    making = make or (lambda model: make_tracker(model, settings))
    contenders = [Contender(name=name, make=lambda model=model: making(model)) for name, model in models.items()]
    beside, notes = _baselines(models, baselines, start, closer)
    evaluation = evaluate_tracking(
        [*contenders, *beside], sequences, dataset=dataset, start=start, keep_ends=keep_ends, progress=progress
    )
    notes += _of_budget(models, budget)
    evaluation = replace(evaluation, notes=(*evaluation.notes, *notes))
    summaries = summarise_tracking(evaluation)
    made_by = describe_making(models, command, clock()) | {"budget": budget}
    results = tracking_json(evaluation, summaries, made_by)
    if out is not None:
        page = tracking_report(evaluation, summaries, sequences, made_by)
        contents = {
            out / ROWS: tracking_csv(evaluation).encode(),
            out / REPORT: page.encode(),
            out / RESULTS: (json.dumps(results, indent=1) + "\n").encode(),
        }
        write_all(contents)
    return TracksScored(
        evaluation=evaluation,
        summaries=tuple(summaries),
        results=results,
        report=None if out is None else out / REPORT,
    )


def check_baselines(names: Sequence[str]) -> None:
    """Refuse baselines of tracking that there are none of.

    Raises:
        SettingError: a name is unknown.
    """
    unknown = [name for name in names if name not in TRACKER_BASELINES]
    if unknown:
        raise SettingError(
            f"baselines of tracking are some of {', '.join(TRACKER_BASELINES)}; got {', '.join(unknown)}"
        )


def _baselines(
    models: Mapping[str, Model | VideoModel], names: Sequence[str], start: Start, closer: bool
) -> tuple[list[Contender], list[str]]:
    """Baselines, once for all; those that ask a model, once for each. And notes of those that have none to ask."""
    segmenters = {
        name: ModelSegmenter(model, name, closer=closer)
        for name, model in models.items()
        if not isinstance(model, VideoModel)
    }
    contenders: list[Contender] = []
    notes: list[str] = []
    for baseline in names:
        asks = baseline == "previous-box"
        if not segmenters and (asks or start != "mask"):
            why = "it asks a model on every frame" if asks else f"a model draws the first mask from the {start}"
            notes.append(f"{baseline} is left out: {why}, and no model here draws single pictures")
            continue
        asked = segmenters if asks else dict(list(segmenters.items())[:1])
        for model, segmenter in (asked or {"": None}).items():
            name = f"{baseline} {model}" if len(asked) > 1 else baseline

            def make_one(baseline: str = baseline, segmenter: ModelSegmenter | None = segmenter) -> Tracker:
                return baseline_tracker(baseline, segmenter)

            contenders.append(Contender(name=name, make=make_one))
    return contenders, notes


def _of_budget(models: Mapping[str, Model | VideoModel], budget: str) -> list[str]:
    """Tell whom a budget does not move."""
    names = [name for name, model in models.items() if isinstance(model, VideoModel)]
    if budget == "default" or not names:
        return []
    return [f"the budget {budget} does not concern video models, which draw every frame: {', '.join(names)}"]


__all__ = ["TracksScored", "check_baselines", "score_trackers"]
