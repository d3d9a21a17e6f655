"""`look_closer`: ask again about small objects on a crop around them, which the model sees larger.

An object that covers a hundredth of the picture is some sixty pixels wide in a frame of 640, and its mask is drawn
with fifteen. One more encoding, of a crop around it, gives it a third of the frame. The crop's answer replaces the
first one; the crop is written into the record's provenance.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from maskwright.core import BoxPrompt, Image, MaskRecord, PointPrompt, ProcessingStep, Scores, SizeHW
from maskwright.core.errors import PromptError, SettingError
from maskwright.core.shapes import BoxXYXY
from maskwright.masks import area, box_xyxy, paste
from maskwright.models.protocol import Model
from maskwright.predict.cache import EmbeddingCache
from maskwright.predict.embedding import embed
from maskwright.predict.predict import predict
from maskwright.predict.records import to_records

# The crop's side, in sides of the object; what share of the picture a crop may have to be worth it; and its least side.
# Measured on real objects: docs/log.md, "a closer look".
CROP_FACTOR, WORTH_BELOW, LEAST_SIDE = 3.0, 0.7, 96

CropBox = tuple[int, int, int, int]


def look_closer(
    model: Model, image: Image, records: Sequence[MaskRecord], *, cache: EmbeddingCache | None = None
) -> Iterator[MaskRecord]:
    """Ask once more, on a crop, about each record whose object is small; give the others back as they are, in order.

    `records` hold one mask for each prompt. Prompts that are one box or one click are asked again; the object is in
    the box, or else where the mask is, and the crop is `CROP_FACTOR` times as wide. More clicks correct an earlier
    mask, which a crop would not know. Costs one encoding for each small object. Memory holds one crop's embedding.

    Raises:
        SettingError: a record is of another image, or not the answer to a prompt, or was cleaned up already.
    """
    for record in records:
        box = _whereabouts(image, record)
        yield record if box is None else _asked_again(model, image, record, crop_around(box, image.size_hw), cache)


def crop_around(box: BoxXYXY, size_hw: SizeHW) -> CropBox:
    """Place a square of `CROP_FACTOR` times the box's longer side around it, cut at the picture's edges."""
    height, width = size_hw
    x1, y1, x2, y2 = box
    half = max(CROP_FACTOR * max(x2 - x1, y2 - y1), LEAST_SIDE) / 2
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    left, top = max(0, int(x - half)), max(0, int(y - half))
    return left, top, max(left + 1, min(width, int(x + half) + 1)), max(top + 1, min(height, int(y + half) + 1))


def prompt_in_crop(prompt: BoxPrompt | PointPrompt, crop_box: CropBox) -> BoxPrompt | PointPrompt:
    """Move a box or clicks into a crop's pixels."""
    x1, y1, x2, y2 = crop_box
    match prompt:
        case PointPrompt(points_xy=points, labels=labels):
            return PointPrompt([(x - x1, y - y1) for x, y in points], labels)
        case BoxPrompt(box_xyxy=(left, top, right, bottom)):
            return BoxPrompt((max(0.0, left - x1), max(0.0, top - y1), min(right, x2) - x1, min(bottom, y2) - y1))
    raise PromptError(f"expected a box or clicks, got {type(prompt).__name__}")


def _whereabouts(image: Image, record: MaskRecord) -> BoxXYXY | None:
    """Where to look closer, or None where it is not worth it or nothing was found."""
    if record.image_digest != image.digest:
        raise SettingError(f"record {record.id} is of another image than the one given")
    prompt = record.provenance.prompt
    if prompt is None:
        raise SettingError(f"record {record.id} is not the answer to a prompt, so there is nothing to ask again")
    if record.provenance.steps:
        raise SettingError(f"record {record.id} was processed already. Look closer first, clean up afterwards.")
    match prompt:
        case BoxPrompt(box_xyxy=(x1, y1, x2, y2)):
            pass
        case PointPrompt(points_xy=[(x, y)]) if record.area:  # the mask may lie beside its click
            left, top, right, bottom = record.box_xyxy
            x1, y1, x2, y2 = min(left, x), min(top, y), max(right, x), max(bottom, y)
        case _:
            return None
    left, top, right, bottom = crop_around((x1, y1, x2, y2), image.size_hw)
    height, width = image.size_hw
    return (x1, y1, x2, y2) if (right - left) * (bottom - top) < WORTH_BELOW * height * width else None


def _asked_again(
    model: Model, image: Image, record: MaskRecord, crop_box: CropBox, cache: EmbeddingCache | None
) -> MaskRecord:
    prompt = record.provenance.prompt
    assert isinstance(prompt, BoxPrompt | PointPrompt)  # as `_whereabouts` found
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
        scores=Scores(predicted_iou=answer.scores.predicted_iou, stability=answer.scores.stability),
        provenance=replace(record.provenance, method="sam_refined", steps=(step,)),
    )


__all__ = ["crop_around", "look_closer", "prompt_in_crop"]
