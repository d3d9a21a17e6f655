"""What a controller wants to know of masks: where, how large, how turned, touching what, how far; pure functions.

Masks are run lengths or bool arrays, in image pixels; a point is (x, y) with pixel centres at whole numbers. Nothing
here knows a camera's lens: lengths are pixels, and only distances from a depth map are metres.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Num

from maskwright.core import RLE
from maskwright.core.errors import ImageError, MaskError, SettingError
from maskwright.masks import decode

Mask = RLE | Bool[np.ndarray, "H W"]
PointXY = tuple[float, float]
# No camera on a robot measures so far; what is beyond is in millimetres.
_FARTHEST_M = 200.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OrientedBox:
    """The smallest turned rectangle around a mask: `length` >= `width`, both in pixels.

    `angle_deg` turns the picture's x axis towards its y axis (clockwise as one looks at it) onto the long side, from
    -90 up to 90.
    """

    centre_xy: PointXY
    length: float
    width: float
    angle_deg: float

    @property
    def corners_xy(self) -> Float[np.ndarray, "4 2"]:
        """The four corners, in order around the box."""
        turn = np.deg2rad(self.angle_deg)
        along = np.array([np.cos(turn), np.sin(turn)]) * self.length / 2
        across = np.array([-np.sin(turn), np.cos(turn)]) * self.width / 2
        return np.array(self.centre_xy) + np.array([along + across, along - across, -along - across, -along + across])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contact:
    """Where two masks meet: the pixels that are within reach of both.

    `share` is how much of the first one's outline is within reach of the second, 0 to 1.
    """

    region: Bool[np.ndarray, "H W"]
    share: float

    @property
    def area(self) -> int:
        """Pixels of the region."""
        return int(self.region.sum())

    @property
    def is_touching(self) -> bool:
        """Whether they meet at all."""
        return bool(self.region.any())


@dataclass(frozen=True, slots=True, kw_only=True)
class GraspCue:
    """How a grasp holds. `overlap` is the share of the object inside the gripper's hull, `occlusion` the share of the
    object's hull that the gripper hides, `contact` the share of the object's outline that touches the gripper.

    `slip_xy` is how far the object has moved beside the gripper since the masks before, in pixels; None without them,
    or where one of the masks is empty.
    """

    overlap: float
    occlusion: float
    contact: float
    slip_xy: PointXY | None

    @property
    def slip_px(self) -> float | None:
        """The length of `slip_xy`."""
        return None if self.slip_xy is None else float(np.hypot(*self.slip_xy))


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """How far away a mask is: the median depth inside it, and the share of its inner pixels that had a reading."""

    metres: float
    valid_share: float


def centroid_xy(mask: Mask) -> PointXY | None:
    """The mean place of a mask's pixels; None of an empty one."""
    ys, xs = np.nonzero(_bits(mask))
    return (float(xs.mean()), float(ys.mean())) if len(xs) else None


