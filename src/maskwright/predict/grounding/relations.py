"""How well relations and ranks hold between things, from their masks, and from depth where it is known: 0 to 1.

Left, right, front and behind are the camera's. Without depth a thing is nearer if it stands lower in the picture, as
things on one table do when a camera looks down on them; depth overrules that.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from maskwright.predict.grounding.instruction import OrderKind, RelationKind
from maskwright.predict.grounding.shapes import Shape

# A step away from the camera is this much shorter in the picture than one aside. Middles at 0.8 told the nearest of
# things on generated robot scenes best, before feet and before a plane in perspective (docs/log.md).
_FORESHORTENING = 0.8
# Of the picture's longer side in metres at a metre's distance: a camera of some 55 degrees.
_VIEW = 1.04
# How surely one distance is larger than another: differences of depth below this share of it are noise.
_DEPTH_NOISE = 0.015
_STEP = 3  # cells below a thing that still count as what it stands on


def holds(kind: RelationKind, one: Shape, others: Sequence[Shape]) -> float:
    """How well a relation holds between a thing and another, or two for "between"."""
    if kind == "between":
        return _between(one, *others[:2])
    return _RELATIONS[kind](one, others[0])


def sort_key(by: OrderKind, one: Shape, others: Sequence[Shape], of: Shape | None) -> float:
    """By what a rank sorts, the smallest first: `others` are all of its like, `of` is what distance is measured to."""
    if by in ("nearest to", "farthest from"):
        away = 0.0 if of is None else distance(one, of)
        return away if by == "nearest to" else -away
    if by == "middle":
        x = [other.middle[0] for other in others]
        return abs(one.middle[0] - (min(x) + max(x)) / 2)
    return _KEYS[by](one)


def noise_of(by: OrderKind, one: Shape, other: Shape) -> float:
    """What difference of two sort keys is too small to tell who comes first."""
    if by in ("largest", "smallest"):
        return 0.1 * max(_true_area(one), _true_area(other))
    if by in ("front", "back") and one.depth_m is not None and other.depth_m is not None:
        return _DEPTH_NOISE * max(one.depth_m, other.depth_m)
    return 0.1 * min(one.side, other.side)


def distance(one: Shape, other: Shape) -> float:
    """How far apart two things stand: on the ground, in units of the picture or, with depth, of metres."""
    (x1, y1), (x2, y2) = one.middle, other.middle
    if one.depth_m is not None and other.depth_m is not None:
        a, b = ((x * d * _VIEW, y * d * _VIEW, d) for x, y, d in ((x1, y1, one.depth_m), (x2, y2, other.depth_m)))
        return math.dist(a, b)
    return math.hypot(x1 - x2, (y1 - y2) / _FORESHORTENING)


def soft(value: float) -> float:
    """Turn how much speaks for something, in units of what is noise, into how sure it is."""
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, value))))


def _left_of(one: Shape, other: Shape) -> float:
    unit = (one.width + other.width) / 4
    return soft(3 * ((other.middle[0] - one.middle[0]) / unit - 0.4))


def _in_front_of(one: Shape, other: Shape) -> float:
    if one.depth_m is not None and other.depth_m is not None:
        return soft((other.depth_m - one.depth_m) / (_DEPTH_NOISE * other.depth_m))
    unit = (one.height + other.height) / 4
    return soft(4 * ((one.foot[1] - other.foot[1]) / unit - 0.15))


def _above(one: Shape, other: Shape) -> float:
    left, right = max(one.box[0], other.box[0]), min(one.box[2], other.box[2])
    beside = max(0.0, min(1.0, (right - left) / min(one.width, other.width)))
    unit = (one.height + other.height) / 4
    return beside * soft(4 * ((other.middle[1] - one.middle[1]) / unit - 0.4))


def _on(one: Shape, other: Shape) -> float:
    """What lies under the lowest pixels of a thing is the other."""
    columns = one.cells.any(0)
    lowest = one.cells.shape[0] - 1 - one.cells[::-1].argmax(0)
    foot = columns & (lowest >= np.quantile(lowest[columns], 0.4))
    x, y = np.nonzero(foot)[0], lowest[foot]
    below = np.minimum(y[None] + np.arange(1, _STEP + 1)[:, None], one.cells.shape[0] - 1)
    share = float(other.cells[below, x[None]].any(0).mean())
    return max(min(1.0, share / 0.6), 0.4 * _in(one, other), 0.9 * _share_in(one, other.cells))


def _in(one: Shape, other: Shape) -> float:
    """Within the other's outline, and not in front of it."""
    if one.area >= other.area * 1.5:
        return 0.0
    stands_within = soft(20 * ((other.box[3] - one.foot[1]) / other.height - 0.05))
    return min(1.0, _share_in(one, other.hull) / 0.8) * stands_within


