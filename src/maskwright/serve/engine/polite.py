"""`PoliteModel`: a model that pauses between its steps, so that what takes long can be cancelled and lets clicks by.

A step is one call of the network. Where everything-mode asks for 64 points in one call, they are decoded a few at a
time, as many as the network itself takes at once, so that the outcome is the same to the last bit.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import torch
from jaxtyping import Float, Int
from torch import Tensor

from maskwright.models.protocol import Decoded, DecodedSome, Features, FramePrompts, KeepMasks, Model
from maskwright.models.sam.model import prompts_per_step
from maskwright.models.text_protocol import Part, ReadsParts, WordsFound

# Entered for each step, with what it is and for how many images or prompts; what it raises ends the work.
Around = Callable[[str, int], AbstractContextManager[None]]


class PoliteModel:
    """Does what `model` does, every step within `around`. Implements `Model`."""

    def __init__(self, model: Model, around: Around) -> None:
        self._model = model
        self._around = around
        self.card = model.card
        self.frame = model.frame
        self.checkpoint_sha256 = model.checkpoint_sha256
        self.mask_threshold = model.mask_threshold

    def text_indices(self, phrase: str) -> tuple[int, ...]:
        """Turn a phrase into vocabulary indices."""
        return self._model.text_indices(phrase)

    def encode(self, pixels: Float[Tensor, "B 3 S S"]) -> Features:
        """Encode frames: one step."""
        with self._around("encode", len(pixels)):
            return self._model.encode(pixels)

    def decode(self, features: Features, prompts: FramePrompts, *, multimask: bool) -> Decoded:
        """Decode prompts, a few a step."""
        parts: list[Decoded] = []
        for some in _in_steps(features, prompts):
            with self._around("decode", max(1, some.num_prompts)):
                parts.append(self._model.decode(features, some, multimask=multimask))
        if len(parts) == 1:
            return parts[0]
        return Decoded(
            logits=torch.cat([part.logits for part in parts]),
            predicted_iou=torch.cat([part.predicted_iou for part in parts]),
        )

    def decode_some(self, features: Features, prompts: FramePrompts, *, keep: KeepMasks) -> DecodedSome:
        """Decode prompts and draw what `keep` accepts, a few prompts a step."""
        parts: list[DecodedSome] = []
        starts: list[int] = []
        start = 0
        for some in _in_steps(features, prompts):
            with self._around("decode_some", max(1, some.num_prompts)):
                parts.append(self._model.decode_some(features, some, keep=keep))
            starts.append(start)
            start += some.num_prompts
        if len(parts) == 1:
            return parts[0]
        return DecodedSome(
            logits=torch.cat([part.logits for part in parts]),
            predicted_iou=torch.cat([part.predicted_iou for part in parts]),
            prompt_index=torch.cat([part.prompt_index + begin for part, begin in zip(parts, starts, strict=True)]),
            mask_index=torch.cat([part.mask_index for part in parts]),
            agreement=torch.cat([part.agreement for part in parts]),
        )

    @property
    def num_candidates(self) -> int:
        """How many candidates the model makes."""
        return self._model.num_candidates

    @property
    def device(self) -> torch.device:
        """The model's device."""
        return self._model.device

    @property
    def precision(self) -> torch.dtype:
        """The encoder's number format."""
        return self._model.precision


class PoliteReader(PoliteModel):
    """A polite model that answers words from parts of a picture too."""

    def __init__(self, model: Model, around: Around) -> None:
        super().__init__(model, around)
        assert isinstance(model, ReadsParts)
        self._reader = model

    def find_in_parts(
        self, whole: Features, parts: Callable[[], Sequence[Part]], text: Int[Tensor, "N _k"]
    ) -> list[WordsFound]:
        """Answer phrases from parts, whose encodings are steps of their own."""
        return self._reader.find_in_parts(whole, parts, text)

    def things_in_parts(
        self, whole: Features, parts: Callable[[], Sequence[Part]], text: Int[Tensor, "N _k"]
    ) -> list[list[WordsFound]]:
        """Give all things that phrases may hold of, as `find_in_parts` answers."""
        return self._reader.things_in_parts(whole, parts, text)


def polite(model: Model, around: Around) -> PoliteModel:
    """Make a model polite, with all that it can."""
    return PoliteReader(model, around) if isinstance(model, ReadsParts) else PoliteModel(model, around)


def _in_steps(features: Features, prompts: FramePrompts) -> list[FramePrompts]:
    """Cut prompts where the network would; phrases are padded together, so they stay together."""
    if features.num_images > 1 or prompts.text is not None:
        return [prompts]
    most = prompts_per_step(features.image_embedding.flatten(2).transpose(1, 2))
    return [prompts[i : i + most] for i in range(0, max(1, prompts.num_prompts), most)]


__all__ = ["Around", "PoliteModel", "PoliteReader", "polite"]
