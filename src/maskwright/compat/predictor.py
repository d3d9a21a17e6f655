"""`SamPredictor`: Meta's stateful predictor. State lives here and nowhere else; each answer is one `model.decode`.

Source: segment_anything.SamPredictor and HQ-SAM's, whose `hq_token_only` it takes too. Binary masks on CPU are drawn
without their full-size logits; they are the same to the pixel.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float, Shaped, UInt8
from torch import Tensor

from maskwright.compat.sam import Sam, to_frame_prompts
from maskwright.compat.transforms import ResizeLongestSide
from maskwright.core.errors import ImageError, PromptError
from maskwright.masks import decode_batch
from maskwright.models.frame import ModelFrame
from maskwright.models.protocol import Features
from maskwright.predict.upscale import masks_from_logits, upscale_logits

if TYPE_CHECKING:
    from maskwright.models.registry import Network


class SamPredictor:
    """Embeds one image at a time and answers prompts on it."""

    def __init__(self, sam_model: "Sam | Network") -> None:
        self.model = sam_model if isinstance(sam_model, Sam) else Sam(sam_model)
        self.transform = ResizeLongestSide(self.model.network.frame.side)
        self.reset_image()

    def set_image(self, image: UInt8[np.ndarray, "H W 3"], image_format: str = "RGB") -> None:
        """Embed an image, so that `predict` can be called.

        Raises:
            ImageError: the image is not uint8 (H, W, 3), or the format is neither RGB nor BGR.
        """
        if image_format not in ("RGB", "BGR"):
            raise ImageError(f"image_format must be 'RGB' or 'BGR', got {image_format!r}")
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            got = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
            raise ImageError(f"an image must be a uint8 array of shape (H, W, 3), got {got}")
        if image_format != self.model.image_format:
            image = image[..., ::-1]
        resized = torch.as_tensor(self.transform.apply_image(image), device=self.device)
        self.set_torch_image(resized.permute(2, 0, 1).contiguous()[None], image.shape[:2])

    @torch.no_grad()
    def set_torch_image(self, transformed_image: Shaped[Tensor, "1 3 h w"], original_image_size: Sequence[int]) -> None:
        """Embed an image that `transform` has resized already; its values are 0..255, not normalised.

        Raises:
            ImageError: its longer side is not the frame's.
        """
        side, shape = self.model.network.frame.side, tuple(transformed_image.shape)
        if len(shape) != 4 or shape[1] != 3 or max(shape[2:]) != side:
            raise ImageError(
                f"set_torch_image needs (1, 3, h, w) with a long side of {side}, got {shape}. "
                "Resize it with predictor.transform.apply_image_torch."
            )
        self.reset_image()
        self.original_size = tuple(original_image_size)
        self.input_size = shape[2:]
        features = self.model.network.encode(self.model.preprocess(transformed_image.to(self.device)))
        self.features = features.image_embedding
        self.interm_features = features.extra
        self.is_image_set = True

    def predict(
        self,
        point_coords: Shaped[np.ndarray, "K 2"] | None = None,
        point_labels: Shaped[np.ndarray, " K"] | None = None,
        box: Shaped[np.ndarray, " 4"] | None = None,
        mask_input: Float[np.ndarray, "1 h w"] | None = None,
        multimask_output: bool = True,
        return_logits: bool = False,
        hq_token_only: bool = False,
    ) -> tuple[Shaped[np.ndarray, "M H W"], Float[np.ndarray, " M"], Float[np.ndarray, "M h w"]]:
        """Predict the masks of one object from prompts in pixels of the image.

        Returns masks (bool, or float logits with `return_logits`), their predicted IoU, and low-resolution logits that
        can be the next call's `mask_input`.

        Raises:
            RuntimeError: no image has been set.
            PromptError: labels are missing or unknown.
        """
        self._check_is_image_set("mask prediction")
        coords = labels = boxes = masks = None
        if point_coords is not None:
            if point_labels is None:
                raise PromptError("point_labels must be supplied if point_coords is: 1 on the object, 0 not on it.")
            moved = self.transform.apply_coords(np.asarray(point_coords), self.original_size)
            coords = torch.as_tensor(moved, dtype=torch.float, device=self.device)[None]
            labels = torch.as_tensor(point_labels, dtype=torch.int, device=self.device)[None]
        if box is not None:
            moved = self.transform.apply_boxes(np.asarray(box), self.original_size)
            boxes = torch.as_tensor(moved, dtype=torch.float, device=self.device)
        if mask_input is not None:
            masks = torch.as_tensor(mask_input, dtype=torch.float, device=self.device)[None]
        found = self.predict_torch(
            coords,
            labels,
            boxes,
            masks,
            multimask_output,
            return_logits=return_logits,
            hq_token_only=hq_token_only,
        )
        masks_np, iou_np, low_res_np = (tensor[0].detach().cpu().numpy() for tensor in found)
        return masks_np, iou_np, low_res_np

    @torch.no_grad()
    def predict_torch(
        self,
        point_coords: Shaped[Tensor, "N K 2"] | None,
        point_labels: Shaped[Tensor, "N K"] | None,
        boxes: Shaped[Tensor, "N 4"] | None = None,
        mask_input: Float[Tensor, "N 1 h w"] | None = None,
        multimask_output: bool = True,
        return_logits: bool = False,
        hq_token_only: bool = False,
    ) -> tuple[Shaped[Tensor, "N M H W"], Float[Tensor, "N M"], Float[Tensor, "N M h w"]]:
        """Predict the masks of N objects from prompts that `transform` has moved into the frame.

        Raises:
            RuntimeError: no image has been set.
            PromptError: labels are missing or unknown, or the prompts are not of the same number of objects.
        """
        self._check_is_image_set("mask prediction")
        assert self.features is not None
        features = Features(image_embedding=self.features, extra=tuple(self.interm_features))
        prompts = to_frame_prompts(point_coords, point_labels, boxes, mask_input, self.device)
        with self.model.hq_token_only(hq_token_only):
            decoded = self.model.network.decode(features, prompts, multimask=multimask_output)
        frame = self.model.frame(self.input_size, self.original_size)
        if return_logits:
            masks = upscale_logits(decoded.logits, frame)
        elif self.device.type == "cpu":
            masks = _draw(decoded.logits, frame, self.model.mask_threshold)
        else:
            masks = upscale_logits(decoded.logits, frame) > self.model.mask_threshold
        return masks, decoded.predicted_iou, decoded.logits

    def get_image_embedding(self) -> Float[Tensor, "1 C h w"]:
        """The embedding of the image that is set.

        Raises:
            RuntimeError: no image has been set.
        """
        self._check_is_image_set("generating an embedding")
        assert self.features is not None
        return self.features

    @property
    def device(self) -> torch.device:
        """The device that the model is on."""
        return self.model.device

    def reset_image(self) -> None:
        """Forget the image."""
        self.is_image_set = False
        self.features: Tensor | None = None
        self.interm_features: tuple[Tensor, ...] = ()
        self.original_size: tuple[int, ...] = ()
        self.input_size: tuple[int, ...] = ()
        # Never used, but there in Meta's class.
        self.orig_h = self.orig_w = self.input_h = self.input_w = None

    def _check_is_image_set(self, wanted: str) -> None:
        if not self.is_image_set:
            raise RuntimeError(f"An image must be set with .set_image(...) before {wanted}.")


def _draw(logits: Float[Tensor, "N M h w"], frame: ModelFrame, threshold: float) -> Bool[Tensor, "N M H W"]:
    N, M = logits.shape[:2]
    drawn = masks_from_logits(logits.flatten(0, 1), frame, threshold, one_of_three=M == 3)
    dense = decode_batch([mask.rle for mask in drawn], size_hw=frame.size_hw)
    return torch.from_numpy(dense).unflatten(0, (N, M))


__all__ = ["SamPredictor"]
