"""The score that decides when to stop: held-out masks, asked for in the same way after every epoch.

Each is asked for by a tight box and by one click, answered as `predict` would, and the answer to the click is corrected
by two more. It is a compass inside one run, at the size in which masks are trained.
"""

from dataclasses import replace
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from maskwright.models.protocol import Decoded, Features, FramePrompts
from maskwright.models.sam.model import SamModel
from maskwright.nn.threads import most_at_once, side_by_side
from maskwright.train.dice import Dice
from maskwright.train.interaction import boxes_around, click_in, correct
from maskwright.train.losses import mask_iou
from maskwright.train.step import enlarged
from maskwright.train.tune.features import FeatureCache, encoded
from maskwright.train.tune.samples import Sample, SampleBatch, batch_of

_SEED, _AT_ONCE, _CORRECTIONS, _STRIDE = 77, 8, 2, 100_003


def score_held_out(
    model: SamModel, cache: FeatureCache | None, samples: list[Sample], *, rounds: int = 1, corrects: bool = True
) -> dict[str, float]:
    """Score a model on held-out masks; `held_out_score` is the mean IoU by box, by click and after corrections.

    Each of several `rounds` clicks elsewhere; without corrections there is no score after them. On a CPU some masks are
    asked for side by side.
    """
    found: dict[str, list[Tensor]] = {"box": [], "click": [], "corrected": []}
    beliefs: list[Tensor] = []
    work = partial(_scored, model, cache, samples, rounds=rounds, corrects=corrects)
    for answers in side_by_side(work, range(0, len(samples), _AT_ONCE), at_once=most_at_once(model.device)):
        for name, (iou, error) in answers:
            found[name].append(iou)
            beliefs.append(error)
    scores = {f"held_out_{name}": float(torch.cat(iou).mean()) for name, iou in found.items() if iou}
    mean = sum(scores.values()) / max(1, len(scores))
    return {"held_out_score": mean, **scores, "held_out_belief_error": float(torch.cat(beliefs).mean())}


@torch.no_grad()
def _scored(
    model: SamModel,
    cache: FeatureCache | None,
    samples: list[Sample],
    start: int,
    *,
    rounds: int,
    corrects: bool,
) -> list[tuple[str, tuple[Tensor, Tensor]]]:
    """IoU and error of belief of some masks, for each way to ask."""
    batch = batch_of(samples[start : start + _AT_ONCE], model.frame, model.device)
    if batch is None:
        return []
    features = _each(model, cache, batch)
    seeds = (start + _STRIDE * number for number in range(rounds))
    return [one for seed in seeds for one in _answers(model, features, batch, seed, corrects=corrects).items()]


def _answers(
    model: SamModel, features: Features, batch: SampleBatch, seed: int, *, corrects: bool
) -> dict[str, tuple[Tensor, Tensor]]:
    dice = Dice(_SEED + seed, model.device)
    region = batch.masks[:, 0] > 0.5
    N = len(region)
    box = FramePrompts(points=boxes_around(dice, region, jitter=0.0), labels=_labels(model, (2, 3), N))
    click = click_in(dice, region)[:, None]
    clicked = FramePrompts(points=torch.cat([click, torch.zeros_like(click)], 1), labels=_labels(model, (1, -1), N))
    by_box = model.decode(features, box, multimask=False)
    answer = _best(model.decode(features, clicked, multimask=model.num_candidates > 1))
    found = {"box": _judge(by_box, batch.masks), "click": _judge(answer, batch.masks)}
    if not corrects:
        return found
    for _ in range(_CORRECTIONS):
        clicked = correct(dice, clicked, answer.logits[:, 0], batch.masks)
        answer = model.decode(features, clicked, multimask=False)
    return {**found, "corrected": _judge(answer, batch.masks)}


def _each(model: SamModel, cache: FeatureCache | None, batch: SampleBatch) -> Features:
    """The features of each mask's view, one row a mask."""
    if cache is not None:
        features = cache.take(batch.views, model.device)
    else:
        features = Features.side_by_side([one for _, one in encoded(model, batch.views)])
    rows = batch.view_index
    return replace(
        features, image_embedding=features.image_embedding[rows], extra=tuple(x[rows] for x in features.extra)
    )


def _best(decoded: Decoded) -> Decoded:
    """Take the candidate that is believed most."""
    chosen = decoded.predicted_iou.argmax(1)
    rows = torch.arange(len(chosen), device=chosen.device)
    return Decoded(
        logits=decoded.logits[rows, chosen][:, None], predicted_iou=decoded.predicted_iou[rows, chosen][:, None]
    )


def _judge(decoded: Decoded, masks: Float[Tensor, "N 1 s s"]) -> tuple[Float[Tensor, " N"], Float[Tensor, " N"]]:
    """IoU of each answer, and how wrong its predicted IoU is."""
    large = enlarged(decoded, masks.shape[-1])
    iou = mask_iou(large.logits > 0, masks > 0.5)[:, 0]
    return iou, (large.predicted_iou[:, 0] - iou).abs()


def _labels(model: SamModel, labels: tuple[int, ...], count: int) -> Tensor:
    return torch.tensor(labels, device=model.device).expand(count, -1)


__all__ = ["score_held_out"]
