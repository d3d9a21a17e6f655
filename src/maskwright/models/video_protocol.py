"""What a video model offers to tracking: features of a frame, and a memory for each object that it follows.

A video model remembers how an object looked and draws it anew on every frame, where a `Model` (protocol.py) knows one
picture only. Its frame is a square of side S into which pictures are stretched, not padded; points are in its pixels.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from maskwright.models.cards import ModelCard
from maskwright.models.frame import FrameSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFeatures:
    """What the encoder makes of one frame: feature maps from fine to coarse and their positions, cells first."""

    maps: tuple[Float[Tensor, "_cells 1 _c"], ...]
    positions: tuple[Float[Tensor, "_cells 1 _d"], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clicks:
    """What a person says of one object: labels are 1 on it, 0 not on it, 2 and 3 the corners of a box, these first."""

    points: Float[Tensor, "K 2"]
    labels: Int[Tensor, " K"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenMask:
    """The pixels of one object, which are not to be doubted."""

    mask: Bool[Tensor, "S S"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One object on one frame, on the model's device.

    `logits` cover the whole picture. `presence` is the logit of its being in sight: below 0 nothing is drawn.
    `predicted_iou` says nothing of a mask that was given.
    """

    logits: Float[Tensor, "h w"]
    presence: Float[Tensor, ""]
    predicted_iou: Float[Tensor, ""]


@runtime_checkable
class ObjectMemory(Protocol):
    """What is remembered of one object: of bounded size, and gone when it is dropped."""

    def step(self, features: VideoFeatures, said: Clicks | GivenMask | None = None) -> Sighting:
        """Draw the object on the next frame and remember it. What is `said` makes the frame a keyframe.

        The first step must be told where the object is.
        """
        ...


@runtime_checkable
class VideoModel(Protocol):
    """A network that follows objects, with its weights."""

    card: ModelCard
    frame: FrameSpec
    checkpoint_sha256: str

    def text_indices(self, phrase: str) -> tuple[int, ...]:
        """Turn a phrase into vocabulary indices, as `Model.text_indices` does.

        Raises:
            UnsupportedPrompt: the model takes no text.
        """
        ...

    def encode_frame(self, pixels: UInt8[np.ndarray, "H W 3"]) -> VideoFeatures:
        """Encode one picture of any size."""
        ...

    def begin_memory(self) -> ObjectMemory:
        """Make an empty memory for one object."""
        ...

    @property
    def device(self) -> torch.device:
        """The one device that all parameters are on."""
        ...

    @property
    def precision(self) -> torch.dtype:
        """The dtype that the network computes in."""
        ...


__all__ = ["Clicks", "GivenMask", "ObjectMemory", "Sighting", "VideoFeatures", "VideoModel"]
