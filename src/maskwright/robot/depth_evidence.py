"""What speaks for each pixel of a see-through thing being of it: the model's mask, and what depth says around it.

Every measure is scaled by the thing's own size, so that near and far things are alike. `WEIGHTS` make a logit of them
(logistic regression), fitted by `benchmarks/depth_cues.py fit` on generated scenes with simulated depth failure.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float

from maskwright.core.shapes import BoxXYXY
from maskwright.robot.depth_cues import DepthCues, closed, filled, opened

_AROUND = 0.25  # of a thing's size is looked at beyond its box
_STEEPNESS = 10.0
_LEAVES, _STAYS = 0.4, 0.85  # shares of a surface within the box, below and above which it is another's, or the thing's
_ON, _ABOVE = 0.015, 0.03  # of its nearness: how near to the ground is on it, and how far off it is before it
_FIT_ROUNDS, _FEWEST = 8, 30

NAMES = (
    "mask", "hole shape", "hole shape, tight", "holes", "holes around", "missing", "missing around", "rough",
    "other surface", "other surface around", "own surface", "on the ground", "before the ground", "off centre",
    "mask x failing", "hole shape x failing", "other surface x failing", "on the ground x failing", "failing", "one",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """Measures in a window of the picture, `NAMES` in order; `failing` is the share of the box without sound depth."""

    measures: Float[np.ndarray, "h w F"]
    window: tuple[slice, slice]
    in_box: Bool[np.ndarray, "h w"]
    failing: float
    size: float


def gather(mask: Bool[np.ndarray, "H W"], cues: DepthCues, box: BoxXYXY) -> Evidence:
    """Measure a window around a box; `mask` is what a model drew."""
    x1, y1, x2, y2 = _inside(box, mask.shape)
    size = float(np.sqrt((x2 - x1) * (y2 - y1)))
    more = int(_AROUND * size) + 4
    height, width = mask.shape
    window = slice(max(0, y1 - more), min(height, y2 + more)), slice(max(0, x1 - more), min(width, x2 + more))
    in_box = np.zeros(mask.shape, bool)
    in_box[y1:y2, x1:x2] = True
    in_box = in_box[window]
    holes, rough, known = cues.holes[window], cues.rough[window], cues.is_known[window]
    bad = (holes | rough) & in_box
    failing = float(bad.sum() / max(1, in_box.sum()))

    def around(what: Bool[np.ndarray, "h w"], share: float) -> Float[np.ndarray, "h w"]:
        return cv2.GaussianBlur(what.astype(np.float32), (0, 0), max(0.8, share * size))

    drawn = _depth_inside(mask[window] & in_box, size)
    shape = _depth_inside(_hole_shape(bad, in_box, round(0.10 * size)), size)
    tight = _depth_inside(_hole_shape((~known | rough) & in_box, in_box, round(0.05 * size)), size)
    leaves, stays = _surfaces(cues, window, in_box)
    above = _above_ground(cues.nearness[window], known, in_box)
    on_ground, before = known & (np.abs(above) < _ON), known & (above > _ABOVE)
    ys, xs = np.mgrid[window]
    off_centre = ((xs + 0.5 - (x1 + x2) / 2) * 2 / (x2 - x1)) ** 2 + ((ys + 0.5 - (y1 + y2) / 2) * 2 / (y2 - y1)) ** 2
    measures = np.stack(
        [
            drawn, shape, tight, around(holes, 0.02), around(holes, 0.1), around(~known, 0.02), around(~known, 0.1),
            around(rough, 0.02), around(leaves, 0.01), around(leaves, 0.08), around(stays, 0.01),
            around(on_ground, 0.02), around(before, 0.02), np.minimum(off_centre, 2),
            drawn * failing, shape * failing, around(leaves, 0.03) * failing,
            around(on_ground & ~rough, 0.03) * failing, np.full(drawn.shape, failing), np.ones(drawn.shape),
        ],
        axis=-1,
    )  # fmt: skip
    return Evidence(measures=measures, window=window, in_box=in_box, failing=failing, size=size)


def _inside(box: BoxXYXY, size_hw: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Whole pixels of a box, at least two a side, within the picture."""
    height, width = size_hw
    x1, y1 = min(max(0, int(box[0])), width - 2), min(max(0, int(box[1])), height - 2)
    return x1, y1, max(x1 + 2, min(width, round(box[2]))), max(y1 + 2, min(height, round(box[3])))


def _depth_inside(mask: Bool[np.ndarray, "h w"], size: float) -> Float[np.ndarray, "h w"]:
    """-1 far outside to 1 far inside, steep at the outline."""
    inside, outside = (cv2.distanceTransform(part.astype(np.uint8), cv2.DIST_L2, 5) for part in (mask, ~mask))
    return np.tanh((np.minimum(inside, size) - np.minimum(outside, size)) / size * _STEEPNESS)


def _hole_shape(bad: Bool[np.ndarray, "h w"], in_box: Bool[np.ndarray, "h w"], reach: int) -> Bool[np.ndarray, "h w"]:
    """Join what failed to a shape; crumbs beside it are dropped."""
    shape = opened(filled(closed(bad, max(2, reach)) & in_box), 3)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(shape.astype(np.uint8), connectivity=4)
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    return (areas > 0.05 * areas.max())[labels] if areas.any() else shape


def _surfaces(
    cues: DepthCues, window: tuple[slice, slice], in_box: Bool[np.ndarray, "h w"]
) -> tuple[Bool[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
    """Surfaces that mostly lie outside the box, and those that lie within it."""
    parts = cues.parts[window]
    within = np.bincount(parts[in_box], minlength=len(cues.part_sizes)) / np.maximum(1, cues.part_sizes)
    within[0] = np.nan
    share = within[parts]
    return share < _LEAVES, share > _STAYS


def _above_ground(
    nearness: Float[np.ndarray, "h w"], known: Bool[np.ndarray, "h w"], in_box: Bool[np.ndarray, "h w"]
) -> Float[np.ndarray, "h w"]:
    """How much nearer than the flat surface around the box each pixel is, as a share; zeros where none fits."""
    ring = known & ~in_box
    if ring.sum() < _FEWEST:
        return np.zeros(nearness.shape, np.float32)
    height, width = nearness.shape
    ys, xs = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    terms = np.stack([xs, ys, np.ones_like(xs)], -1)
    rows, values = terms[ring], nearness[ring].astype(float)
    weights, middle = np.ones(len(values)), float(np.median(values))
    plane = np.zeros(3)
    for _ in range(_FIT_ROUNDS):  # towards least absolute errors: things that stand there pull little
        plane = np.linalg.lstsq(rows * weights[:, None], values * weights, rcond=None)[0]
        weights = 1 / np.sqrt(np.maximum(np.abs(rows @ plane - values), 0.005 * middle))
    return ((nearness - terms @ plane) / middle).astype(np.float32)


__all__ = ["NAMES", "Evidence", "gather"]
