"""TensorRT: runs plans on the GPU that they were built for; tensors stay on it."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from maskwright.core.errors import CheckpointError, SettingError
from maskwright.models.backends.manifest import Manifest
from maskwright.models.backends.tensorrt_plan import check_built_for, need_tensorrt, this_machine


class TensorRtRuntime:
    """Plans of the parts, each with one context, which one thread uses at a time."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self._trt = need_tensorrt()
        check_built_for(manifest, this_machine(self._trt), folder)
        self.name, self.device = "tensorrt", torch.device("cuda")
        self._folder, self._manifest = folder, manifest
        self._runtime = self._trt.Runtime(self._trt.Logger(self._trt.Logger.ERROR))
        self._lock = threading.Lock()
        self._contexts: dict[str, Any] = {}
        for part in ("encoder", "decoder"):
            self._context(part)

    def run(self, part: str, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Run a part; tensors are on the GPU."""
        ports = self._manifest.parts[part]
        with self._lock:
            context = self._context(part)
            held = []
            for port, value in zip(ports.inputs, inputs, strict=True):
                value = value.to(self.device, getattr(torch, port.dtype)).contiguous()
                if not context.set_input_shape(port.name, tuple(value.shape)):
                    raise SettingError(
                        f"the plan was not built for {port.name} of {tuple(value.shape)}. "
                        f"Ask for less at a time: {self._folder}"
                    )
                context.set_tensor_address(port.name, value.data_ptr())
                held.append(value)
            outputs = []
            for port in ports.outputs:
                shape = tuple(context.get_tensor_shape(port.name))
                outputs.append(torch.empty(shape, dtype=getattr(torch, port.dtype), device=self.device))
                context.set_tensor_address(port.name, outputs[-1].data_ptr())
            context.execute_async_v3(torch.cuda.current_stream().cuda_stream)
            torch.cuda.current_stream().synchronize()  # before the inputs may go
        return tuple(outputs)

    def _context(self, part: str) -> Any:
        if part not in self._contexts:
            file = self._folder / f"{part}.plan"
            engine = self._runtime.deserialize_cuda_engine(file.read_bytes())
            if engine is None:
                raise CheckpointError(f"the plan is truncated or of another TensorRT. Build it again: {file}")
            self._contexts[part] = engine.create_execution_context()
        return self._contexts[part]


__all__ = ["TensorRtRuntime"]
