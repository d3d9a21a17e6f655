"""From an exported file to a model that is ready to run."""

from pathlib import Path

from maskwright.models.backends.exported import ExportedSam, exported_model
from maskwright.models.backends.onnx_file import read_onnx
from maskwright.models.backends.onnx_runtime import OnnxRuntime

SUFFIXES = (".onnx",)


def is_exported(path: Path) -> bool:
    """Whether a path names an exported model, by its looks."""
    return path.suffix == ".onnx"


def load_exported(path: Path, *, device: str = "cpu") -> ExportedSam:
    """Load an exported model.

    Raises:
        CheckpointError: the file is truncated, of another kind, or was not exported by this package.
        SettingError: the library that runs it has no such device.
        ModelError: the library that runs it is missing, or cannot run it.
    """
    export = read_onnx(path)
    return exported_model(OnnxRuntime(export, provider="cuda" if device.startswith("cuda") else "cpu"), export.manifest)


__all__ = ["SUFFIXES", "is_exported", "load_exported"]
