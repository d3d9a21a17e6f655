"""Files of a training run: what a stopped run goes on from, weights to start from, and the weights that it gives.

Every file is written under another name, flushed, and renamed: a process killed at any moment leaves the one before.
"""

import logging
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from maskwright.core.errors import CheckpointError, SettingError
from maskwright.models.checkpoint import has_corrector
from maskwright.models.tiny import TINY_WEIGHTS, TinySam
from maskwright.models.tiny.efficientnet_lite import fold_imagenet
from maskwright.models.tiny.image_encoder import TinyImageEncoder
from maskwright.train.recipe import PACE
from maskwright.train.trainer import Trainer

logger = logging.getLogger(__name__)


def save_checkpoint(trainer: Trainer, path: Path) -> None:
    """Write everything that is needed to go on."""
    state = {
        "recipe": asdict(trainer.recipe),
        "step": trainer.step,
        "seconds": trainer.seconds,
        "model": trainer.model.state_dict(),
        "average": trainer.average.state_dict(),
        "optimizer": trainer.optimizer.state_dict(),
    }
    replace_whole(path, lambda partial: torch.save(state, partial))


def load_checkpoint(trainer: Trainer, path: Path) -> None:
    """Go on from a checkpoint of the same recipe.

    Raises:
        SettingError: the run there has another recipe.
        CheckpointError: the file cannot be read.
    """
    try:
        state = torch.load(path, map_location=trainer.device, weights_only=True)
    except (RuntimeError, EOFError, UnpicklingError, LookupError, ValueError) as error:
        raise CheckpointError(f"this is no checkpoint of a training run; delete it to begin anew: {path}") from error
    old = {name: value for name, value in state["recipe"].items() if name not in PACE}
    new = {name: value for name, value in asdict(trainer.recipe).items() if name not in PACE}
    if changes := [f"{name} {old.get(name)!r}, now {new.get(name)!r}" for name in new if old.get(name) != new[name]]:
        raise SettingError(
            f"this folder holds a run of another recipe ({'; '.join(changes)}). "
            f"Take another --out, or go on with --preset {path.with_name('recipe.toml')}"
        )
    trainer.model.load_state_dict(state["model"])
    trainer.average.load_state_dict(state["average"])
    trainer.optimizer.load_state_dict(state["optimizer"])
    trainer.step, trainer.seconds = state["step"], state["seconds"]


def export_weights(model: TinySam, path: Path, metadata: dict[str, str]) -> None:
    """Write weights as they lie in the package: fp16 safetensors with a note of where they come from."""
    half = {name: tensor.detach().cpu().half().contiguous() for name, tensor in model.state_dict().items()}
    replace_whole(path, lambda partial: save_file(half, partial, metadata))


def start_path(start: str) -> Path | None:
    """The file that a run starts from; None for `nothing`.

    Raises:
        SettingError: there is no such file.
    """
    if start == "nothing":
        return None
    path = TINY_WEIGHTS if start == "tiny" else Path(start).expanduser()
    if not path.is_file():
        raise SettingError(f"--start must be tiny, nothing, or a file of weights (.safetensors, .pth), got: {path}")
    return path


def start_names(start: str) -> list[str]:
    """The names of the parameters that a run starts from; none for ImageNet's, which are the trunk's alone."""
    path = start_path(start)
    if path is None or path.suffix != ".safetensors":
        return []
    with safe_open(path, "pt") as file:
        return list(file.keys())


def load_start(model: TinySam, start: str) -> None:
    """Load what a run starts from: `tiny` (the package's weights), exported weights, ImageNet's (.pth), or `nothing`.

    Parameters that exported weights lack, since the model has grown, keep their random values.

    Raises:
        CheckpointError: the file is of another architecture.
        SettingError: there is no such file.
    """
    path = start_path(start)
    if path is None:
        return
    if path.suffix in (".pth", ".pt"):
        published = torch.load(path, map_location="cpu", weights_only=True)
        assert isinstance(model.image_encoder, TinyImageEncoder)
        try:
            model.image_encoder.trunk.load_state_dict(fold_imagenet(published))
        except (KeyError, RuntimeError) as error:
            raise CheckpointError(f"expected ImageNet weights of this size of trunk: {path}") from error
        return
    _load_grown(model, path)


def _load_grown(model: TinySam, path: Path) -> None:
    weights = {name: tensor.float() for name, tensor in load_file(path).items()}
    wanted = model.state_dict()
    if strange := [n for n, t in weights.items() if n not in wanted or wanted[n].shape != t.shape]:
        raise CheckpointError(f"expected weights of this network, got other parameters ({strange[0]}, ...): {path}")
    model.load_state_dict({**wanted, **weights})
    if model.corrector is not None and not has_corrector(weights):
        model.corrector.begin_like(model.prompt_encoder, model.mask_decoder)
    if missing := sorted(set(wanted) - set(weights)):
        logger.info("%d parameters are new and start at random: %s, ...", len(missing), missing[0])


def replace_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file so that it is either the old one or the new one."""
    partial = path.with_name(f".{path.name}.partial")
    write(partial)
    with partial.open("rb+") as file:
        os.fsync(file.fileno())
    partial.replace(path)


__all__ = [
    "export_weights",
    "load_checkpoint",
    "load_start",
    "replace_whole",
    "save_checkpoint",
    "start_names",
]
