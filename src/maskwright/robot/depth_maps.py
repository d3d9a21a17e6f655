"""`DepthMap`: metres for each pixel of a picture, NaN where the sensor gave none, checked once where it comes in.

Raw values come with their unit, or with the one that their type stands for: integers are millimetres, floats metres.
A map of another size or unit is refused, because masks repaired by it would be wrong without a sign.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Num

from maskwright.core.errors import ImageError
from maskwright.core.shapes import SizeHW
from maskwright.datasets.depth import Unit, metres_from

# Tabletop cameras see from a hand's breadth to a large room.
_NEAREST_M, _FARTHEST_M = 0.02, 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StereoCamera:
    """What decides how wide the shadows of a stereo or projector camera are: focal length (pixels), baseline (metres).

    The default is a camera of 5 cm at 640 pixels' width, which most of its kind are near.
    """

    focal_px: float = 600.0
    baseline_m: float = 0.05

    @property
    def shift(self) -> float:
        """Pixels that a thing at one metre is seen apart by both eyes."""
        return self.focal_px * self.baseline_m


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DepthMap:
    """Distances along the camera's axis in metres, NaN where unknown, and the camera that took them."""

    metres: Float[np.ndarray, "H W"]
    camera: StereoCamera = StereoCamera()

    @property
    def size_hw(self) -> SizeHW:
        """Height and width in pixels."""
        return self.metres.shape[0], self.metres.shape[1]

    @property
    def is_known(self) -> Bool[np.ndarray, "H W"]:
        """Where the sensor gave a distance."""
        return np.isfinite(self.metres)

    @property
    def nearness(self) -> Float[np.ndarray, "H W"]:
        """1 / metres, 0 where unknown: of a flat surface it grows evenly from pixel to pixel, as distance does not."""
        return np.where(self.is_known, 1 / np.where(self.is_known, self.metres, 1), 0).astype(np.float32)


def depth_map(
    values: Num[np.ndarray, "H W"],
    *,
    size_hw: SizeHW | None = None,
    unit: Unit | None = None,
    camera: StereoCamera | None = None,
) -> DepthMap:
    """Check raw depth and turn it into metres; 0, NaN and infinity stand for no reading.

    Raises:
        ImageError: it is of another size than the picture, has no reading, is negative, or is of another unit.
    """
    if values.ndim != 2 or values.dtype.kind not in "iuf":
        raise ImageError(f"a depth map must be (H, W) of numbers, got {values.dtype} {values.shape}")
    if size_hw is not None and values.shape != tuple(size_hw):
        raise ImageError(
            f"depth must have the picture's size, {tuple(size_hw)} (h, w), got {values.shape}. Align it to the colour "
            "camera; resizing alone does not"
        )
    known = values[np.isfinite(values) & (values != 0)]
    if not known.size:
        raise ImageError("the depth map has no reading: every value is 0 or no number. Was the sensor covered?")
    if known.min() < 0:
        share = float((known < 0).mean())
        raise ImageError(f"depth must be positive, got {share:.0%} negative values, as low as {known.min():g}")
    metres = metres_from(values, unit)
    _check_unit(metres, values.dtype, unit)
    return DepthMap(metres=metres, camera=camera or StereoCamera())


def _check_unit(metres: Float[np.ndarray, "H W"], dtype: np.dtype, unit: Unit | None) -> None:
    middle = float(np.nanmedian(metres))
    said = f"unit={unit!r}" if unit else f"{dtype} without a unit"
    if middle > _FARTHEST_M:
        raise ImageError(f'the median depth is {middle:g} m ({said}); are these millimetres? Give unit="mm"')
    if middle < _NEAREST_M:
        raise ImageError(f'the median depth is {1000 * middle:g} mm ({said}); are these metres? Give unit="m"')


__all__ = ["DepthMap", "StereoCamera", "depth_map"]
