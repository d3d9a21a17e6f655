import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.models.tiny.vocabulary import COLOURS
from maskwright.train.tabletop.colours import COLOUR_NAMES, draw_colour, name_colour, name_picture


def test_the_names_are_those_of_the_vocabulary() -> None:
    assert set(COLOUR_NAMES) == set(COLOURS)


@given(seed=st.integers(0, 2**32 - 1), name=st.sampled_from(COLOUR_NAMES))
def test_a_colour_drawn_for_a_name_is_called_by_it(seed: int, name: str) -> None:
    assert name_colour(draw_colour(np.random.default_rng(seed), name)) == name


@pytest.mark.parametrize("rgb", [(0.75, 0.7, 0.72), (0.1, 0.6, 0.6), (0.57, 0.37, 0.2)])
def test_a_colour_between_names_has_none(rgb: tuple[float, float, float]) -> None:
    assert name_colour(rgb) is None


def test_a_picture_is_called_by_what_prevails_in_it() -> None:
    red, blue = np.array([200, 20, 20], np.uint8), np.array([20, 40, 220], np.uint8)
    picture = np.broadcast_to(red, (40, 40, 3)).copy()

    assert name_picture(picture) == "red"
    picture[:20] = blue
    assert name_picture(picture) is None
