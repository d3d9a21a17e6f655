"""What depth says of a picture before any mask is looked at: edges, holes that nothing explains, surfaces that go on.

A sensor fails for reasons. Holes beside a step are the shadow of what stands in front, narrow ones along the picture's
border are where its eyes do not overlap, single pixels are noise. What is left after these is a surface that gave no
depth: glass, or metal that mirrors. Nearness (1 / metres) is used throughout, in which flat surfaces are straight.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int

from maskwright.core.shapes import BoxXYXY
from maskwright.robot.depth_maps import DepthMap

_STEP = 0.03  # of its nearness a surface must jump by, to have ended
_ABOVE_SLOPE = 3.0  # and this many times more than it changes beside the jump
_ROUGH = 0.012
_SHADOW_SLACK_PX, _SHADOW_SLACK = 3.0, 1.15
_BORDER_SHARE = 0.12  # of the picture's width that a stereo camera may not see on one side
_EXPLAINED = 0.6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DepthCues:
    """Maps of one frame. `parts` numbers surfaces without a step in them from 1, 0 is on none; `part_sizes` are theirs.

    `holes` gave no depth for no reason that is known, `explained` for one; `rough` gave depth that jumps about.
    """

    nearness: Float[np.ndarray, "H W"]
    is_known: Bool[np.ndarray, "H W"]
    edges: Bool[np.ndarray, "H W"]
    holes: Bool[np.ndarray, "H W"]
    explained: Bool[np.ndarray, "H W"]
    rough: Bool[np.ndarray, "H W"]
    parts: Int[np.ndarray, "H W"]
    part_sizes: Int[np.ndarray, " P"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HoleProposal:
    """A box around a hole that nothing explains, to ask a model about; `share` of it gave no depth."""

    box_xyxy: BoxXYXY
    area: int
    share: float


def find_cues(depth: DepthMap) -> DepthCues:
    """Read the cues of a frame. Costs some 30 ms for 640 x 480."""
    nearness, known = depth.nearness, depth.is_known
    edges = depth_edges(depth)
    missing = opened(~known, 2)  # single pixels are noise
    explained = missing & _is_explained(nearness, known, missing, depth.camera.shift)
    flat = opened(known & ~edges, 3)
    _, parts, stats, _ = cv2.connectedComponentsWithStats(flat.astype(np.uint8), connectivity=4)
    return DepthCues(
        nearness=nearness,
        is_known=known,
        edges=edges,
        holes=opened(missing & ~explained, 2),
        explained=explained,
        rough=_rough(nearness, known),
        parts=parts,
        part_sizes=stats[:, cv2.CC_STAT_AREA],
    )


def depth_edges(depth: DepthMap) -> Bool[np.ndarray, "H W"]:
    """Mark pixels beside a step: a jump of 3 % or more of the distance, and well above the slope of the surface."""
    nearness, known = depth.nearness, depth.is_known
    edges = np.zeros(nearness.shape, bool)
    for axis in (0, 1):
        jump = np.abs(np.diff(nearness, axis=axis))
        low = np.minimum(*_neighbours(nearness, axis))
        both = np.logical_and(*_neighbours(known, axis))
        padded = np.pad(jump, [(1, 1) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
        slope = np.minimum(*(np.take(padded, range(k, k + jump.shape[axis]), axis) for k in (0, 2)))
        is_step = both & (jump > _STEP * low) & (jump > _ABOVE_SLOPE * slope)
        for side in (0, 1):
            pad = [(side, 1 - side) if a == axis else (0, 0) for a in (0, 1)]
            edges |= np.pad(is_step, pad)
    return edges


def hole_proposals(cues: DepthCues, *, least_area: int = 60, reach_px: int | None = None) -> list[HoleProposal]:
    """Box the holes that nothing explains, the largest first; those within `reach_px` of each other are one thing.

    `reach_px` is a hundredth of the picture's longer side unless it is said.
    """
    reach = max(2, round(max(cues.holes.shape) / 100)) if reach_px is None else reach_px
    joined = closed(cues.holes, reach)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(joined.astype(np.uint8), connectivity=8)
    inside = np.bincount(labels[cues.holes], minlength=len(stats))
    found = [
        HoleProposal(
            box_xyxy=(float(x), float(y), float(x + w), float(y + h)), area=int(inside[i]), share=inside[i] / (w * h)
        )
        for i, (x, y, w, h, _) in enumerate(stats.tolist())
        if i and inside[i] >= least_area
    ]
    return sorted(found, key=lambda one: -one.area)


def opened(mask: Bool[np.ndarray, "H W"], side: int) -> Bool[np.ndarray, "H W"]:
    """Leave out what a square of that side does not fit into."""
    square = np.ones((side, side), np.uint8)
    # OpenCV's own opening by a square of an even side moves everything by a pixel.
    fits = cv2.erode(mask.astype(np.uint8), square, anchor=(0, 0))
    return cv2.dilate(fits, square, anchor=(side - 1, side - 1)) > 0


def closed(mask: Bool[np.ndarray, "H W"], radius: int) -> Bool[np.ndarray, "H W"]:
    """Fill what a disc of that radius does not fit into; the picture's border is no wall."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    padded = np.pad(mask.astype(np.uint8), radius + 1)
    inner = slice(radius + 1, -radius - 1)
    return cv2.morphologyEx(padded, cv2.MORPH_CLOSE, disc)[inner, inner] > 0


