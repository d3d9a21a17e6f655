import itertools

import pytest
import torch
import torch.nn.functional as F

from maskwright.models.mobile_sam import tiny_vit
from maskwright.models.mobile_sam.tiny_vit import ConvNorm, MBConv, Perceptron, WindowAttention, window_offsets


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def shaken(module):
    """Random norms and statistics, so that folding has something to fold."""
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            torch.nn.init.normal_(tensor, std=0.3)
        if name.endswith(("running_var", "bn.weight")):
            tensor.abs_().add_(0.5)
    return module.double().eval()


def attention_with_padding(layer, x):
    """Windowed attention as published: pad the tokens with zeros, then norm, project and attend with dense biases."""
    B, h, w, C = x.shape
    side, heads = layer.window_side, layer.num_heads
    x = F.pad(x, (0, 0, 0, -w % side, 0, -h % side))
    H, W = x.shape[1:3]
    windows = x.view(B, H // side, side, W // side, side, C).transpose(2, 3).reshape(-1, side * side, C)
    qkv = layer.qkv(layer.norm(windows)).view(len(windows), side * side, heads, -1)
    q, k, v = (part.transpose(1, 2) for part in qkv.split(C // heads, dim=3))
    scores = q @ k.transpose(-2, -1) * (C // heads) ** -0.5 + layer.attention_biases[:, window_offsets(side)]
    out = (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)
    out = layer.proj(out).view(B, H // side, W // side, side, side, C).transpose(2, 3).reshape(B, H, W, C)
    return out[:, :h, :w]


@pytest.mark.parametrize("grid_hw", [(6, 6), (7, 8), (3, 9), (2, 2)])
def test_padding_attends_as_padding_of_zeros_before_the_norm(grid_hw):
    layer = shaken(WindowAttention(12, 3, 3))
    x = torch.randn(2, *grid_hw, 12).double()

    with torch.no_grad():
        torch.testing.assert_close(layer(x), attention_with_padding(layer, x))


def test_biases_are_numbered_as_distances_are_first_met():
    side, numbers, expected = 4, {}, []
    cells = list(itertools.product(range(side), range(side)))
    for (y1, x1), (y2, x2) in itertools.product(cells, cells):
        expected.append(numbers.setdefault((abs(y1 - y2), abs(x1 - x2)), len(numbers)))

    assert window_offsets(side).flatten().tolist() == expected


def test_a_folded_norm_equals_the_convolution_and_the_norm():
    layer = shaken(ConvNorm(4, 6, 3, stride=2))
    x = torch.randn(2, 4, 9, 9).double()

    with torch.no_grad():
        torch.testing.assert_close(layer(x), layer.bn(layer.c(x)))


def test_weights_loaded_in_eval_mode_take_effect():
    layer = shaken(ConvNorm(4, 6))
    x = torch.randn(1, 4, 3, 3).double()
    before = layer(x)

    layer.load_state_dict(shaken(ConvNorm(4, 6)).state_dict())

    assert not torch.allclose(layer(x), before)
    torch.testing.assert_close(layer(x), layer.bn(layer.c(x)))


@pytest.mark.parametrize("strip_floats", [1, 700, 1 << 20])
def test_strips_of_any_height_give_the_same(monkeypatch, strip_floats):
    mixer, perceptron = shaken(MBConv(4)), shaken(Perceptron(4, 16))
    x = torch.randn(2, 4, 21, 10).double()
    tokens = torch.randn(2, 13, 11, 4).double()

    def whole(x):
        hidden = F.gelu(mixer.conv2(F.gelu(mixer.conv1(x))))
        return F.gelu(mixer.conv3(hidden) + x)

    monkeypatch.setattr(tiny_vit, "_STRIP_FLOATS", strip_floats)

    with torch.no_grad():
        torch.testing.assert_close(mixer(x), whole(x))
        expected = tokens + perceptron.fc2(F.gelu(perceptron.fc1(perceptron.norm(tokens))))
        torch.testing.assert_close(perceptron(tokens), expected)


def test_training_uses_batch_statistics_and_reaches_every_parameter():
    config = tiny_vit.TinyViTConfig(
        side=64, widths=(8, 16, 16, 32), depths=(1, 1, 1, 1), num_heads=(1, 2, 2, 4), out_channels=8, num_classes=3
    )
    encoder = config.build().train()

    embedding, early = encoder(torch.randn(2, 3, 64, 64))
    (embedding.square().sum() + early.square().sum()).backward()

    without = {name for name, parameter in encoder.named_parameters() if parameter.grad is None}
    assert without == {"norm_head.weight", "norm_head.bias", "head.weight", "head.bias"}
    assert encoder.patch_embed.seq[0].bn.num_batches_tracked == 1


def test_gradients_in_eval_mode_equal_those_of_the_unfolded_form():
    layer = shaken(MBConv(4))
    x = torch.randn(1, 4, 9, 9).double()

    layer(x).sum().backward()
    folded = {name: parameter.grad.clone() for name, parameter in layer.named_parameters()}
    layer.zero_grad()
    hidden = F.gelu(layer.conv2.bn(layer.conv2.c(F.gelu(layer.conv1.bn(layer.conv1.c(x))))))
    F.gelu(layer.conv3.bn(layer.conv3.c(hidden)) + x).sum().backward()

    for name, parameter in layer.named_parameters():
        torch.testing.assert_close(folded[name], parameter.grad)
