"""An evaluation as JSON types: what results.json holds, and what tables in documentation are made from.

The file says what was measured (data, tasks, how many objects), by whom (segmenters with their hashes), and with what
outcome; every single answer is in rows.csv beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from maskwright.evaluate.evaluation import Evaluation
from maskwright.evaluate.summary import METRICS, Summary

FORMAT = "maskwright-evaluation-1"


def results_json(evaluation: Evaluation, summaries: Sequence[Summary], made_by: Mapping[str, Any]) -> dict[str, Any]:
    """Describe an evaluation; `made_by` says when, with which command, versions and checkpoints."""
    present = [m for m in METRICS if any(one.scores[m] is not None for one in summaries)]
    return {
        "format": FORMAT,
        "made_by": dict(made_by),
        "data": {
            "name": evaluation.dataset,
            "num_pictures": evaluation.num_pictures,
            "num_objects": evaluation.num_objects,
        },
        "tasks": list(evaluation.tasks),
        "most_clicks": evaluation.most_clicks,
        "notes": list(evaluation.notes),
        "meaning": {metric: METRICS[metric] for metric in present},
        "segmenters": [
            {
                "name": one.segmenter,
                "scores": {metric: _rounded(one.scores[metric]) for metric in present},
                "slices": [
                    {
                        "dimension": row.dimension,
                        "bucket": row.bucket,
                        "num_objects": row.num_objects,
                        "scores": {metric: _rounded(value) for metric, value in row.scores.items()},
                    }
                    for row in one.slices
                ],
                "calibration": [{key: _rounded(value) for key, value in asdict(found).items()} for found in one.bins],
                "curves": {kind: [_rounded(value) for value in curve] for kind, curve in one.curves.items()},
            }
            for one in summaries
        ],
    }


def _rounded(value: float | None) -> float | int | None:
    return round(value, 5) if isinstance(value, float) else value


__all__ = ["FORMAT", "results_json"]
