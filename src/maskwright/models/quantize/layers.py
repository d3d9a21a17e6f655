"""The layers of a graph that hold weights: convolutions and matrix products, named after the modules they came from."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

_ROOTS = ("image_encoder.", "model.", "module.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer: its node, the tensors that it takes and gives, and its weights.

    `gives` is behind the ReLU6 or ReLU that follows it and nothing else, which 8 bits of that range take the place of.
    """

    name: str
    node: str
    kind: str
    takes: str
    gives: str
    weight: str
    bias: str | None

    @property
    def group(self) -> str:
        """The block that it is part of: what is kept in float together."""
        return self.name.rpartition(".")[0] or self.name

    @property
    def channel_axis(self) -> int:
        """The axis of the weights that runs over what it gives."""
        return 0 if self.kind == "Conv" else -1


def find_layers(model: "onnx.ModelProto") -> list[Layer]:
    """List the layers of a graph, in order."""
    graph = model.graph
    held = {value.name for value in graph.initializer}
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    outputs = {value.name for value in graph.output}
    found = []
    for node in graph.node:
        if node.op_type not in ("Conv", "MatMul") or node.input[1] not in held:
            continue
        given = node.output[0]
        after = readers.get(given, [])
        is_cut_off = node.op_type == "Conv" and len(after) == 1 and given not in outputs and is_cut(after[0])
        bias = node.input[2] if len(node.input) > 2 else None
        found.append(
            Layer(
                name=_name(node, bias or _added(after, held)),
                node=node.name,
                kind=node.op_type,
                takes=node.input[0],
                gives=after[0].output[0] if is_cut_off else given,
                weight=node.input[1],
                bias=bias,
            )
        )
    return found


def is_cut(node: "onnx.NodeProto") -> bool:
    """Whether a node cuts its input off below zero."""
    return node.op_type in ("Clip", "Relu")


def _added(after: "list[onnx.NodeProto]", held: set[str]) -> str | None:
    """The bias that is added to a matrix product: its name still tells the module, the transposed weight's does not."""
    if len(after) != 1 or after[0].op_type != "Add":
        return None
    return next((name for name in after[0].input if name in held), None)


def _name(node: "onnx.NodeProto", bias: str | None) -> str:
    for parameter, ending in ((node.input[1], ".weight"), (bias or "", ".bias")):
        if parameter.endswith(ending):
            name = parameter.removesuffix(ending).rpartition("/")[2]
            return next((name.split(root, 1)[1] for root in _ROOTS if root in name), name)
    return node.name.rpartition("/")[2]


__all__ = ["Layer", "find_layers", "is_cut"]