def filled(mask: Bool[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
    """Fill the holes of a mask."""
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros(mask.shape, np.uint8), outlines, -1, 1, cv2.FILLED) > 0


def _neighbours(values: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    return (values[:-1], values[1:]) if axis == 0 else (values[:, :-1], values[:, 1:])


def _rough(nearness: Float[np.ndarray, "H W"], known: Bool[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
    """Where a third of the pixels around are not near what lies around them, as behind glass that bends."""
    middle = cv2.medianBlur(nearness, 5)
    off = known & (middle > 0) & (np.abs(nearness - middle) > _ROUGH * middle)
    return cv2.boxFilter(off.astype(np.float32), -1, (5, 5)) > 0.3


def _is_explained(
    nearness: Float[np.ndarray, "H W"], known: Bool[np.ndarray, "H W"], missing: Bool[np.ndarray, "H W"], shift: float
) -> Bool[np.ndarray, "H W"]:
    """Tell shadows and unseen borders, row by row as a stereo camera makes them, by a vote of what lies around."""
    rows, width = np.arange(nearness.shape[0])[:, None], nearness.shape[1]
    columns = np.broadcast_to(np.arange(width), nearness.shape)
    is_end = known & ~missing
    left = np.maximum.accumulate(np.where(is_end, columns, -1), 1)
    right = np.minimum.accumulate(np.where(is_end, columns, width)[:, ::-1], 1)[:, ::-1]
    at_left, at_right = nearness[rows, left.clip(0)], nearness[rows, right.clip(max=width - 1)]
    length, step = right - left - 1, np.abs(at_left - at_right)
    is_inside = (left >= 0) & (right < width)
    is_shadow = is_inside & (step > _STEP * np.minimum(at_left, at_right))
    is_shadow &= length <= _SHADOW_SLACK * shift * step + _SHADOW_SLACK_PX
    is_border = ~is_inside & (length < _BORDER_SHARE * width)
    votes = (missing & (is_shadow | is_border)).astype(np.float32)
    around = [cv2.GaussianBlur(one, (0, 0), 2) for one in (votes, missing.astype(np.float32))]
    return around[0] > _EXPLAINED * np.maximum(around[1], 1e-3)


__all__ = [
    "DepthCues",
    "HoleProposal",
    "closed",
    "depth_edges",
    "filled",
    "find_cues",
    "hole_proposals",
    "opened",
]
