"""Point clouds of objects: the depth under a mask, through a pinhole camera."""

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

from maskwright.core.errors import InputError
from maskwright.robot.policy_recipe import CloudRule


def masked_cloud(
    depth_m: Float[np.ndarray, "H W"],
    mask: Bool[np.ndarray, "H W"],
    rule: CloudRule,
    *,
    pixels: UInt8[np.ndarray, "H W 3"] | None = None,
) -> tuple[Float32[np.ndarray, "N C"], int]:
    """Give the points under a mask, and how many have a reading: x, y, z in metres, and colour if the rule asks.

    Of more points than the rule has, some spread evenly over the mask are taken; fewer are given again and again; none
    are zeros. Pixels without a reading (NaN, 0 and below, or beyond `max_m`) are no points.

    Raises:
        InputError: depth and mask have different sizes, or colour is asked for and no pixels are given.
    """
    if depth_m.shape != mask.shape:
        raise InputError(f"depth must have the size of the mask, {mask.shape} (h, w); got {depth_m.shape}")
    if rule.has_colour and pixels is None:
        raise InputError("points with colour need the frame's pixels; give them")
    with np.errstate(invalid="ignore"):
        is_read = mask & (depth_m > 0) & np.isfinite(depth_m)
        if rule.max_m is not None:
            is_read &= depth_m <= rule.max_m
    ys, xs = np.nonzero(is_read)
    num_read = len(ys)
    num_channels = 6 if rule.has_colour else 3
    if not num_read:
        return np.zeros((rule.num_points, num_channels), np.float32), 0
    taken = np.arange(rule.num_points, dtype=np.int64)
    taken = taken * num_read // rule.num_points if num_read >= rule.num_points else taken % num_read
    ys, xs = ys[taken], xs[taken]
    z = depth_m[ys, xs].astype(np.float64)
    columns = [(xs - rule.cx) * z / rule.fx, (ys - rule.cy) * z / rule.fy, z]
    if rule.has_colour and pixels is not None:
        columns += list(pixels[ys, xs].T / 255.0)
    return np.stack(columns, axis=1).astype(np.float32), num_read


__all__ = ["masked_cloud"]
