"""An exported model as one ONNX file: read with its manifest, and written whole or not at all."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from maskwright.core.errors import CheckpointError, SettingError
from maskwright.models.backends.manifest import KEY, Manifest
from maskwright.models.backends.needs import need
from maskwright.models.backends.writing import new_file

if TYPE_CHECKING:
    import onnx

_MOST_BYTES = 2**31 - 1  # of a protobuf message


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxExport:
    """A graph of all parts (`onnx_graph.join`), and its manifest."""

    model: "onnx.ModelProto"
    manifest: Manifest
    path: Path | None = None


def read_onnx(path: Path) -> OnnxExport:
    """Read an exported model.

    Raises:
        CheckpointError: it is truncated, no ONNX file, or one that was not exported by this package.
    """
    onnx = need("onnx", "reading ONNX")
    if not path.is_file():
        raise CheckpointError(f"expected an exported model, got no file: {path}")
    content = path.read_bytes()
    if not content:
        raise CheckpointError(f"the exported model is empty. Export it again: {path}")
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except Exception as error:  # protobuf's DecodeError, by whichever of its implementations
        raise CheckpointError(
            f"the ONNX file is truncated or damaged ({len(content):,} bytes). Export it again: {path}"
        ) from error
    texts = {one.key: one.value for one in model.metadata_props}
    if not model.graph.node:
        raise CheckpointError(f"expected an ONNX file, got another kind of file. Export a model: {path}")
    if KEY not in texts:
        raise CheckpointError(
            "expected a model written by maskwright models export, got an ONNX file without its manifest. "
            f"Export the model with this package: {path}"
        )
    manifest = Manifest.from_json(texts[KEY], path)
    return OnnxExport(model=model, manifest=manifest, path=path)


def write_onnx(export: OnnxExport, path: Path) -> OnnxExport:
    """Write an exported model, with its manifest and, for people, what it is and its licence.

    Raises:
        SettingError: it is too large for one file.
    """
    onnx = need("onnx", "writing ONNX")
    manifest, model = export.manifest, export.model
    onnx.helper.set_model_props(
        model,
        {
            KEY: manifest.to_json(),
            "title": manifest.card.title,
            "licence": manifest.card.licence,
            "citation": manifest.card.citation,
            "base_model": manifest.card.name,
            "base_sha256": manifest.base_sha256,
            "preprocessing": json.dumps(
                {"side": manifest.frame.side, "mean": manifest.frame.mean, "std": manifest.frame.std}
            ),
        },
    )
    model.producer_name, model.producer_version = "maskwright", manifest.versions.get("maskwright", "")
    num_bytes = model.ByteSize()
    if num_bytes > _MOST_BYTES:
        raise SettingError(
            f"{manifest.card.name} takes {num_bytes / 1e9:.1f} GB, and an ONNX file holds 2 GB. "
            f"Name a folder instead of a file, for example: {path.with_suffix('')}_onnx"
        )
    with new_file(path) as part:
        part.write_bytes(model.SerializeToString())
    return replace(export, path=path)


__all__ = ["OnnxExport", "read_onnx", "write_onnx"]
