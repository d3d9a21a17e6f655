"""One step of fine-tuning: ask for masks by click or box, correct the answers by clicks, and learn.

The first answer learns and the last one, as `train.step` has it. A batch goes through the decoder in pieces of
`at_once`; what is asked is drawn for the whole batch, so the pieces change nothing but the memory.
"""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from maskwright.core.errors import ModelError
from maskwright.models.protocol import Decoded, Features, FramePrompts
from maskwright.models.sam.model import SamModel
from maskwright.models.tiny.clicks import keep_clicks
from maskwright.models.tiny.model import SHADES, TinySam
from maskwright.train.average import follow
from maskwright.train.dice import Dice
from maskwright.train.interaction import Targets, correct, first_prompts
from maskwright.train.losses import prompt_loss
from maskwright.train.step import best_believed, enlarged
from maskwright.train.tune.features import FeatureCache, encoded, frame_of
from maskwright.train.tune.recipe import TuneRecipe
from maskwright.train.tune.samples import SampleBatch
from maskwright.train.tune.tuner import Tuner


class LossIsNoNumber(ModelError):
    """The loss or its gradient is NaN or infinite; nothing was learnt from the batch."""


def tune_step(tuner: Tuner, cache: FeatureCache | None, batch: SampleBatch, dice: Dice) -> dict[str, Tensor]:
    """Learn from one batch; without a cache pictures are encoded, and the encoder learns.

    Raises:
        LossIsNoNumber: the loss or its gradient is; the weights stay as they were.
    """
    recipe = tuner.recipe
    for group in tuner.optimizer.param_groups:
        group["lr"] = rate_at(recipe, tuner.step, tuner.num_steps)
    tuner.optimizer.zero_grad(set_to_none=True)
    features = _features(tuner, cache, batch)
    loss, measured = _answer_and_correct(tuner, features, batch, dice)
    if not math.isfinite(float(loss)):
        raise LossIsNoNumber(f"the loss is {float(loss)}")
    if cache is None:
        _through_encoder(tuner, batch, features)
    norm = nn.utils.clip_grad_norm_(tuner.learning(), recipe.clip)
    if not math.isfinite(float(norm)):
        raise LossIsNoNumber(f"the gradient's length is {float(norm)}")
    tuner.optimizer.step()
    tuner.step += 1
    means = [p for p in tuner.average.parameters() if p.requires_grad]
    follow(means, tuner.learning(), most=tuner.recipe.ema, step=tuner.step)
    return {"loss": loss, "norm": norm.detach(), **measured}


def rate_at(recipe: TuneRecipe, step: int, num_steps: int) -> float:
    """Warm up linearly, then a cosine down to a fiftieth."""
    warm = min(1.0, (step + 1) / max(1, recipe.warmup))
    progress = min(1.0, step / max(1, num_steps))
    return recipe.learning_rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))


def _features(tuner: Tuner, cache: FeatureCache | None, batch: SampleBatch) -> Features:
    """Read the features of a batch; where the encoder learns, as leaves that gather their gradient."""
    if cache is not None:
        return cache.take(batch.views, tuner.device)
    found = Features.side_by_side([features for _, features in encoded(tuner.model, batch.views)])
    for tensor in (found.image_embedding, *found.extra):
        tensor.requires_grad_(True)
    return found


def _through_encoder(tuner: Tuner, batch: SampleBatch, features: Features) -> None:
    """Take the gradient of the features on through the encoder, a view at a time: memory holds one."""
    leaves = (features.image_embedding, *features.extra)
    for i, view in enumerate(batch.views):
        again = tuner.model.encode(frame_of(view, view.example.read(), tuner.model))
        pairs = [
            (x, leaf.grad[i : i + 1])
            for x, leaf in zip((again.image_embedding, *again.extra), leaves, strict=True)
            if x.requires_grad and leaf.grad is not None
        ]
        torch.autograd.backward([x for x, _ in pairs], [grad for _, grad in pairs])


def _answer_and_correct(
    tuner: Tuner, features: Features, batch: SampleBatch, dice: Dice
) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
    recipe, N = tuner.recipe, len(batch.samples)
    prompts, one_click = first_prompts(dice, batch.masks)
    last = 0 if not recipe.corrections else 1 + int(dice.integers(recipe.corrections, 1))
    size = recipe.at_once or N
    total = torch.zeros((), device=tuner.device)
    measured: dict[str, Tensor] = {}
    for turn in range(last + 1):
        learns = turn in (0, last)
        ambiguous = one_click if turn == 0 else torch.zeros_like(one_click)
        seen, reached = [], []
        for start in range(0, N, size):
            piece = slice(start, start + size)
            with torch.set_grad_enabled(learns):
                small = _decode(tuner.model, features, batch.targets(piece), prompts[piece])
                decoded = enlarged(small, batch.masks.shape[-1])
                loss, iou = _loss(recipe, decoded, batch.masks[piece], ambiguous[piece])
                if learns:
                    share = loss.sum() / N / (2 if last else 1)
                    share.backward()
                    total += share.detach()
            shown = best_believed(small, ambiguous[piece])
            rows = torch.arange(len(shown), device=shown.device)
            reached.append(iou[rows, shown])
            if turn < last:
                with torch.no_grad():
                    seen.append(_shown(tuner.model, features, batch.targets(piece), prompts[piece], small, shown))
        name = f"iou_turn{min(turn, 1)}" if turn else f"iou_{'click' if bool(one_click[0]) else 'box'}"
        measured[name] = torch.cat(reached).mean()
        if turn < last:
            with torch.no_grad():
                prompts = correct(dice, prompts, torch.cat(seen), batch.masks)
    return total, measured


def _decode(model: SamModel, features: Features, targets: Targets, prompts: FramePrompts) -> Decoded:
    half = torch.autocast(model.device.type, torch.bfloat16, enabled=model.device.type == "cuda")
    with half:
        return model.decode_training(features, targets.image_index, prompts)


def _loss(
    recipe: TuneRecipe, decoded: Decoded, masks: Float[Tensor, "N 1 s s"], ambiguous: Bool[Tensor, " N"]
) -> tuple[Float[Tensor, " N"], Float[Tensor, "N M1"]]:
    return prompt_loss(
        decoded.logits,
        decoded.predicted_iou,
        masks,
        ambiguous,
        focal_weight=recipe.focal_weight,
        dice_weight=recipe.dice_weight,
        bce_weight=recipe.bce_weight,
        iou_weight=recipe.iou_weight,
    )


def _shown(
    model: SamModel,
    features: Features,
    targets: Targets,
    prompts: FramePrompts,
    decoded: Decoded,
    shown: Int[Tensor, " N"],
) -> Float[Tensor, "N h w"]:
    """The logits that a user would see; `tiny` keeps what clicks promise."""
    rows = torch.arange(len(shown), device=shown.device)
    logits = decoded.logits.detach().float()[rows, shown]
    if not isinstance(model, TinySam):
        return logits
    one = Decoded(logits=logits[:, None], predicted_iou=decoded.predicted_iou.detach()[rows, shown][:, None])
    shades = features.extra[SHADES].detach()[targets.image_index]
    return keep_clicks(one, prompts, shades, model.prompt_encoder.side).logits[:, 0]


__all__ = ["LossIsNoNumber", "rate_at", "tune_step"]
