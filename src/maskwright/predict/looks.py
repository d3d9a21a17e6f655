"""`look`: one object, click after click, seen as closely as it deserves.

A `Look` is the session of correcting one object, as a value: the part of the picture that the model sees, its
embedding, and the answer in it. Each longer prompt gives a new look; an older one still stands, which is an undo. The
part follows the object: when the mask or a click leaves it, or it has become much too large, another crop is encoded
and the logits move along, so that later clicks correct what earlier ones made.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from maskwright.core import Image, MaskRecord, ProcessingStep, Prompt, SizeHW, TextPrompt
from maskwright.core.errors import SettingError
from maskwright.core.shapes import BoxXYXY
from maskwright.masks import area, box_xyxy, paste
from maskwright.models.frame import ModelFrame
from maskwright.models.protocol import Model
from maskwright.predict.cache import EmbeddingCache
from maskwright.predict.closer import (
    CropBox,
    crop_around,
    is_unsure_of_words,
    is_worth_it,
    prompt_in_crop,
    whereabouts,
    with_words_found,
)
from maskwright.predict.embedding import ImageEmbedding, embed
from maskwright.predict.frame_prompts import mask_to_logits
from maskwright.predict.predict import MaskBatch, predict
from maskwright.predict.records import to_records
from maskwright.predict.second_look import FoundByWords, look_for_words

# A crop serves on while it is between these shares of the one that would be made anew.
_SMALLEST, _LARGEST = 0.5, 2.0
_UNSEEN = -6.0  # logits where an earlier look saw nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the model sees of one object: `crop_box` of the image (all of it to begin with), and its answer there.

    `by_words` is set where words had to be looked for in parts of the picture.
    """

    image_digest: str
    size_hw: SizeHW
    crop_box: CropBox
    embedding: ImageEmbedding
    batch: MaskBatch
    prompt: Prompt
    by_words: FoundByWords | None = None

    @property
    def predicted_iou(self) -> float:
        """What the model believes of its answer."""
        return float(self.batch.predicted_iou[0, 0])

    def record(self) -> MaskRecord:
        """Turn the answer into a mask of the whole image; a crop is written into its provenance."""
        (answer,) = to_records(self.batch)
        provenance = replace(answer.provenance, prompt=self.prompt)
        if self.by_words is not None:
            return with_words_found(answer, self.by_words)
        if self.crop_box == whole(self.size_hw):
            return replace(answer, image_digest=self.image_digest, provenance=provenance)
        x1, y1, x2, y2 = self.crop_box
        rle = paste(answer.rle, self.size_hw, at_xy=(x1, y1))
        step = ProcessingStep(name="look_closer", parameters={"x1": x1, "y1": y1, "x2": x2, "y2": y2})
        return replace(
            answer,
            image_digest=self.image_digest,
            rle=rle,
            area=area(rle),
            box_xyxy=box_xyxy(rle),
            provenance=replace(provenance, method="sam_refined", steps=(step,)),
        )


def look(
    model: Model,
    image: Image,
    prompt: Prompt,
    *,
    previous: Look | None = None,
    embedding: ImageEmbedding | None = None,
    cache: EmbeddingCache | None = None,
    min_belief: float | None = None,
) -> Look:
    """Answer a prompt about one object; `previous` is the look that a shorter prompt about it gave.

    >>> first = look(model, image, PointPrompt([(500, 375)]))                                     # doctest: +SKIP
    >>> second = look(model, image, PointPrompt([(500, 375), (620, 380)], [1, 0]), previous=first)  # doctest: +SKIP

    `embedding` is the whole image's, where it is at hand. A first look encodes the image, and a crop where the object
    is small; a later one mostly encodes nothing. Words alone are looked for in parts of the picture where the whole
    gives no sure answer; `min_belief` is as for `predict`.

    Raises:
        PromptError, UnsupportedPrompt: as `predict` does.
        SettingError: `previous` is of another image.
    """
    if previous is None:
        whole_embedding = embed(model, image, cache=cache) if embedding is None else embedding
        first = _answer(model, image, prompt, whole(image.size_hw), whole_embedding, None, min_belief)
        if isinstance(prompt, TextPrompt) and is_unsure_of_words(model, prompt, first.predicted_iou):
            return _by_words(model, image, prompt, first, cache, min_belief)
        return _nearer(model, image, prompt, first, cache, keeps_logits=False)
    if previous.image_digest != image.digest:
        raise SettingError("the previous look is of another image than the one given")
    near = _nearer(model, image, prompt, previous, cache, keeps_logits=True)
    return near if near is not previous else _answer(model, image, prompt, near.crop_box, near.embedding, near.batch)


