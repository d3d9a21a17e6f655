"""Prompts in image pixels to prompts in a model's frame: the one place where the two meet.

A decoder batch needs prompts of one shape. `group_prompts` sorts mixed prompts into such groups instead of padding
them, because SAM's padding token takes part in attention and would change the result. Phrases alone are padded: models
that take text leave padding out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int

from maskwright.core import RLE, BoxPrompt, MaskPrompt, PointPrompt, Prompt, SizeHW, TextPrompt, prompt_parts
from maskwright.core.errors import PromptError, PromptOutsideImage
from maskwright.masks import decode
from maskwright.models.frame import ModelFrame
from maskwright.models.protocol import FramePrompts, Model

# SAM saw its own logits as mask prompts when it was trained; a hard mask becomes confident ones of that size.
_MASK_PROMPT_LOGIT = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptGroup:
    """Prompts of one shape: `indices` says which of the caller's they are."""

    indices: tuple[int, ...]
    prompts: FramePrompts
    is_ambiguous: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """One prompt taken apart: points and box corners with SAM's labels, and the mask, in image pixels; words."""

    points_xy: tuple[tuple[float, float], ...]
    labels: tuple[int, ...]
    mask: RLE | None
    text: tuple[int, ...]

    @property
    def is_ambiguous(self) -> bool:
        """One click alone may mean a thing, its part, or the whole it belongs to."""
        return len(self.labels) == 2 and self.labels[1] == -1 and self.mask is None and not self.text


def group_prompts(
    model: Model,
    frame: ModelFrame,
    prompts: Sequence[Prompt],
    previous: Float[torch.Tensor, "N h w"] | None = None,
) -> Iterator[PromptGroup]:
    """Check prompts against the image and sort them into groups that one decoder call can take.

    `previous` are low-resolution logits of an earlier answer to the same prompts, to be refined.

    Raises:
        PromptError: there are no prompts, a mask has another size than the image, or a word is unknown.
        PromptOutsideImage: a point or a box lies wholly outside the image.
        UnsupportedPrompt: the model takes no text.
    """
    if not prompts:
        raise PromptError("predict needs at least one prompt, got none. Pass a PointPrompt, BoxPrompt or MaskPrompt.")
    parts = [_take_apart(model, frame.size_hw, prompt) for prompt in prompts]
    shapes: dict[tuple[int, bool, bool, bool], list[int]] = {}
    for i, part in enumerate(parts):
        has_mask = previous is not None or part.mask is not None
        shapes.setdefault((len(part.labels), has_mask, part.is_ambiguous, bool(part.text)), []).append(i)
    for (_, has_mask, is_ambiguous, _), indices in shapes.items():
        group = _to_frame([parts[i] for i in indices], frame, model.device)
        if has_mask:
            logits = _mask_logits([parts[i] for i in indices], indices, frame, previous)
            group = replace(group, mask_logits=logits.to(group.points.device))
        yield PromptGroup(indices=tuple(indices), prompts=group, is_ambiguous=is_ambiguous and not has_mask)


def _take_apart(model: Model, size_hw: SizeHW, prompt: Prompt) -> _Parts:
    points: list[tuple[float, float]] = []
    labels: list[int] = []
    corners: list[tuple[float, float]] = []
    mask: RLE | None = None
    words: tuple[int, ...] = ()
    for part in prompt_parts(prompt):
        match part:
            case PointPrompt(points_xy=xy, labels=point_labels):
                for point in xy:
                    check_inside(f"point {point[0]:g},{point[1]:g}", point, point, size_hw)
                points.extend(xy)
                labels.extend(point_labels or ())
            case BoxPrompt(box_xyxy=(x1, y1, x2, y2)):
                check_inside(f"box {x1:g},{y1:g},{x2:g},{y2:g}", (x1, y1), (x2, y2), size_hw)
                corners = [(x1, y1), (x2, y2)]
            case MaskPrompt(rle=rle):
                if rle.size_hw != size_hw:
                    raise PromptError(f"a mask prompt must have the image's size {size_hw} (h, w), got {rle.size_hw}")
                mask = rle
            case TextPrompt(text=text):
                words = model.text_indices(text)
    if corners:
        return _Parts(points_xy=(*points, *corners), labels=(*labels, 2, 3), mask=mask, text=words)
    if points:  # SAM marks the absence of a box by one padding point
        return _Parts(points_xy=(*points, (0.0, 0.0)), labels=(*labels, -1), mask=mask, text=words)
    return _Parts(points_xy=(), labels=(), mask=mask, text=words)


def check_inside(what: str, low: tuple[float, float], high: tuple[float, float], size_hw: SizeHW) -> None:
    """Check that what lies between two corners is not wholly outside the image.

    Raises:
        PromptOutsideImage: it is.
    """
    height, width = size_hw
    if high[0] < 0 or high[1] < 0 or low[0] > width or low[1] > height:
        raise PromptOutsideImage(
            f"{what} lies outside the image of {width}x{height} pixels (width x height). "
            "Coordinates are x,y from the top left corner."
        )


def _to_frame(parts: list[_Parts], frame: ModelFrame, device: torch.device) -> FramePrompts:
    points = np.array([part.points_xy for part in parts], np.float64).reshape(len(parts), -1, 2)
    labels = np.array([part.labels for part in parts], np.int64).reshape(len(parts), -1)
    return FramePrompts(
        points=torch.from_numpy(frame.points_to_model(points).astype(np.float32)).to(device),
        labels=torch.from_numpy(labels).to(device),
        text=_padded([part.text for part in parts]).to(device) if parts[0].text else None,
    )


def _padded(phrases: list[tuple[int, ...]]) -> Int[torch.Tensor, "N k"]:
    longest = max(len(words) for words in phrases)
    return torch.tensor([(*words, *[-1] * (longest - len(words))) for words in phrases], dtype=torch.long)


def _mask_logits(
    parts: list[_Parts], indices: list[int], frame: ModelFrame, previous: torch.Tensor | None
) -> Float[torch.Tensor, "N 1 h w"]:
    if previous is not None:
        return previous[indices][:, None]
    return torch.stack([torch.from_numpy(mask_to_logits(part.mask, frame)) for part in parts if part.mask])[:, None]


def mask_to_logits(rle: RLE, frame: ModelFrame) -> Float[np.ndarray, "h w"]:
    """Turn a mask of the image into low-resolution logits of the frame: soft where a cell is partly covered."""
    side = frame.spec.logits_side
    h, w = frame.logits_hw
    cover = cv2.resize(decode(rle).astype(np.float32), (w, h), interpolation=cv2.INTER_AREA)
    logits = np.full((side, side), -_MASK_PROMPT_LOGIT, np.float32)
    logits[:h, :w] = (2 * cover - 1) * _MASK_PROMPT_LOGIT
    return logits


__all__ = ["PromptGroup", "check_inside", "group_prompts", "mask_to_logits"]
