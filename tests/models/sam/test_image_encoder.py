import pytest
import torch
import torch.nn.functional as F

from maskwright.models.sam.image_encoder import GridAttention, PatchEmbed, ViTEncoder
from maskwright.nn.attention import relative_positions


def padded_window_attention(layer: GridAttention, x):
    """Windowed attention as published: pad the tokens, project all of them, attend densely, cut the padding off."""
    B, h, w, D = x.shape
    side = layer.window
    x = F.pad(x, (0, 0, 0, -w % side, 0, -h % side))
    H, W = x.shape[1:3]
    windows = x.view(B, H // side, side, W // side, side, D).transpose(2, 3).reshape(-1, side * side, D)
    q, k, v = layer.qkv(windows).unflatten(-1, (3, layer.num_heads, -1)).permute(2, 0, 3, 1, 4)
    grid_q = q.unflatten(2, (side, side))
    rows = torch.einsum("bnhwc,hkc->bnhwk", grid_q, relative_positions(layer.rel_pos_h, side))
    columns = torch.einsum("bnhwc,wkc->bnhwk", grid_q, relative_positions(layer.rel_pos_w, side))
    bias = (rows[..., :, None] + columns[..., None, :]).flatten(-2).flatten(2, 3)
    scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5 + bias
    out = (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)
    out = out.view(B, H // side, W // side, side, side, D).transpose(2, 3).reshape(B, H, W, D)[:, :h, :w]
    return layer.proj(out)


@pytest.mark.parametrize("grid_hw", [(8, 8), (7, 9), (4, 12), (3, 2)])
def test_windows_without_projected_padding_equal_the_padded_form(grid_hw):
    torch.manual_seed(0)
    layer = GridAttention(16, 2, grid=8, window=4).double()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    x = torch.randn(2, *grid_hw, 16).double()

    with torch.no_grad():
        torch.testing.assert_close(layer(x), padded_window_attention(layer, x))


def test_the_encoder_gives_the_same_with_and_without_gradients():
    torch.manual_seed(0)
    encoder = ViTEncoder(side=96, width=16, depth=3, num_heads=2, global_blocks=(1,), window=4, out_channels=8).eval()
    for parameter in encoder.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    pixels = torch.randn(2, 3, 96, 96)

    with_gradients, tokens = encoder(pixels)
    with torch.no_grad():
        without, tokens_without = encoder(pixels)

    assert with_gradients.requires_grad
    torch.testing.assert_close(with_gradients, without)
    torch.testing.assert_close(tokens, tokens_without)


def test_patches_by_a_product_equal_the_convolution():
    torch.manual_seed(0)
    embed = PatchEmbed(4, 8).double()
    pixels = torch.randn(2, 3, 12, 12).double()

    torch.testing.assert_close(embed.as_product(pixels), embed(pixels))
