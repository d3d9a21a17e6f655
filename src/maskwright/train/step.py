"""One step of training: ask for objects, answer, correct the answers by clicks, and learn from every answer."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskwright.train.interaction import choose_targets, correct, first_prompts
from maskwright.train.losses import prompt_loss
from maskwright.train.recipe import learning_rate
from maskwright.train.stream import Batch
from maskwright.train.trainer import Trainer


def train_step(trainer: Trainer, batch: Batch, progress: float) -> dict[str, Tensor]:
    """Learn from one batch; returns measurements as tensors so that no step waits for the device."""
    recipe, model = trainer.recipe, trainer.model
    rate = learning_rate(recipe, trainer.step, progress)
    for group in trainer.optimizer.param_groups:
        group["lr"] = rate * group["rate"]
    dice = batch.dice
    targets = choose_targets(dice, batch.scenes, per_image=recipe.per_image)
    prompts, one_click = first_prompts(dice, targets.masks)
    half = targets.masks.shape[-1]
    measured: dict[str, Tensor] = {}
    total = torch.zeros((), device=trainer.device)
    with torch.autocast(trainer.device.type, torch.bfloat16, enabled=trainer.device.type == "cuda"):
        features = model.encode(batch.frames.contiguous(memory_format=torch.channels_last))
    for turn in range(recipe.corrections + 1):
        with torch.autocast(trainer.device.type, torch.bfloat16, enabled=trainer.device.type == "cuda"):
            decoded = model.decode_training(features, targets.image_index, prompts)
        logits, predicted_iou = decoded.logits.float(), decoded.predicted_iou.float()
        large = F.interpolate(logits, size=(half, half), mode="bilinear", align_corners=False)
        is_ambiguous = one_click if turn == 0 else torch.zeros_like(one_click)
        loss, true_iou = prompt_loss(large, predicted_iou, targets.masks, is_ambiguous)
        total = total + loss.mean() / (recipe.corrections + 1)
        with torch.no_grad():
            rows = torch.arange(len(logits), device=logits.device)
            favourite = torch.where(is_ambiguous, 1 + predicted_iou[:, 1:].argmax(1), 0)
            got = true_iou[rows, favourite]
            if turn == 0:
                measured["iou_click"] = (got * one_click).sum() / one_click.sum().clamp(min=1)
                measured["iou_box"] = (got * ~one_click).sum() / (~one_click).sum().clamp(min=1)
            else:
                measured[f"iou_turn{turn}"] = got.mean()
            if turn < recipe.corrections:
                prompts = correct(dice, prompts, logits[rows, favourite], targets.masks)
    trainer.optimizer.zero_grad(set_to_none=True)
    total.backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
    trainer.optimizer.step()
    trainer.step += 1
    decay = min(recipe.ema, trainer.step / (trainer.step + 10))
    with torch.no_grad():
        means, values = list[Tensor](trainer.average.parameters()), list[Tensor](model.parameters())
        torch._foreach_lerp_(means, values, 1 - decay)  # pyright: ignore[reportPrivateImportUsage]
    return {"loss": total.detach(), "norm": norm.detach(), **measured}


__all__ = ["train_step"]
