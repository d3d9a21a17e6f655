"""A run: steps until the recipe or the clock ends it, with a log, checkpoints, and weights at the end."""

import csv
import json
import logging
import math
import time
from dataclasses import asdict
from pathlib import Path

import torch

from maskwright.core.errors import ModelError
from maskwright.train.assets import AssetPack
from maskwright.train.checkpoints import export_weights, save_checkpoint
from maskwright.train.step import train_step
from maskwright.train.stream import prefetched, scene_stream
from maskwright.train.trainer import Trainer

logger = logging.getLogger(__name__)


def run(trainer: Trainer, pack: AssetPack, out: Path, *, minutes: float | None, save_every: float = 120.0) -> None:
    """Train until the recipe's steps or the time allowed are over, whichever comes first."""
    recipe, began, saved = trainer.recipe, time.monotonic(), time.monotonic()
    first, seconds = trainer.step, None if minutes is None else minutes * 60
    stream = scene_stream(recipe, pack, trainer.device, first)
    with (out / "log.csv").open("a", newline="") as file, prefetched(stream) as batches:
        log = csv.writer(file)
        for batch in batches:
            elapsed = time.monotonic() - began
            progress = trainer.step / recipe.steps
            if seconds is not None:
                progress = max(progress, elapsed / seconds)
            if progress >= 1:
                break
            measured = train_step(trainer, batch, progress)
            if trainer.step % 25 == 0 or trainer.step == first + 1:
                row = {name: float(value) for name, value in measured.items()}
                if not math.isfinite(row["loss"]):
                    raise ModelError(f"loss is {row['loss']} at step {trainer.step}; lower --learning-rate")
                if trainer.step == first + 1:
                    log.writerow(["step", "seconds", *row])
                log.writerow([trainer.step, f"{elapsed:.1f}", *(f"{v:.4f}" for v in row.values())])
                file.flush()
                shown = " ".join(f"{name} {value:.3f}" for name, value in row.items())
                logger.info("step %d  %.0f s  %s", trainer.step, elapsed, shown)
            if time.monotonic() - saved > save_every:
                save_checkpoint(trainer, out / "last.pt")
                saved = time.monotonic()
    save_checkpoint(trainer, out / "last.pt")
    if trainer.device.type == "cuda":
        logger.info("peak memory %.1f GB", torch.cuda.max_memory_allocated() / 1e9)
    note = {"recipe": json.dumps(asdict(recipe)), "step": str(trainer.step), "minutes": str(minutes)}
    export_weights(trainer.average, out / "tiny.safetensors", note)


__all__ = ["run"]
