"""Mask prediction from prompts on an already embedded image.

Knows: the prompt and mask value types, and one Model. Does not know: files, the store, HTTP, or which family it runs.
Everything here is in image pixels; the model frame begins and ends in `frame_prompts` and `upscale`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import torch
from jaxtyping import Float
from torch import Tensor

from maskwright.core import ModelRef, Prompt, SizeHW, TextPrompt, prompt_parts
from maskwright.core.errors import ModelError, PromptError, SettingError
from maskwright.models.frame import ModelFrame
from maskwright.models.protocol import Decoded, FramePrompts, Model
from maskwright.nn.mask_ops import agreement_score
from maskwright.predict.embedding import ImageEmbedding
from maskwright.predict.frame_prompts import group_prompts

STABILITY_OFFSET = 1.0  # of SAM's automatic mask generator
_NOTHING = 10.0  # how far below the threshold an empty answer lies


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskBatch:
    """Candidate masks of N prompts, best first, as logits of the model's frame on the model's device.

    `to_records` turns them into masks of the image; `len` is N. `agreement` is how alike the candidates of each prompt
    were, also those that are left out here; NaN where the model made one.
    """

    logits: Float[Tensor, "N M h w"]
    predicted_iou: Float[Tensor, "N M"]
    agreement: Float[Tensor, " N"]
    prompts: tuple[Prompt, ...]
    frame: ModelFrame
    image_digest: str
    model: ModelRef
    threshold: float = 0.0
    is_refined: bool = False

    def __len__(self) -> int:
        return self.logits.shape[0]

    @property
    def size_hw(self) -> SizeHW:
        """The image's (height, width) in pixels."""
        return self.frame.size_hw

    @property
    def stability(self) -> Float[Tensor, "N M"]:
        """How little the mask changes with its threshold: IoU of the masks at threshold +- 1, at low resolution.

        Source: SAM's automatic mask generator, which takes the same ratio on full-size logits.
        """
        h, w = self.frame.logits_hw
        logits = self.logits[..., :h, :w]
        inner = (logits > self.threshold + STABILITY_OFFSET).sum((-1, -2))
        outer = (logits > self.threshold - STABILITY_OFFSET).sum((-1, -2))
        return inner / outer.clamp(min=1)


def predict(
    model: Model,
    embedding: ImageEmbedding,
    prompts: Sequence[Prompt],
    *,
    num_masks: int = 1,
    multimask: bool | None = None,
    previous: MaskBatch | None = None,
    min_belief: float | None = None,
) -> MaskBatch:
    """Predict `num_masks` candidate masks for each prompt, best first.

    Prompts of all kinds go in one call; each is one object. `multimask` None does what SAM's authors advise: a single
    click is ambiguous and is answered with the best of three candidates, all else with the single-mask output.
    `previous` feeds an earlier answer to the same prompts back in, which sharpens it.
    Words alone are answered with an empty mask where the predicted IoU of the best guess is below `min_belief`, None
    for what the model's card says; 0 shows every guess.

    Raises:
        PromptError, PromptOutsideImage, UnsupportedPrompt: a prompt does not fit the image or the model.
        SettingError: the model makes fewer than `num_masks` candidates, or multimask is off and more than one is asked.
        ModelError: the embedding was made by another model.
    """
    check_arguments(model, embedding, prompts, num_masks, multimask, previous)
    batch = unanswered(model, embedding, prompts, num_masks, is_refined=previous is not None)
    hints = None if previous is None else previous.logits[:, 0]
    with torch.no_grad():
        for group in group_prompts(model, embedding.frame, prompts, hints):
            several = (group.is_ambiguous or num_masks > 1) if multimask is None else multimask
            decoded = model.decode(embedding.features, group.prompts, multimask=several)
            fill(batch, group.indices, without_unsure(model, group.prompts, decoded, min_belief))
    return batch


def without_unsure(model: Model, prompts: FramePrompts, decoded: Decoded, min_belief: float | None = None) -> Decoded:
    """Empty the answers to words alone that are not believed enough; what they are believed stays."""
    if not asks_by_words_alone(prompts):
        return decoded
    least = model.card.least_text_belief if min_belief is None else min_belief
    is_unsure = (decoded.predicted_iou < least)[..., None, None]
    logits = torch.where(is_unsure, decoded.logits.clamp(max=0) - _NOTHING, decoded.logits)
    return Decoded(logits=logits, predicted_iou=decoded.predicted_iou)


def asks_by_words_alone(prompts: FramePrompts) -> bool:
    """Whether nothing but words says what is meant."""
    return prompts.text is not None and prompts.points.shape[1] == 0 and prompts.mask_logits is None


