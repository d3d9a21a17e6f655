"""The report of a fine-tuning run: before and after, slice by slice, what else was kept, curves, and the usual rest.

It is the page of an evaluation (`evaluate.html_report`) of base and result, with what is known of the run before it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

from maskwright.evaluate import (
    Dataset,
    Evaluation,
    Summary,
    Trial,
    colour_of,
    html_report,
    html_table,
    line_plot,
)
from maskwright.evaluate.summary import SliceRow
from maskwright.workflows.retention import Retention

_HEADLINE = ("box", "box boundary", "box + click", "1 click", "3 clicks", "5 clicks", "belief error", "ECE")
_SLICED = ("box", "1 click", "5 clicks")
_WORSE_IS_MORE = frozenset(["belief error", "ECE"])
_RED, _GREEN = "#d9480f", "#2b8a3e"
_LEAST_CHANGE = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What a report tells beside the scores. `labels` are those of the objects that were asked about."""

    title: str
    rows: Sequence[Mapping[str, float]]
    best_epoch: int
    retention: Retention
    latency: Mapping[str, float]
    notes: Sequence[str]
    labels: Mapping[str, str]
    card: Mapping[str, Any]
    made_by: Mapping[str, Any]


def fine_tune_report(
    evaluation: Evaluation, summaries: tuple[Summary, Summary], dataset: Dataset, told: RunFacts
) -> str:
    """Write the page.

    Raises:
        ImageError, InputError: a picture of a case can no longer be read.
    """
    before, after = (_without_times(one) for one in summaries)
    data = told.card["data"]
    counts = ", ".join(f"{count} {side}" for side, count in data["num_pictures"].items())
    lead = "\n".join(
        [
            f"<p>Pictures, split by episode: {escape(counts)}. "
            "Scores are of pictures that nothing was learnt from.</p>",
            *(f"<p>Note: {escape(note)}.</p>" for note in told.notes),
            _retention(told.retention),
            "<h2>Before and after</h2>",
            _changes([("", before.scores, after.scores, None)], _HEADLINE),
            "<h2>Before and after, by slice</h2>",
            _changes([*_slices(before, after), *_by_label(evaluation, told.labels)], _SLICED),
            _curves(told),
            _latency(told.latency),
        ]
    )
    made_by = {
        **told.made_by,
        "base": f"{told.card['base']} ({told.card['base_sha256'][:12]})",
        "licence": told.card["licence"],
        "data fingerprint": data["fingerprint"],
        "recipe": told.card["recipe"],
    }
    return html_report(
        evaluation, [before, after], dataset, made_by, title=told.title, lead=lead, baseline=before.segmenter
    )


def _without_times(summary: Summary) -> Summary:
    """Leave out times that mean nothing, since both models share what the encoder makes."""
    return replace(summary, scores={name: None if "ms" in name.split() else x for name, x in summary.scores.items()})


_Scores = Mapping[str, float | None]


def _changes(rows: Sequence[tuple[str, _Scores, _Scores, int | None]], metrics: Sequence[str]) -> str:
    """Tabulate scores before and after; a change worth naming has a colour."""
    shown = [m for m in metrics if any(before.get(m) is not None for _, before, _, _ in rows)]
    if len(rows) == 1 and not rows[0][0]:
        _, before, after, _ = rows[0]
        cells = [[escape(m), _number(before[m]), _number(after[m]), _delta(m, before[m], after[m])] for m in shown]
        return html_table(["", "before", "after", "change"], cells)
    head = ["slice", "objects", *(text for m in shown for text in (escape(m), "change"))]
    cells = [
        [
            escape(name),
            str(count),
            *(
                text
                for m in shown
                for text in (
                    f"{_number(before.get(m))} → {_number(after.get(m))}",
                    _delta(m, before.get(m), after.get(m)),
                )
            ),
        ]
        for name, before, after, count in rows
    ]
    return html_table(head, cells)


def _slices(before: Summary, after: Summary) -> list[tuple[str, _Scores, _Scores, int | None]]:
    found: dict[tuple[str, str], SliceRow] = {(row.dimension, row.bucket): row for row in after.slices}
    return [
        (f"{row.dimension}: {row.bucket}", row.scores, found[row.dimension, row.bucket].scores, row.num_objects)
        for row in before.slices
        if (row.dimension, row.bucket) in found
    ]


def _by_label(evaluation: Evaluation, labels: Mapping[str, str]) -> list[tuple[str, _Scores, _Scores, int | None]]:
    """Average by label, most frequent first."""
    trials: dict[str, list[Trial]] = defaultdict(list)
    for trial in evaluation.trials:
        if (label := labels.get(trial.asked)) is not None:
            trials[label].append(trial)
    base, result = evaluation.segmenters
    rows: list[tuple[str, _Scores, _Scores, int | None]] = [
        (f"label: {label}", _means(some, base), _means(some, result), len({one.asked for one in some}))
        for label, some in trials.items()
    ]
    return sorted(rows, key=lambda row: -(row[3] or 0))[:20]


def _means(trials: Sequence[Trial], segmenter: str) -> dict[str, float | None]:
    def mean(kind: str, clicks: int) -> float | None:
        found = [one.after(clicks).iou for one in trials if one.segmenter == segmenter and one.kind == kind]
        return sum(found) / len(found) if found else None

    return {"box": mean("box", 1), "1 click": mean("click", 1), "5 clicks": mean("click", 5)}


def _retention(retention: Retention) -> str:
    if retention.is_kept:
        return f"<p>Kept: {escape(retention.line())}.</p>"
    return f'<p style="color:{_RED}"><strong>Forgot: {escape(retention.line())}</strong></p>'


def _curves(told: RunFacts) -> str:
    """Plot held-out scores and the loss over epochs."""
    scores = [row for row in told.rows if "held_out_score" in row]
    losses = [row for row in told.rows if "loss" in row]
    if not scores:
        return ""
    most = max(1.0, *(row["epoch"] for row in scores))
    lines = {
        name.removeprefix("held_out_"): [(row["epoch"], row[name]) for row in scores if name in row]
        for name in ("held_out_box", "held_out_click", "held_out_corrected")
    }
    figures = [line_plot("Held-out mIoU over epochs", "epochs", "mIoU", lines, most_x=most)]
    if len(losses) > 1:
        top = max(row["loss"] for row in losses) or 1.0
        steps = max(row["step"] for row in losses)
        points = [(row["step"], row["loss"] / top) for row in losses]
        figures.append(line_plot("Loss over steps", "steps", f"loss / {top:.3g}", {"loss": points}, most_x=steps))
    legend = "".join(
        f'<span class="key" style="background:{colour_of(i)}"></span>{escape(name)}' for i, name in enumerate(lines)
    )
    plots = "".join(f"<figure>{one}</figure>" for one in figures)
    return f'<h2>Training</h2><p>{legend}; best epoch {told.best_epoch}.</p><div class="plots">{plots}</div>'


def _latency(latency: Mapping[str, float]) -> str:
    told = ", ".join(f"{escape(name)} {ms:.0f} ms" for name, ms in latency.items())
    return f"<h2>Latency</h2><p>A click on a picture that is embedded already: {told}. The network is the same one.</p>"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _delta(metric: str, before: float | None, after: float | None) -> str:
    if before is None or after is None:
        return "-"
    change = after - before
    good = -change if metric in _WORSE_IS_MORE else change
    text = f"{change:+.3f}"
    if abs(good) < _LEAST_CHANGE:
        return text
    return f'<span style="color:{_GREEN if good > 0 else _RED}">{text}</span>'


__all__ = ["RunFacts", "fine_tune_report"]
