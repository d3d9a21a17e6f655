import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.core import RLE
from maskwright.evaluate.track_meter import TrackMeter, decay, flicker, recall
from maskwright.masks import iou, shift
from maskwright.testing.strategies import same_size_rles
from rectangle_video import NOTHING, rectangle

SQUARE = rectangle(20, 15)


def measured(*frames: tuple[RLE, RLE], start: RLE = SQUARE) -> TrackMeter:
    meter = TrackMeter(start=start)
    for answer, truth in frames:
        meter.add(answer, truth)
    return meter


@given(masks=same_size_rles(min_size=2, max_size=5))
def test_a_track_that_equals_the_truth_has_everything_right(masks: list[RLE]) -> None:
    scores = measured(*((mask, mask) for mask in masks[1:]), start=masks[0]).scores()

    assert set(scores.j) == set(scores.f) == {1.0}
    assert (scores.num_lost, scores.num_refound, scores.num_phantoms) == (0, 0, 0)
    assert scores.flicker == 0


@given(masks=same_size_rles(min_size=3, max_size=3))
def test_measures_are_shares(masks: list[RLE]) -> None:
    start, answer, truth = masks

    scores = measured((answer, truth), start=start).scores()

    assert scores.j == (iou(answer, truth),)
    assert 0 <= scores.f[0] <= 1
    assert scores.flicker is not None
    assert 0 <= scores.flicker <= 1
    assert scores.j_and_f == pytest.approx((scores.j[0] + scores.f[0]) / 2)


def test_an_object_is_lost_below_a_tenth_and_found_again_from_a_half_on() -> None:
    away, edge, half = rectangle(45, 15), rectangle(27, 15), rectangle(23, 15)  # IoU 0, 0.18 and 0.54

    scores = measured(*((answer, SQUARE) for answer in (edge, away, edge, half, away, away, SQUARE))).scores()

    assert (scores.num_lost, scores.num_refound) == (2, 2)


def test_an_object_that_is_not_seen_cannot_be_lost() -> None:
    scores = measured((NOTHING, NOTHING), (rectangle(45, 15), NOTHING), (SQUARE, SQUARE)).scores()

    assert (scores.num_lost, scores.num_refound) == (0, 0)
    assert scores.num_phantoms == 1
    assert scores.j == (1.0, 0.0, 1.0)
    assert scores.f == (1.0, 0.0, 1.0)


def test_what_moves_or_is_wrong_in_the_same_way_does_not_flicker() -> None:
    path = [rectangle(5 + 4 * i, 10) for i in range(8)]
    behind = [shift(mask, dx=-2, dy=1) for mask in path]

    scores = measured(*zip(behind[1:], path[1:], strict=True), start=path[0]).scores()

    assert scores.flicker == pytest.approx(flicker(behind[1], path[1], path[0], path[0]) / 7)
    assert flicker(behind[2], path[2], behind[1], path[1]) == 0


def test_what_trembles_about_an_object_at_rest_flickers_as_much_as_it_trembles() -> None:
    left, right = shift(SQUARE, dx=-1, dy=0), shift(SQUARE, dx=1, dy=0)

    trembling = flicker(right, SQUARE, left, SQUARE)

    assert trembling == pytest.approx(1 - 80 / 120)  # 8 of 10 columns are shared, 12 are covered
    assert iou(left, SQUARE) == iou(right, SQUARE)  # J alone does not tell


def test_a_change_of_shape_that_the_truth_has_too_does_not_flicker() -> None:
    hidden = rectangle(20, 15, width=4)

    assert flicker(hidden, hidden, SQUARE, SQUARE) == 0


def test_frames_on_both_sides_of_one_that_was_left_out_are_not_compared() -> None:
    meter = measured((SQUARE, SQUARE))

    meter.skip()
    meter.add(rectangle(40, 2), SQUARE)

    assert meter.scores().flicker == 0


@pytest.mark.parametrize(
    ("values", "share", "fall"),
    [
        ((1.0, 1.0, 0.0, 0.0), 0.5, 1.0),
        ((0.5,), 0.0, 0.0),
        (tuple(np.linspace(1, 0, 9)), 4 / 9, 0.75),  # quarters of three frames: 0.875 and 0.125
        ((0.6,) * 40, 1.0, 0.0),
    ],
)
def test_recall_and_decay_are_those_of_davis(values: tuple[float, ...], share: float, fall: float) -> None:
    assert recall(values) == pytest.approx(share)
    assert decay(values) == pytest.approx(fall)


def test_nothing_has_no_recall_and_no_decay() -> None:
    assert recall(()) is None
    assert decay(()) is None
    assert measured().scores().j_and_f is None


@given(values=st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_decay_turns_its_sign_when_time_does(values: list[float]) -> None:
    first, second = decay(values), decay(values[::-1])

    assert first is not None
    assert second is not None
    assert abs(first) <= 1
    if len(values) % 4 == 1:  # quarters of equal length
        assert first == pytest.approx(-second)
