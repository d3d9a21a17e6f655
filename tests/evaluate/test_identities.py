from hypothesis import given
from hypothesis import strategies as st

from maskwright.core import RLE
from maskwright.evaluate.identities import IdentityBook, match
from rectangle_video import NOTHING, rectangle

A, B = rectangle(5, 5), rectangle(40, 20)


def book() -> IdentityBook:
    found = IdentityBook()
    found.begin("a")
    found.begin("b")
    return found


def test_tracks_that_stay_with_their_objects_do_not_switch() -> None:
    found = book()

    for _ in range(3):
        assert found.add({"a": A, "b": B}, {"a": A, "b": B}) == 0

    assert found.num_switches == 0


def test_two_tracks_that_swap_objects_are_two_switches_and_two_more_when_they_swap_back() -> None:
    found = book()

    assert found.add({"a": B, "b": A}, {"a": A, "b": B}) == 2
    assert found.add({"a": B, "b": A}, {"a": A, "b": B}) == 0
    assert found.add({"a": A, "b": B}, {"a": A, "b": B}) == 2
    assert found.num_switches == 4


def test_a_track_that_takes_over_an_object_whose_own_was_lost_is_one_switch() -> None:
    found = book()

    assert found.add({"a": NOTHING, "b": B}, {"a": A, "b": B}) == 0  # lost is not switched
    assert found.add({"a": NOTHING, "b": A}, {"a": A, "b": B}) == 1
    assert found.add({"a": A, "b": NOTHING}, {"a": A, "b": B}) == 1


def test_a_pair_that_still_meets_stays_though_another_meets_better() -> None:
    near = rectangle(7, 5)  # IoU 0.67

    assert match({"a": near, "b": A}, {"a": A}, {"a": "a"}) == {"a": "a"}
    assert match({"a": near, "b": A}, {"a": A}, {}) == {"a": "b"}


def test_below_half_nothing_is_matched() -> None:
    assert match({"a": rectangle(9, 5)}, {"a": A}, {"a": "a"}) == {}
    assert match({"a": NOTHING}, {"a": NOTHING}, {"a": "a"}) == {}
    assert match({}, {"a": A}, {}) == {}


@given(st.lists(st.integers(0, 45), min_size=1, max_size=4), st.lists(st.integers(0, 45), min_size=1, max_size=4))
def test_a_track_has_one_object_and_an_object_one_track(tracks: list[int], objects: list[int]) -> None:
    answers: dict[str, RLE] = {str(i): rectangle(left, 5) for i, left in enumerate(tracks)}
    truths: dict[str, RLE] = {str(i): rectangle(left, 5) for i, left in enumerate(objects)}

    matched = match(answers, truths, {})

    assert len(set(matched.values())) == len(matched)
    assert set(matched) <= set(truths)
    assert set(matched.values()) <= set(answers)
