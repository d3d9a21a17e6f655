"""`look_closer`: ask again about small objects on a crop around them, which the model sees larger.

An object that covers a hundredth of the picture is some sixty pixels wide in a frame of 640, and its mask is drawn
with fifteen. One more encoding, of a crop around it, gives it a third of the frame. The crop's answer replaces the
first one; the crop is written into the record's provenance.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from maskwright.core import (
    BoxPrompt,
    CombinedPrompt,
    Image,
    MaskPrompt,
    MaskRecord,
    PointPrompt,
    ProcessingStep,
    Prompt,
    Scores,
    SinglePrompt,
    SizeHW,
    TextPrompt,
    prompt_parts,
)
from maskwright.core.errors import SettingError
from maskwright.core.shapes import BoxXYXY
from maskwright.masks import area, box_xyxy, crop, paste
from maskwright.models.protocol import Model
from maskwright.models.text_protocol import ReadsParts
from maskwright.predict.cache import EmbeddingCache
from maskwright.predict.embedding import ImageEmbedding, embed
from maskwright.predict.predict import predict
from maskwright.predict.records import to_records
from maskwright.predict.second_look import FoundByWords, look_for_words

# The crop's side, in sides of the object; what share of the picture a crop may have to be worth it; and its least side.
# Measured on real objects: docs/log.md, "a closer look".
CROP_FACTOR, WORTH_BELOW, LEAST_SIDE = 3.0, 0.7, 96

CropBox = tuple[int, int, int, int]


def look_closer(
    model: Model,
    image: Image,
    records: Sequence[MaskRecord],
    *,
    cache: EmbeddingCache | None = None,
    embedding: ImageEmbedding | None = None,
    min_belief: float | None = None,
) -> Iterator[MaskRecord]:
    """Ask once more, on a crop, about each record whose object is small; give the others back as they are, in order.

    `records` hold one mask for each prompt. Prompts with a box or clicks are asked again; the object is in the box, or
    else where the mask is, and the crop is `CROP_FACTOR` times as wide. Costs one encoding for each small object.
    Words alone that had no sure answer are asked again of parts of the picture, if the model can (`look_for_words`);
    `min_belief` is as for `predict`, and `embedding` the whole image's, where it is at hand.
    Memory holds one crop's embedding, for words those of all parts. To correct one object click after click, see
    `look`.

    Raises:
        SettingError: a record is of another image, or not the answer to a prompt, or was cleaned up already.
    """
    records = _words_again(model, image, records, cache, embedding, min_belief)
    for record in records:
        box = _whereabouts(image, record)
        yield record if box is None else _asked_again(model, image, record, crop_around(box, image.size_hw), cache)


def is_unsure_of_words(model: Model, prompt: Prompt | None, belief: float | None) -> bool:
    """Whether a model that can should look at parts of the picture for words that it gave no sure answer to."""
    is_unsure = belief is not None and belief < model.card.least_text_belief
    return is_unsure and isinstance(prompt, TextPrompt) and isinstance(model, ReadsParts)


def _words_again(
    model: Model,
    image: Image,
    records: Sequence[MaskRecord],
    cache: EmbeddingCache | None,
    embedding: ImageEmbedding | None,
    min_belief: float | None,
) -> list[MaskRecord]:
    """Look for words in parts of the picture, of all records that want it at once."""
    wanted = {
        i: record.provenance.prompt.text
        for i, record in enumerate(records)
        if isinstance(record.provenance.prompt, TextPrompt)
        and is_unsure_of_words(model, record.provenance.prompt, record.scores.predicted_iou)
        and not record.provenance.steps
        and record.image_digest == image.digest
    }
    answers = list(records)
    if not wanted:
        return answers
    whole = embed(model, image, cache=cache) if embedding is None else embedding
    found = look_for_words(model, image, whole, list(wanted.values()), min_belief=min_belief, cache=cache)
    for i, one in zip(wanted, found, strict=True):
        answers[i] = with_words_found(answers[i], one)
    return answers


def with_words_found(record: MaskRecord, found: FoundByWords) -> MaskRecord:
    """Put what a second look found into a record."""
    step = ProcessingStep(name="look_for_words", parameters={"parts": found.num_parts})
    return replace(
        record,
        rle=found.rle,
        area=area(found.rle),
        box_xyxy=box_xyxy(found.rle),
        scores=Scores(predicted_iou=found.belief),
        provenance=replace(record.provenance, method="sam_refined", steps=(step,)),
    )


def crop_around(box: BoxXYXY, size_hw: SizeHW) -> CropBox:
    """Place a square of `CROP_FACTOR` times the box's longer side around it, cut at the picture's edges."""
    height, width = size_hw
    x1, y1, x2, y2 = box
    half = max(CROP_FACTOR * max(x2 - x1, y2 - y1), LEAST_SIDE) / 2
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    left, top = max(0, int(x - half)), max(0, int(y - half))
    return left, top, max(left + 1, min(width, int(x + half) + 1)), max(top + 1, min(height, int(y + half) + 1))


def is_worth_it(crop_box: CropBox, size_hw: SizeHW) -> bool:
    """Whether a crop shows an object so much larger than the picture does that it is worth an encoding."""
    x1, y1, x2, y2 = crop_box
    return (x2 - x1) * (y2 - y1) < WORTH_BELOW * size_hw[0] * size_hw[1]


def whereabouts(prompt: Prompt, mask_box: BoxXYXY) -> BoxXYXY | None:
    """Where the object of a prompt is: in its box, or else where its mask is; clicks on it lie there in any case.

    None where nothing was found, or where neither box nor click says which of what was found is meant.
    """
    parts = prompt_parts(prompt)
    boxes = [part.box_xyxy for part in parts if isinstance(part, BoxPrompt)]
    points = [
        point
        for part in parts
        if isinstance(part, PointPrompt)
        for point, label in zip(part.points_xy, part.labels or (), strict=True)
        if label
    ]
    if not boxes and (not points or mask_box[2] <= mask_box[0]):
        return None
    x1, y1, x2, y2 = boxes[0] if boxes else mask_box  # a mask may lie beside its click
    return (
        min([x1, *(x for x, _ in points)]),
        min([y1, *(y for _, y in points)]),
        max([x2, *(x for x, _ in points)]),
        max([y2, *(y for _, y in points)]),
    )


def prompt_in_crop(prompt: Prompt, crop_box: CropBox) -> Prompt:
    """Move a prompt into a crop's pixels. Clicks off the object that lie outside the crop are left out."""
    x1, y1, x2, y2 = crop_box
    parts: list[SinglePrompt] = []
    for part in prompt_parts(prompt):
        match part:
            case PointPrompt(points_xy=points, labels=labels):
                inside = [
                    ((x - x1, y - y1), label)
                    for (x, y), label in zip(points, labels or (), strict=True)
                    if label or (x1 <= x <= x2 and y1 <= y <= y2)
                ]
                if inside:
                    parts.append(PointPrompt([point for point, _ in inside], [label for _, label in inside]))
            case BoxPrompt(box_xyxy=(left, top, right, bottom)):
                parts.append(
                    BoxPrompt((max(0.0, left - x1), max(0.0, top - y1), min(right, x2) - x1, min(bottom, y2) - y1))
                )
            case MaskPrompt(rle=rle):
                parts.append(MaskPrompt(crop(rle, crop_box)))
            case TextPrompt():
                parts.append(part)
    return parts[0] if len(parts) == 1 else CombinedPrompt(parts)


