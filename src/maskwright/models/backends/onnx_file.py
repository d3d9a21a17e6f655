"""An exported model in ONNX: as one file of one graph, or as a folder with a file for each part.

A file is what travels; a folder is for models of more than 2 GB, and for programs that want the parts as they are.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskwright.core.errors import CheckpointError, SettingError
from maskwright.models.backends.folder import read_manifest
from maskwright.models.backends.manifest import KEY, Manifest
from maskwright.models.backends.needs import need
from maskwright.models.backends.onnx_graph import cut, join
from maskwright.models.backends.writing import new_file

if TYPE_CHECKING:
    import onnx

_MOST_BYTES = 2**31 - 1  # of a protobuf message


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxExport:
    """A graph for each part, as a model of its own, and the manifest; `path` is where it was read or written."""

    graphs: "Mapping[str, onnx.ModelProto]"
    manifest: Manifest
    path: Path | None = None

    def source(self, part: str) -> bytes:
        """Give a part as a runtime reads it."""
        return self.graphs[part].SerializeToString()


def read_onnx(path: Path) -> OnnxExport:
    """Read an exported model, a file or a folder.

    Raises:
        CheckpointError: it is truncated, no ONNX file, or one that was not exported by this package.
    """
    if path.is_dir():
        return _read_folder(path)
    model = _parse(path)
    texts = {one.key: one.value for one in model.metadata_props}
    if not model.graph.node:
        raise CheckpointError(f"expected an ONNX file, got another kind of file. Export a model: {path}")
    if KEY not in texts:
        raise CheckpointError(
            "expected a model written by maskwright models export, got an ONNX file without its manifest. "
            f"Export the model with this package: {path}"
        )
    manifest = Manifest.from_json(texts[KEY], path)
    graphs = {name: cut(model, part.inputs, part.outputs) for name, part in manifest.parts.items()}
    return OnnxExport(graphs=graphs, manifest=manifest, path=path)


def _parse(path: Path) -> Any:
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
            f"the ONNX file is truncated or of another kind ({len(content):,} bytes). Export the model again: {path}"
        ) from error
    return model


def _read_folder(folder: Path) -> OnnxExport:
    onnx = need("onnx", "reading ONNX")
    manifest = read_manifest(folder)
    graphs = {}
    for name in manifest.parts:
        file = folder / f"{name}.onnx"
        try:
            graphs[name] = onnx.load(str(file))
        except Exception as error:  # protobuf's DecodeError, or of the weights beside it
            raise CheckpointError(f"the ONNX file is truncated or damaged. Export the model again: {file}") from error
    return OnnxExport(graphs=graphs, manifest=manifest, path=folder)


def write_onnx(export: OnnxExport, path: Path) -> OnnxExport:
    """Write an exported model as one file, with its manifest and, for people, what it is and its licence.

    Raises:
        SettingError: it is too large for one file, or cannot be written there.
    """
    onnx = need("onnx", "writing ONNX")
    manifest = export.manifest
    model = join(export.graphs, manifest.parts, manifest.frame.side)
    preprocessing = {"side": manifest.frame.side, "mean": manifest.frame.mean, "std": manifest.frame.std}
    onnx.helper.set_model_props(
        model,
        {
            KEY: manifest.to_json(),
            "title": manifest.card.title,
            "licence": manifest.card.licence,
            "citation": manifest.card.citation,
            "base_model": manifest.card.name,
            "base_sha256": manifest.base_sha256,
            "preprocessing": json.dumps(preprocessing),
        },
    )
    model.producer_name, model.producer_version = "maskwright", manifest.versions.get("maskwright", "")
    num_bytes = model.ByteSize()
    if num_bytes > _MOST_BYTES:
        raise too_large(manifest.card.name, num_bytes, path)
    with new_file(path) as part:
        part.write_bytes(model.SerializeToString())
    return replace(export, path=path)


def too_large(name: str, num_bytes: int, path: Path) -> SettingError:
    """Say that a model does not go into one file."""
    return SettingError(
        f"{name} takes {num_bytes / 1e9:.1f} GB, and an ONNX file holds 2 GB. "
        f"Name a folder instead of a file, for example: {path.with_suffix('')}_onnx"
    )


__all__ = ["OnnxExport", "read_onnx", "too_large", "write_onnx"]
