"""`LentModel`: the model of a tracker that lives longer than one run of the engine."""

import torch
from jaxtyping import Float
from torch import Tensor

from maskwright.models.protocol import Decoded, DecodedSome, Features, FramePrompts, KeepMasks, Model


class LentModel:
    """A `Model` that is another one at a time: before each step of a tracker, `lend` it the model of that run.

    The engine gives every run a model of its own, which lets clicks by and stops when the run is cancelled; a tracker
    takes its model once.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self.card, self.frame = model.card, model.frame
        self.checkpoint_sha256, self.mask_threshold = model.checkpoint_sha256, model.mask_threshold

    def lend(self, model: Model) -> None:
        """Be this model from now on; it must have the same weights."""
        self._model = model

    @property
    def num_candidates(self) -> int:
        """See `Model`."""
        return self._model.num_candidates

    @property
    def device(self) -> torch.device:
        """See `Model`."""
        return self._model.device

    @property
    def precision(self) -> torch.dtype:
        """See `Model`."""
        return self._model.precision

    def text_indices(self, phrase: str) -> tuple[int, ...]:
        """See `Model`."""
        return self._model.text_indices(phrase)

    def encode(self, pixels: Float[Tensor, "B 3 S S"]) -> Features:
        """See `Model`."""
        return self._model.encode(pixels)

    def decode(self, features: Features, prompts: FramePrompts, *, multimask: bool) -> Decoded:
        """See `Model`."""
        return self._model.decode(features, prompts, multimask=multimask)

    def decode_some(self, features: Features, prompts: FramePrompts, *, keep: KeepMasks) -> DecodedSome:
        """See `Model`."""
        return self._model.decode_some(features, prompts, keep=keep)


__all__ = ["LentModel"]
