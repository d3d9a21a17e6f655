"""From low-resolution logits of a model's frame to masks of the image.

`masks_from_logits` is the way everything takes: RLE straight from the logits, with no full-size picture. Logits of a
few masks on a GPU are moved to the CPU first: a mask has 256 KiB of them, its picture can have a hundred times that.
Many are drawn where they are (`masks_on_device`). `upscale_logits` is SAM's definition in torch, for callers who need
full-size logits, and what the kernel is tested against.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from maskwright.core.shapes import SizeHW
from maskwright.models.frame import ModelFrame

if TYPE_CHECKING:
    from maskwright.masks.logits_kernel import DrawnMask

# Below this many masks, starting a thread costs more than it saves.
_MASKS_PER_THREAD = 8
# From so many masks on, a GPU draws them sooner than the CPU.
MASKS_FOR_GPU = 4


def upscale_logits(logits: Float[Tensor, "N M h w"], frame: ModelFrame) -> Float[Tensor, "N M H W"]:
    """Enlarge logits to the frame, crop the padding away and resize to the image, bilinearly both times.

    Costs N * M * H * W floats, twice: for many masks use `masks_from_logits`.
    """
    side, (h, w) = frame.spec.side, frame.input_hw
    x = F.interpolate(logits, (side, side), mode="bilinear", align_corners=False)
    if frame.input_hw == frame.size_hw:  # resizing to the same size changes no bit
        return x[..., :h, :w]
    return F.interpolate(x[..., :h, :w], frame.size_hw, mode="bilinear", align_corners=False)


def masks_from_logits(
    logits: Float[Tensor, "Q h w"],
    frame: ModelFrame,
    threshold: float = 0.0,
    *,
    stability_offset: float = 0.0,
    one_of_three: bool = False,
    canvas_hw: SizeHW | None = None,
    offset_xy: tuple[int, int] = (0, 0),
) -> "list[DrawnMask]":
    """Draw masks as RLE: the pixels whose logit in the image is above `threshold`, with area, box and stability counts.

    The image may be a crop: then `canvas_hw` is the whole picture's size and `offset_xy` the crop's top left corner.
    `one_of_three` picks torch's rounding for candidates that were resized three at a time (see `draw_mask`).
    On a CPU it runs on as many threads as torch uses; about half a millisecond a mask at 1500 x 2250.
    """
    from maskwright.masks.logits_kernel import Canvas, LogitsMap, draw_mask
    from maskwright.predict.masks_on_device import draw_on_device

    canvas = Canvas(size_hw=canvas_hw or frame.size_hw, x=offset_xy[0], y=offset_xy[1])
    if logits.is_cuda and len(logits) >= MASKS_FOR_GPU:
        return draw_on_device(logits, frame, threshold, stability_offset=stability_offset, canvas=canvas)
    way = LogitsMap.of(
        logits_side=frame.spec.logits_side, side=frame.spec.side, input_hw=frame.input_hw, size_hw=frame.size_hw
    )

    def draw(one: np.ndarray) -> "DrawnMask":
        return draw_mask(
            one,
            way,
            threshold=threshold,
            stability_offset=stability_offset,
            canvas=canvas,
            one_of_three=one_of_three,
        )

    return _map_on_threads(draw, logits.detach().float().cpu().numpy())


def _map_on_threads(draw: "Callable[[np.ndarray], DrawnMask]", logits: Float[np.ndarray, "Q h w"]) -> "list[DrawnMask]":
    num_threads = min(torch.get_num_threads(), len(logits) // _MASKS_PER_THREAD)
    if num_threads < 2:
        return [draw(one) for one in logits]
    with ThreadPoolExecutor(num_threads) as pool:
        return list(pool.map(draw, logits))


__all__ = ["MASKS_FOR_GPU", "masks_from_logits", "upscale_logits"]
