"""What every model family offers to `predict`, and the values that pass between the two.

A model turns pixels of its own square frame into `Features`, and features plus `FramePrompts` into logits and scores.
It knows nothing of files, records, caches or image pixels: `ModelFrame` (frame.py) is where the two frames meet.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from maskwright.models.cards import ModelCard
from maskwright.models.frame import FrameSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What an encoder makes of images: the image embedding, and what some decoders want beside it.

    `extra` is empty for SAM; HQ-SAM puts its fused early features there, `tiny` its finer maps and its coarsest.
    """

    image_embedding: Float[Tensor, "B C h w"]
    extra: tuple[Float[Tensor, "B ..."], ...] = ()

    def __getitem__(self, index: int) -> "Features":
        """Take the features of one image, as a batch of one."""
        one = slice(index, index + 1)
        return Features(image_embedding=self.image_embedding[one], extra=tuple(x[one] for x in self.extra))

    @property
    def num_images(self) -> int:
        """How many images the batch holds."""
        return self.image_embedding.shape[0]

    def of_prompts(self, prompts: slice) -> "Features":
        """Take what some of the prompts need: all, where all prompts are on one image; else the images of theirs."""
        if self.num_images == 1:
            return self
        return Features(image_embedding=self.image_embedding[prompts], extra=tuple(x[prompts] for x in self.extra))

    @classmethod
    def side_by_side(cls, each: Sequence["Features"]) -> "Features":
        """Put several together, in order."""
        return cls(
            image_embedding=torch.cat([one.image_embedding for one in each]),
            extra=tuple(torch.cat(column) for column in zip(*(one.extra for one in each), strict=True)),
        )

    def to(self, *args: Any, **kwargs: Any) -> "Features":
        """Move or cast every tensor, as `Tensor.to` does."""
        return Features(
            image_embedding=self.image_embedding.to(*args, **kwargs),
            extra=tuple(x.to(*args, **kwargs) for x in self.extra),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FramePrompts:
    """N prompts in the model's frame, as tensors on one device.

    `labels` are 1 on the object, 0 not on it, 2 and 3 the corners of a box, -1 padding (SAM's convention).
    `mask_logits` are low-resolution logits of the frame, or None when no prompt has a mask.
    `text` holds vocabulary indices, -1 padding, for models that take text.
    """

    points: Float[Tensor, "N K 2"]
    labels: Int[Tensor, "N K"]
    mask_logits: Float[Tensor, "N 1 _h _w"] | None = None
    text: Int[Tensor, "N _k"] | None = None

    @property
    def num_prompts(self) -> int:
        """N."""
        return self.points.shape[0]

    def __getitem__(self, index: slice) -> "FramePrompts":
        """Take some of the prompts."""
        return FramePrompts(
            points=self.points[index],
            labels=self.labels[index],
            mask_logits=None if self.mask_logits is None else self.mask_logits[index],
            text=None if self.text is None else self.text[index],
        )

    def to(self, device: torch.device | str) -> "FramePrompts":
        """Move every tensor."""
        return FramePrompts(
            points=self.points.to(device),
            labels=self.labels.to(device),
            mask_logits=None if self.mask_logits is None else self.mask_logits.to(device),
            text=None if self.text is None else self.text.to(device),
        )

    @classmethod
    def side_by_side(cls, each: Sequence["FramePrompts"]) -> "FramePrompts":
        """Put prompts of one shape together, in order; phrases cannot be."""
        masks = [one.mask_logits for one in each if one.mask_logits is not None]
        return cls(
            points=torch.cat([one.points for one in each]),
            labels=torch.cat([one.labels for one in each]),
            mask_logits=torch.cat(masks) if masks else None,
        )


# Decides from predicted IoU (N, M) which masks are worth upscaling; everything-mode drops most of them here.
KeepMasks = Callable[[Float[Tensor, "N M"]], Bool[Tensor, "N M"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """Low-resolution mask logits of the model's frame, and the predicted IoU of each."""

    logits: Float[Tensor, "N M h w"]
    predicted_iou: Float[Tensor, "N M"]

    def to(self, device: torch.device | str) -> "Decoded":
        """Move both."""
        return Decoded(logits=self.logits.to(device), predicted_iou=self.predicted_iou.to(device))


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedSome:
    """The masks that `keep` chose, flattened: mask i belongs to prompt `prompt_index[i]`, candidate `mask_index[i]`.

    `agreement` is how alike all candidates of its prompt were, those that were not chosen included, in the model's
    frame and before anything was made of them (`nn.mask_ops.agreement_score`); NaN where there was one.
    """

    logits: Float[Tensor, "Q h w"]
    predicted_iou: Float[Tensor, " Q"]
    prompt_index: Int[Tensor, " Q"]
    mask_index: Int[Tensor, " Q"]
    agreement: Float[Tensor, " Q"]


@runtime_checkable
class Model(Protocol):
    """A promptable segmentation network with its weights."""

    card: ModelCard
    frame: FrameSpec
    checkpoint_sha256: str
    mask_threshold: float

    def text_indices(self, phrase: str) -> tuple[int, ...]:
        """Turn a phrase into the vocabulary indices of `FramePrompts.text`.

        Raises:
            UnsupportedPrompt: the model takes no text.
            PromptError: a word is unknown; the message lists the nearest.
        """
        ...

    def encode(self, pixels: Float[Tensor, "B 3 S S"]) -> Features:
        """Encode normalised, padded frames."""
        ...

    def decode(self, features: Features, prompts: FramePrompts, *, multimask: bool) -> Decoded:
        """Decode prompts: M is `num_candidates` with `multimask`, else 1.

        Features hold one image for all prompts, or one for each; phrases are asked of one image.
        """
        ...

    def decode_some(self, features: Features, prompts: FramePrompts, *, keep: KeepMasks) -> DecodedSome:
        """Decode three candidates per prompt, upscaling only those whose predicted IoU `keep` accepts."""
        ...

    @property
    def num_candidates(self) -> int:
        """How many candidate masks `decode` gives with `multimask`: 3, or 1 for a model that chooses by itself."""
        ...

    @property
    def device(self) -> torch.device:
        """The one device that all parameters are on."""
        ...

    @property
    def precision(self) -> torch.dtype:
        """The dtype that the image encoder computes in; features and logits are float32 whatever it is."""
        ...


@runtime_checkable
class DecodesInSteps(Model, Protocol):
    """A model that can keep a GPU at work while the scores of a step are looked at."""

    def decode_in_steps(
        self, features: Features, prompts: FramePrompts, *, keep: KeepMasks, per_step: int
    ) -> Iterator[DecodedSome]:
        """Do `decode_some` of clicks, `per_step` prompts at a time; `keep` is given scores on the CPU, step by step.

        `prompt_index` counts through all prompts. Logits and agreement are on the model's device, the rest may be on
        the CPU; steps of which nothing is kept are left out.
        """
        ...


__all__ = ["Decoded", "DecodedSome", "DecodesInSteps", "Features", "FramePrompts", "KeepMasks", "Model"]
