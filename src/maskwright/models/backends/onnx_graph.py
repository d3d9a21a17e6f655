"""ONNX graphs of a model's parts: written from PyTorch, joined into one, and cut out of it again.

One file holds all parts as one graph that runs from end to end: images and prompts go in, masks come out, under the
names of Segment Anything's export. The decoder reads the encoder's outputs inside the graph; whoever has features
already cuts it there (`cut`, or `onnx.utils.extract_model` with the names of the manifest). Parts that masks do not
need (corrections, words) lie in the graph beside the rest, where only cutting finds them.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from maskwright.core.errors import ModelError, SettingError
from maskwright.models.backends.manifest import Part, Port
from maskwright.models.backends.needs import need
from maskwright.models.backends.parts import ByPosition, NetworkPart
from maskwright.models.backends.quiet import quietly

if TYPE_CHECKING:
    import onnx

OPSET, LEAST_OPSET, _MOST_OPSET = 20, 18, 23
LARGE = 1_900_000_000  # bytes of weights: a file of protobuf holds 2 GiB
_WHAT = "writing ONNX"


def check_opset(opset: int) -> int:
    """Check that this torch and this onnxruntime know an opset.

    Raises:
        SettingError: one of them does not.
    """
    most = min(need("onnx.defs", _WHAT).onnx_opset_version(), _MOST_OPSET)
    if not LEAST_OPSET <= opset <= most:
        raise SettingError(
            f"opset must be {LEAST_OPSET} to {most} with the packages installed here, got {opset}. "
            f"Leave it out for {OPSET}"
        )
    return opset


def write_part(part: NetworkPart, opset: int) -> "onnx.ModelProto":
    """Write one part as a graph whose names are those of its ports."""
    return _program(part, opset).model_proto


def save_part(part: NetworkPart, opset: int, path: Path) -> None:
    """The same into a file; weights of more than an ONNX file holds go beside it."""
    weights = sum(x.numel() * x.element_size() for x in part.module.state_dict().values())
    _program(part, opset).save(path, external_data=weights > LARGE)


def _program(part: NetworkPart, opset: int) -> Any:
    need("onnx", _WHAT)
    need("onnxscript", _WHAT)
    dynamic = tuple(
        {axis: torch.export.Dim.DYNAMIC for axis, size in enumerate(port.shape) if isinstance(size, str)}
        for port in part.ports.inputs
    )
    with quietly(), torch.no_grad():
        program: Any = torch.onnx.export(
            ByPosition(part.module).eval(),
            part.examples,
            dynamo=True,
            verbose=False,
            input_names=[port.name for port in part.ports.inputs],
            output_names=[port.name for port in part.ports.outputs],
            dynamic_shapes=(dynamic,),
            opset_version=opset,
        )
    if program is None:
        raise ModelError(f"torch wrote no graph of the {part.name}. Try another --opset")
    for node in program.model.graph:
        node.metadata_props.clear()  # where in whose sources it came from
        node.doc_string = None
    return program


def join(graphs: Mapping[str, "onnx.ModelProto"], parts: Mapping[str, Part], side: int) -> "onnx.ModelProto":
    """Join parts into one graph: from images and prompts to masks of the size that `orig_im_size` says."""
    onnx = need("onnx", _WHAT)
    model = onnx.ModelProto()
    model.CopyFrom(next(iter(graphs.values())))
    model.ClearField("graph")
    del model.metadata_props[:]
    graph = model.graph
    graph.name = "maskwright"
    for name, one in graphs.items():
        _take_in(graph, one.graph, name, {port.name for port in (*parts[name].inputs, *parts[name].outputs)})
    _upscale(graph, side)
    made = {output for node in graph.node for output in node.output} | {value.name for value in graph.initializer}
    for port in parts["decoder"].inputs:
        if port.name not in made:
            graph.input.append(value_info(port))
    graph.input.insert(0, value_info(parts["encoder"].inputs[0]))
    graph.input.append(value_info(_ORIG))
    masks = (_FULL, *reversed(parts["decoder"].outputs))
    graph.output.extend(value_info(port) for port in masks)
    named = {value.name for value in (*graph.input, *graph.output)}
    ports = {port.name: port for part in parts.values() for port in (*part.inputs, *part.outputs)}
    for name in ports.keys() - named:
        graph.value_info.append(value_info(ports[name]))
    known = made | named
    for name in ports.keys() - known:  # what only a cut part takes
        nothing = np.zeros(ports[name].sized({}), ports[name].dtype)
        graph.initializer.append(onnx.numpy_helper.from_array(nothing, name))
    return model


def cut(model: "onnx.ModelProto", inputs: Sequence[Port], outputs: Sequence[Port]) -> "onnx.ModelProto":
    """Cut out what leads from inputs to outputs; inputs may lie anywhere within the graph.

    Raises:
        ModelError: an output is not there, or cannot be reached from the inputs.
    """
    onnx = need("onnx", "reading ONNX")
    maker = {output: i for i, node in enumerate(model.graph.node) for output in node.output}
    held = {value.name: value for value in model.graph.initializer}
    stop = {port.name for port in inputs}
    wanted, nodes, kept = [port.name for port in outputs], set[int](), set[str]()
    while wanted:
        name = wanted.pop()
        if name in stop or not name:
            continue
        if name in maker:
            if maker[name] not in nodes:
                nodes.add(maker[name])
                wanted.extend(_reads(model.graph.node[maker[name]]))
        elif name in held:
            kept.add(name)
        else:
            raise ModelError(f"the graph has no {name}, which its manifest names. Export the model again")
    found = onnx.ModelProto(ir_version=model.ir_version, functions=model.functions)
    found.opset_import.extend(model.opset_import)
    graph = found.graph
    graph.name = outputs[0].name
    graph.node.extend(model.graph.node[i] for i in sorted(nodes))
    graph.initializer.extend(held[name] for name in held if name in kept)
    graph.input.extend(value_info(port) for port in inputs)
    graph.output.extend(value_info(port) for port in outputs)
    return found


def value_info(port: Port) -> "onnx.ValueInfoProto":
    """Describe a port as ONNX does."""
    onnx = need("onnx", _WHAT)
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(port.dtype))
    return onnx.helper.make_tensor_value_info(port.name, kind, list(port.shape))


def _take_in(graph: "onnx.GraphProto", part: "onnx.GraphProto", prefix: str, public: set[str]) -> None:
    """Put a part's nodes and weights into a graph, their names under the part's unless they are ports."""
    own = {output for node in part.node for output in node.output} | {value.name for value in part.initializer}

    def renamed(name: str) -> str:
        return f"{prefix}/{name}" if name in own - public else name

    for node in part.node:
        one = graph.node.add()
        one.CopyFrom(node)
        one.name = f"{prefix}/{node.name}"
        one.input[:] = [renamed(name) for name in node.input]
        one.output[:] = [renamed(name) for name in node.output]
    for value in part.initializer:
        graph.initializer.add().CopyFrom(value)
        graph.initializer[-1].name = renamed(value.name)


_ORIG = Port(name="orig_im_size", dtype="float32", shape=(2,))
_FULL = Port(name="masks", dtype="float32", shape=("num_prompts", "num_candidates", "height", "width"))


def _upscale(graph: "onnx.GraphProto", side: int) -> None:
    """Draw the low-resolution logits at the size of the image, as SAM defines it: enlarge, crop the padding, resize."""
    onnx = need("onnx", _WHAT)
    node, array = onnx.helper.make_node, onnx.numpy_helper.from_array
    constants = {
        "side": np.float32(side),
        "half": np.float32(0.5),
        "one": np.array([1], np.int64),
        "first_two": np.array([0, 0], np.int64),
        "last_axes": np.array([2, 3], np.int64),
        "square": np.array([side, side], np.int64),
        "first": np.array([0], np.int64),
        "two": np.array([2], np.int64),
    }
    for name, value in constants.items():
        graph.initializer.append(array(np.asarray(value), f"masks/{name}"))
    resize = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    steps = (
        ("ReduceMax", ["orig_im_size"], "longest", {"keepdims": 0}),
        ("Div", ["masks/side", "masks/longest"], "scale", {}),
        ("Mul", ["orig_im_size", "masks/scale"], "scaled", {}),
        ("Add", ["masks/scaled", "masks/half"], "shifted", {}),
        ("Floor", ["masks/shifted"], "floored", {}),
        ("Cast", ["masks/floored"], "whole", {"to": onnx.TensorProto.INT64}),
        ("Max", ["masks/whole", "masks/one"], "input_hw", {}),
        ("Cast", ["orig_im_size"], "size_hw", {"to": onnx.TensorProto.INT64}),
        ("Shape", ["low_res_masks"], "shape", {}),
        ("Slice", ["masks/shape", "masks/first", "masks/two"], "lead", {}),
        ("Concat", ["masks/lead", "masks/square"], "square_shape", {"axis": 0}),
        ("Concat", ["masks/lead", "masks/size_hw"], "full_shape", {"axis": 0}),
        ("Resize", ["low_res_masks", "", "", "masks/square_shape"], "enlarged", resize),
        ("Slice", ["masks/enlarged", "masks/first_two", "masks/input_hw", "masks/last_axes"], "cropped", {}),
    )
    for kind, inputs, output, attributes in steps:
        graph.node.append(node(kind, inputs, [f"masks/{output}"], f"masks/{output}", **attributes))
    graph.node.append(node("Resize", ["masks/cropped", "", "", "masks/full_shape"], ["masks"], "masks/masks", **resize))


def _reads(node: "onnx.NodeProto") -> Iterable[str]:
    """All values that a node reads, those of graphs within it included."""
    yield from node.input
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            own = {output for inner in graph.node for output in inner.output}
            own |= {value.name for value in (*graph.input, *graph.initializer)}
            yield from (name for inner in graph.node for name in _reads(inner) if name not in own)


__all__ = ["LARGE", "LEAST_OPSET", "OPSET", "check_opset", "cut", "join", "save_part", "value_info", "write_part"]
