"""`Segmenter`: what is scored. It opens an image once and then answers prompts; a model, or an older method.

`ModelSegmenter` is any `Model`, prompted as `maskwright.predict` prompts it: earlier masks are fed back with later
clicks. All objects of a picture share its embedding, and their prompts go to the decoder together.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Protocol

import torch

from maskwright.core import RLE, Image, MaskRecord, Prompt
from maskwright.models.protocol import Model
from maskwright.predict.cache import EmbeddingCache
from maskwright.predict.embedding import ImageEmbedding, embed
from maskwright.predict.everything import everything
from maskwright.predict.everything_settings import EverythingSettings, preset_for
from maskwright.predict.looks import Look, look
from maskwright.predict.predict import MaskBatch, predict
from maskwright.predict.records import to_records


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A mask, how good the segmenter believes it is (None if it has no belief), and what it wants to see again.

    `memory` is for the session that gave the answer, when a longer prompt about the same object follows.
    """

    mask: RLE
    predicted_iou: float | None = None
    memory: object = field(default=None, repr=False, compare=False)


class Session(Protocol):
    """One opened image."""

    def answer(self, prompts: Sequence[Prompt], previous: Sequence[Answer] | None = None) -> list[Answer]:
        """Answer prompts, one object each; `previous` are this session's answers to shorter prompts about them."""
        ...

    def everything(self, settings: EverythingSettings) -> list[MaskRecord]:
        """Find every mask of the image; asked only of segmenters that can."""
        ...


class Segmenter(Protocol):
    """Something that can be asked for masks. `can` names the prompts it takes: box, click, everything, text."""

    @property
    def name(self) -> str:
        """What it is called in tables."""
        ...

    @property
    def can(self) -> frozenset[str]:
        """Which of box, click, everything and text it can be asked."""
        ...

    @property
    def keeps(self) -> EverythingSettings | None:
        """What its everything-mode lets through; None if it has none."""
        ...

    def open(self, image: Image) -> Session:
        """Prepare an image."""
        ...


class ModelSegmenter:
    """A promptable network; `closer` looks at small objects again, None as the model's card says.

    With a `cache` models of one encoder share what it makes of a picture; times to open mean nothing then.
    """

    def __init__(
        self,
        model: Model,
        name: str | None = None,
        *,
        closer: bool | None = None,
        cache: EmbeddingCache | None = None,
    ) -> None:
        self.model, self.cache = model, cache
        self.closer = model.card.looks_closer if closer is None else closer
        self.name = name or model.card.name
        self.can = frozenset({"box", "click", "everything"} | ({"text"} if model.card.takes_text else set()))
        self.keeps = preset_for(model.card)

    def open(self, image: Image) -> "_ModelSession":
        """Embed the image once."""
        embedding = embed(self.model, image, cache=self.cache)
        return _ModelSession(self.model, image, embedding, self.closer, self.cache)


@dataclass(frozen=True, slots=True)
class _ModelSession:
    model: Model
    image: Image
    embedding: ImageEmbedding
    closer: bool
    cache: EmbeddingCache | None

    def answer(self, prompts: Sequence[Prompt], previous: Sequence[Answer] | None = None) -> list[Answer]:
        if self.closer:
            return self._looks(prompts, previous or ())
        batch = predict(self.model, self.embedding, prompts, previous=None if previous is None else _join(previous))
        return [
            Answer(mask=record.rle, predicted_iou=record.scores.predicted_iou, memory=_take(batch, i))
            for i, record in enumerate(to_records(batch))
        ]

    def _looks(self, prompts: Sequence[Prompt], previous: Sequence[Answer]) -> list[Answer]:
        """Look at each object as closely as it deserves, one after the other."""
        answers: list[Answer] = []
        for prompt, before in zip_longest(prompts, previous):
            memory = None if before is None else before.memory
            seen = look(
                self.model,
                self.image,
                prompt,
                previous=memory if isinstance(memory, Look) else None,
                embedding=self.embedding,
                cache=self.cache,
            )
            answers.append(Answer(mask=seen.record().rle, predicted_iou=seen.predicted_iou, memory=seen))
        return answers

    def everything(self, settings: EverythingSettings) -> list[MaskRecord]:
        return everything(self.model, self.image, settings=settings, embedding=self.embedding)


def _take(batch: MaskBatch, index: int) -> MaskBatch:
    one = slice(index, index + 1)
    return replace(batch, logits=batch.logits[one], predicted_iou=batch.predicted_iou[one], prompts=batch.prompts[one])


def _join(answers: Sequence[Answer]) -> MaskBatch:
    batches = [answer.memory for answer in answers if isinstance(answer.memory, MaskBatch)]
    assert len(batches) == len(answers)
    return replace(
        batches[0],
        logits=torch.cat([batch.logits for batch in batches]),
        predicted_iou=torch.cat([batch.predicted_iou for batch in batches]),
        prompts=tuple(prompt for batch in batches for prompt in batch.prompts),
    )


__all__ = ["Answer", "ModelSegmenter", "Segmenter", "Session"]
