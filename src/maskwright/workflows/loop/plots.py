"""Small plots over rounds as inline SVG: a dot a round, a line through the dots, bars for bounds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from maskwright.evaluate import colour_of

_WIDTH, _HEIGHT = 460, 270
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 14, 16, 42
_STEPS = (1, 2, 2.5, 5, 10)
_TICKS = 4


@dataclass(frozen=True, slots=True)
class Dot:
    """A value of a round, with its bounds where they are known."""

    number: int
    value: float
    low: float | None = None
    high: float | None = None


def round_plot(
    title: str, label_y: str, lines: Mapping[str, Sequence[Dot]], *, floor: float | None = 0.0, top: float | None = None
) -> str:
    """Plot lines over rounds; the axis ends where the values do unless `floor` and `top` say otherwise.

    Empty where there is nothing to plot.
    """
    dots = [dot for line in lines.values() for dot in line]
    if not dots:
        return ""
    first, last = min(dot.number for dot in dots), max(dot.number for dot in dots)
    low = min(dot.value if dot.low is None else dot.low for dot in dots) if floor is None else floor
    high = max(dot.value if dot.high is None else dot.high for dot in dots) if top is None else top
    ticks = _ticks(low, high)
    scale = _Scale(first, last, min(low, ticks[0]), max(high, ticks[-1]))
    parts = [_grid(scale, ticks, label_y)]
    for i, (name, line) in enumerate(lines.items()):
        parts.append(_line(scale, line, colour_of(i), name))
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">' + "".join(parts) + "</svg>"


@dataclass(frozen=True, slots=True)
class _Scale:
    first: int
    last: int
    low: float
    high: float

    def x(self, number: int) -> float:
        share = 0.5 if self.last == self.first else 0.06 + 0.88 * (number - self.first) / (self.last - self.first)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / ((self.high - self.low) or 1)
        return _TOP + (1 - share) * (_HEIGHT - _TOP - _BOTTOM)


def _ticks(low: float, high: float) -> list[float]:
    """Round values from below the lowest to above the highest."""
    span = (high - low) or abs(high) or 1.0
    size = 10.0 ** _exponent(span / _TICKS)
    step = next(size * one for one in _STEPS if size * one * _TICKS >= span - 1e-12)
    begin = int(low / step) - (low < 0 and low % step != 0)
    end = begin
    while end * step < high - 1e-12:
        end += 1
    return [at * step for at in range(begin, max(end, begin + 1) + 1)]


def _exponent(value: float) -> int:
    return int(f"{value:e}".partition("e")[2])


def _grid(scale: _Scale, ticks: Sequence[float], label_y: str) -> str:
    left, right, middle = _LEFT, _WIDTH - _RIGHT, scale.y((scale.low + scale.high) / 2)
    parts = [
        f'<line x1="{left}" x2="{right}" y1="{scale.y(value):.1f}" y2="{scale.y(value):.1f}" stroke="currentColor" '
        f'stroke-opacity="{0.4 if value == 0 else 0.15}"/>'
        f'<text x="{left - 6}" y="{scale.y(value) + 4:.1f}" text-anchor="end">{value:g}</text>'
        for value in ticks
    ]
    step = max(1, -(-(scale.last - scale.first + 1) // 10))
    parts += [
        f'<text x="{scale.x(number):.1f}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{number}</text>'
        for number in range(scale.first, scale.last + 1, step)
    ]
    parts.append(
        f'<text x="{(left + right) / 2:.0f}" y="{_HEIGHT - 8}" text-anchor="middle">round</text>'
        f'<text x="12" y="{middle:.1f}" text-anchor="middle" transform="rotate(-90 12 {middle:.1f})">'
        f"{escape(label_y)}</text>"
    )
    return "".join(parts)


def _line(scale: _Scale, line: Sequence[Dot], colour: str, name: str) -> str:
    points = " ".join(f"{scale.x(dot.number):.1f},{scale.y(dot.value):.1f}" for dot in line)
    parts = [f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>']
    for dot in line:
        x, told = scale.x(dot.number), f"{name}, round {dot.number}: {dot.value:.3g}"
        if dot.low is not None and dot.high is not None:
            parts.append(
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{scale.y(dot.low):.1f}" y2="{scale.y(dot.high):.1f}" '
                f'stroke="{colour}" stroke-width="1.5" stroke-opacity="0.6"/>'
            )
            told += f" ({dot.low:.3g} to {dot.high:.3g})"
        parts.append(
            f'<circle cx="{x:.1f}" cy="{scale.y(dot.value):.1f}" r="4" fill="{colour}"><title>{escape(told)}</title>'
            "</circle>"
        )
    return "".join(parts)


__all__ = ["Dot", "round_plot"]
