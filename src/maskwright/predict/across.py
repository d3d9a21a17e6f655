"""`predict_across`: prompts on many images, answered together, for servers that many people click on at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from maskwright.core import Prompt
from maskwright.models.protocol import Decoded, Features, FramePrompts, Model
from maskwright.predict.embedding import ImageEmbedding
from maskwright.predict.frame_prompts import PromptGroup, group_prompts
from maskwright.predict.predict import MaskBatch, check_arguments, fill, unanswered, without_unsure


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Prompts on one image, with the arguments of `predict`."""

    embedding: ImageEmbedding
    prompts: Sequence[Prompt]
    num_masks: int = 1
    multimask: bool | None = None
    previous: MaskBatch | None = None


def predict_across(model: Model, questions: Sequence[Question]) -> list[MaskBatch]:
    """Answer questions on different images, each as `predict` would; one that is wrong spoils no other.

    A GPU decodes prompts of one shape together, whatever image they are on; on a CPU nothing is gained by that, and
    phrases are asked of one image. Where the model is on a CPU, split the questions over threads instead.

    Raises:
        Whatever `predict` raises for the first question that is wrong, before any is answered.
    """
    for one in questions:
        check_arguments(model, one.embedding, one.prompts, one.num_masks, one.multimask, one.previous)
    batches = [
        unanswered(model, one.embedding, one.prompts, one.num_masks, is_refined=one.previous is not None)
        for one in questions
    ]
    steps: dict[object, list[_Asked]] = {}
    for number, one in enumerate(questions):
        hints = None if one.previous is None else one.previous.logits[:, 0]
        for group in group_prompts(model, one.embedding.frame, one.prompts, hints):
            several = (group.is_ambiguous or one.num_masks > 1) if one.multimask is None else one.multimask
            asked = _Asked(number=number, features=one.embedding.features, group=group, multimask=several)
            steps.setdefault(asked.shape if model.device.type != "cpu" else len(steps), []).append(asked)
    with torch.no_grad():
        for step in steps.values():
            _answer(model, step, batches)
    return batches


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A group of prompts of a question."""

    number: int
    features: Features
    group: PromptGroup
    multimask: bool

    @property
    def shape(self) -> object:
        """What groups have in common that can be decoded together."""
        prompts = self.group.prompts
        alone = None if prompts.text is None else (self.number, self.group.indices)
        return prompts.points.shape[1], prompts.mask_logits is None, self.multimask, alone


def _answer(model: Model, asked: Sequence[_Asked], batches: Sequence[MaskBatch]) -> None:
    """Decode groups of one shape in one go, and put what comes out where it belongs."""
    if len(asked) == 1:
        (one,) = asked
        decoded = model.decode(one.features, one.group.prompts, multimask=one.multimask)
        fill(batches[one.number], one.group.indices, without_unsure(model, one.group.prompts, decoded))
        return
    features = [one.features for one in asked for _ in one.group.indices]
    prompts = FramePrompts.side_by_side([one.group.prompts for one in asked])
    decoded = model.decode(Features.side_by_side(features), prompts, multimask=asked[0].multimask)
    start = 0
    for one in asked:
        own = slice(start, start + len(one.group.indices))
        part = Decoded(logits=decoded.logits[own], predicted_iou=decoded.predicted_iou[own])
        fill(batches[one.number], one.group.indices, part)
        start = own.stop


__all__ = ["Question", "predict_across"]
