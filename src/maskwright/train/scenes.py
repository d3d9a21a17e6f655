"""Generated scenes: objects over backgrounds with exact visible masks, parts and words, in batches, on any device.

`plan` decides what a scene holds, `objects` draws it in tiles, `composite` lays the tiles over each other;
`photometry.photograph` then does what a camera does, so that one painted scene can be photographed more than once.
Same seed, same device: same scenes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from maskwright.models.tiny.vocabulary import WORDS
from maskwright.train.assets import AssetPack
from maskwright.train.backgrounds import Region, background
from maskwright.train.colours import name_colours
from maskwright.train.composite import Canvas, hidden_shares, lay_objects
from maskwright.train.dice import Dice, to_device
from maskwright.train.objects import draw_objects
from maskwright.train.plan import TRAINING_MIX, SceneMix, Slot, plan_scene

MAX_WORDS = 6
_MAX_NAMES, _MAX_MATERIALS = 3, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenes:
    """A batch: pictures in 0..1, how much of each pixel each object covers, and the part index there.

    `extent` is the share of the height and width that the picture fills, from the top left; the rest is to be cut off.
    `words` are indices into the vocabulary for each object, its names, materials and colour in any order, -1 where
    there is no further one. `occlusion` is the share of an object within the picture that others hide.
    """

    pictures: Float[Tensor, "B 3 S S"]
    extent: Float[Tensor, "B 2"]
    visible: Float[Tensor, "B O s s"]
    parts: UInt8[Tensor, "B O s s"]
    words: Int[Tensor, "B O W"] | None = None
    occlusion: Float[Tensor, "B O"] | None = None


def paint(
    dice: Dice,
    pack: AssetPack,
    *,
    batch: int,
    side: int,
    max_objects: int = 10,
    mix: SceneMix = TRAINING_MIX,
) -> Scenes:
    """Paint `batch` scenes of `side` pixels, a multiple of four; masks have half the side."""
    return paint_plans(dice, pack, batch=batch, side=side, max_objects=max_objects, mix=mix)[0]


def paint_plans(
    dice: Dice, pack: AssetPack, *, batch: int, side: int, max_objects: int, mix: SceneMix
) -> tuple[Scenes, list[list[Region | Slot]]]:
    """Paint scenes; also return what each object is, in the order of the masks."""
    backdrop = background(dice, pack, batch, side)
    extents = [_extent(dice) for _ in range(batch)]
    regions = [own if max_objects > 3 else [] for own in backdrop.regions]
    plans = [
        plan_scene(dice, pack, mix, extent, max_objects - len(own))
        for extent, own in zip(extents, regions, strict=True)
    ]
    drawings = iter(draw_objects(dice, pack, [slot for plan in plans for slot in plan], side))
    half = side // 2
    visible, covered = (torch.zeros(batch, max_objects, half, half, device=dice.device) for _ in range(2))
    for index, own in enumerate(regions):
        for layer, region in enumerate(own):
            visible[index, layer] = covered[index, layer] = region.mask
    parts = torch.zeros(batch, max_objects, half, half, device=dice.device, dtype=torch.uint8)
    canvas = Canvas(pictures=backdrop.pictures, visible=visible, parts=parts, covered=covered)
    lay_objects(pack, canvas, [[next(drawings) for _ in plan] for plan in plans], [len(own) for own in regions])
    extent = to_device(torch.tensor(extents), dice.device)
    inside = inside_extent(extent, half)
    visible *= inside
    pictures = canvas.pictures.clamp_(0, 1.5)
    contents = [[*own, *plan] for own, plan in zip(regions, plans, strict=True)]
    scenes = Scenes(
        pictures=pictures,
        extent=extent,
        visible=visible,
        parts=parts,
        words=_words(contents, max_objects, name_colours(pictures, visible)),
        occlusion=hidden_shares(visible, covered, inside),
    )
    return scenes, contents


def _words(
    contents: Sequence[Sequence[Region | Slot]], max_objects: int, colours: Int[Tensor, "B O"]
) -> Int[Tensor, "B O W"]:
    """Lay the words of each object side by side, the colour's among them; glass has no colour of its own."""
    table = torch.full((len(contents), max_objects, MAX_WORDS), -1)
    has_colour = torch.zeros(len(contents), max_objects, dtype=torch.bool)
    for index, objects in enumerate(contents):
        for layer, one in enumerate(objects):
            words = [*one.names[:_MAX_NAMES], *one.materials[:_MAX_MATERIALS]]
            table[index, layer, : len(words)] = torch.tensor([WORDS.index(word) for word in words], dtype=torch.long)
            has_colour[index, layer] = "transparent" not in one.materials
    table = to_device(table, colours.device)
    table[:, :, -1] = torch.where(to_device(has_colour, colours.device), colours, -1)
    return table.sort(dim=2, descending=True).values


def inside_extent(extent: Float[Tensor, "B 2"], side: int) -> Float[Tensor, "B 1 s s"]:
    """One where a picture of that extent has pixels, zero beyond."""
    axis = (torch.arange(side, device=extent.device) + 0.5) / side
    rows, columns = axis[None, :, None] < extent[:, 0, None, None], axis[None, None, :] < extent[:, 1, None, None]
    return (rows & columns)[:, None].float()


def _extent(dice: Dice) -> tuple[float, float]:
    """Draw a picture's shape: mostly wide, some tall, some square."""
    kind = dice.number(0, 1)
    short = dice.number(0.55, 0.85)
    if kind < 0.55:
        return (short, 1.0)
    return (1.0, short) if kind < 0.8 else (1.0, 1.0)


__all__ = ["MAX_WORDS", "Scenes", "inside_extent", "paint", "paint_plans"]
