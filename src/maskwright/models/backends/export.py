"""`export_model`: a model's networks written for another library, and checked there against PyTorch."""

import importlib.metadata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from maskwright.core.errors import ModelError, SettingError
from maskwright.models.backends.check import largest_difference
from maskwright.models.backends.folder import write_manifest
from maskwright.models.backends.manifest import Manifest
from maskwright.models.backends.needs import need
from maskwright.models.backends.onnx_file import OnnxExport, too_large, write_onnx
from maskwright.models.backends.onnx_graph import LARGE, OPSET, check_opset, save_part, write_part
from maskwright.models.backends.onnx_runtime import OnnxRuntime
from maskwright.models.backends.openvino_runtime import OpenVinoRuntime, convert_folder
from maskwright.models.backends.parts import NetworkPart, kind_of, parts_of
from maskwright.models.backends.runtime import Runtime
from maskwright.models.backends.torchscript import TorchScriptRuntime, save_torchscript, trace
from maskwright.models.backends.writing import new_file, new_folder
from maskwright.models.sam.model import SamModel
from maskwright.models.tiny.model import TinySam
from maskwright.models.unsaved import check_saved

TARGETS = ("onnx", "openvino", "torchscript", "tensorrt")
_ENDINGS = (".onnx", ".xml", ".bin", ".plan", ".engine", ".pt", ".pth", ".safetensors")
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
    model: SamModel, out: Path, *, to: str = "onnx", opset: int | None = None, say: Told = lambda text: None
) -> ExportReport:
    """Write a model and check it on random images and prompts; it appears at `out` if it passed.

    ONNX goes into a file that ends in .onnx, or into a folder; TorchScript into a file; all else into a folder.

    Raises:
        UnsupportedPrompt: it is no network of this package.
        SettingError: there is no such target or opset here, or it cannot be written there.
        ModelError: a package is missing, weights were changed since they were loaded, or what was written does not give
            PyTorch's numbers.
    """
    check_target(to, out)
    check_saved(model)
    opset = None if to == "torchscript" else check_opset(OPSET if opset is None else opset)
    if model.precision != torch.float32:
        raise SettingError(f"export a model in fp32, got one in {model.precision}. Load it with precision='fp32'")
    parts = parts_of(model.to("cpu"))
    manifest = describe(model, parts, to, opset)
    if to == "onnx" and out.suffix == ".onnx":
        manifest = _to_onnx_file(parts, manifest, out, say)
    elif to == "torchscript":
        manifest = _to_torchscript(parts, manifest, out, say)
    else:
        manifest = _to_folder(parts, manifest, out, say)
    return ExportReport(path=out, manifest=manifest, num_bytes=_bytes_of(out))


def check_target(to: str, out: Path) -> None:
    """Check, before anything is computed, that a model can be written for `to` at `out`.

    Raises:
        SettingError: it cannot.
        ModelError: a package that writes it is missing.
    """
    if to not in TARGETS:
        raise SettingError(f"--to must be one of {', '.join(TARGETS)}; got {to!r}")
    if to == "tensorrt":
        from maskwright.models.backends.tensorrt_plan import need_tensorrt

        need_tensorrt()
    if to == "openvino":
        need("openvino", "writing OpenVINO")
    is_file = to == "torchscript" or (to == "onnx" and out.suffix == ".onnx")
    if to == "torchscript" and out.suffix != ".pt":
        raise SettingError(f"torchscript is written as a file that ends in .pt. Name one: {out}")
    if to != "torchscript" and not is_file and out.suffix in _ENDINGS:
        raise SettingError(f"{to} is written as a folder of parts, named without an ending. Name one: {out}")
    if not is_file and out.exists():
        raise SettingError(f"there is something already. Remove it, or name another folder: {out}")
    if is_file and out.is_dir():
        raise SettingError(f"expected the name of a file to write, got a folder. Name a file in it: {out}")


@torch.no_grad()
def to_onnx(
    model: SamModel, *, opset: int | None = None, say: Told = lambda text: None
) -> tuple[OnnxExport, Sequence[NetworkPart]]:
    """Make the graphs of a model, unchecked and unwritten; gives the parts too, to check them against.

    Raises:
        ModelError: weights were changed since they were loaded.
    """
    check_saved(model)
    opset = check_opset(OPSET if opset is None else opset)
    parts = parts_of(model.to("cpu"))
    return OnnxExport(graphs=_graphs(parts, opset, say), manifest=describe(model, parts, "onnx", opset)), parts


