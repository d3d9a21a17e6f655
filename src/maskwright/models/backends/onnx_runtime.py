"""ONNX Runtime: on the CPU, or with the CUDA and TensorRT providers where the installed onnxruntime has them."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from maskwright.core.errors import ModelError, SettingError
from maskwright.models.backends.manifest import Manifest
from maskwright.models.backends.needs import need
from maskwright.models.backends.onnx_file import OnnxExport

if TYPE_CHECKING:
    import onnxruntime

PROVIDERS = {
    "cpu": ("CPUExecutionProvider",),
    "cuda": ("CUDAExecutionProvider", "CPUExecutionProvider"),
    "tensorrt": ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"),
}
_WHAT = "running ONNX"
# Without VNNI, sums of unsigned times signed bytes saturate at 16 bits (an error of 0.59 where 0.05 is usual); with
# this, weights become unsigned there, which is slower and exact.
EXACT_SUMS = ("session.x64quantprecision", "1")


class OnnxRuntime:
    """Sessions of the parts; `source` gives a part's bytes, or its file. Encoder and decoder are opened at once.

    Tensors are on the CPU whatever the provider: it moves them itself.
    """

    def __init__(
        self,
        manifest: Manifest,
        source: Callable[[str], bytes | Path],
        *,
        provider: str = "cpu",
        told: Path | None = None,
    ) -> None:
        self.name = "onnx" if provider == "cpu" else f"onnx-{provider}"
        self.device = torch.device("cpu")
        self._manifest, self._source, self._told = manifest, source, told
        self._providers = find_providers(provider)
        self._lock = threading.Lock()
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}
        for part in ("encoder", "decoder"):
            self._session(part)

    @classmethod
    def of_export(cls, export: OnnxExport, provider: str = "cpu") -> "OnnxRuntime":
        """Run what was read or is about to be written."""
        return cls(export.manifest, export.source, provider=provider, told=export.path)

    @classmethod
    def of_folder(cls, folder: Path, manifest: Manifest, provider: str = "cpu") -> "OnnxRuntime":
        """Run the files of a folder as they lie there."""
        return cls(manifest, lambda part: folder / f"{part}.onnx", provider=provider, told=folder)

    def run(self, part: str, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Run a part on tensors in the order of its ports."""
        ports = self._manifest.parts[part]
        feed = {port.name: to_array(value, port.dtype) for port, value in zip(ports.inputs, inputs, strict=True)}
        found = self._session(part).run([port.name for port in ports.outputs], feed)
        return tuple(torch.from_numpy(np.asarray(one)) for one in found)

    def _session(self, part: str) -> "onnxruntime.InferenceSession":
        with self._lock:
            if part not in self._sessions:
                self._sessions[part] = self._open(self._source(part))
            return self._sessions[part]

    def _open(self, source: bytes | Path) -> "onnxruntime.InferenceSession":
        ort: Any = need("onnxruntime", _WHAT)
        options = ort.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 4  # what goes wrong is raised
        options.add_session_config_entry(*EXACT_SUMS)
        try:
            read = source if isinstance(source, bytes) else str(source)
            return ort.InferenceSession(read, options, providers=list(self._providers))
        except Exception as error:  # onnxruntime's errors share no base
            raise self._refused(ort.__version__, str(error)) from error

    def _refused(self, version: str, text: str) -> ModelError:
        if "opset" in text:
            return ModelError(
                f"the file needs opset {self._manifest.opset}, which onnxruntime {version} does not run. "
                f"Update it (pip install -U onnxruntime), or export again with a lower --opset: {self._told}"
            )
        reason = text.strip().splitlines()[0]
        return ModelError(f"onnxruntime {version} cannot run the file: {reason}. Export the model again: {self._told}")


def has_provider(provider: str) -> bool:
    """Whether the installed onnxruntime has a provider."""
    return PROVIDERS[provider][0] in need("onnxruntime", _WHAT).get_available_providers()


def find_providers(provider: str) -> tuple[str, ...]:
    """Find what a provider's name means to the onnxruntime that is installed.

    Raises:
        SettingError: it does not have that provider.
    """
    ort: Any = need("onnxruntime", _WHAT)
    wanted, here = PROVIDERS[provider], ort.get_available_providers()
    if wanted[0] not in here:
        raise SettingError(
            f"the onnxruntime {ort.__version__} installed here has no {wanted[0]} (it has {', '.join(here)}). "
            "Install onnxruntime-gpu in its place, or use --device cpu --backend onnx"
        )
    return tuple(one for one in wanted if one in here)


def to_array(value: Tensor, dtype: str) -> np.ndarray:
    """Give a tensor as the array that a runtime takes."""
    return np.ascontiguousarray(value.detach().numpy(), dtype=dtype)


__all__ = ["EXACT_SUMS", "PROVIDERS", "OnnxRuntime", "find_providers", "has_provider", "to_array"]