def _next_to(one: Shape, other: Shape) -> float:
    gap = float(other.away[one.cells].min())
    unit = (one.side + other.side) / 2
    close = math.exp(-gap / (0.8 * unit))
    if one.depth_m is None or other.depth_m is None:
        return close
    apart = abs(one.depth_m - other.depth_m)
    return close * math.exp(-apart / (2 * unit * other.depth_m * _VIEW + _DEPTH_NOISE * other.depth_m))


def _with(one: Shape, other: Shape) -> float:
    """The other is a part of it, or hangs on it."""
    if other.area > one.area:
        return 0.0
    within = _share_in(other, one.cells)
    touch = float((one.away[other.cells] <= 2.0 / max(one.cells.shape)).any())
    return max(within, 0.7 * touch)


def _between(one: Shape, first: Shape, second: Shape) -> float:
    a, b, p = (np.array([x, y / _FORESHORTENING]) for x, y in (first.middle, second.middle, one.middle))
    way = b - a
    length = max(float(np.hypot(*way)), 1e-6)
    along = float((p - a) @ way) / length**2
    aside = abs(float(way[0] * (p - a)[1] - way[1] * (p - a)[0])) / length**2
    return soft(20 * (along - 0.1)) * soft(20 * (0.9 - along)) * math.exp(-((aside / 0.4) ** 2))


def _share_in(one: Shape, cells: np.ndarray) -> float:
    return float(cells[one.cells].mean())


def _true_area(one: Shape) -> float:
    return one.area * (1.0 if one.depth_m is None else one.depth_m**2)


def _true_length(length: float, one: Shape) -> float:
    return length * (1.0 if one.depth_m is None else one.depth_m)


def _nearness(one: Shape) -> float:
    return one.foot[1] if one.depth_m is None else -one.depth_m


_RELATIONS: dict[RelationKind, Callable[[Shape, Shape], float]] = {
    "left of": _left_of,
    "right of": lambda one, other: _left_of(other, one),
    "in front of": _in_front_of,
    "behind": lambda one, other: _in_front_of(other, one),
    "above": _above,
    "below": lambda one, other: _above(other, one),
    "on": _on,
    "in": _in,
    "under": lambda one, other: max(_on(other, one), 0.9 * _above(other, one)),
    "next to": _next_to,
    "with": _with,
    "of": lambda one, other: _with(other, one),
}

_KEYS: dict[OrderKind, Callable[[Shape], float]] = {
    "leftmost": lambda one: one.middle[0],
    "rightmost": lambda one: -one.middle[0],
    "front": lambda one: -_nearness(one),
    "back": _nearness,
    "highest": lambda one: one.middle[1],
    "lowest": lambda one: -one.middle[1],
    "largest": lambda one: -_true_area(one),
    "smallest": _true_area,
    "tallest": lambda one: -_true_length(one.height, one),
    "shortest": lambda one: _true_length(one.height, one),
    "longest": lambda one: -_true_length(one.length, one),
}


__all__ = ["distance", "holds", "noise_of", "soft", "sort_key"]
