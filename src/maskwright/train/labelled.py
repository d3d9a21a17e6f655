"""Labelled scene folders as training scenes: cropped, scaled, mirrored and laid into square frames.

Decoding and warping are numpy and OpenCV, so that processes without torch threads can do them; `photometry` then does
what a camera does, as for painted scenes. Words are those of the labels that the vocabulary has.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8

from maskwright.core.errors import InputError
from maskwright.models.tiny.vocabulary import WORDS
from maskwright.train.interaction import MASK_STRIDE
from maskwright.train.scene_folder import LabelledObject, LabelledScene, SceneFolder, read_scene_folder
from maskwright.train.scenes import Scenes

MAX_WORDS = 6
_INDEX = {word: index for index, word in enumerate(WORDS)}
_SMALLEST_CROP = 0.45


@dataclass(frozen=True, slots=True, kw_only=True)
class FramedScene:
    """One labelled picture in a square frame, and its objects at half the side."""

    picture: UInt8[np.ndarray, "S S 3"]
    extent: tuple[float, float]
    visible: Bool[np.ndarray, "O s s"]
    parts: UInt8[np.ndarray, "O s s"]
    words: Int[np.ndarray, "O W"]
    occlusion: Float[np.ndarray, " O"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """Which box of the picture is shown, in its pixels, and whether mirrored."""

    left: float
    top: float
    width: float
    height: float
    mirrored: bool


class LabelledScenes:
    """Scenes of some folders, drawn evenly over all of them."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders: list[SceneFolder] = [read_scene_folder(folder) for folder in folders]
        self._ends = np.cumsum([len(folder) for folder in self.folders]).tolist()
        if self.folders and not self._ends[-1]:
            raise InputError(f"expected labelled scenes, found none yet: {', '.join(map(str, folders))}")

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index: int) -> LabelledScene:
        """Decode one scene."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        place = next(i for i, end in enumerate(self._ends) if index < end)
        return self.folders[place][index - (self._ends[place - 1] if place else 0)]

    def draw(self, seed: int, *, count: int, side: int, max_objects: int) -> Scenes:
        """Draw scenes at random and look at each in a random way."""
        rng = np.random.default_rng(seed)
        chosen = rng.integers(len(self), size=count)
        return stacked(
            [framed(scene, _random_view(rng, scene), side, max_objects, rng) for scene in map(self._at, chosen)]
        )

    def first(self, count: int, *, side: int, max_objects: int) -> Scenes:
        """Take scenes spread over the folders as they are: what one validates on."""
        chosen = np.linspace(0, len(self) - 1, min(count, len(self))).round().astype(int)
        rng = np.random.default_rng(0)
        return stacked([framed(scene, _whole(scene), side, max_objects, rng) for scene in map(self._at, chosen)])

    def _at(self, index: np.integer) -> LabelledScene:
        return self[int(index)]


def framed(scene: LabelledScene, view: _View, side: int, max_objects: int, rng: np.random.Generator) -> FramedScene:
    """Show a view of a scene in a frame: its long side fills the frame, from the top left."""
    scale = side / max(view.width, view.height)
    extent = (min(1.0, view.height * scale / side), min(1.0, view.width * scale / side))
    half = side // MASK_STRIDE
    shrinks = scale < 0.7
    picture = scene.image
    if shrinks:  # warping alone would skip pixels
        picture = cv2.GaussianBlur(picture, (0, 0), 0.45 / scale)
    picture = cv2.warpAffine(
        picture, _transform(view, scale), (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )

    def small(pixels: np.ndarray) -> np.ndarray:
        size, matrix = (half, half), _transform(view, scale / MASK_STRIDE)
        return cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT)

    inside = _inside(extent, half)
    masks = small(scene.masks) * inside
    parts = np.zeros_like(masks) if scene.parts is None else small(scene.parts) * inside
    shown = _choose(scene.objects, masks, max_objects, rng)
    visible = np.zeros((max_objects, half, half), np.bool_)
    part_maps = np.zeros((max_objects, half, half), np.uint8)
    words = np.full((max_objects, MAX_WORDS), -1, np.int64)
    occlusion = np.zeros(max_objects, np.float32)
    for place, one in enumerate(shown):
        visible[place] = masks == one.index
        part_maps[place] = np.where(visible[place], parts, 0)
        named = words_of(one)
        words[place, : len(named)] = named
        occlusion[place] = one.occlusion
    return FramedScene(
        picture=picture, extent=extent, visible=visible, parts=part_maps, words=words, occlusion=occlusion
    )


def words_of(one: LabelledObject) -> list[int]:
    """Give the vocabulary indices that describe an object: its name first, then colour and material."""
    text = [*one.name.lower().replace("-", " ").split(), one.colour or "", one.material or ""]
    return list(dict.fromkeys(_INDEX[word] for word in text if word in _INDEX))[:MAX_WORDS]


def stacked(scenes: Sequence[FramedScene]) -> Scenes:
    """Join framed scenes to a batch."""
    pictures = np.stack([scene.picture for scene in scenes])
    return Scenes(
        pictures=torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255,
        extent=torch.tensor([scene.extent for scene in scenes], dtype=torch.float32),
        visible=torch.from_numpy(np.stack([scene.visible for scene in scenes])).float(),
        parts=torch.from_numpy(np.stack([scene.parts for scene in scenes])),
        words=torch.from_numpy(np.stack([scene.words for scene in scenes])),
        occlusion=torch.from_numpy(np.stack([scene.occlusion for scene in scenes])),
    )


def _whole(scene: LabelledScene) -> _View:
    height, width = scene.image.shape[:2]
    return _View(left=0, top=0, width=width, height=height, mirrored=False)


def _random_view(rng: np.random.Generator, scene: LabelledScene) -> _View:
    """Draw a box of the picture, half of the time nearly all of it, sometimes stretched a little."""
    height, width = scene.image.shape[:2]
    share = rng.uniform(0.9, 1) if rng.random() < 0.5 else rng.uniform(_SMALLEST_CROP, 1)
    stretch = np.exp(rng.uniform(-0.2, 0.2))
    box_width, box_height = min(width, width * share * stretch), min(height, height * share / stretch)
    return _View(
        left=rng.uniform(0, width - box_width),
        top=rng.uniform(0, height - box_height),
        width=box_width,
        height=box_height,
        mirrored=bool(rng.random() < 0.5),
    )


def _transform(view: _View, scale: float) -> np.ndarray:
    """Map picture pixels to those of a frame, both by their centres."""
    across = -scale if view.mirrored else scale
    start = view.left + view.width if view.mirrored else view.left
    return np.array(
        [[across, 0, (0.5 - start) * across - 0.5], [0, scale, (0.5 - view.top) * scale - 0.5]], dtype=np.float64
    )


def _inside(extent: tuple[float, float], side: int) -> Bool[np.ndarray, "s s"]:
    axis = (np.arange(side) + 0.5) / side
    return (axis[:, None] < extent[0]) & (axis[None] < extent[1])


def _choose(
    objects: Sequence[LabelledObject], masks: np.ndarray, most: int, rng: np.random.Generator
) -> Iterator[LabelledObject]:
    """Choose among the objects that the view shows, if they are too many."""
    present = set(np.unique(masks).tolist())
    shown = [one for one in objects if one.index in present]
    if len(shown) > most:
        shown = [shown[i] for i in sorted(rng.choice(len(shown), most, replace=False))]
    return iter(shown)


__all__ = ["MAX_WORDS", "FramedScene", "LabelledScenes", "framed", "stacked", "words_of"]
