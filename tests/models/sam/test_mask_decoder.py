import pytest
import torch
from torch import nn

from maskwright.models.sam.mask_decoder import MaskDecoder, to_cells, to_picture, transposed_conv
from maskwright.nn.two_way import TwoWayTransformer


@pytest.fixture
def decoder():
    torch.manual_seed(0)
    transformer = TwoWayTransformer(depth=1, width=32, num_heads=4, mlp_width=32)
    return MaskDecoder(transformer=transformer, width=32, iou_head_hidden=16).eval()


def test_transposed_convolutions_on_cells_equal_torch_on_pictures():
    torch.manual_seed(0)
    first, second = nn.ConvTranspose2d(8, 6, 2, stride=2), nn.ConvTranspose2d(6, 4, 2, stride=2)
    picture = torch.randn(2, 8, 5, 5)

    pixels = transposed_conv(transposed_conv(picture.flatten(2).transpose(1, 2), first), second)

    expected = second(first(picture))
    for channel in range(4):
        torch.testing.assert_close(to_picture(pixels[..., channel]), expected[:, channel])


def test_upscaling_equals_the_published_layers(decoder):
    cells = torch.randn(2, 36, 32)

    pixels = decoder.upscale(cells)

    expected = decoder.output_upscaling(cells.transpose(1, 2).view(2, 32, 6, 6))
    torch.testing.assert_close(to_picture(pixels[..., 1]), expected[:, 1])


def test_drawing_some_masks_equals_drawing_all_and_taking_some(decoder):
    decoding = decoder.run(torch.randn(1, 36, 32), torch.randn(36, 32), torch.randn(5, 2, 32))
    prompts, candidates = torch.arange(5).repeat_interleave(4), torch.arange(4).repeat(5)

    everything = decoder.draw(decoding, prompts, candidates).view(5, 4, 24, 24)
    some = decoder.draw(decoding, torch.tensor([3, 1, 3]), torch.tensor([2, 0, 1]))

    torch.testing.assert_close(some, everything[[3, 1, 3], [2, 0, 1]])
    torch.testing.assert_close(decoder.draw_all(decoding), everything)


def test_finer_maps_are_added_where_they_lie_in_the_picture(decoder):
    cells, skip8, skip4 = torch.randn(2, 36, 32), torch.randn(1, 8, 12, 12), torch.randn(1, 4, 24, 24)

    pixels = decoder.upscale(cells, to_cells(skip8, skip4))

    first, norm, act, second, _ = decoder.output_upscaling
    picture = act(norm(first(cells.transpose(1, 2).view(2, 32, 6, 6)) + skip8))
    expected = act(second(picture) + skip4)
    for channel in range(4):
        torch.testing.assert_close(to_picture(pixels[..., channel]), expected[:, channel])
