"""Where simulated users click, and how wide things are."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from maskwright.evaluate import Facts, median_width, middle_click, random_click
from maskwright.masks import empty_mask, encode


def _disc(size_hw: tuple[int, int], centre_xy: tuple[float, float], radius: float) -> np.ndarray:
    y, x = np.mgrid[: size_hw[0], : size_hw[1]] + 0.5
    return np.hypot(x - centre_xy[0], y - centre_xy[1]) < radius


@given(
    x=st.floats(5, 55),
    y=st.floats(5, 35),
    radius=st.floats(1.5, 30),
    other_x=st.floats(5, 55),
    other=st.floats(1, 30),
    seed=st.integers(0, 9),
)
def test_a_click_lies_in_the_error_that_its_label_names(
    x: float, y: float, radius: float, other_x: float, other: float, seed: int
) -> None:
    truth, predicted = _disc((40, 60), (x, y), radius), _disc((40, 60), (other_x, y), other)
    assume(not np.array_equal(truth, predicted))

    clicks = [middle_click(predicted, truth), random_click(predicted, truth, rng=np.random.default_rng(seed))]

    for click in clicks:
        column, row = (int(value) for value in click.xy)
        assert truth[row, column] == (click.label == 1)
        assert predicted[row, column] == (click.label == 0)


def test_the_first_click_is_in_the_middle_of_the_object() -> None:
    truth = np.zeros((40, 60), bool)
    truth[10:31, 20:41] = True

    click = middle_click(np.zeros_like(truth), truth)

    assert click.xy == (30.5, 20.5)
    assert click.label == 1


def test_the_edge_of_the_picture_bounds_an_error() -> None:
    truth = np.zeros((40, 60), bool)
    truth[:21, :21] = True

    assert middle_click(np.zeros_like(truth), truth).xy == (10.5, 10.5)


def test_the_largest_error_is_the_one_with_most_room() -> None:
    truth, predicted = np.zeros((40, 60), bool), np.zeros((40, 60), bool)
    truth[2:6, :] = True  # more pixels are missing here, in a narrow strip
    predicted[20:31, 20:31] = True

    click = middle_click(predicted, truth)

    assert (click.xy, click.label) == ((25.5, 25.5), 0)


def test_random_clicks_visit_errors_by_their_area_and_prefer_the_inside() -> None:
    truth, predicted = np.zeros((40, 60), bool), np.zeros((40, 60), bool)
    truth[5:35, 5:35] = True
    predicted[5:15, 45:55] = True
    rng = np.random.default_rng(0)

    clicks = [random_click(predicted, truth, rng=rng) for _ in range(400)]

    missing = np.array([click.xy for click in clicks if click.label == 1])
    assert len(missing) / 400 == pytest.approx(0.9, abs=0.05)
    assert np.abs(missing - 20).max(axis=1).mean() == pytest.approx(7.5, abs=1)  # 10 if every pixel were as likely


def test_random_clicks_are_repeated_by_their_seed() -> None:
    truth = _disc((40, 60), (30, 20), 15)

    once, again = (random_click(~truth, truth, rng=np.random.default_rng(4)) for _ in range(2))

    assert once == again


@pytest.mark.parametrize(("width", "slanted"), [(1, False), (3, False), (7, False), (12, False), (5, True)])
def test_a_bar_is_as_wide_as_it_is(width: int, slanted: bool) -> None:
    mask = np.zeros((120, 120), bool)
    if slanted:
        y, x = np.mgrid[:120, :120]
        mask = (np.abs(x - y) <= width / 2 * 2**0.5) & (x > 10) & (x < 110)
    else:
        mask[10:110, 30 : 30 + width] = True

    assert median_width(encode(mask)) == pytest.approx(width, abs=1 if slanted else 0.51)


def test_a_disc_is_as_wide_as_its_diameter_and_nothing_has_no_width() -> None:
    assert median_width(encode(_disc((80, 80), (40, 40), 20))) == pytest.approx(40, abs=3)
    assert median_width(empty_mask((5, 5))) == 0


def test_a_thing_that_touches_the_edge_of_the_picture_ends_there() -> None:
    mask = np.zeros((60, 60), bool)
    mask[:, :9] = True

    assert median_width(encode(mask)) == pytest.approx(9, abs=0.51)


def test_an_object_belongs_to_one_slice_of_each_kind_that_is_known() -> None:
    plain = Facts(area_share=0.019, width_px=9.9)
    known = Facts(area_share=0.02, width_px=40, material="glass", occlusion=0.4)

    assert plain.slices() == {"size": "below 2 %", "width": "below 10 px"}
    assert known.slices() == {
        "size": "2 to 10 %", "width": "above 40 px", "material": "glass", "occlusion": "above 40 %",
    }  # fmt: skip
