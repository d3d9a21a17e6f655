"""An evaluation as one HTML page that needs nothing else: tables, curves, and the worst and best answers drawn.

Pictures are read again, one at a time, for the cases alone.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from maskwright.evaluate.case_pictures import ANSWER_RGB, TRUTH_RGB, as_data_uri, draw_case
from maskwright.evaluate.cases import Case, ChangedCase
from maskwright.evaluate.dataset import Dataset
from maskwright.evaluate.evaluation import Evaluation
from maskwright.evaluate.plots import calibration, click_curves, colour_of
from maskwright.evaluate.summary import METRICS, Summary
from maskwright.evaluate.table import format_score, score_cells, score_heads

_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1180px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; } h3 { font-size: 1rem; }
table { border-collapse: collapse; margin: 0.6rem 0; }
th, td { padding: 0.2rem 0.7rem; text-align: right; border-bottom: 1px solid #8886; }
th:first-child, td:first-child { text-align: left; }
.wide { overflow-x: auto; } .muted { opacity: 0.7; }
.plots { display: flex; flex-wrap: wrap; gap: 1.5rem; } .plots figure { margin: 0; flex: 1 1 400px; max-width: 520px; }
svg { width: 100%; font-size: 12px; } svg text { fill: currentColor; }
.cases { display: grid; grid-template-columns: repeat(auto-fill, minmax(210px, 1fr)); gap: 1rem; }
.cases figure { margin: 0; } .cases img { width: 100%; height: 210px; object-fit: contain; background: #8883; }
.pairs { display: grid; grid-template-columns: repeat(auto-fill, minmax(440px, 1fr)); gap: 1rem 2rem; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 0 0.6rem; } .pair p { grid-column: 1 / 3; margin: 0; }
.pair figure { margin: 0; } .pair img { width: 100%; height: 210px; object-fit: contain; background: #8883; }
figcaption { font-size: 13px; overflow-wrap: anywhere; }
.key { display: inline-block; width: 1.6em; height: 0.35em; vertical-align: middle; margin: 0 0.3em 0 0.8em; }
"""
_KEYS = "".join(
    f'<span class="key" style="background:rgb{colour}"></span>{text}'
    for colour, text in ((TRUTH_RGB, "truth"), (ANSWER_RGB, "answer"))
)
_TITLES = {"box": "by a box", "click": "by one click in the middle", "text": "by a phrase"}


def html_report(
    evaluation: Evaluation,
    summaries: Sequence[Summary],
    dataset: Dataset,
    made_by: Mapping[str, Any],
    *,
    title: str | None = None,
    lead: str = "",
    baseline: str | None = None,
) -> str:
    """Write the page; `lead` is HTML that comes before the scores, `baseline` the segmenter to compare the others with.

    Raises:
        ImageError, InputError: a picture of a case can no longer be read.
    """
    title = title or f"{', '.join(one.segmenter for one in summaries)} on {evaluation.dataset}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{_count(evaluation.num_pictures, 'picture')}, {_count(evaluation.num_objects, 'object')}; tasks: "
        f"{escape(', '.join(evaluation.tasks))}.</p>",
        *(f"<p>Note: {escape(note)}.</p>" for note in evaluation.notes),
        lead,
        "<h2>Scores</h2>",
        _score_table(summaries, baseline),
        _plots(summaries),
        "<h2>Slices</h2>",
        *(_slice_table(one) for one in summaries if one.slices),
        *([] if baseline is None else [_changed(evaluation, dataset, baseline)]),
        _cases(evaluation, dataset),
        "<h2>How this was made</h2>",
        _made_by(made_by),
    ]
    return html_page(title, parts)


