"""A run: steps until the recipe or the clock ends it, with a log, checkpoints, scores, and weights at the end.

A run may be killed at any moment; it goes on from its last checkpoint, on the same clock. The best weights by the
held-out score are what it gives.
"""

import json
import logging
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from maskwright.core.errors import ModelError
from maskwright.train.checkpoints import export_weights, save_checkpoint
from maskwright.train.journal import Journal, Row
from maskwright.train.samples import write_samples
from maskwright.train.step import train_step
from maskwright.train.stream import Batch
from maskwright.train.trainer import Trainer
from maskwright.train.validation import HeldOut, scores_of

logger = logging.getLogger(__name__)

_ROW_STEPS, _ROW_SECONDS = 25, 10.0
_SAMPLES = 8


@dataclass(slots=True, kw_only=True)
class Clock:
    """Tells how far a run is, and when it has to stop so that its end is within the time allowed.

    `began` is when this process started, `before` how long earlier ones have run, in seconds.
    """

    minutes: float
    steps: int
    began: float
    before: float = 0.0
    longest_step: float = 0.0
    scoring: float = 3.0
    saving: float = 3.0
    first_step_at: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        """Start counting progress here: what came before, such as decoding a pack, is no training."""
        self.first_step_at = self.elapsed()

    def elapsed(self) -> float:
        """Seconds of the run so far."""
        return self.before + time.monotonic() - self.began

    def progress(self, step: int) -> float:
        """The share of the run that is over; 1 when another step would endanger its end."""
        by_steps = step / self.steps if self.steps else 0.0
        if not self.minutes:
            return by_steps
        usable = self.minutes * 60 - self.reserve()
        start = 0.0 if self.before else self.first_step_at
        return max(by_steps, (self.elapsed() - start) / max(1e-6, usable - start))

    def reserve(self) -> float:
        """Seconds to keep for the step under way, the last score, checkpoint and export."""
        return 1.0 + 1.3 * (self.longest_step + self.scoring + self.saving)


class Run:
    """A run in its folder."""

    def __init__(self, trainer: Trainer, out: Path, *, clock: Clock, held_out: HeldOut) -> None:
        self.trainer, self.out, self.clock, self.held_out = trainer, out, clock, held_out
        self.journal = Journal(out, step=trainer.step)
        self.saved = self.scored = self.told = time.monotonic()
        self.best = max((row["held_out_score"] for row in self.journal.rows if "held_out_score" in row), default=-1.0)

    def go(self, batches: Iterator[Batch]) -> None:
        """Train until the end, and export."""
        recipe, trainer = self.trainer.recipe, self.trainer
        pictures = 0
        if trainer.step == 0:
            self.score()
        while (progress := self.clock.progress(trainer.step)) < 1:
            began = time.monotonic()
            batch = next(batches)
            measured = train_step(trainer, batch, progress)
            self.journal.add(measured)
            pictures += len(batch.frames)
            now = time.monotonic()
            trainer.seconds = self.clock.elapsed()
            # The first step pays for buffers and kernels; later ones tell how long a step takes.
            if trainer.step > 2 or not self.clock.longest_step:
                self.clock.longest_step = max(self.clock.longest_step * 0.9, now - began)
            if now - self.told > _ROW_SECONDS or trainer.step % _ROW_STEPS == 0:
                self.tell(pictures / (now - self.told))
                pictures, self.told = 0, time.monotonic()
            if now - self.saved > recipe.save_minutes * 60:
                self.save()
            if now - self.scored > recipe.validate_minutes * 60:
                self.score()
        self.end()

    def tell(self, pictures_a_second: float) -> None:
        """Write a row of the log."""
        row = self.journal.write(self.trainer.step, self.trainer.seconds, pictures_a_second=pictures_a_second)
        self.check(row)
        shown = "  ".join(f"{name} {row[name]:.3f}" for name in row if name.startswith(("loss", "iou", "pictures")))
        logger.info("step %d  %.0f s  %s", self.trainer.step, self.trainer.seconds, shown)

    def check(self, row: Row) -> None:
        """Stop when nothing that follows could be of use."""
        if not math.isfinite(row.get("loss", 0.0)):
            raise ModelError(f"loss is {row['loss']} at step {self.trainer.step}; lower learning_rate")

    def save(self) -> None:
        """Write a checkpoint and the curves."""
        began = time.monotonic()
        save_checkpoint(self.trainer, self.out / "last.pt")
        self.journal.draw()
        self.saved = time.monotonic()
        self.clock.saving = self.saved - began

    def score(self) -> None:
        """Score the average of the weights on held-out scenes, show samples, and export it if it is the best so far."""
        began = time.monotonic()
        answers = self.held_out.ask(self.trainer.average)
        scores = scores_of(answers)
        self.check(self.journal.write(self.trainer.step, self.clock.elapsed(), **scores))
        write_samples(answers, self.out / "samples.jpg", per_picture=self.held_out.per_image, most=_SAMPLES)
        is_best = scores["held_out_score"] > self.best
        self.best = max(self.best, scores["held_out_score"])
        self.export("tiny.safetensors" if is_best else "last.safetensors", scores)
        told = "  ".join(f"{name.removeprefix('held_out_')} {value:.3f}" for name, value in scores.items())
        logger.info("held out, step %d: %s%s", self.trainer.step, told, "  (best)" if is_best else "")
        self.scored = time.monotonic()
        self.clock.scoring = self.scored - began

    def export(self, name: str, scores: dict[str, float]) -> None:
        """Write the average of the weights with a note of how it was made."""
        note = {
            "recipe": json.dumps(asdict(self.trainer.recipe)),
            "step": str(self.trainer.step),
            "scores": json.dumps(scores),
        }
        export_weights(self.trainer.average, self.out / name, note)

    def end(self) -> None:
        """Save, score, draw."""
        self.score()
        self.save()
        self.journal.close()
        if self.trainer.device.type == "cuda":
            logger.info("peak memory %.1f GB", torch.cuda.max_memory_allocated() / 1e9)


__all__ = ["Clock", "Run"]
