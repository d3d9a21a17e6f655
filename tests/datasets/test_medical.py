import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from maskwright.core.errors import ImageError, SettingError
from maskwright.datasets.medical import CT_WINDOWS, Percentiles, Window, parse_percentiles, parse_window

FINITE = st.floats(-5000, 5000, allow_nan=False, width=32)


@given(hnp.arrays(np.float32, (3, 4), elements=FINITE), st.floats(-2000, 2000), st.floats(1, 4000))
def test_a_window_never_turns_darker_into_brighter(values, center, width):
    shown = Window(center, width).apply(values)

    order = np.argsort(values, axis=None)
    assert (np.diff(shown.ravel()[order].astype(int)) >= 0).all()


def test_a_window_follows_the_dicom_formula():
    values = np.arange(-300, 400).reshape(1, -1)
    # PS3.3 C.11.2.1.2.1: y = ((x - (c - 0.5)) / (w - 1) + 0.5) * (ymax - ymin) + ymin, clipped
    wanted = np.clip(((values - (40 - 0.5)) / (400 - 1) + 0.5) * 255, 0, 255)

    assert np.abs(Window(40, 400).apply(values) - wanted).max() <= 0.51


def test_a_window_of_one_is_a_threshold():
    assert Window(10, 1).apply(np.array([[9, 10]])).tolist() == [[0, 255]]


def test_percentiles_ignore_what_is_not_a_number():
    values = np.array([[np.nan, 0, 50, 100, np.inf]], np.float32)

    assert Percentiles(0, 100).apply(values).tolist() == [[0, 0, 128, 255, 255]]


def test_a_flat_picture_becomes_black_and_an_empty_one_an_error():
    assert Percentiles().apply(np.full((2, 2), 7.0)).max() == 0
    with pytest.raises(ImageError, match="none of the 4 pixels is a finite number"):
        Percentiles().apply(np.full((2, 2), np.nan))


def test_named_windows_and_numbers_are_read():
    assert parse_window("lung") == CT_WINDOWS["lung"]
    assert parse_window("-600/1500") == CT_WINDOWS["lung"]
    assert parse_percentiles("0.5,99.5") == Percentiles()


@pytest.mark.parametrize("text", ["", "40", "40,400", "a/b", "spleen", "40/400/1"])
def test_a_window_that_cannot_be_read_lists_what_can(text):
    with pytest.raises(SettingError, match=r"CENTER/WIDTH \(40/400\) or one of soft-tissue"):
        parse_window(text)


@pytest.mark.parametrize("text", ["40/0", "nan/400", "40/inf"])
def test_an_impossible_window_is_refused(text):
    with pytest.raises(SettingError, match="a width of at least 1"):
        parse_window(text)


@pytest.mark.parametrize("text", ["99,1", "-1,50", "1,101", "5,5"])
def test_percentiles_out_of_order_are_refused(text):
    with pytest.raises(SettingError, match="0 <= low < high <= 100"):
        parse_percentiles(text)
