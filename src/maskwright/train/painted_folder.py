"""Painted scenes as a folder of labelled ones: for evaluation, for text, and for looking at what training sees.

Every few pictures follow from the seed and their number, so a folder goes on where it stopped. Masks have half the
side of their pictures and are enlarged.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from maskwright.models.tiny.vocabulary import COLOURS, MATERIALS, WORDS
from maskwright.train.assets import AssetPack
from maskwright.train.dice import Dice
from maskwright.train.interaction import MASK_STRIDE
from maskwright.train.plan import HARD_MIX, TRAINING_MIX
from maskwright.train.scene_folder import LabelledObject, LabelledScene, SceneSource, write_scene_folder
from maskwright.train.scenes import Scenes, paint
from maskwright.train.stream import photographed

GENERATOR = "maskwright.train.painted_folder/2"
MIXES = {"training": TRAINING_MIX, "hard": HARD_MIX}
_AT_ONCE = 4
_LEAST_PIXELS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class PaintedRecipe:
    """What makes a folder of painted scenes what it is; `pack` is the name of the assets.

    A hard mix has more glass, metal, wires, rows and piles than training: enough of each to be scored by itself.
    """

    seed: int
    pack: str
    side: int = 640
    max_objects: int = 10
    mix: Literal["training", "hard"] = "training"


def write_painted_scenes(
    root: Path,
    recipe: PaintedRecipe,
    pack: AssetPack,
    *,
    count: int,
    sources: tuple[SceneSource, ...] = (),
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Fill a folder up to `count` pictures; one that holds some of the same recipe is continued.

    Raises:
        InputError: the folder holds other scenes.
    """
    made_by = {
        "generator": GENERATOR,
        "seed": recipe.seed,
        "pack": recipe.pack,
        "side": recipe.side,
        "max_objects": recipe.max_objects,
        "mix": recipe.mix,
    }
    with write_scene_folder(root, made_by=made_by, sources=sources) as writer:
        start = writer.num_written
        for group in range(start // _AT_ONCE, -(-count // _AT_ONCE)):
            for number, scene in enumerate(_paint_group(recipe, pack, group), start=group * _AT_ONCE):
                if start <= number < count:
                    writer.add(scene)
                    if progress is not None:
                        progress(writer.num_written, count)


def _paint_group(recipe: PaintedRecipe, pack: AssetPack, group: int) -> Iterator[LabelledScene]:
    """Paint and photograph the pictures of a group, the same whatever came before."""
    dice = Dice(recipe.seed * 1_000_003 + group, "cpu")
    scenes = paint(dice, pack, batch=_AT_ONCE, side=recipe.side, max_objects=recipe.max_objects, mix=MIXES[recipe.mix])
    photographs = photographed(dice, scenes)
    return (labelled(photographs[index], scenes, index) for index in range(_AT_ONCE))


def labelled(picture: Tensor, scenes: Scenes, index: int) -> LabelledScene:
    """Cut a picture of a batch to its extent, with one map of its objects and one of their parts."""
    half = scenes.visible.shape[-1]
    height, width = (max(1, int(share * half)) for share in scenes.extent[index].tolist())
    visible = scenes.visible[index, :, :height, :width]
    most, owner = visible.max(0)
    owner = torch.where(most >= 0.5, owner + 1, 0)
    for one in range(1, len(visible) + 1):
        if (owner == one).sum() < _LEAST_PIXELS:
            owner[owner == one] = 0
    parts = scenes.parts[index, :, :height, :width].gather(0, (owner - 1).clamp(min=0)[None])[0] * (owner > 0)
    seen = [int(one) for one in owner.unique() if one]
    pixels = picture[:, : height * MASK_STRIDE, : width * MASK_STRIDE].permute(1, 2, 0)
    return LabelledScene(
        image=np.ascontiguousarray(pixels.numpy()),
        masks=_enlarged(owner),
        parts=_enlarged(parts),
        objects=tuple(_object(scenes, index, one) for one in seen),
    )


def _enlarged(half: Tensor) -> np.ndarray:
    return half.numpy().astype(np.uint8).repeat(MASK_STRIDE, 0).repeat(MASK_STRIDE, 1)


def _object(scenes: Scenes, index: int, one: int) -> LabelledObject:
    words = [] if scenes.words is None else [WORDS[i] for i in scenes.words[index, one - 1].tolist() if i >= 0]
    names = [word for word in words if word not in COLOURS and word not in MATERIALS]
    hidden = 0.0 if scenes.occlusion is None else float(scenes.occlusion[index, one - 1])
    return LabelledObject(
        index=one,
        name=" ".join(names) or "object",
        colour=next((word for word in words if word in COLOURS), None),
        material=next((word for word in words if word in MATERIALS), None),
        occlusion=min(1.0, max(0.0, hidden)),
    )


__all__ = ["GENERATOR", "MIXES", "PaintedRecipe", "labelled", "write_painted_scenes"]
