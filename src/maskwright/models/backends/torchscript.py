"""TorchScript: the parts as one archive that PyTorch and LibTorch (C++) load without this package's code."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from maskwright.core.errors import CheckpointError
from maskwright.models.backends.manifest import Manifest
from maskwright.models.backends.names import MANIFEST_FILE
from maskwright.models.backends.parts import ByPosition, NetworkPart
from maskwright.models.backends.quiet import quietly


class TorchScriptRuntime:
    """The parts as PyTorch runs them, on the CPU or a GPU."""

    def __init__(self, scripted: nn.Module, device: torch.device) -> None:
        self.name, self.device = "torchscript", device
        self._parts = scripted.to(device)

    def run(self, part: str, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Run a part."""
        with torch.no_grad():
            return tuple(getattr(self._parts, part)(*inputs))


class _Parts(nn.Module):
    """Holds the parts under their names; it does nothing itself."""

    def forward(self, nothing: Tensor) -> Tensor:
        return nothing


@torch.no_grad()
def trace(parts: Sequence[NetworkPart]) -> nn.Module:
    """Trace the parts, in one module that can be saved."""
    together = _Parts()
    with quietly():
        for part in parts:
            traced = torch.jit.trace(ByPosition(part.module).eval(), part.examples, check_trace=False)
            # Of a module, torch traces a module.
            together.add_module(part.name, traced)  # pyrefly: ignore[bad-argument-type]
        return torch.jit.script(together)


def save_torchscript(scripted: nn.Module, manifest: Manifest, path: Path) -> None:
    """Write traced parts with their manifest."""
    with quietly():
        torch.jit.save(scripted, str(path), _extra_files={MANIFEST_FILE: manifest.to_json()})


def read_torchscript(path: Path, device: torch.device) -> tuple[TorchScriptRuntime, Manifest]:
    """Read an exported archive.

    Raises:
        CheckpointError: it is truncated or damaged.
    """
    extra = {MANIFEST_FILE: ""}
    try:
        with quietly():
            scripted = torch.jit.load(str(path), map_location=device, _extra_files=extra)
    except RuntimeError as error:
        raise CheckpointError(f"the TorchScript archive is truncated or damaged. Export it again: {path}") from error
    text = extra[MANIFEST_FILE]
    return TorchScriptRuntime(scripted, device), Manifest.from_json(
        text if isinstance(text, str) else bytes(text).decode(), path
    )


__all__ = ["TorchScriptRuntime", "read_torchscript", "save_torchscript", "trace"]