def oriented_box(mask: Mask) -> OrientedBox | None:
    """The smallest turned rectangle around whole pixels; None of an empty mask."""
    outlines, _ = cv2.findContours(_bits(mask).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not outlines:
        return None
    centres = np.concatenate(outlines).reshape(-1, 1, 2).astype(np.float32)
    corners = centres + np.array([[-0.5, -0.5], [0.5, -0.5], [-0.5, 0.5], [0.5, 0.5]], np.float32)
    (x, y), (across, down), turned = cv2.minAreaRect(corners.reshape(-1, 2))
    angle = turned if across >= down else turned + 90
    return OrientedBox(
        centre_xy=(float(x), float(y)),
        length=float(max(across, down)),
        width=float(min(across, down)),
        angle_deg=float((angle + 90) % 180 - 90),
    )


def contact(mask: Mask, other: Mask, *, reach_px: int = 2) -> Contact:
    """Find where two masks touch: by overlapping, or with at most about `reach_px` pixels between them and each.

    Raises:
        MaskError: they have different sizes.
    """
    first, second = _pair(mask, other)
    near_first, near_second = _grown(first, reach_px), _grown(second, reach_px)
    outline = first & ~_shrunk(first, 1)
    touched = int((outline & near_second).sum())
    return Contact(region=near_first & near_second, share=touched / max(1, int(outline.sum())))


def occlusion_ratio(mask: Mask, by: Mask) -> float:
    """The share of a mask's convex hull that another mask hides, 0 to 1: what stands in front of it cuts into it.

    Raises:
        MaskError: they have different sizes.
    """
    inside, hiding = _pair(mask, by)
    hull = _hull(inside)
    return float((hull & hiding & ~inside).sum() / max(1, hull.sum()))


def slip_xy(thing: Mask, gripper: Mask, thing_before: Mask, gripper_before: Mask) -> PointXY | None:
    """How far a thing has moved beside the gripper since, in pixels; None where a mask is empty.

    By centroids: a thing that is hidden more and more seems to move too, so look at `occlusion_ratio` beside it.
    """
    places = [centroid_xy(one) for one in (thing, gripper, thing_before, gripper_before)]
    if any(place is None for place in places):
        return None
    now, hand, before, hand_before = (np.array(place) for place in places)
    x, y = (now - before) - (hand - hand_before)
    return float(x), float(y)


def grasp_cue(
    thing: Mask, gripper: Mask, *, thing_before: Mask | None = None, gripper_before: Mask | None = None,
    reach_px: int = 2,
) -> GraspCue:  # fmt: skip
    """Gather what speaks for a grasp and against it.

    Raises:
        MaskError: masks have different sizes.
        SettingError: only one of the masks before is given.
    """
    if (thing_before is None) != (gripper_before is None):
        raise SettingError("slip needs both masks before, that of the thing and that of the gripper; got one")
    held, hand = _pair(thing, gripper)
    slip = None
    if thing_before is not None and gripper_before is not None:
        slip = slip_xy(held, hand, *_pair(thing_before, gripper_before))
    return GraspCue(
        overlap=float((held & _hull(hand)).sum() / max(1, held.sum())),
        occlusion=occlusion_ratio(held, hand),
        contact=contact(held, hand, reach_px=reach_px).share,
        slip_xy=slip,
    )


def obstacles(masks: Mapping[str, Mask], *, leave_out: Collection[str] = ()) -> Bool[np.ndarray, "H W"]:
    """Join the masks of all that is in the way; `leave_out` names what is not, such as the target and the robot.

    Raises:
        MaskError: there are no masks, or they have different sizes.
    """
    if not masks:
        raise MaskError("obstacles need at least one mask, to know the picture's size; got none")
    every = [_bits(mask) for mask in masks.values()]
    joined = np.zeros_like(every[0])
    for name, bits in zip(masks, every, strict=True):
        _check_same(joined, bits)
        if name not in leave_out:
            joined |= bits
    return joined


def free_space(obstacle: Mask, *, within: Mask | None = None, margin_px: int = 0) -> Bool[np.ndarray, "H W"]:
    """The pixels with no obstacle nearer than `margin_px`; `within` is where there may be any, such as a table.

    Raises:
        MaskError: they have different sizes.
        SettingError: the margin is negative.
    """
    blocked = _bits(obstacle)
    free = ~_grown(blocked, margin_px)
    if within is None:
        return free
    _, ground = _pair(blocked, within)
    return free & ground


def distance_m(mask: Mask, depth_m: Num[np.ndarray, "H W"], *, erode_px: int = 2) -> Distance | None:
    """How far away a mask is: the median of the valid depth inside it, away from its edge.

    Valid is finite and above 0. A mask that is too thin to be eroded is taken whole. None where nothing was read.

    Raises:
        MaskError: the mask has another size than the depth.
        ImageError: the depth is not in metres: whole numbers, or distances that no robot's camera measures.
    """
    bits = _bits(mask)
    if np.shape(depth_m) != bits.shape:
        raise MaskError(
            f"mask and depth must have one size (height, width), got {bits.shape} and {np.shape(depth_m)}. "
            "Align the depth to the picture first."
        )
    if not np.issubdtype(depth_m.dtype, np.floating):
        raise ImageError(
            f"depth must be floats in metres, got {depth_m.dtype}, which is mostly millimetres. "
            "Use maskwright.datasets.depth.metres_from."
        )
    inner = _shrunk(bits, erode_px)
    inside = depth_m[inner if inner.any() else bits]
    valid = inside[np.isfinite(inside) & (inside > 0)]
    if not valid.size:
        return None
    metres = float(np.median(valid))
    if metres > _FARTHEST_M:
        raise ImageError(f"depth must be in metres, got a median of {metres:g}. Divide millimetres by 1000.")
    return Distance(metres=metres, valid_share=valid.size / inside.size)


def _bits(mask: Mask) -> Bool[np.ndarray, "H W"]:
    if isinstance(mask, RLE):
        return decode(mask)
    if isinstance(mask, np.ndarray) and mask.dtype == np.bool_ and mask.ndim == 2:
        return mask
    got = f"{mask.dtype} {mask.shape}" if isinstance(mask, np.ndarray) else type(mask).__name__
    raise MaskError(f"a mask is an RLE or a bool array (H, W), got {got}")


def _pair(first: Mask, second: Mask) -> tuple[Bool[np.ndarray, "H W"], Bool[np.ndarray, "H W"]]:
    one, other = _bits(first), _bits(second)
    _check_same(one, other)
    return one, other


def _check_same(one: Bool[np.ndarray, "H W"], other: Bool[np.ndarray, "H W"]) -> None:
    if one.shape != other.shape:
        raise MaskError(f"masks must have one size (height, width), got {one.shape} and {other.shape}")


def _grown(bits: Bool[np.ndarray, "H W"], by_px: int) -> Bool[np.ndarray, "H W"]:
    return cv2.dilate(bits.astype(np.uint8), _disc(by_px)).astype(bool) if by_px else bits


def _shrunk(bits: Bool[np.ndarray, "H W"], by_px: int) -> Bool[np.ndarray, "H W"]:
    """Erode; beyond the picture there is nothing, so a mask at the edge has an edge there too."""
    eroded = cv2.erode(bits.astype(np.uint8), _disc(by_px), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return eroded.astype(bool) if by_px else bits


def _disc(radius: int) -> np.ndarray:
    if radius < 0:
        raise SettingError(f"a reach, margin or erosion must be 0 pixels or more, got {radius}")
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))


def _hull(bits: Bool[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
    outlines, _ = cv2.findContours(bits.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    drawn = np.zeros(bits.shape, np.uint8)
    if outlines:
        cv2.fillConvexPoly(drawn, cv2.convexHull(np.concatenate(outlines)), 1)
    return drawn.astype(bool) | bits


__all__ = [
    "Contact",
    "Distance",
    "GraspCue",
    "Mask",
    "OrientedBox",
    "centroid_xy",
    "contact",
    "distance_m",
    "free_space",
    "grasp_cue",
    "obstacles",
    "occlusion_ratio",
    "oriented_box",
    "slip_xy",
]
