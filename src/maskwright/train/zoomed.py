"""Parts of labelled scenes, enlarged: what the text path learns small things from, without another scene rendered.

Each scene gives a few parts of several sizes; places and sizes follow from the scene's position alone, so that features
of them can be stored and gone on with. Objects outside a part keep their place in the list and have no pixels.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from maskwright.core import SizeHW
from maskwright.predict.second_look import CropBox, part_boxes
from maskwright.train.scene_folder import LabelledObject, LabelledScene, SceneFolder

# Shares of a picture's sides; a second look takes 0.6.
_LEAST, _MOST = 0.36, 0.66

# Where part i of a picture lies, x1, y1, x2, y2.
Places = Callable[[int, SizeHW], CropBox]


class ZoomedScenes(Sequence[LabelledScene]):
    """Parts of every so many-th scene of a folder: part i is of scene `i // parts * every`."""

    def __init__(self, scenes: SceneFolder, *, parts: int, places: Places, every: int = 1) -> None:
        self.parts, self.every = parts, every
        self._scenes, self._places = scenes, places
        self._last: tuple[int, LabelledScene] | None = None

    def __len__(self) -> int:
        return -(-len(self._scenes) // self.every) * self.parts

    @property
    def objects(self) -> tuple[tuple[LabelledObject, ...], ...]:
        """What the scene of each part holds, without decoding any."""
        return tuple(one for one in self._scenes.objects[:: self.every] for _ in range(self.parts))

    def __getitem__(self, index: Any) -> Any:
        """Decode a scene, or take the one decoded last, and cut a part out."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        which = index // self.parts * self.every
        if self._last is None or self._last[0] != which:
            self._last = which, self._scenes[which]
        scene = self._last[1]
        x1, y1, x2, y2 = self._places(index, (scene.image.shape[0], scene.image.shape[1]))
        rows, columns = slice(y1, y2), slice(x1, x2)
        return LabelledScene(image=scene.image[rows, columns], masks=scene.masks[rows, columns], objects=scene.objects)


def parts_anywhere(scenes: SceneFolder, *, parts: int, seed: int = 0) -> ZoomedScenes:
    """Take parts of any place and of several sizes."""

    def place(index: int, size_hw: SizeHW) -> CropBox:
        rng = np.random.default_rng((seed, index))
        share = rng.uniform(_LEAST, _MOST)
        h, w = (round(length * share) for length in size_hw)
        y, x = int(rng.integers(size_hw[0] - h + 1)), int(rng.integers(size_hw[1] - w + 1))
        return x, y, x + w, y + h

    return ZoomedScenes(scenes, parts=parts, places=place)


def parts_of_second_look(scenes: SceneFolder, *, every: int = 1) -> ZoomedScenes:
    """Take the parts that a second look takes, of every so many-th scene."""
    parts = len(part_boxes((1000, 1000)))

    def place(index: int, size_hw: SizeHW) -> CropBox:
        return part_boxes(size_hw)[index % parts]

    return ZoomedScenes(scenes, parts=parts, places=place, every=every)


__all__ = ["ZoomedScenes", "parts_anywhere", "parts_of_second_look"]
