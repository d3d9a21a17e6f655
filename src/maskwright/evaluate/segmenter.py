"""`Segmenter`: what is scored. It opens an image once and then answers prompts; a model, or an older method.

`ModelSegmenter` is any `Model`, prompted as `maskwright.predict` prompts it: earlier masks are fed back with later
clicks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Bool

from maskwright.core.image import Image
from maskwright.core.prompt import Prompt
from maskwright.masks.rle import decode
from maskwright.models.protocol import Model
from maskwright.predict.embedding import embed
from maskwright.predict.predict import MaskBatch, predict
from maskwright.predict.records import to_records


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A mask, and how good the segmenter believes it is (None if it has no belief)."""

    mask: Bool[np.ndarray, "H W"]
    predicted_iou: float | None = None


# Answers prompts on one image; each call is a longer prompt about the same object, or (fresh) a prompt about another.
AnswerPrompt = Callable[[Prompt], Answer]


class Segmenter(Protocol):
    """Something that can be asked for masks."""

    name: str

    def open(self, image: Image) -> Callable[[], AnswerPrompt]:
        """Prepare an image; each call of the result begins one object."""
        ...


class ModelSegmenter:
    """A promptable network."""

    def __init__(self, model: Model, name: str | None = None) -> None:
        self.model = model
        self.name = name or model.card.name

    def open(self, image: Image) -> Callable[[], AnswerPrompt]:
        """Embed the image once."""
        embedding = embed(self.model, image)

        def begin() -> AnswerPrompt:
            previous: MaskBatch | None = None

            def answer(prompt: Prompt) -> Answer:
                nonlocal previous
                previous = predict(self.model, embedding, [prompt], previous=previous)
                (record,) = to_records(previous)
                return Answer(mask=decode(record.rle), predicted_iou=float(previous.predicted_iou[0, 0]))

            return answer

        return begin


__all__ = ["Answer", "AnswerPrompt", "ModelSegmenter", "Segmenter"]
