"""What instructions mean, on tables drawn by hand: y goes down, so what is lower stands nearer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.core.errors import PromptError, SettingError
from maskwright.masks import decode, encode
from maskwright.predict.grounding import Thing, ground

SIZE = (120, 160)


def block(x, y, width=10, height=10):
    """Make a mask of a block whose foot is at (x, y)."""
    mask = np.zeros(SIZE, bool)
    mask[max(0, y - height) : y, max(0, x - width // 2) : x + width // 2] = True
    return encode(mask)


def finder(**things):
    """Find by name: a mask, or several, or masks with beliefs."""

    def find(words):
        found = things.get(words.replace(" ", "_"))
        if found is None:
            raise PromptError(f"unknown: {words}")
        found = found if isinstance(found, list) else [found]
        pairs = [one if isinstance(one, tuple) else (one, 0.95) for one in found]
        return [Thing(rle=rle, belief=belief) for rle, belief in pairs]

    return find


MUGS = {"far left": block(30, 50), "middle": block(80, 60), "near right": block(130, 100, 16, 16)}


def name_of(answer, names=MUGS):
    (one,) = answer.chosen
    return next(name for name, rle in names.items() if rle == one.thing.rle)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("the mug on the left", "far left"),
        ("the rightmost mug", "near right"),
        ("the second mug from the right", "middle"),
        ("the middle mug", "middle"),
        ("the mug in front", "near right"),
        ("the mug at the back", "far left"),
        ("the largest mug", "near right"),
        ("the mug left of the bowl", "far left"),
        ("the mug to the right of the bowl, in front of the plate", "near right"),
        ("the mug nearest to the bowl", "far left"),
        ("the mug farthest from the bowl", "near right"),
        ("the mug next to the plate", "middle"),
        ("the mug between the bowl and the lamp", "middle"),
    ],
)
def test_places_ranks_and_relations_tell_one_mug_from_the_others(text, meant):
    find = finder(mug=list(MUGS.values()), bowl=block(50, 52), plate=block(90, 70), lamp=block(115, 62))

    answer = ground(find, text)

    assert name_of(answer) == meant
    assert not answer.is_ambiguous
    assert answer.chosen[0].score > 0.6
    assert all(0 <= reason.truth <= 1 for reason in answer.ranked[0].reasons)


def test_what_stands_in_a_bin_on_a_table_or_on_something_is_told_from_what_stands_before_it():
    bin_ = np.zeros(SIZE, bool)
    bin_[40:80, 40:100] = True
    inside, before, alone = block(70, 70, 12, 12), block(50, 95), block(140, 60)
    bin_ &= ~decode(inside)
    lid = block(140, 50, 6, 6)
    table = np.zeros(SIZE, bool)
    table[45:] = True
    for one in (encode(bin_), inside, before, alone):
        table &= ~decode(one)
    cubes = {"inside": inside, "before": before, "alone": alone}
    find = finder(cube=list(cubes.values()), cubes=list(cubes.values()), bin=encode(bin_), lid=lid, table=encode(table))

    assert name_of(ground(find, "the cube in the bin"), cubes) == "inside"
    assert name_of(ground(find, "the cube in front of the bin"), cubes) == "before"
    assert name_of(ground(find, "the cube under the lid"), cubes) == "alone"
    assert ground(find, "the lid on the cube").chosen[0].score > 0.6
    assert {one.thing.rle.counts for one in ground(find, "all cubes on the table").chosen} == {
        before.counts,
        alone.counts,
    }


def test_depth_overrules_where_things_stand_in_the_picture():
    shelf, floor = block(40, 40), block(100, 100)  # the higher one is nearer
    depth = np.full(SIZE, 2.0, np.float32)
    depth[:60] = 1.0
    find = finder(can=[shelf, floor])

    assert ground(find, "the can in front").chosen[0].thing.rle == floor
    assert ground(find, "the can in front", depth_m=depth).chosen[0].thing.rle == shelf


def test_two_that_fit_alike_are_both_given_and_the_answer_says_so():
    answer = ground(finder(mug=[(block(30, 60), 0.9), (block(120, 60), 0.85)]), "the mug")

    assert answer.is_ambiguous
    assert [round(one.score, 2) for one in answer.ranked] == [0.9, 0.85]
    assert "ambiguous" in answer.told
    assert not ground(finder(mug=[(block(30, 60), 0.9), (block(120, 60), 0.3)]), "the mug").is_ambiguous


def test_a_doubtful_thing_at_the_far_left_does_not_make_the_next_one_the_second():
    find = finder(mug=[(block(10, 60), 0.08), (block(60, 60), 0.9), (block(120, 60), 0.9)])

    assert ground(find, "the second mug from the left").chosen[0].thing.rle == block(120, 60)


def test_several_are_given_where_several_are_asked_for():
    find = finder(mugs=[(one, 0.9) for one in MUGS.values()] + [(block(60, 110), 0.3)])

    assert len(ground(find, "the mugs").chosen) == 3
    assert len(ground(find, "two mugs").chosen) == 2
    assert ground(find, "two mugs").is_ambiguous
    assert ground(find, "all mugs").chosen[0].score == pytest.approx(0.9)


def test_what_is_not_there_is_said_to_be_missing_with_the_reason():
    find = finder(mug=[(block(30, 60), 0.9)], bowl=[(block(90, 60), 0.05)], cup=[])

    by_bowl = ground(find, "the mug next to the bowl")
    assert by_bowl.chosen == ()
    assert "nothing fits 'the mug next to the bowl'" in by_bowl.told
    assert "next to the bowl" in by_bowl.told
    assert ground(find, "the cup").told == "there is no cup here"
    assert ground(find, "the mug nearest to the cup").chosen == ()
    with pytest.raises(PromptError, match="unknown: teapot"):
        ground(find, "the teapot")


def test_the_goal_of_an_instruction_is_ranked_too():
    answer = ground(finder(mug=block(30, 60), sink=block(120, 60)), "put the mug into the sink")

    assert answer.chosen[0].thing.rle == block(30, 60)
    assert (answer.goal[0].thing.rle, answer.relation) == (block(120, 60), "in")


def test_one_thing_that_is_found_twice_is_one():
    twice = [(block(60, 60), 0.9), (block(61, 60), 0.8), (block(120, 60), 0.7)]

    answer = ground(finder(mug=twice), "the second mug from the left")

    assert answer.chosen[0].thing.rle == block(120, 60)


def test_arguments_that_are_no_chance_or_no_depth_are_refused():
    with pytest.raises(SettingError, match="min_score must be between 0 and 1, got 2"):
        ground(finder(mug=block(9, 60)), "the mug", min_score=2)
    with pytest.raises(SettingError, match=r"\(H, W\) array of metres, got \(120, 160\) uint16"):
        ground(finder(mug=block(9, 60)), "the mug", depth_m=np.zeros(SIZE, np.uint16))


_TEXTS = (
    "the mug",
    "the mug on the left",
    "the second mug from the right",
    "the mug next to the bowl",
    "the mug in the bowl",
    "the mug between the bowl and the mug",
    "the mug nearest to the bowl",
    "the smallest mug behind the bowl",
)
_PLACES = st.tuples(st.integers(10, 150), st.integers(20, 118))


@settings(max_examples=40, deadline=None)
@given(places=st.lists(_PLACES, min_size=1, max_size=5, unique=True), text=st.sampled_from(_TEXTS))
def test_scores_are_chances_in_falling_order_whatever_stands_where(places, text):
    find = finder(mug=[block(x, y) for x, y in places], bowl=block(80, 70, 30, 12))

    answer = ground(find, text)

    scores = [one.score for one in answer.ranked]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    for one in answer.ranked:
        assert one.score <= np.prod([reason.truth for reason in one.reasons]) + 1e-9
