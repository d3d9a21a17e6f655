"""`TransformersVideoModel`: a video network of transformers as a `VideoModel`."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image as PillowImage
from torch import Tensor

from maskwright.core.errors import UnsupportedPrompt
from maskwright.models.cards import ModelCard
from maskwright.models.frame import FrameSpec
from maskwright.models.transformers_video.object_memory import SessionMemory
from maskwright.models.video_protocol import ObjectMemory, VideoFeatures


class TransformersVideoModel:
    """A network, its card, and how it wants its frame; `new_session` makes an empty session of its family.

    Pictures are stretched into the frame by Pillow's antialiased bilinear filter, as torchvision's, which transformers'
    own processors use, does on uint8.
    """

    def __init__(
        self,
        *,
        network: Any,
        new_session: Callable[..., Any],
        card: ModelCard,
        frame: FrameSpec,
        checkpoint_sha256: str,
    ) -> None:
        self.card = card
        self.frame = frame
        self.checkpoint_sha256 = checkpoint_sha256
        self._network = network
        self._new_session = new_session
        self._scores: dict[str, Tensor] = {}
        # The outputs of a session lack the predicted IoU, so it is taken where the decoder gives it.
        network.mask_decoder.register_forward_hook(self._note_scores)

    def to(self, device: torch.device, precision: torch.dtype) -> "TransformersVideoModel":
        """Move the network to a device and cast it, in place."""
        self._network.to(device=device, dtype=precision)
        return self

    def text_indices(self, phrase: str) -> tuple[int, ...]:
        """Refuse words: the network has no reader of them."""
        raise UnsupportedPrompt(
            f"{self.card.name} takes points, boxes and masks, no words; got {phrase!r}. "
            "Draw the object by words with a model that takes them, and give its mask."
        )

    def encode_frame(self, pixels: UInt8[np.ndarray, "H W 3"]) -> VideoFeatures:
        """Stretch a picture into the frame and encode it."""
        x = self._to_frame(pixels).to(self.precision)
        with torch.inference_mode():
            encoded = self._network.get_image_features(x, return_dict=True)
        return VideoFeatures(maps=tuple(encoded.fpn_hidden_states), positions=tuple(encoded.fpn_position_encoding))

    def _to_frame(self, pixels: UInt8[np.ndarray, "H W 3"]) -> Float[Tensor, "1 3 S S"]:
        side = self.frame.side
        stretched = PillowImage.fromarray(pixels).resize((side, side), PillowImage.Resampling.BILINEAR)
        x = torch.from_numpy(np.array(stretched)).to(self.device).float()
        x = (x - torch.tensor(self.frame.mean, device=self.device)) / torch.tensor(self.frame.std, device=self.device)
        return x.permute(2, 0, 1)[None]

    def begin_memory(self) -> ObjectMemory:
        """Make an empty memory for one object."""
        device = self.device
        session = self._new_session(
            inference_device=device,
            inference_state_device=device,
            video_storage_device=device,
            dtype=self.precision,
        )
        return SessionMemory(self._network, session, self._scores)

    @property
    def device(self) -> torch.device:
        """The one device that all parameters are on."""
        return self._network.device

    @property
    def precision(self) -> torch.dtype:
        """The dtype that the network computes in."""
        return self._network.dtype

    def _note_scores(self, decoder: object, inputs: object, outputs: tuple[Tensor, ...]) -> None:
        self._scores["predicted_iou"] = outputs[1].detach()


__all__ = ["TransformersVideoModel"]
