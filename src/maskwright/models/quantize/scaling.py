"""SmoothQuant's scaling: what has large channels gives some of their size to the weights that read them.

Source: Xiao et al., "SmoothQuant" (2022), whose scales move from LayerNorm into the matrix products behind it. Here the
tensors may also be sums of convolutions, the shortcuts of `tiny`'s linear bottlenecks: one scale for a whole chain.
Whoever makes a tensor divides by the scale, whoever reads it multiplies, so the graph computes what it did; readers
that are no layers get a multiplication of their own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from maskwright.models.backends.needs import need
from maskwright.models.quantize.layers import is_cut
from maskwright.models.quantize.qdq import drop_unused
from maskwright.models.quantize.ranges import Observed

if TYPE_CHECKING:
    import onnx

_STRENGTH = 0.5  # of the paper: half of the difference goes to the weights
_MOST_SCALE = 32.0


@dataclass(slots=True, kw_only=True)
class _Chain:
    """Tensors of one set of channels, which sums tie together: who makes them, which layers read them, who else."""

    tensors: list[str]
    makers: "list[onnx.NodeProto]" = field(default_factory=list)
    layers: "list[onnx.NodeProto]" = field(default_factory=list)
    others: "list[tuple[str, onnx.NodeProto | None]]" = field(default_factory=list)


def scale_channels(model: "onnx.ModelProto", observed: Mapping[str, Observed]) -> "onnx.ModelProto":
    """Copy a graph with the channels of its linear chains scaled; it computes the same."""
    onnx = need("onnx", "quantisation")
    scaled = onnx.ModelProto()
    scaled.CopyFrom(model)
    graph = scaled.graph
    weights = {value.name: onnx.numpy_helper.to_array(value) for value in graph.initializer}
    added: dict[str, list[Any]] = {}
    for chain in _chains(graph, weights):
        scale = _scale(chain, weights, observed)
        if scale is not None:
            _apply(graph, chain, scale, weights, added)
    ordered = []
    for node in graph.node:
        ordered += [_copied(node), *(_copied(one) for one in added.get(node.name, []))]
    del graph.node[:]
    graph.node.extend(ordered)
    drop_unused(graph)
    return scaled


def _chains(graph: "onnx.GraphProto", weights: Mapping[str, np.ndarray]) -> list[_Chain]:
    chain_of: dict[str, _Chain] = {}
    for node in graph.node:
        if _makes(node, weights):
            chain_of[node.output[0]] = _Chain(tensors=[node.output[0]], makers=[node])
        elif node.op_type == "Add" and all(name in chain_of for name in node.input):
            first, second = (chain_of[name] for name in node.input)
            if first is not second:
                first.tensors += second.tensors
                first.makers += second.makers
                for name in second.tensors:
                    chain_of[name] = first
            first.tensors.append(node.output[0])
            chain_of[node.output[0]] = first
    chains = list({id(chain): chain for chain in chain_of.values()}.values())
    outputs = {value.name for value in graph.output}
    for chain in chains:
        chain.others += [(name, None) for name in chain.tensors if name in outputs]
    for node in graph.node:
        for position, name in enumerate(node.input):
            chain = chain_of.get(name)
            if chain is None or (node.op_type == "Add" and node.output[0] in chain.tensors):
                continue
            if position == 0 and _reads(node, weights):
                chain.layers.append(node)
            else:
                chain.others.append((name, node))
    return [chain for chain in chains if _can_be_scaled(chain, weights)]


def _makes(node: "onnx.NodeProto", weights: Mapping[str, np.ndarray]) -> bool:
    if node.op_type == "Conv":
        return node.input[1] in weights
    return node.op_type == "LayerNormalization" and all(name in weights for name in node.input[1:3])


def _reads(node: "onnx.NodeProto", weights: Mapping[str, np.ndarray]) -> bool:
    """Whether it is a layer that mixes channels; a depthwise convolution does not."""
    if node.op_type not in ("Conv", "MatMul") or node.input[1] not in weights:
        return False
    return all(attribute.i == 1 for attribute in node.attribute if attribute.name == "group")


def _can_be_scaled(chain: _Chain, weights: Mapping[str, np.ndarray]) -> bool:
    widths = {len(weights[node.input[1]]) for node in chain.makers}
    is_cut_off = any(node is not None and is_cut(node) for _, node in chain.others)  # at a number of its own
    return bool(chain.layers) and len(widths) == 1 and not is_cut_off


def _scale(
    chain: _Chain, weights: Mapping[str, np.ndarray], observed: Mapping[str, Observed]
) -> Float[np.ndarray, " C"] | None:
    channels = len(weights[chain.makers[0].input[1]])
    most = [observed[node.input[0]].channel_most for node in chain.layers if node.input[0] in observed]
    most = [one for one in most if len(one) == channels]
    if not most:
        return None
    values = np.maximum(np.max(most, axis=0), 1e-5)
    columns = np.maximum(np.max([_by_input(node, weights) for node in chain.layers], axis=0), 1e-5)
    scale = values**_STRENGTH / columns ** (1 - _STRENGTH)
    scale /= np.exp(np.log(scale).mean())
    return scale.clip(1 / _MOST_SCALE, _MOST_SCALE).astype(np.float32)


def _by_input(node: "onnx.NodeProto", weights: Mapping[str, np.ndarray]) -> Float[np.ndarray, " C"]:
    weight = np.abs(weights[node.input[1]])
    return weight.max(axis=(0, 2, 3)) if node.op_type == "Conv" else weight.max(axis=1)


def _apply(
    graph: "onnx.GraphProto",
    chain: _Chain,
    scale: Float[np.ndarray, " C"],
    weights: dict[str, np.ndarray],
    added: "dict[str, list[onnx.NodeProto]]",
) -> None:
    for node in chain.makers:
        for position in range(1, min(3, len(node.input))):
            weight = weights[node.input[position]]
            node.input[position] = _held(graph, weights, f"{node.name}/{position}", weight / _along(scale, weight.ndim))
    for node in chain.layers:
        weight = weights[node.input[1]]
        wide = scale.reshape(1, -1, 1, 1) if node.op_type == "Conv" else scale[:, None]
        node.input[1] = _held(graph, weights, f"{node.name}/1", weight * wide)
    for name, readers in _by_tensor(chain.others).items():
        _undo(graph, chain, name, readers, scale, weights, added)


def _undo(
    graph: "onnx.GraphProto",
    chain: _Chain,
    name: str,
    readers: "Sequence[onnx.NodeProto | None]",
    scale: Float[np.ndarray, " C"],
    weights: dict[str, np.ndarray],
    added: "dict[str, list[onnx.NodeProto]]",
) -> None:
    """Multiply a tensor for those who want it as it was; a graph's output keeps its name."""
    onnx = need("onnx", "quantisation")
    maker = next(node for node in graph.node if name in node.output)
    is_convolved = any(node.op_type == "Conv" for node in chain.makers)
    factor = _held(graph, weights, f"{name}/scale", scale.reshape(1, -1, 1, 1) if is_convolved else scale)
    scaled, plain = name, f"{name}/unscaled"
    if None in readers:
        scaled, plain = f"{name}/scaled", name
        maker.output[list(maker.output).index(name)] = scaled
    wanting = {node.name for node in readers if node is not None}
    for node in graph.node:
        wanted = plain if node.name in wanting else scaled
        node.input[:] = [wanted if one == name else one for one in node.input]
    added.setdefault(maker.name, []).append(onnx.helper.make_node("Mul", [scaled, factor], [plain], f"{name}/unscale"))


def _held(graph: "onnx.GraphProto", weights: dict[str, np.ndarray], key: str, value: np.ndarray) -> str:
    onnx = need("onnx", "quantisation")
    weights[key] = np.asarray(value, np.float32)
    graph.initializer.append(onnx.numpy_helper.from_array(weights[key], key))
    return key


def _along(scale: Float[np.ndarray, " C"], num_axes: int) -> np.ndarray:
    return scale.reshape(-1, *[1] * (num_axes - 1))


def _by_tensor(others: "Sequence[tuple[str, onnx.NodeProto | None]]") -> "dict[str, list[onnx.NodeProto | None]]":
    found: dict[str, list[onnx.NodeProto | None]] = {}
    for name, node in others:
        found.setdefault(name, []).append(node)
    return found


def _copied(node: "onnx.NodeProto") -> "onnx.NodeProto":
    onnx = need("onnx", "quantisation")
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    return copy


__all__ = ["scale_channels"]
