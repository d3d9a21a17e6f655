"""Sizes go down before the limit is broken, and up only where that holds. All times are told, none is measured."""

from itertools import pairwise
from statistics import median

import pytest

from maskwright.robot.perceiver_pace import Effort, Ladder, Sharpness


def told(effort: Effort, finest_ms: float, num: int, *, rest_ms: float = 5.0, late: tuple[int, ...] = ()) -> list:
    """Shares of a machine on which the finest flow takes so long; some pictures are held up by something else."""
    shares = []
    for number in range(num):
        share = effort.share()
        shares.append(share)
        if share is not None:
            effort.took(finest_ms * share**2, rest_ms + (30 if number in late else 0))
    return shares


def test_flow_that_fits_stays_as_it_is():
    assert set(told(Effort(33), 20, 500)) == {1.0}


def test_flow_becomes_coarser_before_a_step_is_over_the_budget():
    shares = told(Effort(33), 26, 200)  # 31 of 33 ms: more than may be

    assert shares[:12] == [1.0] * 12
    assert set(shares[12:]) == {0.85}


def test_a_slow_machine_goes_down_at_once_and_stays_there():
    shares = told(Effort(33), 80, 1000)  # half the side makes steps of 25 ms, 0.7 of it 44

    assert shares[12:] == [0.5] * 988


def test_one_late_picture_in_a_while_changes_nothing_and_many_do():
    assert set(told(Effort(33), 20, 500, late=(50, 150, 250, 350, 450))) == {1.0}
    assert min(told(Effort(33), 20, 500, late=tuple(range(100, 500, 10)))) < 1.0


def test_flow_becomes_finer_again_when_the_machine_has_time():
    effort = Effort(33)
    told(effort, 60, 100)

    shares = told(effort, 10, 500)

    assert shares[0] < 1.0
    assert shares[-1] == 1.0


def test_a_size_that_does_not_hold_is_tried_less_and_less_often():
    ladder = Ladder((1.0, 0.5), limit_ms=100, usual=median, window=10, fewest=5)
    levels = []
    for _ in range(2000):
        levels.append(ladder.level)
        ladder.tell(110 if ladder.level == 0 else 35)  # it seems to have room for the finer size, and has not

    rises = [at for at in range(1, 2000) if levels[at - 1] > levels[at]]
    gaps = [then - now for now, then in pairwise(rises)]
    assert gaps[:3] == sorted(gaps[:3])
    assert gaps[-1] > 10 * gaps[0]
    assert len(rises) < 12


def test_flow_is_left_out_now_and_then_when_even_the_coarsest_takes_longer_than_the_budget():
    effort = Effort(20)
    shares = []
    for _ in range(80):
        share = effort.share()
        shares.append(share)
        if share is not None:
            effort.took(60)

    assert shares[:12] == [1.0] * 12
    assert set(shares[40:]) == {0.35, None}
    assert shares[40:].count(None) == pytest.approx(30, abs=1)  # three times the budget: three are left out


def test_the_model_looks_at_smaller_frames_while_masks_would_be_too_old():
    sharpness = Sharpness((384, 320, 256), 400)
    sides = []
    for full_ms in [300] * 20 + [480] * 60 + [900] * 60 + [200] * 400:
        sides.append(sharpness.side)
        sharpness.answered(full_ms * {384: 1.0, 320: 0.8, 256: 0.65}[sharpness.side])

    assert set(sides[:20]) == {384}
    assert set(sides[40:80]) == {320}
    assert set(sides[100:140]) == {256}  # too old with any side: the smallest
    assert sides[-1] == sharpness.finest == 384


def test_a_pause_of_the_camera_is_no_reason_for_smaller_frames():
    sharpness = Sharpness((384, 256), 400)
    for number in range(200):
        sharpness.answered(60_000 if number % 20 == 10 else 300)

    assert sharpness.side == 384
