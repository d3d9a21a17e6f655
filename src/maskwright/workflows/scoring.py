"""From models and a labelled data set to scores on disk: results.json, rows.csv and report.html.

All three are written together at the end, so that an interrupted run leaves nothing half-written.
"""

import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import torch

from maskwright import __version__
from maskwright.evaluate import (
    Dataset,
    Evaluation,
    ModelSegmenter,
    Summary,
    evaluate,
    format_slices,
    format_table,
    html_report,
    open_baselines,
    results_json,
    summarise,
    to_csv,
)
from maskwright.models import Model, VideoModel
from maskwright.predict.embedding import model_ref
from maskwright.predict.records import utc_now
from maskwright.workflows.outputs import write_all

RESULTS, ROWS, REPORT = "results.json", "rows.csv", "report.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """An evaluation, its averages, and where they were written."""

    evaluation: Evaluation
    summaries: tuple[Summary, ...]
    results: Mapping[str, Any]
    report: Path | None
    baseline: str | None = None

    def as_text(self) -> str:
        """The tables: scores side by side, with differences from the baseline; then the slices of each segmenter."""
        slices = [f"{one.segmenter}\n\n{format_slices(one)}" for one in self.summaries if one.slices]
        return "\n\n".join([format_table(self.summaries, baseline=self.baseline), *slices])


def score_models(
    models: Mapping[str, Model],
    dataset: Dataset,
    *,
    tasks: Sequence[str],
    baselines: Sequence[str] = (),
    baseline: str | None = None,
    closer: bool | None = None,
    out: Path | None = None,
    command: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> Scored:
    """Evaluate models, by the names they should have in tables, beside baselines; write to `out` if there is one.

    `baseline` is the model, by its name, that the others are compared with. `closer` is whether models look at small
    objects again; None is as their cards say.

    Raises:
        SettingError: a task or baseline is unknown, nothing could be asked, or the folder cannot be written.
        ImageError, InputError: no picture of the data could be read.
    """
    segmenters = [
        *(ModelSegmenter(model, name, closer=closer) for name, model in models.items()),
        *open_baselines(baselines),
    ]
    evaluation = evaluate(segmenters, dataset, tasks=tasks, progress=progress)
    summaries = summarise(evaluation)
    made_by = describe_making(models, command, clock())
    results = results_json(evaluation, summaries, made_by) | ({} if baseline is None else {"baseline": baseline})
    if out is not None:
        page = html_report(evaluation, summaries, dataset, made_by, baseline=baseline)
        contents = {
            out / ROWS: to_csv(evaluation.trials).encode(),
            out / REPORT: page.encode(),
            out / RESULTS: (json.dumps(results, indent=1) + "\n").encode(),
        }
        write_all(contents)
    return Scored(
        evaluation=evaluation,
        summaries=tuple(summaries),
        results=results,
        report=None if out is None else out / REPORT,
        baseline=baseline,
    )


def describe_making(models: Mapping[str, Model | VideoModel], command: str | None, when: datetime) -> dict[str, Any]:
    return {
        "created_at": when.isoformat(timespec="seconds"),
        "command": command,
        "maskwright": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads",
        "models": [
            {
                "name": name,
                "checkpoint_sha256": ref.checkpoint_sha256,
                "precision": ref.precision,
                "device": str(model.device),
                "licence": model.card.licence,
            }
            for name, model in models.items()
            for ref in [model_ref(model)]
        ],
    }


__all__ = ["REPORT", "RESULTS", "ROWS", "Scored", "score_models"]
