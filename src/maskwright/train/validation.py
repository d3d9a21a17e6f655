"""The score of a run on held-out scenes: the same pictures, prompts and corrections at every time.

It is a compass inside one run, at the size in which the masks are trained. `maskwright evaluate` is what tells how good
a model is on pictures of any size.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from maskwright.models.protocol import Decoded, FramePrompts
from maskwright.models.tiny import TinySam
from maskwright.train.dice import Dice
from maskwright.train.interaction import Targets, choose_targets, correct, first_prompts
from maskwright.train.losses import mask_iou
from maskwright.train.packing import to_bytes
from maskwright.train.scenes import Scenes
from maskwright.train.step import best_believed, enlarged, seen
from maskwright.train.stream import frames_of

_SEED = 77
_PICTURES_A_TIME = 4
_CORRECTIONS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a model answered on held-out pictures: first answers, then those after some clicks of correction."""

    frames: Float[Tensor, "B 3 S S"]
    targets: Targets
    prompts: FramePrompts
    one_click: Bool[Tensor, " N"]
    masks: Bool[Tensor, "N s s"]
    iou: Float[Tensor, " N"]
    corrected_iou: Float[Tensor, " N"]
    belief_error: Float[Tensor, " N"]


class HeldOut:
    """Held-out scenes; they are asked about in the same way every time."""

    def __init__(self, scenes: Scenes, *, per_image: int = 3) -> None:
        self.scenes = scenes
        self.per_image = per_image

    @torch.no_grad()
    def ask(self, model: TinySam) -> list[Answers]:
        """Let a model answer, a few pictures at a time."""
        starts = range(0, len(self.scenes.pictures), _PICTURES_A_TIME)
        return [
            _answers(model, some(self.scenes, slice(start, start + _PICTURES_A_TIME)), start, self.per_image)
            for start in starts
        ]


def scores_of(found: Sequence[Answers]) -> dict[str, float]:
    """Score answers; `score` is the mean IoU by box, by one click, and after corrections."""
    one_click = torch.cat([one.one_click for one in found])
    iou, corrected, belief = (
        torch.cat([getattr(one, name) for one in found]) for name in ("iou", "corrected_iou", "belief_error")
    )
    by = {"click": iou[one_click], "box": iou[~one_click], "corrected": corrected}
    scores = {f"held_out_{name}": float(values.mean()) for name, values in by.items() if len(values)}
    mean = sum(scores.values()) / len(scores)
    return {"held_out_score": mean, **scores, "held_out_belief_error": float(belief.mean())}


def _answers(model: TinySam, scenes: Scenes, seed: int, per_image: int) -> Answers:
    frames = frames_of(to_bytes(scenes.pictures), scenes.extent)
    model.place_prompts(frames.shape[-1])
    dice = Dice(_SEED + seed, frames.device)
    targets = choose_targets(dice, scenes, per_image=per_image)
    prompts, one_click = first_prompts(dice, targets.masks)
    features = model.encode(frames)
    first = model.decode_training(features, targets.image_index, prompts)
    masks, iou, error = _shown(first, targets, one_click)
    after, last = prompts, first
    for turn in range(_CORRECTIONS):
        ambiguous = one_click if turn == 0 else torch.zeros_like(one_click)
        logits = seen(model, features, targets, after, last, best_believed(last.predicted_iou, ambiguous))
        after = correct(dice, after, logits, targets.masks)
        last = model.decode_training(features, targets.image_index, after)
    _, corrected, error_after = _shown(last, targets, torch.zeros_like(one_click))
    return Answers(
        frames=frames,
        targets=targets,
        prompts=prompts,
        one_click=one_click,
        masks=masks,
        iou=iou,
        corrected_iou=corrected,
        belief_error=(error + error_after) / 2,
    )


def _shown(decoded: Decoded, targets: Targets, is_ambiguous: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The mask that a user would see of each prompt, its IoU, and how wrong its predicted IoU is."""
    large = enlarged(decoded, targets.masks.shape[-1])
    chosen = best_believed(decoded.predicted_iou, is_ambiguous)
    rows = torch.arange(len(chosen), device=chosen.device)
    masks = large.logits[rows, chosen] > 0
    iou = mask_iou(masks[:, None], targets.masks > 0.5)[:, 0]
    return masks, iou, (large.predicted_iou[rows, chosen] - iou).abs()


def some(scenes: Scenes, index: slice) -> Scenes:
    """Take some of the scenes of a batch."""
    return Scenes(
        pictures=scenes.pictures[index],
        extent=scenes.extent[index],
        visible=scenes.visible[index],
        parts=scenes.parts[index],
        words=None if scenes.words is None else scenes.words[index],
        occlusion=None if scenes.occlusion is None else scenes.occlusion[index],
    )


__all__ = ["Answers", "HeldOut", "scores_of", "some"]
