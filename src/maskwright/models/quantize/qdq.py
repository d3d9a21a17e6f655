"""8-bit integers for chosen layers of a graph, as pairs of quantise and dequantise nodes.

onnxruntime and OpenVINO turn `dequantise, convolve, quantise` into one integer kernel. Weights are signed and have a
step for each output channel, activations are unsigned and have one for the tensor, biases are sums of 32 bits.
A convolution gives integers, and the ReLU6 behind it is what their range cuts off; a matrix product gives floats,
because what follows it (LayerNorm, GELU, softmax) is computed in floats.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from maskwright.models.backends.needs import need
from maskwright.models.quantize.layers import Layer, find_layers
from maskwright.models.quantize.ranges import Observed

if TYPE_CHECKING:
    import onnx

_MOST = 127
# A bias in steps of input times weight has to fit 32 bits, with room for the sum: channels that training let die have
# weights of 0 and a bias.
_MOST_BIAS = 2.0**29
# Nodes that read integers as well as floats; the rest reads what was there before, at no loss.
_READERS = ("Add", "Clip", "Conv", "MatMul", "Relu", "Resize", "Transpose")


@dataclass(slots=True, kw_only=True)
class _Change:
    """The nodes and constants that are being added: `after` a tensor, `before` a node."""

    constants: "list[onnx.TensorProto]" = field(default_factory=list)
    after: "dict[str, list[onnx.NodeProto]]" = field(default_factory=dict)
    before: "dict[str, list[onnx.NodeProto]]" = field(default_factory=dict)
    rounded: dict[str, str] = field(default_factory=dict)


def quantize(model: "onnx.ModelProto", observed: Mapping[str, Observed], chosen: Collection[str]) -> "onnx.ModelProto":
    """Copy a graph with the chosen layers, by name, in 8 bits."""
    onnx = need("onnx", "quantisation")
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    graph = changed.graph
    held = {value.name: value for value in graph.initializer}
    nodes = {node.name: node for node in graph.node}
    change = _Change()
    for layer in find_layers(changed):
        if layer.name in chosen:
            _quantize_layer(change, layer, nodes[layer.node], held, observed)
    for node in graph.node:
        if node.op_type in _READERS:
            node.input[:] = [change.rounded.get(name, name) for name in node.input]
    _put_in_order(graph, change)
    return changed


def _quantize_layer(
    change: _Change,
    layer: Layer,
    node: "onnx.NodeProto",
    held: "Mapping[str, onnx.TensorProto]",
    observed: Mapping[str, Observed],
) -> None:
    onnx = need("onnx", "quantisation")
    to_array = onnx.numpy_helper.to_array
    weight = np.asarray(to_array(held[layer.weight]), np.float32)
    bias = None if layer.bias is None else np.asarray(to_array(held[layer.bias]), np.float32)
    input_step, _ = observed[layer.takes].step()
    axis = layer.channel_axis % weight.ndim
    steps = np.abs(weight).max(axis=tuple(i for i in range(weight.ndim) if i != axis)) / _MOST
    steps = np.maximum(steps, 1e-12)
    if bias is not None:
        steps = np.maximum(steps, np.abs(bias) / (input_step * _MOST_BIAS))
    steps = steps.astype(np.float32)
    shape = [-1 if i == axis else 1 for i in range(weight.ndim)]
    whole = np.clip(np.round(weight / steps.reshape(shape)), -_MOST, _MOST).astype(np.int8)
    key = f"{layer.node}/weight"
    node.input[1] = _constant(change, node, key, whole, steps, axis)
    if bias is not None:
        bias_steps = input_step * steps
        node.input[2] = _constant(
            change, node, f"{layer.node}/bias", np.round(bias / bias_steps).astype(np.int32), bias_steps, 0
        )
    _round(change, layer.takes, observed)
    if layer.kind == "Conv":
        _round(change, layer.gives, observed)


def _constant(
    change: _Change, node: "onnx.NodeProto", key: str, whole: np.ndarray, steps: np.ndarray, axis: int
) -> str:
    """Put integers into the graph, dequantised before a node; give the name of the result."""
    onnx = need("onnx", "quantisation")
    names = [f"{key}/integers", f"{key}/steps", f"{key}/zeros"]
    for name, value in zip(names, (whole, steps.astype(np.float32), np.zeros(len(steps), whole.dtype)), strict=True):
        change.constants.append(onnx.numpy_helper.from_array(value, name))
    made = onnx.helper.make_node("DequantizeLinear", names, [f"{key}/floats"], f"{key}/dequantize", axis=axis)
    change.before.setdefault(node.name, []).append(made)
    return f"{key}/floats"


def _round(change: _Change, name: str, observed: Mapping[str, Observed]) -> None:
    """Round a tensor to 8 bits right after it is made."""
    if name in change.rounded:
        return
    onnx = need("onnx", "quantisation")
    step, zero = observed[name].step()
    constants = [f"{name}/step", f"{name}/zero"]
    for key, value in zip(constants, (np.asarray(step), np.asarray(zero)), strict=True):
        change.constants.append(onnx.numpy_helper.from_array(value, key))
    make = onnx.helper.make_node
    change.after[name] = [
        make("QuantizeLinear", [name, *constants], [f"{name}/integers"], f"{name}/quantize"),
        make("DequantizeLinear", [f"{name}/integers", *constants], [f"{name}/rounded"], f"{name}/dequantize"),
    ]
    change.rounded[name] = f"{name}/rounded"


def _put_in_order(graph: "onnx.GraphProto", change: _Change) -> None:
    onnx = need("onnx", "quantisation")
    ordered = [node for value in graph.input for node in change.after.get(value.name, [])]
    for node in graph.node:
        kept = onnx.NodeProto()
        kept.CopyFrom(node)
        ordered += [*change.before.get(node.name, []), kept]
        ordered += [added for name in node.output for added in change.after.get(name, [])]
    del graph.node[:]
    graph.node.extend(ordered)
    graph.initializer.extend(change.constants)
    drop_unused(graph)


def drop_unused(graph: "onnx.GraphProto") -> None:
    """Drop constants that no node reads."""
    onnx = need("onnx", "quantisation")
    read = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
    kept = []
    for value in graph.initializer:
        if value.name in read:
            kept.append(onnx.TensorProto())
            kept[-1].CopyFrom(value)
    del graph.initializer[:]
    graph.initializer.extend(kept)


__all__ = ["drop_unused", "quantize"]
