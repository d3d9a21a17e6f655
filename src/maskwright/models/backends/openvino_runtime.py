"""OpenVINO: reads the same ONNX graphs, and its own files; runs on the CPU in full precision."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from maskwright.core.errors import ModelError
from maskwright.models.backends.manifest import Manifest
from maskwright.models.backends.needs import need
from maskwright.models.backends.onnx_file import OnnxExport
from maskwright.models.backends.onnx_runtime import to_array

_WHAT = "running OpenVINO"


class OpenVinoRuntime:
    """Compiled models of the parts; `read` gives a part's model. Each thread has requests of its own."""

    def __init__(self, manifest: Manifest, read: Callable[[str], Any], told: Path | None = None) -> None:
        self.name, self.device = "openvino", torch.device("cpu")
        self._manifest, self._read, self._told = manifest, read, told
        self._core = need("openvino", _WHAT).Core()
        self._lock = threading.Lock()
        self._compiled: dict[str, Any] = {}
        self._requests = threading.local()
        for part in ("encoder", "decoder"):
            self._compile(part)

    @classmethod
    def of_onnx(cls, export: OnnxExport) -> "OpenVinoRuntime":
        """Run an exported ONNX file."""
        return cls(export.manifest, lambda part: read_part(export, part), export.path)

    @classmethod
    def of_folder(cls, folder: Path, manifest: Manifest) -> "OpenVinoRuntime":
        """Run a folder that was exported for OpenVINO."""
        core = need("openvino", _WHAT).Core()
        return cls(manifest, lambda part: core.read_model(folder / f"{part}.xml"), folder)

    def run(self, part: str, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Run a part; tensors are on the CPU."""
        request = self._request(part)
        ports = self._manifest.parts[part]
        request.infer(
            {i: to_array(x, port.dtype) for i, (x, port) in enumerate(zip(inputs, ports.inputs, strict=True))}
        )
        # Copied: the next inference of this request writes into the same memory.
        return tuple(torch.from_numpy(request.get_output_tensor(i).data.copy()) for i in range(len(ports.outputs)))

    def _request(self, part: str) -> Any:
        held = self._requests.__dict__
        if part not in held:
            held[part] = self._compile(part).create_infer_request()
        return held[part]

    def _compile(self, part: str) -> Any:
        with self._lock:
            if part not in self._compiled:
                settings = {"INFERENCE_NUM_THREADS": torch.get_num_threads(), "INFERENCE_PRECISION_HINT": "f32"}
                try:
                    self._compiled[part] = self._core.compile_model(self._read(part), "CPU", settings)
                except RuntimeError as error:
                    raise ModelError(
                        f"OpenVINO cannot run the {part}: {str(error).strip().splitlines()[-1]}. "
                        f"Export the model again, or use --backend onnx: {self._told}"
                    ) from error
            return self._compiled[part]


def read_part(export: OnnxExport, part: str) -> Any:
    """Read a part of an ONNX file as OpenVINO's model."""
    return need("openvino", _WHAT).Core().read_model(export.source(part), b"")


def convert_folder(folder: Path, manifest: Manifest) -> None:
    """Turn the ONNX files of a folder into OpenVINO's, in full precision."""
    openvino = need("openvino", "writing OpenVINO")
    core = openvino.Core()
    for part in manifest.parts:
        file = folder / f"{part}.onnx"
        openvino.save_model(core.read_model(file), folder / f"{part}.xml", compress_to_fp16=False)
        for written in (file, file.with_name(f"{file.name}.data")):
            written.unlink(missing_ok=True)


__all__ = ["OpenVinoRuntime", "convert_folder", "read_part"]
