"""`export_model`: a model's networks written for another library, and checked there against PyTorch."""

import importlib.metadata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from maskwright.core.errors import ModelError, SettingError
from maskwright.models.backends.check import largest_difference
from maskwright.models.backends.manifest import Manifest
from maskwright.models.backends.onnx_file import OnnxExport, write_onnx
from maskwright.models.backends.onnx_graph import OPSET, check_opset, join, write_part
from maskwright.models.backends.onnx_runtime import OnnxRuntime
from maskwright.models.backends.parts import NetworkPart, kind_of, parts_of
from maskwright.models.sam.model import SamModel
from maskwright.models.tiny.model import TinySam

TOLERANCE = 1e-4  # of the largest value: fp32 sums in another order
Told = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """What was written, and how far each part is from PyTorch: the largest difference over the largest value."""

    path: Path
    manifest: Manifest
    num_bytes: int

    @property
    def difference(self) -> float:
        """That of the part that differs most."""
        return max(self.manifest.checked.values())


def export_model(
    model: SamModel, out: Path, *, opset: int | None = None, say: Told = lambda text: None
) -> ExportReport:
    """Write a model as one ONNX file and check it on random images and prompts; the file appears if it passed.

    Raises:
        UnsupportedPrompt: it is no network of this package.
        SettingError: the opset is not known here, or it cannot be written there.
        ModelError: a package is missing, or what was written does not give PyTorch's numbers.
    """
    export, parts = to_onnx(model, opset=opset, say=say)
    checked = check(OnnxRuntime(export), parts, say)
    written = write_onnx(replace(export, manifest=replace(export.manifest, checked=checked)), out)
    return ExportReport(path=out, manifest=written.manifest, num_bytes=out.stat().st_size)


@torch.no_grad()
def to_onnx(
    model: SamModel, *, opset: int | None = None, say: Told = lambda text: None
) -> tuple[OnnxExport, Sequence[NetworkPart]]:
    """Make the graph of a model, unchecked and unwritten."""
    opset = check_opset(OPSET if opset is None else opset)
    if model.precision != torch.float32:
        raise SettingError(f"export a model in fp32, got one in {model.precision}. Load it with precision='fp32'")
    parts = parts_of(model.to("cpu"))
    graphs = {}
    for part in parts:
        say(f"writing the {part.name}")
        graphs[part.name] = write_part(part, opset)
    manifest = describe(model, parts, opset)
    return OnnxExport(model=join(graphs, manifest.parts, model.frame.side), manifest=manifest), parts


def describe(model: SamModel, parts: Sequence[NetworkPart], opset: int | None) -> Manifest:
    """Write down what a loader needs beside the networks."""
    card = model.card
    text: dict[str, Any] = {}
    if isinstance(model, TinySam) and model.text_path is not None:
        text = {name: value.tolist() for name, value in model.text_path.named_buffers(recurse=False)}
    return Manifest(
        card=replace(
            card, title=f"{card.title}, exported", packaged=False, filename=None, aliases=(), computed_as="fp32 onnx"
        ),
        base_sha256=model.checkpoint_sha256,
        frame=model.frame,
        mask_threshold=model.mask_threshold,
        kind=kind_of(model),
        num_candidates=model.num_candidates,
        parts={part.name: part.ports for part in parts},
        opset=opset,
        text=text,
        versions={
            "maskwright": importlib.metadata.version("maskwright"),
            "torch": torch.__version__,
        },
    )


@torch.no_grad()
def check(runtime: Any, parts: Sequence[NetworkPart], say: Told, tolerance: float = TOLERANCE) -> Mapping[str, float]:
    """Compare each part with PyTorch, on other numbers and counts than it was traced with.

    Raises:
        ModelError: one differs by more than `tolerance`.
    """
    found = {}
    for part in parts:
        found[part.name] = largest_difference(runtime, part)
        say(f"checked the {part.name}: within {found[part.name]:.1e} of PyTorch")
        if not found[part.name] <= tolerance:
            raise ModelError(
                f"the {part.name} differs from PyTorch by {found[part.name]:.1e} of its largest value, more than "
                f"{tolerance:.0e}; nothing was written. Try another --opset"
            )
    return found


__all__ = ["TOLERANCE", "ExportReport", "check", "describe", "export_model", "to_onnx"]
