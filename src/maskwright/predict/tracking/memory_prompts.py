"""Prompts in image pixels as a video model takes them: clicks in its frame, corners of a box first, or a given mask."""

import numpy as np
import torch
import torch.nn.functional as F

from maskwright.core import BoxPrompt, MaskPrompt, PointPrompt, Prompt, SizeHW, TextPrompt, prompt_parts
from maskwright.core.errors import PromptError, UnsupportedPrompt
from maskwright.masks import decode
from maskwright.models.video_protocol import Clicks, GivenMask, VideoModel
from maskwright.predict.frame_prompts import check_inside


def check_prompt(prompt: Prompt, size_hw: SizeHW, model: VideoModel) -> None:
    """Check that a prompt fits the image and the model.

    Raises:
        PromptError: it is no prompt, or its mask has another size than the image.
        PromptOutsideImage: a point or a box lies wholly outside the image.
        UnsupportedPrompt: it has words, or a mask with points or a box beside it.
    """
    if not isinstance(prompt, Prompt):
        raise PromptError(f"expected a prompt for each track, got a {type(prompt).__name__}")
    parts = prompt_parts(prompt)
    for part in parts:
        match part:
            case PointPrompt(points_xy=points):
                for x, y in points:
                    check_inside(f"point {x:g},{y:g}", (x, y), (x, y), size_hw)
            case BoxPrompt(box_xyxy=(x1, y1, x2, y2)):
                check_inside(f"box {x1:g},{y1:g},{x2:g},{y2:g}", (x1, y1), (x2, y2), size_hw)
            case MaskPrompt(rle=rle) if rle.size_hw != size_hw:
                raise PromptError(f"a mask prompt must have the image's size {size_hw} (h, w), got {rle.size_hw}")
            case TextPrompt(text=text):
                model.text_indices(text)
            case _:
                pass
    if len(parts) > 1 and given_mask(prompt) is not None:
        raise UnsupportedPrompt(
            f"{model.card.name} takes a mask as it is, so nothing can be said beside it. "
            "Give the mask alone, or points and a box."
        )


def given_mask(prompt: Prompt) -> MaskPrompt | None:
    """The mask among the parts of a prompt."""
    return next((part for part in prompt_parts(prompt) if isinstance(part, MaskPrompt)), None)


def to_video_frame(prompt: Prompt, size_hw: SizeHW, model: VideoModel) -> Clicks | GivenMask:
    """Bring a prompt that was checked into the model's frame, on its device."""
    mask = given_mask(prompt)
    if mask is not None:
        return GivenMask(mask=_stretched(decode(mask.rle), model))
    points: list[tuple[float, float]] = []
    labels: list[int] = []
    for part in prompt_parts(prompt):
        match part:
            case BoxPrompt(box_xyxy=(x1, y1, x2, y2)):
                points[:0], labels[:0] = [(x1, y1), (x2, y2)], [2, 3]
            case PointPrompt(points_xy=points_xy, labels=point_labels):
                points.extend(points_xy)
                labels.extend(point_labels or ())
            case _:
                pass
    height, width = size_hw
    scale = torch.tensor([model.frame.side / width, model.frame.side / height])
    return Clicks(
        points=(torch.tensor(points, dtype=torch.float32) * scale).to(model.device),
        labels=torch.tensor(labels, dtype=torch.int32, device=model.device),
    )


def _stretched(mask: np.ndarray, model: VideoModel) -> torch.Tensor:
    """Resize a mask to the frame as transformers does: antialiased, then every cell that is half covered."""
    side = model.frame.side
    dense = torch.from_numpy(mask).to(model.device, torch.float32)[None, None]
    resized = F.interpolate(dense, (side, side), mode="bilinear", align_corners=False, antialias=True)
    return resized[0, 0] >= 0.5


__all__ = ["check_prompt", "given_mask", "to_video_frame"]
