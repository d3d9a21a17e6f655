"""Depth maps in metres, NaN where a sensor gave no reading, from the encodings that robots log.

16-bit integers are millimetres and floats are metres, as RealSense, Azure Kinect, ROS and LeRobot have it, unless a
format says otherwise; zero is no reading. LeRobot's 12-bit codes follow `src/lerobot/datasets/depth_utils.py`.
"""

import io
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, Num
from PIL import Image as PillowImage

from maskwright.core.errors import ImageError
from maskwright.core.settings import MAX_PIXELS

Unit = Literal["mm", "m"]
_TOP_CODE = 4095


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthCodes:
    """How 12-bit codes of a depth video become metres: linear, or in the logarithm of `depth + shift`."""

    min_m: float = 0.01
    max_m: float = 10.0
    shift_m: float = 3.5
    use_log: bool = True

    def decode(self, codes: Num[np.ndarray, "H W"]) -> Float[np.ndarray, "H W"]:
        """Turn codes into metres; code 0 means no reading."""
        share = codes.astype(np.float32) / _TOP_CODE
        if self.use_log:
            low, high = np.log(self.min_m + self.shift_m), np.log(self.max_m + self.shift_m)
            metres = np.exp(low + share * (high - low)) - self.shift_m
        else:
            metres = self.min_m + share * (self.max_m - self.min_m)
        metres = np.clip(metres, self.min_m, self.max_m).astype(np.float32)
        metres[codes == 0] = np.nan
        return metres


def metres_from(values: Num[np.ndarray, "H W"], unit: Unit | None = None) -> Float[np.ndarray, "H W"]:
    """Turn raw depth values into metres; without a unit, integers are millimetres and floats metres."""
    in_mm = unit == "mm" or (unit is None and values.dtype.kind in "iu")
    metres = values.astype(np.float32) * np.float32(0.001 if in_mm else 1.0)
    metres[~np.isfinite(metres) | (metres <= 0)] = np.nan
    return metres


def read_depth(
    source: str | os.PathLike[str] | bytes, *, unit: Unit | None = None, floats_in_rgba: bool = False
) -> Float[np.ndarray, "H W"]:
    """Read a depth map from a PNG or TIFF of one channel.

    `floats_in_rgba` takes the four bytes of a pixel for one float, as tensorflow_datasets writes float images.

    Raises:
        ImageError: it is missing, damaged, has colours or is above the size limit.
    """
    where = f"<{len(source)} bytes>" if isinstance(source, bytes) else os.fspath(source)
    try:
        with PillowImage.open(io.BytesIO(source) if isinstance(source, bytes) else Path(source)) as picture:
            if picture.width * picture.height > MAX_PIXELS.get():
                raise ImageError(f"the depth map has {picture.width} x {picture.height} pixels, too many: {where}")
            values = np.array(picture)
            if picture.mode == "RGBA" and floats_in_rgba:
                values = values.view("<f4")[:, :, 0]
    except ImageError:
        raise
    except Exception as error:  # decoders of damaged files raise nearly every type there is
        raise ImageError(f"the depth map cannot be read ({error}): {where}") from error
    if values.ndim != 2 or values.dtype == np.bool_:
        raise ImageError(f"a depth map must have one channel of numbers, got {values.dtype} {values.shape}: {where}")
    return metres_from(values, unit)


def depth_key_for(key: str, depth_keys: Iterable[str], num_cameras: int) -> str | None:
    """Find the depth feature of a camera by what their names share beside words such as image and depth.

    `front_depth`, `depth.front` and `images.depth_front` belong to `images.front`; a lone one to a lone camera.
    """
    keys = list(depth_keys)
    for one in keys:
        if _telling_words(one) == _telling_words(key):
            return one
    return keys[0] if num_cameras == 1 and len(keys) == 1 else None


def _telling_words(key: str) -> list[str]:
    words = re.split(r"[._/\- ]+", key.lower())
    return sorted(word for word in words if word and word not in _USUAL_WORDS)


_USUAL = (
    "depth image images img rgb color colour with raw observation observations obs steps aligned to rect registered"
)
_USUAL_WORDS = frozenset([*_USUAL.split(), "compressed", "compresseddepth"])

__all__ = ["DepthCodes", "Unit", "depth_key_for", "metres_from", "read_depth"]
