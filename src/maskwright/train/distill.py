"""Distillation: a larger model answers the prompts of a step too, and the student learns from its logits and beliefs.

The teacher is any model of the registry; it sees the student's frames and prompts, enlarged to its own side. Its masks
are soft targets: where it is unsure, the student may be. Rows that the teacher cannot be asked, such as text prompts,
weigh nothing.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from maskwright.models.protocol import Decoded, Features, FramePrompts, Model
from maskwright.models.sam.prompt_encoder import PADDING


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    """What a teacher answered: candidates of each prompt, and which of them count."""

    decoded: Decoded
    counts: Bool[Tensor, "N M"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """A teacher that has looked at a batch."""

    model: Model
    features: list[Features]
    side: int

    @torch.no_grad()
    def answer(self, image_index: Int[Tensor, " N"], prompts: FramePrompts, is_ambiguous: Bool[Tensor, " N"]) -> Taught:
        """Answer prompts given in the student's frame; an ambiguous one with several candidates, any other with one."""
        moved = _moved(prompts, self.side, self.model)
        N, M, side = len(image_index), self.model.num_candidates, self.model.frame.logits_side
        logits = torch.zeros(N, M, side, side, device=image_index.device)
        predicted_iou = torch.zeros(N, M, device=image_index.device)
        counts = torch.zeros(N, M, dtype=torch.bool, device=image_index.device)
        askable = (prompts.labels != PADDING).any(1)
        for index, features in enumerate(self.features):
            for multimask in (False, True):
                rows = ((image_index == index) & (is_ambiguous == multimask) & askable).nonzero()[:, 0]
                if len(rows) == 0:
                    continue
                decoded = self.model.decode(features, _taken(moved, rows), multimask=multimask)
                found = decoded.logits.shape[1]
                logits[rows, :found] = decoded.logits.float()
                predicted_iou[rows, :found] = decoded.predicted_iou.float()
                counts[rows, :found] = True
        return Taught(decoded=Decoded(logits=logits, predicted_iou=predicted_iou.clamp(0, 1)), counts=counts)


class Teacher:
    """A model that is asked beside the student; it never learns."""

    def __init__(self, model: Model) -> None:
        self.model = model

    @torch.no_grad()
    def look(self, frames: Float[Tensor, "B 3 S S"], extent: Float[Tensor, "B 2"]) -> Lesson:
        """Encode the student's frames."""
        pixels = teacher_frames(self.model, frames, extent)
        features = [self.model.encode(one[None]) for one in pixels]
        return Lesson(model=self.model, features=features, side=frames.shape[-1])


def teacher_frames(
    model: Model, frames: Float[Tensor, "B 3 S S"], extent: Float[Tensor, "B 2"]
) -> Float[Tensor, "B 3 T T"]:
    """Turn the student's frames (-1 to 1, zero beyond the picture) into the teacher's."""
    side = model.frame.side
    pixels = F.interpolate(frames * 127.5 + 127.5, size=(side, side), mode="bilinear", align_corners=False)
    mean, std = (torch.tensor(x, device=frames.device)[:, None, None] for x in (model.frame.mean, model.frame.std))
    axis = (torch.arange(side, device=frames.device) + 0.5) / side
    rows, columns = axis[None, :, None] < extent[:, 0, None, None], axis[None, None, :] < extent[:, 1, None, None]
    return (pixels - mean) / std * (rows & columns)[:, None]


def distillation_loss(student: Decoded, taught: Taught) -> Float[Tensor, " N"]:
    """Compare the student's masks and beliefs with the teacher's; zero where they are the same.

    Each of a teacher's candidates is held against the student's nearest one, since their orders mean nothing to each
    other; where the teacher gives one answer, against candidate 0.
    """
    size = student.logits.shape[-2:]
    target = F.interpolate(taught.decoded.logits, size=size, mode="bilinear", align_corners=False).sigmoid()
    several = taught.counts.sum(1) > 1
    distance = torch.stack([mask_distance(student.logits, one[:, None]) for one in target.unbind(1)], 1)  # N Mt Ms
    nearest = torch.where(several[:, None], 1 + distance[:, :, 1:].argmin(2), 0)
    masks = distance.gather(2, nearest[:, :, None])[:, :, 0]
    believed = student.predicted_iou.gather(1, nearest)
    beliefs = (believed - taught.decoded.predicted_iou) ** 2
    counts = taught.counts.float()
    return ((masks + beliefs) * counts).sum(1) / counts.sum(1).clamp(min=1)


def mask_distance(logits: Float[Tensor, "N M h w"], target: Float[Tensor, "N 1 h w"]) -> Float[Tensor, "N M"]:
    """How far masks are from soft ones: mean divergence of the pixels, balanced by area, and soft Dice."""
    target = target.expand_as(logits)
    entropy = F.binary_cross_entropy(target, target, reduction="none")
    divergence = F.binary_cross_entropy_with_logits(logits, target, reduction="none") - entropy
    p = logits.sigmoid()
    overlap = 1 - (2 * (p * target).sum((2, 3)) + 1) / ((p * p).sum((2, 3)) + (target * target).sum((2, 3)) + 1)
    return 5 * divergence.mean((2, 3)) + overlap


def _moved(prompts: FramePrompts, side: int, model: Model) -> FramePrompts:
    """Move prompts from a frame of `side` pixels into the model's, mask prompts too."""
    masks = prompts.mask_logits
    if masks is not None:
        size = model.frame.logits_side
        masks = F.interpolate(masks.float(), size=(size, size), mode="bilinear", align_corners=False)
    points = (prompts.points + 0.5) * (model.frame.side / side) - 0.5
    points = torch.where((prompts.labels == PADDING)[..., None], torch.zeros_like(points), points)
    return FramePrompts(points=points, labels=prompts.labels, mask_logits=masks)


def _taken(prompts: FramePrompts, rows: Int[Tensor, " n"]) -> FramePrompts:
    masks = prompts.mask_logits
    return FramePrompts(
        points=prompts.points[rows],
        labels=prompts.labels[rows],
        mask_logits=None if masks is None else masks[rows],
    )


__all__ = ["Lesson", "Taught", "Teacher", "distillation_loss", "mask_distance", "teacher_frames"]
