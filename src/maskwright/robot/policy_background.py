"""What stands behind the objects: a colour, a blur, noise, or parts of other pictures.

What is drawn by chance follows from the seed and the frame's place alone, on every machine: the numbers are Philox's
own, and no distribution of a library that may change stands between.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from maskwright.core.errors import InputError, SettingError
from maskwright.core.image import FrameRef
from maskwright.core.shapes import SizeHW
from maskwright.datasets.images import SUFFIXES, read_image
from maskwright.robot.policy_crop import resize
from maskwright.robot.policy_recipe import (
    Background,
    BlurredBackground,
    Changes,
    ColourRGB,
    ConstantBackground,
    NoiseBackground,
    PictureBackground,
)

_OPEN = 64  # pictures that are kept decoded
_MOST_SIDE = 1024  # of a picture that is kept


@dataclass(frozen=True, slots=True, eq=False)
class Backdrops:
    """The pictures of a folder, by name; `digest` says which they are, wherever they lie."""

    paths: tuple[Path, ...]
    digest: str
    _open: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_open", lru_cache(maxsize=_OPEN)(_read_small))

    def __reduce__(self) -> Any:  # to the workers of a DataLoader
        return Backdrops, (self.paths, self.digest)

    @classmethod
    def read(cls, folder: Path | str) -> "Backdrops":
        """Find the pictures of a folder; each is read once for the digest, and decoded when it is needed.

        Raises:
            InputError: there is no picture.
        """
        folder = Path(folder)
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
        if not paths:
            raise InputError(f"there is no picture to put behind objects: {folder}")
        hasher = hashlib.sha256()
        for path in paths:
            hasher.update(hashlib.sha256(path.read_bytes()).digest())
        return cls(tuple(paths), hasher.hexdigest())

    def part(self, numbers: Sequence[int], size_hw: SizeHW) -> UInt8[np.ndarray, "h w 3"]:
        """Cut a part out of a picture; four numbers choose picture, scale and place."""
        pixels = self._open(self.paths[numbers[0] % len(self.paths)])
        scale = max(size_hw[0] / pixels.shape[0], size_hw[1] / pixels.shape[1])  # so that the part fits in
        scale *= 1 + (numbers[1] % 256) / 256
        height, width = (
            max(1, min(round(side / scale), whole)) for side, whole in zip(size_hw, pixels.shape, strict=False)
        )
        top, left = numbers[2] % (pixels.shape[0] - height + 1), numbers[3] % (pixels.shape[1] - width + 1)
        return resize(pixels[top : top + height, left : left + width], size_hw)


def put_behind(
    pixels: UInt8[np.ndarray, "H W 3"],
    kept: UInt8[np.ndarray, "H W"],
    background: Background,
    *,
    ref: FrameRef | None = None,
    view: str = "",
    backdrops: Backdrops | None = None,
) -> UInt8[np.ndarray, "H W 3"]:
    """Put a background behind what is kept (255; else 0).

    `ref` and `view` decide what chance draws; the name of the data set does not.

    Raises:
        SettingError: the pictures are missing, or others than the recipe means.
    """
    behind = _behind(pixels, background, ref, view, backdrops)
    return cv2.copyTo(pixels, kept, behind)


def check_backdrops(background: Background | None, backdrops: Backdrops | None) -> None:
    """Refuse other pictures than those that a recipe means.

    Raises:
        SettingError: they are others, or missing.
    """
    if not isinstance(background, PictureBackground):
        return
    if backdrops is None:
        raise SettingError("the recipe puts pictures behind objects; give them: backdrops=Backdrops.read(folder)")
    if backdrops.digest != background.digest:
        got = f"expected those of digest {background.digest[:12]}, got {backdrops.digest[:12]}"
        raise SettingError(f"the pictures to put behind objects are others than the recipe means: {got}")


def _behind(
    pixels: np.ndarray, background: Background, ref: FrameRef | None, view: str, backdrops: Backdrops | None
) -> np.ndarray:
    size_hw = pixels.shape[0], pixels.shape[1]
    match background:
        case ConstantBackground(colour_rgb=colour):
            return plain(size_hw, colour)
        case BlurredBackground(sigma_px=sigma):
            return _blurred(pixels, sigma)
        case NoiseBackground(cell_px=cell):
            height, width = (-(-side // cell) + 1 for side in size_hw)
            drawn = _chance(background.seed, background.changes, ref, view, height * width * 3)
            return cv2.resize(drawn.reshape(height, width, 3), size_hw[::-1], interpolation=cv2.INTER_LINEAR)
        case PictureBackground():
            check_backdrops(background, backdrops)
            assert backdrops is not None
            drawn = _chance(background.seed, background.changes, ref, view, 16).view("<u4")
            return backdrops.part(drawn.tolist(), size_hw)


def plain(size_hw: SizeHW, colour_rgb: ColourRGB) -> UInt8[np.ndarray, "h w 3"]:
    """Make a picture of one colour."""
    return _plain(size_hw, colour_rgb).copy()


@lru_cache(maxsize=8)
def _plain(size_hw: SizeHW, colour_rgb: ColourRGB) -> np.ndarray:
    return np.full((*size_hw, 3), colour_rgb, np.uint8)  # a colour of three channels takes thirty times a copy


def _blurred(pixels: np.ndarray, sigma_px: float) -> np.ndarray:
    """Blur by way of a smaller picture, which shows no difference and takes a tenth of the time."""
    size_hw = pixels.shape[0], pixels.shape[1]
    factor = max(1, int(sigma_px // 2))
    small = resize(pixels, (-(-size_hw[0] // factor), -(-size_hw[1] // factor)))
    return resize(cv2.GaussianBlur(small, (0, 0), sigma_px / factor), size_hw)


def _chance(seed: int, changes: Changes, ref: FrameRef | None, view: str, count: int) -> UInt8[np.ndarray, " N"]:
    place: tuple[object, ...] = (seed, view)
    if ref is not None:
        place += (ref.episode, ref.camera) + ((ref.frame_index,) if changes == "frame" else ())
    key = int.from_bytes(hashlib.sha256(repr(place).encode()).digest()[:16], "little")
    return np.random.Philox(key=key).random_raw(-(-count // 8)).astype("<u8").view(np.uint8)[:count]


def _read_small(path: Path) -> UInt8[np.ndarray, "H W 3"]:
    pixels = read_image(path).pixels
    longest = max(pixels.shape[:2])
    if longest <= _MOST_SIDE:
        return pixels
    height, width = (max(1, round(side * _MOST_SIDE / longest)) for side in pixels.shape[:2])
    return resize(pixels, (height, width))


__all__ = ["Backdrops", "check_backdrops", "plain", "put_behind"]
