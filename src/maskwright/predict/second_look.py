"""`look_for_words`: phrases that the whole picture gave no sure answer to, asked again of its parts, enlarged.

A thing of twenty pixels is too small to be found, drawn and named in a frame of 640; in a part of the picture it is
larger. The things of all parts and of the whole are ranked together, by models that can (`ReadsParts`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from maskwright.core import RLE, Image, SizeHW
from maskwright.masks import encode, union
from maskwright.models.frame import FrameSpec, ModelFrame
from maskwright.models.protocol import Model
from maskwright.models.text_protocol import Part, ReadsParts, WordsFound
from maskwright.predict.cache import EmbeddingCache
from maskwright.predict.embedding import ImageEmbedding, embed
from maskwright.predict.upscale import masks_from_logits

# Parts a side, and the share of the picture's side that each takes: neighbours overlap, so that what one cuts is whole
# in another, if it is no longer than the overlap.
_PARTS, _SHARE = 2, 0.6
_LEAST_SIDE = 64

CropBox = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundByWords:
    """What a phrase means, as one mask of the picture: empty where it is not believed enough."""

    rle: RLE
    belief: float
    num_parts: int


def part_boxes(size_hw: SizeHW) -> list[CropBox]:
    """Lay overlapping parts over a picture, x1, y1, x2, y2; none over one too small to have any."""
    if min(size_hw) < _LEAST_SIDE:
        return []
    rows, columns = (_spans(length) for length in size_hw)
    return [(left, top, right, bottom) for top, bottom in rows for left, right in columns]


def _spans(length: int) -> list[tuple[int, int]]:
    size = round(length * _SHARE)
    return [(start, start + size) for start in np.linspace(0, length - size, _PARTS).round().astype(int).tolist()]


def look_for_words(
    model: Model,
    image: Image,
    embedding: ImageEmbedding,
    phrases: Sequence[str],
    *,
    min_belief: float | None = None,
    cache: EmbeddingCache | None = None,
) -> list[FoundByWords]:
    """Give all that each phrase means as one mask of the picture; `min_belief` is as for `predict`.

    Costs an encoding for each part, once for a picture: models remember what they found while the embedding lives.

    Raises:
        PromptError: a word is unknown.
    """
    assert isinstance(model, ReadsParts), "ask only models that can look again"
    text = _indices(model, phrases)
    places = part_places(image.size_hw, model.frame)
    with torch.no_grad():
        found = model.find_in_parts(embedding.features, lambda: list(_encoded(model, image, places, cache)), text)
    boxes = _all_boxes(image.size_hw, places)
    least = model.card.least_text_belief if min_belief is None else min_belief
    nothing = WordsFound(pieces=(), belief=0.0)
    return [
        FoundByWords(
            rle=_drawn(model, one if one.belief >= least else nothing, boxes, image.size_hw),
            belief=one.belief,
            num_parts=len(places),
        )
        for one in found
    ]


def look_for_things(
    model: Model,
    image: Image,
    embedding: ImageEmbedding,
    phrase: str,
    *,
    least_belief: float = 0.02,
    cache: EmbeddingCache | None = None,
) -> list[FoundByWords]:
    """Give every thing of a picture that a phrase may hold of, each as a mask with its own belief, the likeliest first.

    Where `look_for_words` answers, this leaves the choice to who asks. Costs as much.

    Raises:
        PromptError: a word is unknown.
    """
    assert isinstance(model, ReadsParts), "ask only models that can look again"
    text = _indices(model, [phrase])
    places = part_places(image.size_hw, model.frame)
    with torch.no_grad():
        found = model.things_in_parts(embedding.features, lambda: list(_encoded(model, image, places, cache)), text)
    boxes = _all_boxes(image.size_hw, places)
    return [
        FoundByWords(rle=_drawn(model, one, boxes, image.size_hw), belief=one.belief, num_parts=len(places))
        for one in found[0]
        if one.belief >= least_belief
    ]


def _indices(model: Model, phrases: Sequence[str]) -> Int[Tensor, "N k"]:
    words = [model.text_indices(phrase) for phrase in phrases]
    longest = max(map(len, words))
    return torch.tensor([(*one, *[-1] * (longest - len(one))) for one in words], device=model.device)


def _all_boxes(size_hw: SizeHW, places: Sequence["PartPlace"]) -> list[CropBox]:
    """The whole picture's box, then those of its parts."""
    return [(0, 0, size_hw[1], size_hw[0]), *(one.box for one in places)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartPlace:
    """Where a part lies: in the picture, in the whole's frame, and how much of its own frame it fills (see `Part`)."""

    box: CropBox
    place_xyxy: tuple[float, float, float, float]
    extent_wh: tuple[float, float]


def part_places(size_hw: SizeHW, spec: FrameSpec) -> list[PartPlace]:
    """Say where the parts of a picture lie in the frames of a model."""
    whole, places = ModelFrame.of(size_hw, spec), []
    for x1, y1, x2, y2 in part_boxes(size_hw):
        (left, top), (right, bottom) = whole.points_to_model(np.array([[x1, y1], [x2, y2]], np.float64)).tolist()
        height, width = ModelFrame.of((y2 - y1, x2 - x1), spec).input_hw
        place, extent = (left, top, right, bottom), (float(width), float(height))
        places.append(PartPlace(box=(x1, y1, x2, y2), place_xyxy=place, extent_wh=extent))
    return places


def _encoded(model: Model, image: Image, places: Sequence[PartPlace], cache: EmbeddingCache | None) -> Iterator[Part]:
    for one in places:
        x1, y1, x2, y2 = one.box
        seen = embed(model, Image(np.ascontiguousarray(image.pixels[y1:y2, x1:x2])), cache=cache)
        yield Part(features=seen.features, place_xyxy=one.place_xyxy, extent_wh=one.extent_wh)


def _drawn(model: Model, found: WordsFound, boxes: Sequence[CropBox], size_hw: SizeHW) -> RLE:
    masks = []
    for number in sorted({number for number, _ in found.pieces}):
        logits = torch.stack([piece for which, piece in found.pieces if which == number]).float()
        x1, y1, x2, y2 = boxes[number]
        frame = ModelFrame.of((y2 - y1, x2 - x1), model.frame)
        drawn = masks_from_logits(logits, frame, model.mask_threshold, canvas_hw=size_hw, offset_xy=(x1, y1))
        masks += [one.rle for one in drawn]
    return union(masks) if masks else encode(np.zeros(size_hw, bool))


__all__ = ["FoundByWords", "PartPlace", "look_for_things", "look_for_words", "part_boxes", "part_places"]
