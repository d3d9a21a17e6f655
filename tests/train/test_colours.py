import pytest
import torch

from maskwright.models.tiny.vocabulary import COLOURS, WORDS
from maskwright.train.colours import name_colours, pixel_colours

PLAIN = {
    "red": (0.8, 0.05, 0.05), "orange": (0.95, 0.5, 0.05), "yellow": (0.95, 0.9, 0.1), "green": (0.1, 0.6, 0.15),
    "blue": (0.1, 0.2, 0.8), "purple": (0.5, 0.1, 0.7), "pink": (0.95, 0.6, 0.65), "brown": (0.4, 0.22, 0.1),
    "white": (0.95, 0.95, 0.95), "gray": (0.5, 0.5, 0.5), "black": (0.03, 0.03, 0.03),
}  # fmt: skip


@pytest.mark.parametrize("colour", PLAIN)
def test_a_plain_colour_has_its_name(colour: str) -> None:
    pixel = torch.tensor(PLAIN[colour])[None, :, None, None]

    assert COLOURS[int(pixel_colours(pixel))] == colour


def test_an_object_has_the_colour_of_its_pixels_and_two_coloured_ones_have_none() -> None:
    picture = torch.zeros(1, 3, 64, 64)
    picture[0, 0, :, :32] = 0.8
    picture[0, 2, :, 32:] = 0.8
    visible = torch.zeros(1, 3, 32, 32)
    visible[0, 0, :, 2:14] = 1
    visible[0, 1, :, 18:30] = 1
    visible[0, 2, :, 8:24] = 1

    named = name_colours(picture, visible)

    assert named[0].tolist() == [WORDS.index("red"), WORDS.index("blue"), -1]
