"""An exported model as a folder: a file for each part (`encoder.onnx`, `decoder.xml`, ...) and `maskwright.json`."""

from pathlib import Path

from maskwright.core.errors import CheckpointError
from maskwright.models.backends.manifest import Manifest
from maskwright.models.backends.names import MANIFEST_FILE

SUFFIX_OF = {"onnx": ".onnx", "openvino": ".xml", "tensorrt": ".plan"}


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Put the manifest into a folder that is being written."""
    (folder / MANIFEST_FILE).write_text(manifest.to_json() + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """Read a folder's manifest, and see that every part is there.

    Raises:
        CheckpointError: the manifest or a part is missing or cannot be read.
    """
    try:
        text = (folder / MANIFEST_FILE).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(
            f"the exported model has no readable {MANIFEST_FILE}. Export it again: {folder}"
        ) from error
    manifest = Manifest.from_json(text, folder)
    suffix = SUFFIX_OF.get(manifest.target, "")
    for part in manifest.parts:
        file = folder / f"{part}{suffix}"
        if not file.is_file() or not file.stat().st_size:
            raise CheckpointError(f"the exported model has no {file.name}. Copy the folder again: {folder}")
    return manifest


__all__ = ["SUFFIX_OF", "read_manifest", "write_manifest"]
