"""A second look for words: masks of parts lie where they belong, and a part's border gives nothing away."""

import pytest
import torch
from torch import Tensor

from maskwright.models.tiny.nearer import answer_seen, as_seen, each_seen, rank_seen, shown_whole
from maskwright.models.tiny.text import NO_WORD, Drawn, Things
from maskwright.models.tiny.vocabulary import WORDS, phrase_words

SIDE = 160  # of the frame in pixels; logits are a fourth of it
WHOLE = (0.0, 0.0, 160.0, 120.0)
BELIEF = torch.tensor([1.0, 0.0, 0.0, 2.0, 0.0])
EACH = torch.tensor([1.0, 0.0, 2.0, 0.0])


def square(x1: int, y1: int, x2: int, y2: int) -> Tensor:
    """Logits of a rectangle, in cells of 4 pixels."""
    logits = torch.full((40, 40), -5.0)
    logits[y1:y2, x1:x2] = 5.0
    return logits


def things(*named: tuple[Tensor, str]) -> Things:
    words = torch.full((len(named), len(WORDS)), -6.0)
    for row, (_, text) in zip(words, named, strict=True):
        row[list(phrase_words(text))] = 6.0
    return Things(logits=torch.stack([mask for mask, _ in named]), words=words, quality=torch.full((len(named),), 4.0))


def text(phrase: str) -> Tensor:
    return torch.tensor([[*phrase_words(phrase), NO_WORD]])


def drawn(*logits: Tensor) -> Drawn:
    return Drawn(logits=torch.stack(logits), numbers=torch.zeros(len(logits), 2))


def test_masks_of_a_part_lie_on_the_picture_where_the_part_lies() -> None:
    # A part of 80 x 60 pixels at (80, 60), enlarged to twice its size.
    seen = as_seen(things((square(10, 10, 20, 20), "mug")), SIDE, (80, 60, 160, 120), (160, 120))

    rows, columns = (seen.on_whole[0].any(axis).nonzero().flatten() for axis in (1, 0))
    # Cells 10 to 20 are pixels 40 to 80 of the part's frame, 20 to 40 of the part; the grid has cells of two pixels.
    assert (int(columns[0]), int(columns[-1])) == (50, 59)
    assert (int(rows[0]), int(rows[-1])) == (40, 49)


def test_a_mask_never_lies_outside_its_part() -> None:
    seen = as_seen(things((torch.full((40, 40), 5.0), "mug")), SIDE, (40, 30, 100, 90), (160, 160))

    rows, columns = (seen.on_whole[0].any(axis).nonzero().flatten() for axis in (1, 0))
    assert (int(columns[0]), int(columns[-1]), int(rows[0]), int(rows[-1])) == (20, 49, 15, 44)


def test_what_a_border_cuts_is_left_to_the_whole_picture() -> None:
    at_border, inside = square(0, 10, 8, 20), square(5, 5, 15, 15)
    at_the_end = square(32, 10, 40, 20)

    kept = shown_whole(drawn(at_border, inside, at_the_end), SIDE, (64, 0, 160, 72), (160, 120), (160, 120))

    assert torch.equal(kept.logits, torch.stack([inside, at_the_end]))  # the picture ends where the part does


@pytest.mark.parametrize(("near", "who"), [(6.0, 1), (-6.0, 0)])
def test_the_look_that_sees_a_thing_best_answers(near: float, who: int) -> None:
    whole = things((square(24, 18, 28, 22), "mug"))
    part = things((square(14, 10, 20, 17), "mug"))
    whole.words[0, WORDS.index("mug")] = 0.0
    part.words[0, WORDS.index("mug")] = near
    seen = [as_seen(whole, SIDE, WHOLE, (160, 120)), as_seen(part, SIDE, (64, 48, 160, 120), (160, 120))]

    (found,) = answer_seen(seen, text("mug"), BELIEF)

    ((number, logits),) = found.pieces
    assert number == who
    assert torch.equal(logits, seen[who].things.logits[0])
    assert rank_seen(seen, text("mug")).same.all()


def test_a_phrase_may_mean_things_of_several_looks() -> None:
    seen = [
        as_seen(things((square(0, 0, 6, 6), "mug")), SIDE, WHOLE, (160, 120)),
        as_seen(things((square(20, 20, 30, 30), "mug")), SIDE, (64, 48, 160, 120), (160, 120)),
    ]

    (found,) = answer_seen(seen, text("mug"), BELIEF)

    assert sorted(number for number, _ in found.pieces) == [0, 1]
    assert found.belief > 0.8


def test_no_things_are_no_answer() -> None:
    nothing = Things(logits=torch.zeros(0, 40, 40), words=torch.zeros(0, len(WORDS)), quality=torch.zeros(0))

    seen = [as_seen(nothing, SIDE, WHOLE, (160, 120))]
    (found,) = answer_seen(seen, text("mug"), BELIEF)

    assert found.pieces == ()
    assert found.belief == 0
    assert each_seen(seen, text("mug"), EACH) == [[]]


def test_each_thing_is_given_once_with_a_belief_of_its_own_the_likeliest_first() -> None:
    whole = things((square(24, 18, 28, 22), "mug"), (square(0, 0, 6, 6), "bowl"), (square(30, 0, 36, 6), "mug"))
    part = things((square(14, 10, 20, 17), "mug"))  # the first thing again, nearer
    part.words[0, WORDS.index("mug")] = 8.0
    whole.words[2, WORDS.index("mug")] = 1.0
    seen = [as_seen(whole, SIDE, WHOLE, (160, 120)), as_seen(part, SIDE, (64, 48, 160, 120), (160, 120))]

    mugs, bowls = each_seen(seen, torch.cat([text("mug"), text("bowl")]), EACH)

    assert [[number for number, _ in one.pieces] for one in mugs] == [[1], [0], [0]]
    assert [one.belief for one in mugs] == sorted((one.belief for one in mugs), reverse=True)
    assert mugs[0].belief > mugs[1].belief > 0.5 > mugs[2].belief
    assert torch.equal(bowls[0].pieces[0][1], whole.logits[1])


def test_an_object_is_no_table_and_no_arm_unless_these_are_asked_for() -> None:
    whole = things(
        (square(0, 20, 40, 30), "object table"), (square(0, 0, 6, 6), "object red mug"),
        (square(30, 0, 36, 12), "object red robot arm"),
    )  # fmt: skip
    whole.words[0, WORDS.index("object")] = 9.0  # the surest of all
    whole.words[:, WORDS.index("thing")] = 6.0
    seen = [as_seen(whole, SIDE, WHOLE, (160, 120))]

    anything, red, table = (each_seen(seen, text(phrase), EACH)[0] for phrase in ("object", "red thing", "table"))

    for found in (anything, red):
        assert torch.equal(found[0].pieces[0][1], whole.logits[1])
        assert found[0].belief > 0.5 > 0.05 > found[1].belief
    assert torch.equal(table[0].pieces[0][1], whole.logits[0])
    assert table[0].belief > 0.5
