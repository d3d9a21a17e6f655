"""What the features of a written data set are called, and their shapes: from a recipe and the sizes of frames.

Pictures are cameras, which every policy takes: `observation.images.<camera>.<slot>`, or that of the camera alone for
whole frames. Masks of three slots at a time are a picture beside it, `.masks` (then `.masks_2`): red for the first
slot, green for the second, blue for the third. What a policy is not to take by itself begins with `annotation.policy.`.
"""

import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from maskwright.core.errors import SettingError
from maskwright.core.shapes import SizeHW
from maskwright.robot.policy_inputs import FRAME, PolicyInputs, PolicyView
from maskwright.robot.policy_recipe import PolicyRecipe

_SLOTS_A_PICTURE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The names and shapes of what a recipe makes of the cameras, whose frames have `sizes_hw`."""

    recipe: PolicyRecipe
    sizes_hw: Mapping[str, SizeHW]

    def __post_init__(self) -> None:
        keys = [key for key, _ in self.pictures()]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise SettingError(f"two slots or cameras would both be called {twice!r} in files; rename one of them")

    def pictures(self) -> Iterator[tuple[str, SizeHW]]:
        """Name the pictures of all cameras, and their sizes."""
        for camera, frame_hw in self.sizes_hw.items():
            for view in (FRAME,) if self.recipe.crop is None else self.recipe.slots:
                yield picture_key(camera, view), self.recipe.size_hw or frame_hw

    def masks(self) -> Iterator[tuple[str, SizeHW]]:
        """Name the pictures that hold masks, and their sizes."""
        num = -(-len(self.recipe.slots) // _SLOTS_A_PICTURE) if self.recipe.channels else 0
        for key, size_hw in self.pictures():
            yield from ((mask_key(key, part), size_hw) for part in range(num))

    def numbers(self) -> Iterator[tuple[str, str, int]]:
        """Name what is numbers, with its type and how many there are in a row."""
        num_slots = len(self.recipe.slots)
        for camera, frame_hw in self.sizes_hw.items():
            yield number_key(camera, "present"), "bool", num_slots
            if self.recipe.crop is not None:
                yield number_key(camera, "windows"), "int64", 4 * num_slots
            if (patches := self.recipe.patches) is not None:
                height, width = self.recipe.size_hw or frame_hw
                cells = (height // patches.side_px) * (width // patches.side_px)
                num_views = num_slots if self.recipe.crop else 1
                yield number_key(camera, "patches"), "float32", num_views * num_slots * cells
            if (cloud := self.recipe.cloud) is not None:
                num_channels = 6 if cloud.has_colour else 3
                yield number_key(camera, "cloud"), "float32", num_slots * cloud.num_points * num_channels

    def row(self, inputs: Mapping[str, PolicyInputs]) -> dict[str, np.ndarray]:
        """Lay out what a policy sees at one time, under its names; numbers are flat."""
        found: dict[str, np.ndarray] = {}
        for camera, made in inputs.items():
            for view in made.views:
                key = picture_key(camera, view.name)
                found[key] = view.pixels
                found |= {mask_key(key, part): plane for part, plane in enumerate(_planes(view))}
            found[number_key(camera, "present")] = made.present
            if self.recipe.crop is not None:
                windows = [view.window_xyxy for view in made.views]
                found[number_key(camera, "windows")] = np.array(windows, np.int64).ravel()
            if self.recipe.patches is not None:
                shares = [view.shares for view in made.views if view.shares is not None]
                found[number_key(camera, "patches")] = np.stack(shares).ravel()
            if made.clouds is not None:
                found[number_key(camera, "cloud")] = made.clouds.ravel()
        return found

    def describe(self) -> dict[str, object]:
        """Write down which slot is where, for people and programs."""
        masks = {
            mask_key(key, part): list(self.recipe.slots[part * _SLOTS_A_PICTURE : (part + 1) * _SLOTS_A_PICTURE])
            for key, _ in self.pictures()
            for part in range(-(-len(self.recipe.slots) // _SLOTS_A_PICTURE))
        }
        return {
            "slots": list(self.recipe.slots),
            "pictures": [key for key, _ in self.pictures()],
            "masks": masks if self.recipe.channels else {},
            "shapes": {
                number_key(camera, name): shape for camera in self.sizes_hw for name, shape in self._shapes(camera)
            },
        }

    def _shapes(self, camera: str) -> Iterator[tuple[str, list[int]]]:
        num_slots, recipe = len(self.recipe.slots), self.recipe
        yield "present", [num_slots]
        if recipe.crop is not None:
            yield "windows", [num_slots, 4]
        if recipe.patches is not None:
            height, width = recipe.size_hw or self.sizes_hw[camera]
            grid = [height // recipe.patches.side_px, width // recipe.patches.side_px]
            yield "patches", [num_slots if recipe.crop else 1, num_slots, *grid]
        if recipe.cloud is not None:
            yield "cloud", [num_slots, recipe.cloud.num_points, 6 if recipe.cloud.has_colour else 3]


def picture_key(camera: str, view: str) -> str:
    """Name the picture of a view."""
    return f"observation.images.{safe(camera)}" + ("" if view == FRAME else f".{safe(view)}")


def mask_key(picture: str, part: int) -> str:
    """Name the picture with the masks of three slots."""
    return f"{picture}.masks" + (f"_{part + 1}" if part else "")


def number_key(camera: str, name: str) -> str:
    """Name numbers of a camera."""
    return f"annotation.policy.{name}.{safe(camera)}"


def safe(name: str) -> str:
    """Make a part of a feature's name, which is a folder's too."""
    return re.sub(r"[^\w.-]+", "_", name.strip("/")).strip(".") or "_"


def mask_png(planes: UInt8[np.ndarray, "H W 3"]) -> bytes:
    """Write masks as PNG: rows as they are, since they deflate better and four times quicker than filtered ones."""
    height, width = planes.shape[:2]
    rows = np.empty((height, 1 + 3 * width), np.uint8)
    rows[:, 0] = 0  # the number of the row's filter
    rows[:, 1:] = planes.reshape(height, -1)
    head = width.to_bytes(4) + height.to_bytes(4) + b"\x08\x02\x00\x00\x00"  # 8 bits, RGB
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows.data, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in parts)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4) + kind + content + zlib.crc32(kind + content).to_bytes(4)


def _planes(view: PolicyView) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    if view.channels is None:
        return
    for first in range(0, view.channels.shape[2], _SLOTS_A_PICTURE):
        part = view.channels[:, :, first : first + _SLOTS_A_PICTURE]
        missing = _SLOTS_A_PICTURE - part.shape[2]
        yield np.pad(part, ((0, 0), (0, 0), (0, missing))) if missing else part


__all__ = ["Layout", "mask_key", "mask_png", "number_key", "picture_key", "safe"]
