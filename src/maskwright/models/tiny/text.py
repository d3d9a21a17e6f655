"""`tiny`'s text path: objects first, words after.

What a picture holds is found without asking for anything (`finding.py`), drawn by the decoder, and read
(`reading.py`): how much each word of the vocabulary holds of each mask. A phrase means the masks that all of its words
hold of (`answering.py`), so "red mug" needs no training of its own when "red" and "mug" have had theirs.

Nothing here touches prompts without text: their answers stay what they were, to the bit.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from maskwright.models.protocol import Decoded, Features, FramePrompts
from maskwright.models.tiny.finding import REGIONS, FinderMaps, ThingFinder, propose, region_logits
from maskwright.models.tiny.reading import NUM_SHADES, MaskReader, colour_numbers, map_numbers, shape_numbers
from maskwright.models.tiny.vocabulary import COLOURS, WORDS

NO_WORD = -1
NUM_BOXES, NUM_PART_BOXES = 40, 24
_COLOUR_NUMBERS, _SHAPE_NUMBERS, _DRAWING_NUMBERS = NUM_SHADES + 24, 13, 2 + len(REGIONS)
# What the decoder would say of a region's mask, and the finder of its box.
_REGION_BELIEF, _REGION_SURETY = 0.8, 0.0
_LEAST_PIXELS = 4
SHADES = 3  # where the colours lie in `Features.extra`


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Masks of one picture that may be things, with what their drawing said of them.

    That is the decoder's belief, the finder's surety of the box as a logit, and which region it is, if it is one.
    """

    logits: Float[Tensor, "Q h w"]
    numbers: Float[Tensor, "Q D"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Things:
    """What may be meant: masks of one picture, how much every word holds of each, whether they are whole things."""

    logits: Float[Tensor, "Q h w"]
    words: Float[Tensor, "Q W"]
    quality: Float[Tensor, " Q"]


class TextPath(nn.Module):
    """What finds things, what reads them, and the vocabulary.

    `palette`, `is_taught` (which words training met), `belief` (of answers, `answering.py`), `belief_near` (of those
    from a second look, `nearer.py`) and `belief_each` (of each thing by itself) belong to the weights.
    """

    palette: Tensor
    is_taught: Tensor
    belief: Tensor
    belief_near: Tensor
    belief_each: Tensor

    def __init__(
        self,
        *,
        embedding_width: int = 192,
        trunk_width: int = 120,
        skip_widths: tuple[int, int] = (64, 32),
        finder_width: int = 192,
        reader_width: int = 192,
    ) -> None:
        super().__init__()
        self.finder = ThingFinder(
            embedding_width=embedding_width, trunk_width=trunk_width, skip_widths=skip_widths, width=finder_width
        )
        wide8, wide4 = skip_widths
        num_map = 2 * (wide4 + wide8 + embedding_width + trunk_width)
        self.reader = MaskReader(
            sizes=(num_map, _COLOUR_NUMBERS, _SHAPE_NUMBERS + _DRAWING_NUMBERS),
            num_words=len(WORDS),
            num_colours=len(COLOURS),
            width=reader_width,
        )
        self.register_buffer("palette", torch.zeros(NUM_SHADES, 3))
        self.register_buffer("is_taught", torch.ones(len(WORDS)))
        self.register_buffer("belief", torch.tensor([1.0, 0.0, 0.0, 0.0, 0.0]))
        self.register_buffer("belief_near", torch.tensor([1.0, 0.0, 0.0, 0.0, 0.0]))
        self.register_buffer("belief_each", torch.tensor([1.0, 0.0, 0.0, 0.0]))

    @property
    def taught(self) -> tuple[str, ...]:
        """The words that training met."""
        return tuple(word for word, is_taught in zip(WORDS, self.is_taught.tolist(), strict=True) if is_taught)

    def find(self, features: Features) -> FinderMaps:
        """Say where things are in pictures."""
        return self.finder(features, num_rows(features))

    def numbers(self, features: Features, drawn: Drawn) -> Float[Tensor, "Q F"]:
        """Describe masks of one picture for the reader."""
        masks, shades = drawn.logits > 0, features.extra[SHADES][0]
        size_hw = extent_of(shades)
        return torch.cat(
            [
                map_numbers(features, masks),
                colour_numbers(shades, masks, self.palette, size_hw),
                shape_numbers(masks, size_hw),
                drawn.numbers,
            ],
            1,
        )

    def read(self, features: Features, drawn: Drawn) -> Things:
        """Say what masks of one picture show."""
        words, quality = self.reader(self.numbers(features, drawn))
        return Things(logits=drawn.logits, words=words, quality=quality)


def extent_of(shades: Float[Tensor, "h w 3"]) -> tuple[int, int]:
    """How much of a frame's cells the picture fills: padding is zero, which no pixel of a picture is."""
    is_seen = shades.abs().sum(-1) > 0
    rows, columns = (is_seen.any(axis).nonzero() for axis in (1, 0))
    return int(rows.max()) + 1 if len(rows) else len(shades), int(columns.max()) + 1 if len(columns) else len(shades)


def num_rows(features: Features) -> int:
    """How many rows of cells of stride 16 the pictures of a batch fill."""
    shades = features.extra[SHADES]
    stride = shades.shape[1] // features.image_embedding.shape[-1]
    return -(-max(extent_of(one)[0] for one in shades) // stride)


def box_prompts(boxes: Float[Tensor, "Q 4"]) -> FramePrompts:
    """One prompt for each box, as `predict` would ask with it."""
    labels = torch.tensor([2, 3], device=boxes.device).expand(len(boxes), 2)
    return FramePrompts(points=boxes.view(-1, 2, 2), labels=labels)


def boxes_to_draw(
    maps: FinderMaps, features: Features, most: int = NUM_BOXES
) -> tuple[Float[Tensor, "Q 4"], Float[Tensor, " Q"]]:
    """Choose the boxes whose contents are drawn, and how sure each is."""
    height, width = extent_of(features.extra[SHADES][0])
    stride = features.image_embedding.shape[-1] * 16 // features.extra[SHADES].shape[1]
    found = propose(maps, most=most, size_wh=(float(width * stride), float(height * stride)))
    return found.boxes, found.scores


def of_boxes(drawn: Decoded, surety: Float[Tensor, " Q"]) -> Drawn:
    """Take the masks of boxes, without those of next to no pixels."""
    return _there(drawn.logits[:, 0], drawing_numbers(drawn.predicted_iou[:, 0], surety.logit(1e-4)))


def with_regions(maps: FinderMaps, drawn: Decoded, surety: Float[Tensor, " Q"]) -> Drawn:
    """Put the masks of boxes and of regions together, without those of next to no pixels."""
    regions = region_logits(maps)
    ones = torch.ones_like(regions[:, 0, 0])
    of_regions = drawing_numbers(_REGION_BELIEF * ones, _REGION_SURETY * ones)
    of_regions[:, 2:] = torch.eye(len(REGIONS), device=of_regions.device)
    of_each = drawing_numbers(drawn.predicted_iou[:, 0], surety.logit(1e-4))
    return _there(torch.cat([drawn.logits[:, 0], regions]), torch.cat([of_each, of_regions]))


def _there(logits: Float[Tensor, "Q h w"], numbers: Float[Tensor, "Q D"]) -> Drawn:
    is_there = (logits > 0).flatten(1).sum(1) >= _LEAST_PIXELS
    return Drawn(logits=logits[is_there], numbers=numbers[is_there])


def drawing_numbers(belief: Float[Tensor, " Q"], surety: Float[Tensor, " Q"]) -> Float[Tensor, "Q D"]:
    """Put together what is said of the drawing of masks that are no regions."""
    return torch.cat([torch.stack([belief, surety], 1), belief.new_zeros(len(belief), len(REGIONS))], 1)


def beside_prompts(drawn: Decoded) -> list[Drawn]:
    """Take the masks that each click or box may mean as if the finder had found them."""
    return [
        Drawn(logits=logits, numbers=drawing_numbers(belief, torch.zeros_like(belief)))
        for logits, belief in zip(drawn.logits, drawn.predicted_iou, strict=True)
    ]


__all__ = [
    "NO_WORD",
    "NUM_BOXES",
    "NUM_PART_BOXES",
    "SHADES",
    "Drawn",
    "TextPath",
    "Things",
    "beside_prompts",
    "box_prompts",
    "boxes_to_draw",
    "drawing_numbers",
    "extent_of",
    "num_rows",
    "of_boxes",
    "with_regions",
]
