"""Two small plots as inline SVG: mIoU over clicks, and predicted IoU against the IoU that was reached."""

from collections.abc import Mapping, Sequence
from html import escape

from maskwright.evaluate.summary import Summary

_WIDTH, _HEIGHT = 460, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 14, 42
COLOURS = ("#0b6bcb", "#d9480f", "#2b8a3e", "#9c36b5", "#846358", "#0c8599")


def colour_of(index: int) -> str:
    """The colour of a segmenter, by its place."""
    return COLOURS[index % len(COLOURS)]


def click_curves(summaries: Sequence[Summary]) -> str:
    """Plot mIoU after each click: lines for clicks in the middle of the error, dashes for random ones."""
    most = max((len(curve) for one in summaries for curve in one.curves.values()), default=0)
    if most < 2:
        return ""
    drawn = []
    for i, one in enumerate(summaries):
        for kind, curve in one.curves.items():
            points = " ".join(f"{_x((k - 1) / (most - 1)):.1f},{_y(value):.1f}" for k, value in enumerate(curve, 1))
            dashes = ' stroke-dasharray="5 4"' if kind == "random" else ""
            drawn.append(f'<polyline points="{points}" fill="none" stroke="{colour_of(i)}" stroke-width="2"{dashes}/>')
    marks = [k for k in (1, 3, 5, 10, 15, 20) if k <= most]
    ticks = [(str(k), (k - 1) / (most - 1)) for k in marks]
    return _frame("mIoU over the number of clicks", "clicks", "mIoU", ticks, drawn)


def calibration(summaries: Sequence[Summary]) -> str:
    """Plot the mean IoU reached over the mean IoU predicted, a dot for each bin, larger for more answers."""
    if not any(one.bins for one in summaries):
        return ""
    drawn = [
        f'<line x1="{_x(0):.1f}" y1="{_y(0):.1f}" x2="{_x(1):.1f}" y2="{_y(1):.1f}" stroke="currentColor" '
        'stroke-opacity="0.4" stroke-dasharray="2 4"/>'
    ]
    for i, one in enumerate(summaries):
        total = sum(found.num_answers for found in one.bins)
        dots = [(_x(min(max(found.predicted, 0), 1)), _y(found.reached), found.num_answers) for found in one.bins]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in dots)
        drawn.append(f'<polyline points="{points}" fill="none" stroke="{colour_of(i)}" stroke-width="1.5"/>')
        drawn += [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{2 + 8 * (count / total) ** 0.5:.1f}" fill="{colour_of(i)}" '
            f'fill-opacity="0.75"><title>{count} answers</title></circle>'
            for x, y, count in dots
        ]
    ticks = [(f"{value:g}", value) for value in (0, 0.2, 0.4, 0.6, 0.8, 1)]
    return _frame("Predicted IoU against IoU reached", "predicted IoU", "IoU reached", ticks, drawn)


def line_plot(
    title: str, label_x: str, label_y: str, lines: Mapping[str, Sequence[tuple[float, float]]], *, most_x: float
) -> str:
    """Plot lines of (x, y) with y within 0..1, a colour each in their order."""
    drawn = [
        f'<polyline points="{" ".join(f"{_x(x / most_x):.1f},{_y(min(max(y, 0), 1)):.1f}" for x, y in points)}" '
        f'fill="none" stroke="{colour_of(i)}" stroke-width="2"><title>{escape(name)}</title></polyline>'
        for i, (name, points) in enumerate(lines.items())
    ]
    marks = [round(most_x * share) for share in (0, 0.25, 0.5, 0.75, 1)]
    return _frame(title, label_x, label_y, [(str(x), x / most_x) for x in dict.fromkeys(marks)], drawn)


def _frame(title: str, label_x: str, label_y: str, ticks_x: Sequence[tuple[str, float]], drawn: Sequence[str]) -> str:
    grid = []
    for value in (0, 0.2, 0.4, 0.6, 0.8, 1):
        grid.append(
            f'<line x1="{_x(0):.1f}" x2="{_x(1):.1f}" y1="{_y(value):.1f}" y2="{_y(value):.1f}" '
            f'stroke="currentColor" stroke-opacity="0.15"/>'
            f'<text x="{_LEFT - 6}" y="{_y(value) + 4:.1f}" text-anchor="end">{value:g}</text>'
        )
    for text, share in ticks_x:
        grid.append(
            f'<text x="{_x(share):.1f}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{escape(text)}</text>'
        )
    grid.append(f'<text x="{_x(0.5):.1f}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(label_x)}</text>')
    middle = _y(0.5)
    grid.append(
        f'<text x="12" y="{middle:.1f}" text-anchor="middle" transform="rotate(-90 12 {middle:.1f})">'
        f"{escape(label_y)}</text>"
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">'
        + "".join(grid)
        + "".join(drawn)
        + "</svg>"
    )


def _x(share: float) -> float:
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)


def _y(value: float) -> float:
    return _TOP + (1 - value) * (_HEIGHT - _TOP - _BOTTOM)


__all__ = ["calibration", "click_curves", "colour_of", "line_plot"]
