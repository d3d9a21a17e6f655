"""The backends by name, and which files are exported models: what can be said without loading any of them."""

import zipfile
from pathlib import Path

MANIFEST_FILE = "maskwright.json"  # in a folder of parts, and among the extra files of a TorchScript archive


def is_exported(path: Path) -> bool:
    """Whether a path is an exported model, by its suffix or by what lies in it."""
    if path.is_dir():
        return (path / MANIFEST_FILE).is_file()
    return path.suffix == ".onnx" or (path.suffix == ".pt" and _is_torchscript(path))


def _is_torchscript(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith(f"extra/{MANIFEST_FILE}") for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


__all__ = ["MANIFEST_FILE", "is_exported"]
