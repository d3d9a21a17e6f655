"""All threads or one: whichever is faster, whatever it was before."""

from collections import Counter

from maskwright.serve.engine.width import Width


def choices(width: Width, *, wide_s: float, narrow_s: float, number: int = 200) -> Counter[bool]:
    """Click `number` times on a machine where it takes so long."""
    chosen: Counter[bool] = Counter()
    for _ in range(number):
        is_wide = width.is_wide("segment", "tiny")
        chosen[is_wide] += 1
        width.learn("segment", "tiny", is_wide=is_wide, seconds=wide_s if is_wide else narrow_s)
    return chosen


def test_it_begins_with_all_threads_and_then_tries_one() -> None:
    width = Width()
    assert width.is_wide("segment", "tiny")
    width.learn("segment", "tiny", is_wide=True, seconds=0.014)
    assert not width.is_wide("segment", "tiny")
    assert width.is_wide("segment", "vit_b")
    assert width.is_wide("encode", "tiny")


def test_it_takes_the_faster_and_seldom_the_other() -> None:
    assert choices(Width(), wide_s=0.014, narrow_s=0.020)[False] <= 8
    assert choices(Width(), wide_s=0.150, narrow_s=0.005)[True] <= 8


def test_it_notices_when_the_machine_gets_busy_and_quiet_again() -> None:
    width = Width()
    choices(width, wide_s=0.014, narrow_s=0.020)

    busy = choices(width, wide_s=0.150, narrow_s=0.030)
    quiet = choices(width, wide_s=0.014, narrow_s=0.020)

    assert busy[True] <= 10
    assert quiet[False] <= 50


def test_one_click_that_was_disturbed_changes_nothing() -> None:
    width = Width()
    choices(width, wide_s=0.014, narrow_s=0.020)
    width.learn("segment", "tiny", is_wide=True, seconds=5.0)
    assert choices(width, wide_s=0.014, narrow_s=0.020, number=20)[False] <= 1