def _whereabouts(image: Image, record: MaskRecord) -> BoxXYXY | None:
    """Where to look closer, or None where it is not worth it or nothing was found."""
    if record.image_digest != image.digest:
        raise SettingError(f"record {record.id} is of another image than the one given")
    prompt = record.provenance.prompt
    if prompt is None:
        raise SettingError(f"record {record.id} is not the answer to a prompt, so there is nothing to ask again")
    if isinstance(prompt, TextPrompt):
        return None
    if record.provenance.steps:
        raise SettingError(f"record {record.id} was processed already. Look closer first, clean up afterwards.")
    box = whereabouts(prompt, record.box_xyxy)
    return box if box is not None and is_worth_it(crop_around(box, image.size_hw), image.size_hw) else None


def _asked_again(
    model: Model, image: Image, record: MaskRecord, crop_box: CropBox, cache: EmbeddingCache | None
) -> MaskRecord:
    prompt = record.provenance.prompt
    assert prompt is not None  # as `_whereabouts` found
    x1, y1, x2, y2 = crop_box
    seen = Image(np.ascontiguousarray(image.pixels[y1:y2, x1:x2]))
    (answer,) = to_records(predict(model, embed(model, seen, cache=cache), [prompt_in_crop(prompt, crop_box)]))
    rle = paste(answer.rle, image.size_hw, at_xy=(x1, y1))
    step = ProcessingStep(name="look_closer", parameters={"x1": x1, "y1": y1, "x2": x2, "y2": y2})
    return replace(
        record,
        rle=rle,
        area=area(rle),
        box_xyxy=box_xyxy(rle),
        scores=answer.scores,
        provenance=replace(record.provenance, method="sam_refined", steps=(step,)),
    )


__all__ = [
    "CropBox",
    "crop_around",
    "is_unsure_of_words",
    "is_worth_it",
    "look_closer",
    "prompt_in_crop",
    "whereabouts",
    "with_words_found",
]
