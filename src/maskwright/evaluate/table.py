"""Scores as Markdown tables: a line for each number, a column for each segmenter; and a table of slices."""

from collections.abc import Mapping, Sequence

from maskwright.evaluate.summary import Summary

_DECIMALS = {"NoC@85": 2, "NoC@90": 2, "NoC@85 random": 2, "NoC@85 spread": 2, "NoC@90 random": 2}
_DECIMALS |= {"masks kept": 1, "ms to open": 0, "ms a prompt": 0}


def format_score(metric: str, value: float | None) -> str:
    """Write a score with as many digits as it deserves; a dash where there is none."""
    return "-" if value is None else f"{value:.{_DECIMALS.get(metric, 3)}f}"


def format_change(metric: str, value: float | None, before: float | None) -> str:
    """Write by how much a score differs, with its sign; a dash where one of both is not there."""
    return "-" if value is None or before is None else f"{value - before:+.{_DECIMALS.get(metric, 3)}f}"


def format_table(
    summaries: Sequence[Summary], *, metrics: Sequence[str] | None = None, baseline: str | None = None
) -> str:
    """Write the scores of segmenters side by side; numbers that nobody has are left out.

    The segmenter that is the `baseline` comes first, and each other is followed by its difference from it.
    """
    wanted = summaries[0].scores if metrics is None else metrics
    lines = [
        [metric, *score_cells(metric, summaries, baseline)]
        for metric in wanted
        if any(one.scores.get(metric) is not None for one in summaries)
    ]
    return markdown(["", *score_heads(summaries, baseline)], lines)


def score_heads(summaries: Sequence[Summary], baseline: str | None) -> list[str]:
    """The heads of the columns that `score_cells` fills."""
    if baseline is None:
        return [one.segmenter for one in summaries]
    others = [one.segmenter for one in summaries if one.segmenter != baseline]
    return [baseline, *(text for name in others for text in (name, "change"))]


def score_cells(metric: str, summaries: Sequence[Summary], baseline: str | None) -> list[str]:
    """Write one score of all segmenters, and how it differs from the baseline's, if there is one."""
    if baseline is None:
        return [format_score(metric, one.scores.get(metric)) for one in summaries]
    scores = {one.segmenter: one.scores.get(metric) for one in summaries}
    before = scores.pop(baseline)
    pairs = [(format_score(metric, x), format_change(metric, x, before)) for x in scores.values()]
    return [format_score(metric, before), *(text for pair in pairs for text in pair)]


def format_slices(summary: Summary) -> str:
    """Write the slices of one segmenter."""
    metrics = _present([row.scores for row in summary.slices])
    lines = [
        [f"{row.dimension}: {row.bucket}", str(row.num_objects), *(format_score(m, row.scores[m]) for m in metrics)]
        for row in summary.slices
    ]
    return markdown(["slice", "objects", *metrics], lines)


def markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Write a Markdown table whose columns line up: names to the left, numbers to the right."""
    widths = [max(3, *(len(line[i]) for line in (head, *lines))) for i in range(len(head))]

    def row(cells: Sequence[str]) -> str:
        first, *others = zip(cells, widths, strict=True)
        return "| " + " | ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]) + " |"

    rule = "| " + " | ".join(["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]) + " |"
    return "\n".join([row(head), rule, *(row(line) for line in lines)])


def _present(scores: Sequence[Mapping[str, float | None]]) -> list[str]:
    return [metric for metric in (scores[0] if scores else ()) if any(one[metric] is not None for one in scores)]


__all__ = [
    "format_change",
    "format_score",
    "format_slices",
    "format_table",
    "markdown",
    "score_cells",
    "score_heads",
]
