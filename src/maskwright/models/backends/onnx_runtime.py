"""ONNX Runtime: on the CPU, or with the CUDA and TensorRT providers where the installed onnxruntime has them."""

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from maskwright.core.errors import ModelError, SettingError
from maskwright.models.backends.manifest import Part
from maskwright.models.backends.needs import need
from maskwright.models.backends.onnx_file import OnnxExport
from maskwright.models.backends.onnx_graph import cut

if TYPE_CHECKING:
    import onnxruntime

PROVIDERS = {
    "cpu": ("CPUExecutionProvider",),
    "cuda": ("CUDAExecutionProvider", "CPUExecutionProvider"),
    "tensorrt": ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"),
}


class OnnxRuntime:
    """Sessions of the parts. Encoder and decoder are opened at once, the others when they are first asked."""

    def __init__(self, export: OnnxExport, provider: str = "cpu") -> None:
        self.name, self.device = "onnx", torch.device("cpu")
        self._providers = find_providers(provider)
        self._export = export
        self._lock = threading.Lock()
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}
        for part in ("encoder", "decoder"):
            self._session(part)

    def run(self, part: str, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Run a part; tensors are on the CPU, and the provider moves them where it wants them."""
        ports = self._export.manifest.parts[part]
        feed = {port.name: to_array(value, port.dtype) for port, value in zip(ports.inputs, inputs, strict=True)}
        found = self._session(part).run([port.name for port in ports.outputs], feed)
        return tuple(torch.from_numpy(np.ascontiguousarray(one)) for one in found)

    def _session(self, part: str) -> "onnxruntime.InferenceSession":
        with self._lock:
            if part not in self._sessions:
                ports = self._export.manifest.parts[part]
                self._sessions[part] = open_session(self._export, ports, self._providers)
            return self._sessions[part]


def find_providers(provider: str) -> tuple[str, ...]:
    """Find what a provider's name means to the onnxruntime that is installed.

    Raises:
        SettingError: it does not have that provider.
    """
    ort: Any = need("onnxruntime", "running ONNX")
    if provider not in PROVIDERS:
        raise SettingError(f"provider must be one of {', '.join(PROVIDERS)}, got {provider!r}")
    wanted, here = PROVIDERS[provider], ort.get_available_providers()
    if wanted[0] not in here:
        raise SettingError(
            f"the onnxruntime {ort.__version__} installed here has no {wanted[0]} (it has {', '.join(here)}). "
            "Install onnxruntime-gpu in its place, or use --device cpu"
        )
    return tuple(one for one in wanted if one in here)


def open_session(export: OnnxExport, ports: Part, providers: Sequence[str]) -> "onnxruntime.InferenceSession":
    """Open a session of one part.

    Raises:
        ModelError: onnxruntime refuses the graph.
    """
    ort: Any = need("onnxruntime", "running ONNX")
    options = ort.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    graph = cut(export.model, ports.inputs, ports.outputs).SerializeToString()
    try:
        return ort.InferenceSession(graph, options, providers=list(providers))
    except Exception as error:  # onnxruntime's errors share no base
        reason = str(error).strip().splitlines()[0]
        if "opset" in reason:
            raise ModelError(
                f"the file needs opset {export.manifest.opset}, which onnxruntime {ort.__version__} does not run. "
                f"Update it (pip install -U onnxruntime), or export again with a lower --opset: {export.path}"
            ) from error
        raise ModelError(f"onnxruntime {ort.__version__} cannot run the file: {reason}: {export.path}") from error


def to_array(value: Tensor, dtype: str) -> np.ndarray:
    """Give a tensor as the array that a runtime takes."""
    return np.ascontiguousarray(value.detach().numpy(), dtype=dtype)


__all__ = ["PROVIDERS", "OnnxRuntime", "find_providers", "open_session", "to_array"]
