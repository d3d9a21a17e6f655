"""From an exported file, or a model and a backend's name, to a model that is ready to run."""

import dataclasses
import logging
import re
from collections.abc import Callable
from pathlib import Path

import torch

from maskwright.core import settings
from maskwright.core.errors import SettingError
from maskwright.models.backends.export import export_model, package_versions
from maskwright.models.backends.exported import ExportedSam, exported_model
from maskwright.models.backends.folder import read_manifest
from maskwright.models.backends.manifest import Manifest
from maskwright.models.backends.needs import need
from maskwright.models.backends.onnx_file import read_onnx
from maskwright.models.backends.onnx_runtime import OnnxRuntime, find_providers, has_provider
from maskwright.models.backends.openvino_runtime import OpenVinoRuntime
from maskwright.models.backends.runtime import Runtime
from maskwright.models.backends.tensorrt_plan import need_tensorrt
from maskwright.models.backends.tensorrt_runtime import TensorRtRuntime
from maskwright.models.backends.torchscript import read_torchscript
from maskwright.models.sam.model import SamModel

_log = logging.getLogger(__name__)
# What can run a file that was written for something; the first unless another is named.
RUNS = {
    "onnx": ("onnx", "onnx-tensorrt", "openvino"),
    "openvino": ("openvino",),
    "torchscript": ("torch",),
    "tensorrt": ("tensorrt",),
}


def load_exported(path: Path, *, backend: str = "default", device: str = "cpu") -> ExportedSam:
    """Load an exported model; `device` may be "auto", the best that what runs it has.

    Raises:
        CheckpointError: the file is truncated, of another kind, or was not exported by this package.
        SettingError: the backend does not run such files, or has no such device.
        ModelError: the library that runs it is missing, or cannot run it.
    """
    runtime, manifest = _open(path, backend, device)
    told = manifest.card.computed_as or "fp32"
    card = manifest.card
    if runtime.name not in told.split():
        card = dataclasses.replace(card, computed_as=f"{told} {runtime.name}")
    return exported_model(runtime, dataclasses.replace(manifest, card=card))


def load_by(make: Callable[[], SamModel], backend: str, *, device: str = "cpu") -> ExportedSam:
    """Run a model that `make` loads by another backend: exported once into the cache folder, loaded from there.

    Raises:
        SettingError, ModelError: the backend cannot run here; said before the export, which can take minutes.
    """
    _check_runs_here(backend, device)
    model = make()
    path = cached_export(model, backend)
    if not path.exists():
        _log.info("exporting %s for %s, once: %s", model.card.name, backend, path)
        export_model(model, path, to="tensorrt" if backend == "tensorrt" else "onnx")
    del model
    return load_exported(path, backend=backend, device=device)


def _check_runs_here(backend: str, device: str) -> None:
    if backend == "openvino":
        _on_cpu(backend, device)
        need("openvino", "running by OpenVINO")
    elif backend == "tensorrt":
        need_tensorrt()
    else:
        find_providers(_provider(backend, device))


def cached_export(model: SamModel, backend: str) -> Path:
    """Where the export of a model lies that was made for a backend; deletable at any time."""
    name = re.sub(r"[^\w.-]", "_", model.card.name)
    versions = "-".join(package_versions().values())
    stem = f"{name}-{model.checkpoint_sha256[:16]}-{versions}"
    return settings.CACHE.get() / "exports" / (f"{stem}-tensorrt" if backend == "tensorrt" else f"{stem}.onnx")


def _open(path: Path, backend: str, device: str) -> tuple[Runtime, Manifest]:
    if path.suffix == ".pt":
        _check_runs("torchscript", backend, path)
        return read_torchscript(path, _torch_device(device))
    if path.is_dir():
        manifest = read_manifest(path)
        chosen = _check_runs(manifest.target, backend, path)
        if manifest.target == "openvino":
            _on_cpu(chosen, device)
            return OpenVinoRuntime.of_folder(path, manifest), manifest
        if manifest.target == "tensorrt":
            return TensorRtRuntime(path, manifest), manifest
        if chosen != "openvino":
            return OnnxRuntime.of_folder(path, manifest, provider=_provider(chosen, device)), manifest
    chosen = _check_runs("onnx", backend, path)
    export = read_onnx(path)
    if chosen == "openvino":
        _on_cpu(chosen, device)
        return OpenVinoRuntime.of_onnx(export), export.manifest
    return OnnxRuntime.of_export(export, provider=_provider(chosen, device)), export.manifest


def _check_runs(target: str, backend: str, path: Path) -> str:
    runs = RUNS.get(target, ())
    if not runs:
        raise SettingError(f"this version does not run files for {target!r}. Export the model again: {path}")
    if backend in ("default", "auto"):
        return runs[0]
    if backend not in runs:
        raise SettingError(
            f"--backend {backend} does not run a file exported for {target}; {' or '.join(runs)} does. "
            f"Leave --backend out, or name the model that was exported: {path}"
        )
    return backend


def _provider(backend: str, device: str) -> str:
    if backend == "onnx-tensorrt":
        return "tensorrt"
    if device == "auto":
        return "cuda" if torch.cuda.is_available() and has_provider("cuda") else "cpu"
    kind = device.partition(":")[0]
    if kind not in ("cpu", "cuda"):
        raise SettingError(f"the backend onnx runs on cpu or cuda, got '{device}'. Use --device cpu")
    return kind


def _torch_device(device: str) -> torch.device:
    try:
        place = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:
        raise SettingError(f"expected a device of this machine (cpu, cuda, cuda:N), got '{device}'") from error
    return place


def _on_cpu(backend: str, device: str) -> None:
    if device not in ("cpu", "auto"):
        raise SettingError(f"the backend {backend} runs on the CPU here, got '{device}'. Use --device cpu")


__all__ = ["RUNS", "cached_export", "load_by", "load_exported"]
