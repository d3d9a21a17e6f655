from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.robot.perceiver_time import Timeline
from maskwright.robot.perceiver_values import PerceiverSettings, status_of

SETTINGS = PerceiverSettings(fresh_ms=100, stale_ms=300)


@given(times=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30))
def test_elapsed_time_never_falls(times):
    timeline = Timeline(SETTINGS)
    moments = [timeline.take(at_s)[0] for at_s in times]

    assert [moment.frame for moment in moments] == list(range(len(times)))
    assert all(a.elapsed_ms <= b.elapsed_ms for a, b in pairwise(moments))


def test_gaps_are_told_by_the_usual_period():
    timeline = Timeline(SETTINGS)
    for number in range(10):
        assert timeline.take(number / 10)[1] == ()

    assert timeline.period_ms == pytest.approx(100)
    assert timeline.take(1.2)[1] == ()
    (notice,) = timeline.take(1.7)[1]
    assert (notice.kind, notice.text) == ("frame_gap", "no picture came for 500 ms")
    assert timeline.period_ms == pytest.approx(100, abs=5)


@pytest.mark.parametrize(
    ("has_mask", "age_ms", "is_blind", "status"),
    [
        (False, None, False, "waiting"),
        (True, 100, False, "fresh"),
        (True, 101, False, "carried"),
        (True, 301, False, "stale"),
        (True, 0, True, "stale"),
        (False, 0, False, "lost"),
    ],
)
def test_status_is_told_by_age(has_mask, age_ms, is_blind, status):
    assert status_of(has_mask=has_mask, age_ms=age_ms, is_blind=is_blind, settings=SETTINGS) == status


@given(age_ms=st.floats(0, 1e6), has_mask=st.booleans(), is_blind=st.booleans())
def test_nothing_old_or_blind_is_fresh(age_ms, has_mask, is_blind):
    status = status_of(has_mask=has_mask, age_ms=age_ms, is_blind=is_blind, settings=SETTINGS)

    assert (status == "fresh") == (has_mask and not is_blind and age_ms <= 100)