def _graphs(parts: Sequence[NetworkPart], opset: int, say: Told) -> Mapping[str, Any]:
    graphs = {}
    for part in parts:
        say(f"writing the {part.name}")
        graphs[part.name] = write_part(part, opset)
    return graphs


def _to_onnx_file(parts: Sequence[NetworkPart], manifest: Manifest, out: Path, say: Told) -> Manifest:
    weights = sum(x.numel() * x.element_size() for part in parts for x in part.module.state_dict().values())
    if weights > LARGE:
        raise too_large(manifest.card.name, weights, out)
    assert manifest.opset is not None
    export = OnnxExport(graphs=_graphs(parts, manifest.opset, say), manifest=manifest)
    manifest = check(OnnxRuntime.of_export(export), parts, manifest, say)
    return write_onnx(replace(export, manifest=manifest), out).manifest


def _to_torchscript(parts: Sequence[NetworkPart], manifest: Manifest, out: Path, say: Told) -> Manifest:
    say("tracing")
    scripted = trace(parts)
    manifest = check(TorchScriptRuntime(scripted, torch.device("cpu")), parts, manifest, say)
    with new_file(out) as file:
        save_torchscript(scripted, manifest, file)
    return manifest


def _to_folder(parts: Sequence[NetworkPart], manifest: Manifest, out: Path, say: Told) -> Manifest:
    assert manifest.opset is not None
    with new_folder(out) as folder:
        for part in parts:
            say(f"writing the {part.name}")
            save_part(part, manifest.opset, folder / f"{part.name}.onnx")
        runtime, manifest = _built(folder, manifest, say)
        manifest = check(runtime, parts, manifest, say)
        write_manifest(folder, manifest)
    return manifest


def _built(folder: Path, manifest: Manifest, say: Told) -> tuple[Runtime, Manifest]:
    """Turn the ONNX files of a folder into what the target wants."""
    match manifest.target:
        case "openvino":
            convert_folder(folder, manifest)
            return OpenVinoRuntime.of_folder(folder, manifest), manifest
        case "tensorrt":
            from maskwright.models.backends.tensorrt_plan import build_folder
            from maskwright.models.backends.tensorrt_runtime import TensorRtRuntime

            manifest = build_folder(folder, manifest, say)
            return TensorRtRuntime(folder, manifest), manifest
        case _:
            return OnnxRuntime.of_folder(folder, manifest), manifest


def describe(model: SamModel, parts: Sequence[NetworkPart], target: str, opset: int | None) -> Manifest:
    """Write down what a loader needs beside the networks."""
    card = model.card
    text: dict[str, Any] = {}
    if isinstance(model, TinySam) and model.text_path is not None:
        text = {name: value.tolist() for name, value in model.text_path.named_buffers(recurse=False)}
    return Manifest(
        card=replace(card, packaged=False, filename=None, sha256=None, md5=None, num_bytes=None, computed_as="fp32"),
        base_sha256=model.checkpoint_sha256,
        frame=model.frame,
        mask_threshold=model.mask_threshold,
        kind=kind_of(model),
        num_candidates=model.num_candidates,
        parts={part.name: part.ports for part in parts},
        target=target,
        opset=opset,
        text=text,
        versions=package_versions(),
    )


def package_versions() -> dict[str, str]:
    """The versions that an export depends on."""
    return {"maskwright": importlib.metadata.version("maskwright"), "torch": torch.__version__}


def check(
    runtime: Runtime, parts: Sequence[NetworkPart], manifest: Manifest, say: Told, tolerance: float = TOLERANCE
) -> Manifest:
    """Compare each part with PyTorch, on other numbers and counts than it was traced with; gives what was found.

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
    return replace(manifest, checked=found)


def _bytes_of(path: Path) -> int:
    files = path.iterdir() if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)


__all__ = [
    "TARGETS",
    "TOLERANCE",
    "ExportReport",
    "check",
    "check_target",
    "describe",
    "export_model",
    "package_versions",
    "to_onnx",
]
