"""`Image` and `Frame`: pixels with an identity that does not depend on where they came from.

Knows numpy only. Reading files and cameras is the work of `maskwright.datasets`.
"""

import hashlib
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, UInt8

from maskwright.core.errors import ImageError
from maskwright.core.shapes import SizeHW


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameRef:
    """Where a frame stands in a dataset. `timestamp_s` is in seconds from the start of the episode."""

    dataset: str
    episode: str
    camera: str
    frame_index: int
    timestamp_s: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """An RGB picture in memory: uint8, H W 3, with an optional depth map in metres (NaN where there is no reading).

    >>> Image(np.zeros((4, 6, 3), np.uint8)).size_hw
    (4, 6)

    Raises:
        ImageError: the array is not uint8 H W 3 with at least one pixel, or the depth has another size.
    """

    pixels: UInt8[np.ndarray, "H W 3"]
    depth_m: Float[np.ndarray, "H W"] | None = None
    _digest: list[str] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        pixels = self.pixels
        if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            got = f"{pixels.dtype} {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
            raise ImageError(f"an image must be a uint8 array of shape (H, W, 3) in RGB order, got {got}")
        if pixels.size == 0:
            raise ImageError(f"an image needs at least one pixel, got shape {pixels.shape}")
        if self.depth_m is not None and np.shape(self.depth_m) != pixels.shape[:2]:
            raise ImageError(f"depth must have the image's size {pixels.shape[:2]}, got {np.shape(self.depth_m)}")

    @property
    def size_hw(self) -> SizeHW:
        """(height, width) in pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]

    @property
    def digest(self) -> str:
        """SHA-256 of the size and the RGB bytes, computed once: the image's identity wherever it is stored."""
        if not self._digest:
            hasher = hashlib.sha256(b"%d,%d;" % self.size_hw)
            hasher.update(np.ascontiguousarray(self.pixels).data)
            self._digest.append(hasher.hexdigest())
        return self._digest[0]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frame:
    """An image at its place in a sequence."""

    image: Image
    ref: FrameRef


__all__ = ["Frame", "FrameRef", "Image"]
