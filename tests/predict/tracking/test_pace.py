"""When the model draws: the budget is kept on average, and what moves is drawn more often than what rests."""

import itertools

from maskwright.predict.tracking.pace import Pace
from maskwright.predict.tracking.settings import TrackSettings

DRAWN_MS, CARRIED_MS = 300.0, 20.0


def drawn_frames(settings: TrackSettings, doubts: list[float]) -> list[int]:
    """Frames that are drawn where each frame brings some doubt, and drawing ends it."""
    pace, drawn, doubt = Pace(settings), [], 0.0
    for number, more in enumerate(doubts):
        doubt += more
        is_due = pace.is_due(doubt)
        pace.took(DRAWN_MS if is_due else CARRIED_MS, drawn=is_due)
        if is_due:
            drawn.append(number)
            doubt = 0.0
    return drawn


def test_the_budget_is_kept_on_average_however_fast_things_move() -> None:
    settings = TrackSettings(budget_ms=100, most_stride=20)
    drawn = drawn_frames(settings, [0.2] * 400)
    total = DRAWN_MS * len(drawn) + CARRIED_MS * (400 - len(drawn))
    assert 85 < total / 400 < 104  # what was saved before the first frame is spent too


def test_a_scene_at_rest_is_drawn_seldom_and_a_burst_often() -> None:
    settings = TrackSettings(budget_ms=100, most_stride=6)
    drawn = drawn_frames(settings, [0.0] * 60 + [0.2] * 12)
    assert [after - before for before, after in itertools.pairwise(drawn) if after < 60] == [6] * 9
    burst = [number for number in drawn if number >= 60]
    assert len(burst) >= 5


def test_a_machine_that_is_too_slow_still_draws() -> None:
    drawn = drawn_frames(TrackSettings(budget_ms=10, most_stride=6), [0.2] * 60)
    assert drawn[-1] >= 54
    assert {after - before for before, after in itertools.pairwise(drawn)} == {6}


def test_a_stride_is_kept_to_the_frame() -> None:
    assert drawn_frames(TrackSettings(stride=4), [0.0] * 13) == [3, 7, 11]
