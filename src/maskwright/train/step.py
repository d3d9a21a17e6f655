"""One step of training: ask for objects, answer, correct the answers by clicks, and learn from every answer.

Nothing here waits for the device: measurements come back as tensors. What a batch holds is `stream`'s affair, what an
answer costs is `losses`', and what a teacher says is `distill`'s.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from maskwright.models.protocol import Decoded, Features, FramePrompts
from maskwright.models.tiny import TinySam
from maskwright.models.tiny.clicks import keep_clicks
from maskwright.models.tiny.model import SHADES
from maskwright.train.average import follow
from maskwright.train.dice import Dice
from maskwright.train.distill import distillation_loss
from maskwright.train.interaction import Targets, choose_targets, correct, first_prompts
from maskwright.train.losses import prompt_loss
from maskwright.train.recipe import learning_rate
from maskwright.train.stream import Batch
from maskwright.train.trainer import Trainer


def train_step(trainer: Trainer, batch: Batch, progress: float) -> dict[str, Tensor]:
    """Learn from one batch; `progress` is the share of the run that is over."""
    rate = learning_rate(trainer.recipe, trainer.step, progress)
    for group in trainer.optimizer.param_groups:
        group["lr"] = rate * group["rate"]
    trainer.model.place_prompts(batch.side)
    total, measured = answer_and_correct(trainer, batch)
    norm = update(trainer, total)
    return {"loss": total.detach(), "norm": norm, **measured}


def answer_and_correct(trainer: Trainer, batch: Batch) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
    """Answer prompts on a batch and correct the answers again and again; returns the loss, and measurements.

    The first answer learns, and the last one. How many corrections lie between them changes from step to step; those
    only lead there (Sofiiuk et al., "Reviving iterative training with mask guidance", 2021).
    """
    recipe, dice = trainer.recipe, batch.dice
    targets = choose_targets(dice, batch.scenes, per_image=recipe.per_image)
    prompts, one_click = first_prompts(dice, targets.masks)
    lesson = None if trainer.teacher is None else trainer.teacher.look(batch.frames, batch.scenes.extent)
    measured: dict[str, Tensor] = {}
    total = torch.zeros((), device=trainer.device)
    with half_precision(trainer):
        features = encode(trainer, batch)
    last = last_turn(recipe.corrections, batch.dice)
    first_learns = recipe.freeze != "answers"
    share = 2 if last and first_learns else 1
    for turn in range(last + 1):
        learns = turn == last or (turn == 0 and first_learns)
        is_ambiguous = one_click if turn == 0 else torch.zeros_like(one_click)
        with torch.set_grad_enabled(learns), half_precision(trainer):
            small = trainer.model.decode_training(features, targets.image_index, prompts)
        shown = best_believed(small.predicted_iou, is_ambiguous)
        if learns:
            decoded = enlarged(small, targets.masks.shape[-1])
            loss, true_iou = prompt_loss(
                decoded.logits, decoded.predicted_iou, targets.masks, is_ambiguous, iou_weight=recipe.iou_weight
            )
            total = total + loss.mean() / share
            if lesson is not None:
                answer = lesson.answer(targets.image_index, prompts, is_ambiguous)
                distilled = distillation_loss(decoded, answer).mean()
                total = total + recipe.teacher_weight * distilled / share
                measured[f"distilled_turn{min(turn, 1)}"] = distilled.detach()
            with torch.no_grad():
                rows = torch.arange(len(shown), device=shown.device)
                measured |= measurements(min(turn, 1), true_iou[rows, shown], one_click)
                measured["belief_error"] = (decoded.predicted_iou - true_iou)[rows, shown].abs().mean()
        if turn < last:
            with torch.no_grad():
                prompts = correct(
                    dice, prompts, seen(trainer.model, features, targets, prompts, small, shown), targets.masks
                )
    return total, measured


def last_turn(most: int, dice: Dice) -> int:
    """Draw how often the answers of a step are corrected: from one time to `most`."""
    return 1 + dice.below(most) if most > 1 else most


def seen(
    model: TinySam,
    features: Features,
    targets: Targets,
    prompts: FramePrompts,
    decoded: Decoded,
    shown: Int[Tensor, " N"],
) -> Float[Tensor, "N h w"]:
    """The logits that a user would see of each prompt: of the candidate shown, with what clicks promise kept."""
    rows = torch.arange(len(shown), device=shown.device)
    one = Decoded(
        logits=decoded.logits.float()[rows, shown][:, None], predicted_iou=decoded.predicted_iou[rows, shown][:, None]
    )
    shades = features.extra[SHADES][targets.image_index]
    return keep_clicks(one, prompts, shades, model.prompt_encoder.side).logits[:, 0]


def half_precision(trainer: Trainer) -> torch.autocast:
    """Compute in bf16 where that is fast: on a GPU."""
    return torch.autocast(trainer.device.type, torch.bfloat16, enabled=trainer.device.type == "cuda")


def encode(trainer: Trainer, batch: Batch) -> Features:
    """Encode the frames of a batch."""
    return trainer.model.encode(batch.frames.contiguous(memory_format=torch.channels_last))


def enlarged(decoded: Decoded, side: int) -> Decoded:
    """Enlarge logits to the size of the targets, in full precision."""
    logits = F.interpolate(decoded.logits.float(), size=(side, side), mode="bilinear", align_corners=False)
    return Decoded(logits=logits, predicted_iou=decoded.predicted_iou.float())


def best_believed(predicted_iou: Float[Tensor, "N M1"], is_ambiguous: Bool[Tensor, " N"]) -> Int[Tensor, " N"]:
    """Choose the candidate that a user would be shown: 0, or for one click the best of the others by predicted IoU."""
    if predicted_iou.shape[1] == 1:
        return torch.zeros_like(is_ambiguous, dtype=torch.long)
    return torch.where(is_ambiguous, 1 + predicted_iou[:, 1:].argmax(1), 0)


def measurements(turn: int, iou: Float[Tensor, " N"], one_click: Bool[Tensor, " N"]) -> dict[str, Tensor]:
    """Name the IoU reached: by one click or by box at first, of all after corrections; NaN where none was asked so."""
    if turn:
        return {f"iou_turn{turn}": iou.mean()}
    nothing = torch.full_like(iou, torch.nan)
    return {
        "iou_click": torch.where(one_click, iou, nothing).nanmean(),
        "iou_box": torch.where(one_click, nothing, iou).nanmean(),
    }


def update(trainer: Trainer, loss: Float[Tensor, ""]) -> Float[Tensor, ""]:
    """Step the optimizer and the average of the weights; returns the gradient's length before it was clipped."""
    model, recipe = trainer.model, trainer.recipe
    trainer.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
    trainer.optimizer.step()
    trainer.step += 1
    follow(trainer.average.parameters(), model.parameters(), most=recipe.ema, step=trainer.step)
    return norm.detach()


__all__ = ["answer_and_correct", "best_believed", "enlarged", "seen", "train_step"]
