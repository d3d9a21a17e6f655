import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from maskwright.models.quantize.layers import find_layers
from maskwright.models.quantize.qdq import quantize
from maskwright.models.quantize.ranges import Observed, observe, open_session, share_outside
from maskwright.models.quantize.scaling import scale_channels
from maskwright.models.quantize.sensitivity import GroupError, group_errors, levels, relative_error
from maskwright.models.quantize.weights_only import shrink_weights

RNG = np.random.default_rng(0)
SHAPE = (1, 3, 16, 16)
UNEQUAL = np.logspace(-2, 1, 8).reshape(8, 1, 1, 1)


@pytest.fixture(scope="module")
def graph():
    """A bottleneck as `tiny` has them, with a shortcut, an output inside the chain, and a dead channel."""
    node = helper.make_node
    weights = {
        "image_encoder.stem.weight": RNG.normal(size=(8, 3, 3, 3)),
        "image_encoder.stem.bias": RNG.normal(size=8),
        "image_encoder.blocks.0.expand.weight": RNG.normal(size=(16, 8, 1, 1)) / 3,
        "image_encoder.blocks.0.expand.bias": RNG.normal(size=16),
        "image_encoder.blocks.0.mix.weight": RNG.normal(size=(16, 1, 3, 3)) / 3,
        "image_encoder.blocks.0.mix.bias": RNG.normal(size=16),
        "image_encoder.blocks.0.project.weight": RNG.normal(size=(8, 16, 1, 1)) * UNEQUAL,
        "image_encoder.blocks.0.project.bias": RNG.normal(size=8),
        "image_encoder.head.weight": RNG.normal(size=(4, 8, 1, 1)),
        "image_encoder.head.bias": RNG.normal(size=4),
        "low": np.array(0.0),
        "high": np.array(6.0),
        "matrix": RNG.normal(size=(16, 16)),
        "image_encoder.out.bias": RNG.normal(size=16),
    }  # fmt: skip
    weights["image_encoder.blocks.0.mix.weight"][3] = 0  # and its bias is not

    def conv(x, name, y, **attributes):
        key = f"image_encoder.{name}"
        return node("Conv", [x, f"{key}.weight", f"{key}.bias"], [y], f"node_{name}", **attributes)

    nodes = [
        conv("images", "stem", "a", pads=[1] * 4),
        conv("a", "blocks.0.expand", "b"),
        node("Clip", ["b", "low", "high"], ["b6"], "cut1"),
        conv("b6", "blocks.0.mix", "c", group=16, pads=[1] * 4),
        node("Clip", ["c", "low", "high"], ["c6"], "cut2"),
        conv("c6", "blocks.0.project", "d"),
        node("Add", ["a", "d"], ["inner"], "shortcut"),
        conv("inner", "head", "e"),
        node("MatMul", ["e", "matrix"], ["f"], "node_product"),
        node("Add", ["f", "image_encoder.out.bias"], ["outer"], "bias"),
    ]
    value = helper.make_tensor_value_info
    made = helper.make_graph(
        nodes,
        "net",
        [value("images", TensorProto.FLOAT, SHAPE)],
        [value("inner", TensorProto.FLOAT, None), value("outer", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(one, np.float32), name) for name, one in weights.items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


@pytest.fixture(scope="module")
def frames():
    return [RNG.normal(size=SHAPE).astype(np.float32) for _ in range(4)]


def outputs(model, frame):
    return open_session(model).run(None, {"images": frame})


def test_layers_have_the_names_of_their_modules(graph):
    assert [layer.name for layer in find_layers(graph)] == [
        "stem", "blocks.0.expand", "blocks.0.mix", "blocks.0.project", "head", "out",
    ]  # fmt: skip
    assert {layer.group for layer in find_layers(graph)} == {"stem", "blocks.0", "head", "out"}


def test_eight_bits_are_close_to_float_and_the_dead_channel_stays_in_range(graph, frames):
    observed = observe(graph, frames)

    whole = quantize(graph, observed, {layer.name for layer in find_layers(graph)})

    error = relative_error(outputs(whole, frames[0]), outputs(graph, frames[0]))
    assert 0 < error < 0.05
    assert sum(node.op_type == "QuantizeLinear" for node in whole.graph.node) >= 6
    assert "image_encoder.stem.weight" not in {value.name for value in whole.graph.initializer}


def test_layers_that_are_not_chosen_stay_as_they_are(graph, frames):
    same = quantize(graph, observe(graph, frames[:1]), set())

    assert relative_error(outputs(same, frames[0]), outputs(graph, frames[0])) == 0


def test_scaling_channels_changes_no_output(graph, frames):
    scaled = scale_channels(graph, observe(graph, frames))

    assert "inner/unscale" in {node.name for node in scaled.graph.node} or "inner/scale" in {
        value.name for value in scaled.graph.initializer
    }
    for before, after in zip(outputs(graph, frames[0]), outputs(scaled, frames[0]), strict=True):
        np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("kind", "most"), [("int8", 0.02), ("fp16", 1e-3)])
def test_small_weights_compute_nearly_the_same(graph, frames, kind, most):
    large = onnx.ModelProto()
    large.CopyFrom(graph)
    wide = RNG.normal(size=(16, 512)).astype(np.float32)
    large.graph.initializer.append(numpy_helper.from_array(wide, "wide"))
    large.graph.node.append(helper.make_node("MatMul", ["outer", "wide"], ["wider"], "node_wide"))
    large.graph.output.append(helper.make_empty_tensor_value_info("wider"))

    small = shrink_weights(large, kind)

    assert small.ByteSize() < 0.8 * large.ByteSize()
    assert relative_error(outputs(small, frames[0]), outputs(large, frames[0])) < most


def test_the_group_with_the_largest_error_is_left_in_float_first(graph, frames):
    errors = list(group_errors(graph, observe(graph, frames), frames[:1]))

    found = levels(errors)

    assert found[0].kept == ()
    assert found[1].kept[0].error == max(one.error for one in errors)
    assert set(found[1].chosen).isdisjoint(found[1].kept[0].layers)


def test_levels_leave_less_and_less_error():
    errors = [GroupError(group=str(i), layers=(str(i),), error=0.5**i) for i in range(12)]

    left = [one.left for one in levels(errors)]

    assert left == sorted(left, reverse=True)
    assert left[0] == 1


def test_an_outlier_does_not_take_the_steps_of_all_others():
    sample = np.concatenate([RNG.normal(size=200_000), [40.0]]).astype(np.float32)
    one = Observed(low=float(sample.min()), high=40.0, channel_most=np.ones(1), sample=[sample])

    step, _ = one.step()

    assert step * 255 < 35


def test_values_beyond_the_calibration_are_counted(graph, frames):
    observed = observe(graph, frames)

    assert share_outside(observed, observe(graph, frames[:1])) == 0
    assert share_outside(observed, observe(graph, [10 * frames[0]])) > 0.1


def test_scaling_takes_the_outliers_of_a_vit_out_of_eight_bits():
    """LayerNorm and what reads it, with three channels sixty times as large as the others, as large ViTs have them."""
    rng, (width, hidden) = np.random.default_rng(1), (32, 128)
    size = np.ones(width)
    size[[3, 11, 20]] = 60
    weights = {
        "norm.weight": size * rng.uniform(0.8, 1.2, width),
        "norm.bias": size * rng.normal(size=width) / 4,
        "lin1": rng.normal(size=(width, hidden)) / size[:, None] / width**0.5,
        "image_encoder.lin1.bias": rng.normal(size=hidden) / 4,
        "lin2": rng.normal(size=(hidden, width)) / hidden**0.5,
    }
    nodes = [
        helper.make_node("LayerNormalization", ["images", "norm.weight", "norm.bias"], ["normed"], "norm"),
        helper.make_node("MatMul", ["normed", "lin1"], ["wide"], "lin1"),
        helper.make_node("Add", ["wide", "image_encoder.lin1.bias"], ["added"], "bias"),
        helper.make_node("Gelu", ["added"], ["active"], "gelu"),
        helper.make_node("MatMul", ["active", "lin2"], ["out"], "lin2"),
    ]
    value = helper.make_tensor_value_info
    held = [numpy_helper.from_array(one.astype(np.float32), name) for name, one in weights.items()]
    shape = (1, 3, width, width)
    ports = value("images", TensorProto.FLOAT, shape), value("out", TensorProto.FLOAT, shape)
    made = helper.make_graph(nodes, "block", [ports[0]], [ports[1]], held)
    vit = helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    seen = [rng.normal(size=shape).astype(np.float32) for _ in range(4)]
    expected = outputs(vit, seen[0])

    scaled = scale_channels(vit, observe(vit, seen))

    np.testing.assert_allclose(outputs(scaled, seen[0])[0], expected[0], rtol=1e-4, atol=1e-5)
    plain_error, scaled_error = (
        relative_error(outputs(in_eight_bits(graph, seen), seen[0]), expected) for graph in (vit, scaled)
    )
    assert scaled_error < plain_error / 10


def in_eight_bits(graph, seen):
    return quantize(graph, observe(graph, seen), {layer.name for layer in find_layers(graph)})
