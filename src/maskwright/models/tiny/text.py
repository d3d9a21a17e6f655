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
NUM_BOXES = 40
_COLOUR_NUMBERS, _SHAPE_NUMBERS, _DRAWING_NUMBERS = NUM_SHADES + 24, 13, 3
# What the decoder would say of a region's mask, and the finder of its box.
_REGION_NUMBERS = (0.8, 0.0, 1.0)
_LEAST_PIXELS = 4
SHADES = 3  # where the colours lie in `Features.extra`


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Masks of one picture that may be things, with what their drawing said of them: three numbers for the reader."""

    logits: Float[Tensor, "Q h w"]
    numbers: Float[Tensor, "Q 3"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Things:
    """What may be meant: masks of one picture, how much every word holds of each, whether they are whole things."""

    logits: Float[Tensor, "Q h w"]
    words: Float[Tensor, "Q W"]
    quality: Float[Tensor, " Q"]


class TextPath(nn.Module):
    """What finds things, what reads them, and the vocabulary.

    `palette`, `is_taught` (which words training met) and `belief` (of answers, `answering.py`) belong to the weights.
    """

    def __init__(
        self,
        *,
        embedding_width: int = 192,
        trunk_width: int = 120,
        skip_widths: tuple[int, int] = (64, 32),
        finder_width: int = 96,
        reader_width: int = 192,
    ) -> None:
        super().__init__()
        self.finder = ThingFinder(
            embedding_width=embedding_width, trunk_width=trunk_width, skip_widths=skip_widths, width=finder_width
        )
        wide8, wide4 = skip_widths
        num_map = 2 * wide4 + 2 * (wide8 + finder_width + len(REGIONS) + 1) + 2 * (embedding_width + trunk_width)
        self.reader = MaskReader(
            sizes=(num_map, _COLOUR_NUMBERS, _SHAPE_NUMBERS + _DRAWING_NUMBERS),
            num_words=len(WORDS),
            num_colours=len(COLOURS),
            width=reader_width,
        )
        self.register_buffer("palette", torch.zeros(NUM_SHADES, 3))
        self.register_buffer("is_taught", torch.ones(len(WORDS)))
        self.register_buffer("belief", torch.tensor([1.0, 0.0, 0.0, 0.0]))
        self.finder.reset()

    @property
    def taught(self) -> tuple[str, ...]:
        """The words that training met."""
        return tuple(word for word, is_taught in zip(WORDS, self.is_taught.tolist(), strict=True) if is_taught)

    def numbers(self, features: Features, maps: FinderMaps, drawn: Drawn) -> Float[Tensor, "Q F"]:
        """Describe masks of one picture for the reader."""
        masks, shades = drawn.logits > 0, features.extra[SHADES][0]
        size_hw = extent_of(shades)
        return torch.cat(
            [
                map_numbers(features, maps, masks),
                colour_numbers(shades, masks, self.palette, size_hw),
                shape_numbers(masks, size_hw),
                drawn.numbers,
            ],
            1,
        )

    def read(self, features: Features, maps: FinderMaps, drawn: Drawn) -> Things:
        """Say what masks of one picture show."""
        words, quality = self.reader(self.numbers(features, maps, drawn))
        return Things(logits=drawn.logits, words=words, quality=quality)


def extent_of(shades: Float[Tensor, "h w 3"]) -> tuple[int, int]:
    """How much of a frame's cells the picture fills: padding is zero, which no pixel of a picture is."""
    is_seen = shades.abs().sum(-1) > 0
    rows, columns = (is_seen.any(axis).nonzero() for axis in (1, 0))
    return int(rows.max()) + 1 if len(rows) else len(shades), int(columns.max()) + 1 if len(columns) else len(shades)


def box_prompts(boxes: Float[Tensor, "Q 4"]) -> FramePrompts:
    """One prompt for each box, as `predict` would ask with it."""
    labels = torch.tensor([2, 3], device=boxes.device).expand(len(boxes), 2)
    return FramePrompts(points=boxes.view(-1, 2, 2), labels=labels)


def boxes_to_draw(maps: FinderMaps, features: Features) -> tuple[Float[Tensor, "Q 4"], Float[Tensor, " Q"]]:
    """Choose the boxes whose contents are drawn, and how sure each is."""
    height, width = extent_of(features.extra[SHADES][0])
    stride = features.image_embedding.shape[-1] * 16 // features.extra[SHADES].shape[1]
    found = propose(maps, most=NUM_BOXES, size_wh=(float(width * stride), float(height * stride)))
    return found.boxes, found.scores


def with_regions(maps: FinderMaps, drawn: Decoded, scores: Float[Tensor, " Q"]) -> Drawn:
    """Put the masks of boxes and of regions together, without those of next to no pixels."""
    regions = region_logits(maps)
    of_boxes = torch.stack([drawn.predicted_iou[:, 0], scores.logit(1e-4), torch.zeros_like(scores)], 1)
    of_regions = torch.tensor(_REGION_NUMBERS, device=scores.device).expand(len(regions), -1)
    logits, numbers = torch.cat([drawn.logits[:, 0], regions]), torch.cat([of_boxes, of_regions])
    is_there = (logits > 0).flatten(1).sum(1) >= _LEAST_PIXELS
    return Drawn(logits=logits[is_there], numbers=numbers[is_there])


def beside_prompts(drawn: Decoded) -> list[Drawn]:
    """Take the masks that each click or box may mean as if the finder had found them."""
    return [
        Drawn(logits=logits, numbers=torch.stack([iou, torch.zeros_like(iou), torch.zeros_like(iou)], 1))
        for logits, iou in zip(drawn.logits, drawn.predicted_iou, strict=True)
    ]


__all__ = [
    "NO_WORD",
    "NUM_BOXES",
    "SHADES",
    "Drawn",
    "TextPath",
    "Things",
    "beside_prompts",
    "box_prompts",
    "boxes_to_draw",
    "extent_of",
    "with_regions",
]
