"""The data engine's rules: what is taken unseen, what people see, what is audited, and when to stop."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.core import TrackPoint
from maskwright.core.errors import SettingError
from maskwright.core.record import Scores
from maskwright.review.engine import (
    Bar,
    EngineSettings,
    audit_needed,
    audit_of,
    bar_of,
    fates,
    wilson,
)
from maskwright.testing.store_values import make_record, make_ref, rectangle


def scored(iou, stability=0.99, **changes):
    scores = Scores(predicted_iou=iou, stability=stability)
    return make_record(make_ref(0), **{"scores": scores, "track_point": None, **changes})


SURE, UNSURE = scored(0.99), scored(0.5)


def test_with_assistance_people_see_everything():
    assert fates([SURE, UNSURE], EngineSettings(mode="assisted_manual")) == ("shown", "shown")


def test_what_the_model_is_sure_of_is_taken_and_people_do_the_rest():
    settings = EngineSettings(mode="semi_automatic", audit_share=1e-9)

    assert fates([SURE, UNSURE], settings) == ("accepted", "shown")
    assert fates([SURE, UNSURE], EngineSettings(mode="fully_automatic", audit_share=1e-9)) == ("accepted", "dropped")


@pytest.mark.parametrize(
    "record",
    [
        scored(None),
        scored(0.99, None),
        scored(0.99, 0.5),
        scored(0.99, area=0, rle=rectangle(0, 0, 0, 0)),
        scored(0.99, track_point=TrackPoint(source="carried", confidence=0.3)),
    ],
    ids=["no IoU", "no stability", "unstable", "empty", "tracker unsure"],
)
def test_what_is_not_known_to_be_sure_is_shown(record):
    assert fates([record], EngineSettings(mode="semi_automatic", audit_share=1)) == ("shown",)
    assert fates([scored(None, None)], EngineSettings(mode="semi_automatic", bar=Bar(predicted_iou=0, stability=0)))


def test_the_share_that_is_audited_is_drawn_the_same_again():
    records = [scored(0.99) for _ in range(2_000)]
    settings = EngineSettings(mode="fully_automatic", audit_share=0.1)

    found = fates(records, settings)

    assert found == fates(records, settings)
    assert 140 <= found.count("audited") <= 260
    assert found != fates(records, EngineSettings(mode="fully_automatic", audit_share=0.1, seed=1))


@given(st.integers(0, 500), st.integers(1, 500))
def test_the_bounds_hold_the_rate_and_close_in_with_more(num, total):
    num = min(num, total)

    low, high = wilson(num, total)
    closer = wilson(10 * num, 10 * total)

    assert 0 <= low <= num / total <= high <= 1
    assert closer[1] - closer[0] < high - low


def test_the_bounds_are_those_of_the_textbook():
    assert wilson(0, 0) == (0, 1)
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 100) == pytest.approx((0, 0.0370), abs=1e-4)


def test_an_audit_says_enough_go_on_or_fall_back():
    settings = EngineSettings(mode="fully_automatic", min_audit=100, max_error_rate=0.05)

    assert audit_of(0, 0, settings).verdict == "go_on"
    assert audit_of(50, 0, settings).verdict == "go_on"
    assert audit_of(100, 0, settings).verdict == "enough"
    assert audit_of(100, 4, settings).verdict == "go_on"
    assert audit_of(20, 8, settings).verdict == "fall_back"
    assert audit_of(100, 4, settings).error_rate == 0.04
    assert audit_of(0, 0, settings).error_rate is None
    with pytest.raises(SettingError, match="got 3 of 2"):
        audit_of(2, 3, settings)


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.03])
def test_as_many_as_are_needed_are_enough(rate):
    settings = EngineSettings(mode="fully_automatic", min_audit=20, max_error_rate=0.05)

    num = audit_needed(settings, expected_error_rate=rate)

    assert audit_of(num, round(num * rate), settings).verdict == "enough"
    assert audit_needed(settings, expected_error_rate=0.05) is None


def test_the_bar_is_found_from_what_people_decided():
    scores = [0.5 + i / 1000 for i in range(500)]
    was_wrong = [score < 0.7 for score in scores]

    bar = bar_of(scores, was_wrong, max_error_rate=0.05)

    assert 0.66 < bar <= 0.7
    assert bar_of(scores, [True] * 500, max_error_rate=0.05) is None
    assert bar_of(scores[:10], [False] * 10, max_error_rate=0.5) is None
    assert bar_of([0.9] * 100, [False] * 60 + [True] * 40, max_error_rate=0.05) is None
    with pytest.raises(SettingError, match="each score needs a decision"):
        bar_of([0.5], [], max_error_rate=0.05)


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(SettingError, match="a mode is one of assisted_manual, semi_automatic, fully_automatic"):
        EngineSettings(mode="magic")
    with pytest.raises(SettingError, match="audit_share is a share above 0"):
        EngineSettings(mode="fully_automatic", audit_share=0)
