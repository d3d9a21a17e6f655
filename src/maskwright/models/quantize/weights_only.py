"""Weights of 8 or 16 bits, computed with as floats: a file of a quarter or half the size, at the speed it had."""

from typing import TYPE_CHECKING

import numpy as np

from maskwright.models.backends.needs import need
from maskwright.models.quantize.qdq import drop_unused

if TYPE_CHECKING:
    import onnx

_LEAST_VALUES = 1024  # of a weight that is worth it; biases and norms stay
_MOST = 127


def shrink_weights(model: "onnx.ModelProto", kind: str) -> "onnx.ModelProto":
    """Copy a graph with its large weights as "int8", with a step for each output channel, or as "fp16"."""
    onnx = need("onnx", "quantisation")
    small = onnx.ModelProto()
    small.CopyFrom(model)
    graph = small.graph
    axes = _channel_axes(graph)
    make, added = onnx.helper.make_node, []
    for value in list(graph.initializer):
        if value.data_type != onnx.TensorProto.FLOAT or np.prod(value.dims) < _LEAST_VALUES or len(value.dims) < 2:
            continue
        weight = onnx.numpy_helper.to_array(value)
        name, held = value.name, f"{value.name}/held"
        value.name = f"{name}/replaced"
        if kind == "fp16":
            graph.initializer.append(onnx.numpy_helper.from_array(weight.astype(np.float16), held))
            added.append(make("Cast", [held], [name], f"{name}/cast", to=onnx.TensorProto.FLOAT))
            continue
        axis = axes.get(name, 0)
        steps = np.abs(weight).max(axis=tuple(i for i in range(weight.ndim) if i != axis)) / _MOST
        steps = np.maximum(steps, 1e-12).astype(np.float32)
        shape = [-1 if i == axis else 1 for i in range(weight.ndim)]
        whole = np.clip(np.round(weight / steps.reshape(shape)), -_MOST, _MOST).astype(np.int8)
        graph.initializer.append(onnx.numpy_helper.from_array(whole, held))
        # Zeros are what would be taken anyway, but where onnxruntime makes weights unsigned it needs them written.
        inputs = [held, f"{name}/steps", f"{name}/zeros"]
        for key, numbers in zip(inputs[1:], (steps, np.zeros(len(steps), np.int8)), strict=True):
            graph.initializer.append(onnx.numpy_helper.from_array(numbers, key))
        added.append(make("DequantizeLinear", inputs, [name], f"{name}/dequantize", axis=axis))
    nodes = []
    for node in (*added, *graph.node):
        nodes.append(onnx.NodeProto())
        nodes[-1].CopyFrom(node)
    del graph.node[:]
    graph.node.extend(nodes)
    drop_unused(graph)
    return small


def _channel_axes(graph: "onnx.GraphProto") -> dict[str, int]:
    """The axis over output channels of each weight: the last of a matrix, the first of a convolution."""
    sizes = {value.name: len(value.dims) for value in graph.initializer}
    return {
        node.input[1]: sizes[node.input[1]] - 1
        for node in graph.node
        if node.op_type == "MatMul" and node.input[1] in sizes
    }


__all__ = ["shrink_weights"]
