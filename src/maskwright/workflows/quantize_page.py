"""The report of a quantisation as one HTML page: what was tried, what each layer costs, and the worst masks drawn."""

from html import escape

from maskwright.evaluate import html_page, html_table
from maskwright.evaluate.case_pictures import ANSWER_RGB, TRUTH_RGB, as_data_uri, draw_case
from maskwright.evaluate.cases import Case
from maskwright.workflows.mask_gate import ChangedAnswer
from maskwright.workflows.quantize import QuantizeReport, Tried


def quantize_page(report: QuantizeReport) -> str:
    """Write the page."""
    title = f"{report.base} in {report.kind}"
    result, gate = report.chosen.result, report.gate
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p>SHA-256 of {escape(report.base)}: {report.base_sha256[:12]}. Frames of {escape(report.data)}: "
        f"{report.num_calibration} for ranges, {result.num_pictures} measured with {result.num_answers} answers, "
        f"{'beside true masks' if result.iou is not None else 'beside the answers in fp32'}.</p>",
        *(f"<p>Warning: {escape(text)}.</p>" for text in report.warnings),
        "<h2>Speed and size</h2>",
        html_table(
            ["", "before", "after", "ratio"],
            [
                [
                    "encoder, ms of processor",
                    f"{report.before_ms:.0f}",
                    f"{report.after_ms:.0f}",
                    f"{report.times_as_fast:.2f}",
                ],
                [
                    "MB",
                    f"{report.before_bytes / 1e6:.1f}",
                    f"{report.after_bytes / 1e6:.1f}",
                    f"{report.before_bytes / max(report.after_bytes, 1):.2f}",
                ],
            ],
        ),
        "<h2>Masks</h2>",
        html_table(
            ["left in float", "in 8 bits", "IoU", "falls by", "5th percentile", "agreement", "5th percentile", ""],
            [_tried_cells(report, one) for one in report.tried],
            last_left=True,
        ),
        f'<p class="muted">Allowed: {gate.mean:g} on average, {gate.tail:g} at the 5th percentile. The last line is '
        "what was written.</p>",
        *_layers(report),
        *_worst(report),
    ]
    return html_page(title, parts)


def _tried_cells(report: QuantizeReport, one: Tried) -> list[str]:
    result = one.result
    known = "" if result.iou is None else f"{result.iou_before:.4f} to {result.iou:.4f}"
    return [
        escape(", ".join(one.kept) or "nothing"),
        f"{one.share:.0%}",
        known,
        f"{result.mean_drop:+.4f}",
        f"{result.tail_drop:+.4f}",
        f"{result.agreement:.4f}",
        f"{result.agreement_tail:.4f}",
        "passes" if result.passes(report.gate) else "too much",
    ]


def _layers(report: QuantizeReport) -> list[str]:
    if not report.errors:
        return []
    kept = set(report.chosen.kept)
    rows = [
        [escape(one.group), str(len(one.layers)), f"{one.error:.4f}", "float" if one.group in kept else "8 bits"]
        for one in report.errors
    ]
    scaled = "Channels were scaled (SmoothQuant)." if report.scaled else "Scaling channels did not help, and was left."
    return [
        "<h2>Layers</h2>",
        html_table(["group", "layers", "error alone", "written in"], rows),
        f'<p class="muted">The error of the features, as a share of their length, when the group alone has 8 bits. '
        f"{scaled}</p>",
    ]


def _worst(report: QuantizeReport) -> list[str]:
    if not report.worst:
        return []
    keys = "".join(
        f'<span class="key" style="background:rgb{colour}"></span>{text}'
        for colour, text in ((TRUTH_RGB, "before"), (ANSWER_RGB, f"in {report.kind}"))
    )
    figures = "".join(map(_figure, report.worst))
    return ["<h2>Masks that changed most</h2>", f"<p>{keys}</p>", f'<div class="cases">{figures}</div>']


def _figure(one: ChangedAnswer) -> str:
    case = Case(
        segmenter="",
        kind="",  # the prompt is not drawn: a click need not be in the middle of the mask before
        index=0,
        asked="",
        truth=one.before,
        answer=one.after,
        iou=one.agreement,
    )
    drawn = as_data_uri(draw_case(case, one.picture.image))
    name = escape(one.picture.name)
    return (
        f'<figure><img src="{drawn}" alt="{name}"><figcaption>agreement {one.agreement:.2f}, by a {one.kind}<br>{name}'
        "</figcaption></figure>"
    )


__all__ = ["quantize_page"]
