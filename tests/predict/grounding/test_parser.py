"""How instructions are read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.core.errors import PromptError
from maskwright.predict.grounding import Description, Instruction, Order, Relation, lexicon, parse


def first(text):
    return str(parse(text)[0])


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("the red mug on the left, next to the blue bowl", "the leftmost red mug next to the blue bowl"),
        ("The left mug.", "the leftmost mug"),
        ("the mug on the left side of the table", "the leftmost mug"),
        ("second mug from the left", "the second leftmost mug"),
        ("the 3rd bottle", "the third leftmost bottle"),
        ("the second largest block", "the second largest block"),
        ("leftmost", "the leftmost object"),
        ("the red one behind the green bottle", "the red object behind the green bottle"),
        ("grasp the cup closest to the robot arm", "grasp the cup nearest to the robot arm"),
        ("the mug furthest from the wall", "the mug farthest from the wall"),
        ("all red blocks in the tray", "all the red blocks in the tray"),
        ("the two mugs between the bowl and the box", "the 2 mugs between the bowl and the box"),
        ("Please take the mug that is in front of the box", "take the mug in front of the box"),
        ("the mug in front", "the front mug"),
        ("the handle of the drawer", "the handle of the drawer"),
        ("a mug with a blue lid", "the mug with the blue lid"),
        ("scissors", "the scissors"),
        ("one of the mugs", "the mugs"),
    ],
)
def test_descriptions_are_read(text, read):
    assert first(text) == read


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (
            "put the red mug on the left, next to the bowl, into the sink",
            "put the leftmost red mug next to the bowl to be in the sink",
        ),
        ("pick up the carton and put it in the bin", "pick up the carton to be in the bin"),
        ("move the ball to the left of the box", "move the ball to be left of the box"),
        ("bring the mug on the tray to the sink", "bring the mug on the tray to be next to the sink"),
        ("pick up the mug next to the bowl", "pick up the mug next to the bowl"),
        ("put the block", "put the block"),
    ],
)
def test_what_shall_be_done_and_where_to_is_read(text, read):
    assert first(text) == read


def test_every_way_to_read_a_text_is_given_the_nearest_noun_first():
    readings = parse("the mug next to the bowl on the left")

    left = Order(by="leftmost")
    near = Description(words="mug", relations=(Relation(kind="next to", others=(Description(words="bowl"),)),))
    assert [one.target for one in readings] == [
        Description(
            words="mug",
            relations=(Relation(kind="next to", others=(Description(words="bowl", orders=(left,)),)),),
        ),
        Description(words="mug", orders=(left,), relations=near.relations),
    ]
    assert [str(one) for one in parse("the book on the box under the lamp")] == [
        "the book on (the box under the lamp)",
        "the book on the box under the lamp",
    ]


def test_a_comma_gives_what_follows_to_the_thing_that_is_asked_for():
    assert [str(one) for one in parse("the mug next to the bowl, on the left")] == ["the leftmost mug next to the bowl"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "needs words that name a thing"),
        ("the", "ends before it names a thing"),
        ("pick up", "ends before it names a thing"),
        ("the mug next to", "ends before it names a thing"),
        ("the mug between the bowl", "ends before it names a thing"),
        ("the mug on the left on the right", "'leftmost' and 'rightmost' contradict each other"),
        ("the mug left of the bowl and right of the bowl", "'left of the bowl' and 'right of the bowl' contradict"),
        ("the mug next to the left right bowl", "'leftmost' and 'rightmost' contradict each other"),
        ("mug than bowl", "cannot read 'than bowl' of 'mug than bowl'"),
        ("mug " * 70, "at most 60 words, got 70"),
        (7, "one string, got a int"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_line(text, message):
    with pytest.raises(PromptError, match=message) as caught:
        parse(text)

    assert "\n" not in str(caught.value)


_PHRASES = (*lexicon.RELATIONS, *lexicon.ORDERS, *lexicon.VERBS, *lexicon.NEAREST)
_OTHERS = ("the", "mug", "bowl", "red", "second", "and", ",", "it", "two", "from", "object", "of", "to")
_WORDS = st.sampled_from(sorted({*_OTHERS, *(word for phrase in _PHRASES for word in phrase.split())}))


@given(st.lists(_WORDS, max_size=14))
def test_any_words_are_read_or_refused_and_never_take_long(words):
    try:
        readings = parse(" ".join(words))
    except PromptError:
        return
    assert 1 <= len(readings) <= 12
    assert all(isinstance(one, Instruction) and one.target.words for one in readings)
