"""One step of training: ask for objects, answer, correct the answers by clicks, and learn from every answer.

Nothing here waits for the device: measurements come back as tensors. What a batch holds is `stream`'s affair, what an
answer costs is `losses`', and what a teacher says is `distill`'s.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from maskwright.models.protocol import Decoded, Features
from maskwright.train.distill import distillation_loss
from maskwright.train.interaction import choose_targets, correct, first_prompts
from maskwright.train.losses import prompt_loss
from maskwright.train.recipe import learning_rate
from maskwright.train.stream import Batch
from maskwright.train.trainer import Trainer, set_side


def train_step(trainer: Trainer, batch: Batch, progress: float) -> dict[str, Tensor]:
    """Learn from one batch; `progress` is the share of the run that is over."""
    rate = learning_rate(trainer.recipe, trainer.step, progress)
    for group in trainer.optimizer.param_groups:
        group["lr"] = rate * group["rate"]
    set_side(trainer.model, batch.side)
    total, measured = answer_and_correct(trainer, batch)
    norm = update(trainer, total)
    return {"loss": total.detach(), "norm": norm, **measured}


def answer_and_correct(trainer: Trainer, batch: Batch) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
    """Answer prompts on a batch and correct the answers; returns the mean loss of all turns, and measurements."""
    recipe, dice = trainer.recipe, batch.dice
    targets = choose_targets(dice, batch.scenes, per_image=recipe.per_image)
    prompts, one_click = first_prompts(dice, targets.masks)
    lesson = None if trainer.teacher is None else trainer.teacher.look(batch.frames, batch.scenes.extent)
    measured: dict[str, Tensor] = {}
    total = torch.zeros((), device=trainer.device)
    with half_precision(trainer):
        features = encode(trainer, batch)
    for turn in range(recipe.corrections + 1):
        with half_precision(trainer):
            small = trainer.model.decode_training(features, targets.image_index, prompts)
        decoded = enlarged(small, targets.masks.shape[-1])
        is_ambiguous = one_click if turn == 0 else torch.zeros_like(one_click)
        loss, true_iou = prompt_loss(
            decoded.logits, decoded.predicted_iou, targets.masks, is_ambiguous, iou_weight=recipe.iou_weight
        )
        total = total + loss.mean() / (recipe.corrections + 1)
        if lesson is not None:
            distilled = distillation_loss(decoded, lesson.answer(targets.image_index, prompts, is_ambiguous)).mean()
            total = total + recipe.teacher_weight * distilled / (recipe.corrections + 1)
            measured[f"distilled_turn{turn}"] = distilled.detach()
        with torch.no_grad():
            favourite = best_believed(decoded, is_ambiguous)
            rows = torch.arange(len(favourite), device=favourite.device)
            measured |= measurements(turn, true_iou[rows, favourite], one_click)
            measured["belief_error"] = (decoded.predicted_iou - true_iou)[rows, favourite].abs().mean()
            if turn < recipe.corrections:
                prompts = correct(dice, prompts, small.logits.float()[rows, favourite], targets.masks)
    return total, measured


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


def best_believed(decoded: Decoded, is_ambiguous: Bool[Tensor, " N"]) -> Int[Tensor, " N"]:
    """Choose the candidate that a user would be shown: 0, or for one click the best of the others by predicted IoU."""
    return torch.where(is_ambiguous, 1 + decoded.predicted_iou[:, 1:].argmax(1), 0)


def measurements(turn: int, iou: Float[Tensor, " N"], one_click: Bool[Tensor, " N"]) -> dict[str, Tensor]:
    """Name the IoU reached: by one click and by box at first, of all after each correction."""
    if turn:
        return {f"iou_turn{turn}": iou.mean()}
    boxed = ~one_click
    return {
        "iou_click": (iou * one_click).sum() / one_click.sum().clamp(min=1),
        "iou_box": (iou * boxed).sum() / boxed.sum().clamp(min=1),
    }


def update(trainer: Trainer, loss: Float[Tensor, ""]) -> Float[Tensor, ""]:
    """Step the optimizer and the average of the weights; returns the gradient's length before it was clipped."""
    model, recipe = trainer.model, trainer.recipe
    trainer.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
    trainer.optimizer.step()
    trainer.step += 1
    decay = min(recipe.ema, trainer.step / (trainer.step + 10))
    with torch.no_grad():
        means, values = list[Tensor](trainer.average.parameters()), list[Tensor](model.parameters())
        torch._foreach_lerp_(means, values, 1 - decay)  # pyright: ignore[reportPrivateImportUsage]
    return norm.detach()


__all__ = ["answer_and_correct", "best_believed", "train_step"]
