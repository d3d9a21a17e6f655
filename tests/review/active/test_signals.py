"""Signals: each grows with the need for a person, and says nothing where nothing was stored."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.core.errors import SettingError
from maskwright.masks import box_xyxy, encode, shift
from maskwright.review.active import geometry, rivals, signals
from maskwright.review.active.kinds import GROUPS, SIGNALS, signals_of

SHARES = st.floats(0, 1)


def drawn(left, top, right, bottom, size=(40, 60)):
    mask = np.zeros(size, bool)
    mask[top:bottom, left:right] = True
    return encode(mask)


def test_what_was_not_stored_says_nothing():
    assert signals.doubt(None) is None
    assert signals.instability(None) is None
    assert signals.mismatch(0.5, None) is None
    assert signals.confidence_fall(None, 0.5) is None
    assert signals.size_jump(10, None) is None
    assert signals.moved((0, 0, 1, 1), None) is None
    assert signals.flow_against_model(None, None) is None


@given(SHARES, SHARES)
def test_the_lower_a_score_the_more_doubt(a, b):
    low, high = sorted((a, b))

    assert signals.doubt(low) >= signals.doubt(high) >= 0
    assert signals.instability(low) >= signals.instability(high) >= 0
    assert signals.confidence_fall(low, None) >= signals.confidence_fall(high, None) >= 0
    assert signals.mismatch(a, b) == signals.mismatch(b, a) == high - low


def test_a_fall_of_confidence_counts_beside_confidence_itself():
    assert signals.confidence_fall(0.6, 0.9) > signals.confidence_fall(0.6, 0.6) == pytest.approx(0.4)
    assert signals.confidence_fall(0.6, 0.2) == signals.confidence_fall(0.6, 0.6)


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_a_jump_of_size_is_the_same_either_way(a, b):
    assert signals.size_jump(a, b) == signals.size_jump(b, a)
    assert 0 <= signals.size_jump(a, b) < 1
    assert signals.size_jump(a, a) == 0


def test_an_outline_that_only_moved_did_not_change():
    before = drawn(5, 5, 15, 25)
    after = shift(before, dx=20, dy=3)
    wider = drawn(5, 5, 25, 25)

    assert signals.shape_jump(after, before, box_xyxy(after), box_xyxy(before)) == 0
    assert signals.shape_jump(wider, before, box_xyxy(wider), box_xyxy(before)) == pytest.approx(0.5)
    assert signals.moved(box_xyxy(after), box_xyxy(before)) == pytest.approx(1.0)
    assert signals.moved(box_xyxy(before), box_xyxy(before)) == 0


def test_flow_against_model_speaks_where_flow_alone_began_to_carry():
    assert signals.flow_against_model("segmented", "carried") == 0
    assert signals.flow_against_model("carried", "segmented") == 1
    assert signals.flow_against_model("carried", "carried") == 0.5


@pytest.mark.parametrize("width", [2, 4, 9])
def test_a_strip_is_as_wide_as_it_is(width):
    strip = drawn(0, 10, 60, 10 + width)

    assert geometry.mean_width(strip, box_xyxy(strip)) == pytest.approx(width, rel=0.3)


def test_thinner_is_thinner_and_nothing_has_no_width():
    line, bar, nothing = drawn(0, 5, 60, 6), drawn(0, 5, 60, 20), drawn(0, 0, 0, 0)

    assert geometry.thinness(line, box_xyxy(line)) > geometry.thinness(bar, box_xyxy(bar)) > 0
    assert geometry.thinness(nothing, box_xyxy(nothing)) is None


def test_dark_and_see_through_are_seen_in_the_picture():
    pixels = np.full((40, 60, 3), 120, np.uint8)
    pixels[10:30, 5:25] = 10
    dark, like = np.zeros((2, 40, 60), bool)
    dark[10:30, 5:25], like[10:30, 35:55] = True, True

    assert geometry.darkness(pixels, dark) > 0.9 > 0.6 > geometry.darkness(pixels, like)
    assert geometry.see_through(pixels, like) == pytest.approx(1)
    assert geometry.see_through(pixels, dark) < 0.2
    assert geometry.darkness(pixels, np.zeros((40, 60), bool)) is None
    assert geometry.see_through(pixels, np.ones((40, 60), bool)) is None


def test_candidates_that_agree_are_not_ambiguous():
    assert signals.ambiguity(1.0) == 0
    assert signals.ambiguity(0.25) == 0.75
    assert signals.ambiguity(None) is None


def test_a_part_is_no_rival_and_a_half_of_each_is():
    whole, part, other, away = drawn(0, 0, 20, 20), drawn(0, 0, 20, 8), drawn(10, 0, 30, 20), drawn(40, 0, 50, 9)

    found = rivals.rivalry([whole, part, other, away])

    assert found[0] == found[2] == pytest.approx(2 / 3, abs=0.01)
    assert found[3] == 0
    assert rivals.rivalry([whole, part]) == [0, 0]
    assert rivals.rivalry([whole]) == [0]


def test_each_mask_gets_the_partner_it_is_most_like_and_none_twice():
    a, b = drawn(0, 0, 10, 10), drawn(2, 0, 12, 10)

    found, partners = rivals.match([a, b], [b])

    assert partners == [None, 0]
    assert found.tolist() == [0, 1]


def test_who_drew_nothing_there_said_nothing():
    mask, alike, away = drawn(0, 0, 10, 10), drawn(0, 0, 10, 8), drawn(30, 0, 40, 10)

    assert rivals.disagreement([mask], [[alike]]) == [pytest.approx(0.2)]
    assert rivals.disagreement([mask], [[away]]) == [1]
    assert rivals.disagreement([mask], [[away]], covers_all=False) == [None]
    assert rivals.disagreement([mask], [[], [alike], [mask]]) == [pytest.approx(0.1)]
    assert rivals.disagreement([mask], []) == [None]


def test_every_signal_has_its_group_and_its_words():
    assert {one.group for one in SIGNALS} == set(GROUPS)
    assert [one.words(0.25, 0.97) for one in SIGNALS if one.name == "doubt"] == [
        "predicted IoU 0.75, among the lowest 3%"
    ]
    assert all("{" not in one.words(0.5, 0.9) for one in SIGNALS)
    with pytest.raises(SettingError, match="a choice goes by uncertainty, .*; got 'luck'"):
        signals_of(["luck"])
    with pytest.raises(SettingError, match="got none"):
        signals_of([])