def whole(size_hw: SizeHW) -> CropBox:
    """The box of the whole picture."""
    return 0, 0, size_hw[1], size_hw[0]


def move_logits(
    logits: Float[Tensor, "N M h w"], before: ModelFrame, before_box: CropBox, after: ModelFrame, after_box: CropBox
) -> Float[Tensor, "N M h2 w2"]:
    """Lay logits of one part of a picture into the frame of another part; what was not seen is background."""
    cells = np.arange(after.spec.logits_side) + 0.5
    grid = np.stack(np.meshgrid(cells, cells), -1) * (after.spec.side / after.spec.logits_side)
    at = after.points_to_image(grid) + np.array(after_box[:2]) - np.array(before_box[:2])
    unit = before.points_to_model(at) * (2 / before.spec.side) - 1
    places = torch.from_numpy(unit.astype(np.float32)).to(logits.device).expand(len(logits), -1, -1, -1)
    moved = F.grid_sample(logits - _UNSEEN, places, mode="bilinear", padding_mode="zeros", align_corners=False)
    return moved + _UNSEEN


def _nearer(
    model: Model, image: Image, prompt: Prompt, seen: Look, cache: EmbeddingCache | None, *, keeps_logits: bool
) -> Look:
    """Look at the crop that the object deserves; the look itself where that is what it sees already."""
    box = whereabouts(prompt, seen.record().box_xyxy)
    wanted = whole(image.size_hw) if box is None else crop_around(box, image.size_hw)
    if not is_worth_it(wanted, image.size_hw):
        wanted = whole(image.size_hw)
    # A first look is cheap to take again; a later one would have to move its logits.
    if box is None or seen.crop_box == wanted or (keeps_logits and _serves(seen.crop_box, wanted, box)):
        return seen
    x1, y1, x2, y2 = wanted
    pixels = image.pixels if wanted == whole(image.size_hw) else np.ascontiguousarray(image.pixels[y1:y2, x1:x2])
    embedding = embed(model, Image(pixels), cache=cache)
    batch = None
    if keeps_logits:
        moved = move_logits(seen.batch.logits, seen.embedding.frame, seen.crop_box, embedding.frame, wanted)
        batch = replace(seen.batch, logits=moved, frame=embedding.frame)
    return _answer(model, image, prompt, wanted, embedding, batch)


def _by_words(
    model: Model, image: Image, prompt: TextPrompt, first: Look, cache: EmbeddingCache | None, min_belief: float | None
) -> Look:
    """Look for words in parts of the picture; the whole's logits take the shape of what was found there."""
    phrases = [prompt.text]
    (found,) = look_for_words(model, image, first.embedding, phrases, min_belief=min_belief, cache=cache)
    logits = torch.from_numpy(mask_to_logits(found.rle, first.embedding.frame)).to(first.batch.logits)
    belief = torch.full_like(first.batch.predicted_iou, found.belief)
    batch = replace(first.batch, logits=logits.expand_as(first.batch.logits), predicted_iou=belief)
    return replace(first, batch=batch, by_words=found)


def _serves(crop_box: CropBox, wanted: CropBox, box: BoxXYXY) -> bool:
    is_inside = crop_box[0] <= box[0] and crop_box[1] <= box[1] and crop_box[2] >= box[2] and crop_box[3] >= box[3]
    return is_inside and _SMALLEST * _size(wanted) < _size(crop_box) < _LARGEST * _size(wanted)


def _size(box: CropBox) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _answer(
    model: Model,
    image: Image,
    prompt: Prompt,
    crop_box: CropBox,
    embedding: ImageEmbedding,
    previous: MaskBatch | None,
    min_belief: float | None = None,
) -> Look:
    inside = prompt if crop_box == whole(image.size_hw) else prompt_in_crop(prompt, crop_box)
    batch = predict(model, embedding, [inside], previous=previous, min_belief=min_belief)
    return Look(
        image_digest=image.digest,
        size_hw=image.size_hw,
        crop_box=crop_box,
        embedding=embedding,
        batch=batch,
        prompt=prompt,
    )


__all__ = ["Look", "look", "move_logits", "whole"]