def unanswered(
    model: Model, embedding: ImageEmbedding, prompts: Sequence[Prompt], num_masks: int, *, is_refined: bool
) -> MaskBatch:
    """Make the batch that `fill` writes answers into."""
    N, side = len(prompts), model.frame.logits_side
    return MaskBatch(
        logits=torch.empty(N, num_masks, side, side, device=model.device, dtype=torch.float32),
        predicted_iou=torch.empty(N, num_masks, device=model.device, dtype=torch.float32),
        agreement=torch.full((N,), torch.nan, device=model.device),
        prompts=tuple(prompts),
        frame=embedding.frame,
        image_digest=embedding.image_digest,
        model=embedding.model,
        threshold=model.mask_threshold,
        is_refined=is_refined,
    )


def fill(batch: MaskBatch, indices: Sequence[int], decoded: Decoded) -> None:
    """Write the best candidates of some prompts into a batch that is being made."""
    best = decoded.predicted_iou.topk(batch.logits.shape[1], dim=1).indices  # n num_masks
    rows = torch.arange(len(indices), device=best.device)[:, None]
    # A list of indices is moved to the GPU, and all that was launched is waited for.
    where = slice(None) if list(indices) == list(range(len(batch))) else list(indices)
    batch.logits[where] = decoded.logits[rows, best].float()
    batch.predicted_iou[where] = decoded.predicted_iou[rows, best].float()
    if not any(isinstance(part, TextPrompt) for part in prompt_parts(batch.prompts[indices[0]])):
        # What answers a phrase are several things, and not several masks of one.
        h, w = batch.frame.logits_hw
        batch.agreement[where] = agreement_score(decoded.logits[..., :h, :w] > batch.threshold)


def refine(
    model: Model,
    embedding: ImageEmbedding,
    prompts: Sequence[Prompt],
    *,
    steps: int = 1,
    previous: MaskBatch | None = None,
) -> MaskBatch:
    """Predict, then feed the best mask back `steps` times: slower and often sharper, above all with several clicks.

    Raises:
        SettingError: `steps` is below 1.
    """
    if steps < 1:
        raise SettingError(f"refine needs at least one step, got {steps}. Use predict for none.")
    batch = predict(model, embedding, prompts) if previous is None else previous
    for _ in range(steps):
        batch = predict(model, embedding, prompts, previous=batch)
    return batch


def check_arguments(
    model: Model,
    embedding: ImageEmbedding,
    prompts: Sequence[Prompt],
    num_masks: int,
    multimask: bool | None,
    previous: MaskBatch | None,
) -> None:
    """Check what `predict` was asked; it says what is raised."""
    _check_prompts(prompts)
    if not 1 <= num_masks <= model.num_candidates:
        most = f"1 to {model.num_candidates}" if model.num_candidates > 1 else "1"
        raise SettingError(f"num_masks must be {most}, the candidates {model.card.name} makes; got {num_masks}")
    if num_masks > 1 and multimask is False:
        raise SettingError(f"multimask=False gives one mask for each prompt, but num_masks={num_masks} were asked for")
    made_by = (embedding.model.name, embedding.model.checkpoint_sha256)
    if made_by != (model.card.name, model.checkpoint_sha256):
        raise ModelError(
            f"the embedding was made by {embedding.model.name}, not by {model.card.name}. Embed the image again."
        )
    if previous is not None and len(previous) != len(prompts):
        raise SettingError(f"previous must answer the same prompts: expected {len(prompts)} masks, got {len(previous)}")


def _check_prompts(prompts: Sequence[Prompt]) -> None:
    """Refuse what is no sequence of prompts; a bare (x, y) would otherwise count as a prompt that says nothing."""
    kinds = get_args(Prompt)
    if isinstance(prompts, kinds):
        raise PromptError(f"prompts must be a list of prompts, got one {type(prompts).__name__}. Pass it in a list.")
    if not isinstance(prompts, Sequence) or isinstance(prompts, str):
        raise PromptError(f"prompts must be a list of prompts, got a {type(prompts).__name__}")
    for i, prompt in enumerate(prompts):
        if not isinstance(prompt, kinds):
            expected = ", ".join(kind.__name__ for kind in kinds)
            raise PromptError(f"prompts[{i}] must be one of {expected}, got a {type(prompt).__name__}")


__all__ = [
    "STABILITY_OFFSET",
    "MaskBatch",
    "asks_by_words_alone",
    "check_arguments",
    "fill",
    "predict",
    "refine",
    "unanswered",
    "without_unsure",
]