def html_page(title: str, parts: Sequence[str]) -> str:
    """Put parts of HTML together into a page that needs nothing else."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _score_table(summaries: Sequence[Summary], baseline: str | None) -> str:
    present = [m for m in METRICS if any(one.scores[m] is not None for one in summaries)]
    rows = [
        [
            escape(m),
            *score_cells(m, summaries, baseline),
            f'<span class="muted">{escape(METRICS[m])}</span>',
        ]
        for m in present
    ]
    return html_table(["", *map(escape, score_heads(summaries, baseline)), "what it is"], rows, last_left=True)


def _slice_table(summary: Summary) -> str:
    metrics = [m for m in summary.slices[0].scores if any(row.scores[m] is not None for row in summary.slices)]
    rows = [
        [
            escape(f"{row.dimension}: {row.bucket}"),
            str(row.num_objects),
            *(format_score(m, row.scores[m]) for m in metrics),
        ]
        for row in summary.slices
    ]
    return f"<h3>{escape(summary.segmenter)}</h3>" + html_table(["slice", "objects", *map(escape, metrics)], rows)


def html_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, last_left: bool = False) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        styles = ["", *[""] * (len(cells) - 2), ' style="text-align:left"' if last_left else ""]
        return "<tr>" + "".join(f"<{tag}{s}>{c}</{tag}>" for c, s in zip(cells, styles, strict=True)) + "</tr>"

    body = "".join(line(row, "td") for row in rows)
    return f'<div class="wide"><table><thead>{line(head, "th")}</thead><tbody>{body}</tbody></table></div>'


def _plots(summaries: Sequence[Summary]) -> str:
    legend = "".join(
        f'<span class="key" style="background:{colour_of(i)}"></span>{escape(one.segmenter)}'
        for i, one in enumerate(summaries)
    )
    captions = (
        (click_curves(summaries), "mIoU after each click; dashed: random clicks."),
        (
            calibration(summaries),
            "Predicted IoU against IoU; a larger dot is more answers. On the diagonal it is honest.",
        ),
    )
    figures = "".join(
        f"<figure>{drawn}<figcaption>{escape(text)}</figcaption></figure>" for drawn, text in captions if drawn
    )
    return f'<h2>Curves</h2><p>{legend}</p><div class="plots">{figures}</div>' if figures else ""


def _changed(evaluation: Evaluation, dataset: Dataset, baseline: str) -> str:
    """Draw what the baseline answered, and beside it what another made of the same question."""
    groups: dict[tuple[str, str], list[ChangedCase]] = {}
    for change in evaluation.changes:
        if change.before.segmenter == baseline:
            groups.setdefault((change.after.segmenter, change.after.kind), []).append(change)
    if not groups:
        return ""
    shown = [case for some in groups.values() for one in some for case in (one.before, one.after)]
    drawn = _drawn_cases(shown, dataset, with_name=True)
    parts = [f"<h2>What changed most</h2><p>The largest gains first, then the largest losses.{_KEYS}</p>"]
    for (segmenter, kind), changes in groups.items():
        pairs = "".join(
            f'<div class="pair"><p>{one.gain:+.2f}</p>{drawn[one.before]}{drawn[one.after]}</div>'
            for one in sorted(changes, key=lambda one: -one.gain)
        )
        parts.append(f'<h3>{escape(segmenter)} {_TITLES[kind]}</h3><div class="pairs">{pairs}</div>')
    return "".join(parts)


def _cases(evaluation: Evaluation, dataset: Dataset) -> str:
    groups: dict[tuple[str, str], list[Case]] = {}
    for case in evaluation.cases:
        groups.setdefault((case.segmenter, case.kind), []).append(case)
    if not groups:
        return ""
    drawn = _drawn_cases(evaluation.cases, dataset)
    parts = [f"<h2>Worst and best answers</h2><p>Worst first, then the best.{_KEYS}</p>"]
    for (segmenter, kind), cases in groups.items():
        figures = "".join(drawn[case] for case in sorted(cases, key=lambda case: case.iou))
        parts.append(f'<h3>{escape(segmenter)} {_TITLES[kind]}</h3><div class="cases">{figures}</div>')
    return "".join(parts)


def _drawn_cases(cases: Sequence[Case], dataset: Dataset, *, with_name: bool = False) -> dict[Case, str]:
    """Draw cases picture by picture, so that each is read once."""
    drawn: dict[Case, str] = {}
    for index in sorted({case.index for case in cases}):
        image = dataset[index].image
        for case in cases:
            if case.index == index:
                name = f"<strong>{escape(case.segmenter)}</strong> " if with_name else ""
                belief = "" if case.predicted_iou is None else f", believed {case.predicted_iou:.2f}"
                drawn[case] = (
                    f'<figure><img src="{as_data_uri(draw_case(case, image))}" alt="{escape(case.asked)}">'
                    f"<figcaption>{name}IoU {case.iou:.2f}{belief}<br>{escape(case.asked)}</figcaption></figure>"
                )
    return drawn


def _made_by(made_by: Mapping[str, Any]) -> str:
    rows = [[escape(str(key).replace("_", " ")), _told(value)] for key, value in made_by.items() if value is not None]
    return html_table(["", ""], rows, last_left=True)


def _told(value: Any) -> str:
    """Write JSON types for people: values of a mapping after their names, those of a list line by line."""
    if isinstance(value, Mapping):
        return "; ".join(f"{escape(str(name).replace('_', ' '))} {_told(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return "<br>".join(map(_told, value))
    return escape(str(value))


__all__ = ["html_page", "html_report", "html_table"]
