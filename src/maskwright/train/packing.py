"""Scenes in bytes, as they travel between processes, and batches of scenes joined."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from maskwright.train.dice import to_device
from maskwright.train.scenes import Scenes


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedScenes:
    """Scenes as they travel between processes, in bytes: pictures or photographs of them, and the labels."""

    pictures: UInt8[np.ndarray, "P B 3 S S"]
    extent: Float[np.ndarray, "B 2"]
    visible: UInt8[np.ndarray, "B O s s"]
    parts: UInt8[np.ndarray, "B O s s"]
    words: Int[np.ndarray, "B O W"] | None
    occlusion: Float[np.ndarray, "B O"] | None


def to_bytes(pixels: Float[Tensor, "*B"]) -> UInt8[Tensor, "*B"]:
    """Round values of 0..1 to bytes."""
    return (pixels.clamp(0, 1) * 255).round().to(torch.uint8)


def joined(first: Scenes | None, second: Scenes | None) -> Scenes:
    """Join two batches of one side; whichever has fewer objects gets empty ones, and nameless ones no words."""
    if first is None or second is None:
        scenes = first or second
        assert scenes is not None
        return scenes
    device = first.pictures.device
    second = on_device(second, device)
    O = max(first.visible.shape[1], second.visible.shape[1])  # noqa: E741 the legend's letter
    both = (first, second)

    def cat(values: list[Tensor], fill: float = 0) -> Tensor:
        """Pad the objects' axis and, for words, theirs."""
        last = max(value.shape[-1] for value in values)
        return torch.cat(
            [
                F.pad(v, (0, last - v.shape[-1], *(0, 0) * (v.ndim - 3), 0, O - v.shape[1]), value=fill)
                if v.ndim > 2
                else F.pad(v, (0, O - v.shape[1]), value=fill)
                for v in values
            ]
        )

    def words(scenes: Scenes) -> Tensor:
        none = torch.full((*scenes.visible.shape[:2], 1), -1, dtype=torch.long, device=device)
        return none if scenes.words is None else scenes.words.long()

    def occlusion(scenes: Scenes) -> Tensor:
        return torch.zeros(scenes.visible.shape[:2], device=device) if scenes.occlusion is None else scenes.occlusion

    return Scenes(
        pictures=torch.cat([scenes.pictures for scenes in both]),
        extent=torch.cat([scenes.extent for scenes in both]),
        visible=cat([scenes.visible for scenes in both]),
        parts=cat([scenes.parts for scenes in both]),
        words=cat([words(scenes) for scenes in both], fill=-1),
        occlusion=cat([occlusion(scenes) for scenes in both]),
    )


def packed(scenes: Scenes, pictures: UInt8[Tensor, "P B 3 S S"]) -> PackedScenes:
    """Lay scenes out as bytes; coverage loses what is below 1/255."""
    return PackedScenes(
        pictures=pictures.numpy(),
        extent=scenes.extent.numpy(),
        visible=to_bytes(scenes.visible).numpy(),
        parts=scenes.parts.numpy(),
        words=None if scenes.words is None else scenes.words.numpy(),
        occlusion=None if scenes.occlusion is None else scenes.occlusion.numpy(),
    )


def unpacked(group: PackedScenes, device: torch.device) -> Scenes:
    """Read scenes back; their pictures are the first of those that were sent."""

    def tensor(values: np.ndarray) -> Tensor:
        return to_device(torch.from_numpy(values), device)

    return Scenes(
        pictures=tensor(group.pictures[0]).float() / 255,
        extent=tensor(group.extent),
        visible=tensor(group.visible).float() / 255,
        parts=tensor(group.parts),
        words=None if group.words is None else tensor(group.words),
        occlusion=None if group.occlusion is None else tensor(group.occlusion),
    )


def on_device(scenes: Scenes, device: torch.device) -> Scenes:
    """Move every tensor."""
    return Scenes(
        pictures=scenes.pictures.to(device),
        extent=scenes.extent.to(device),
        visible=scenes.visible.to(device),
        parts=scenes.parts.to(device),
        words=None if scenes.words is None else scenes.words.to(device),
        occlusion=None if scenes.occlusion is None else scenes.occlusion.to(device),
    )


__all__ = ["PackedScenes", "joined", "on_device", "packed", "to_bytes", "unpacked"]
