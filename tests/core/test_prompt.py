"""Prompts: normalised when made, or refused with a sentence that says what to do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.core import RLE, BoxPrompt, CombinedPrompt, MaskPrompt, PointPrompt, TextPrompt, prompt_parts
from maskwright.core.errors import PromptError

numbers = st.floats(-1e6, 1e6)
MASK = RLE((2, 2), b"4")


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=5))
def test_points_are_kept_in_their_order_whatever_holds_them(points):
    prompt = PointPrompt(points)

    assert prompt.points_xy == tuple(points)
    assert prompt.labels == (1,) * len(points)
    assert prompt == PointPrompt(np.array(points), np.ones(len(points), np.int64))
    assert hash(prompt) == hash(PointPrompt(tuple(points)))


def test_labels_become_plain_numbers():
    assert PointPrompt([(1, 2), (3, 4)], [True, np.int32(0)]).labels == (1, 0)
    assert all(type(label) is int for label in PointPrompt([(1, 2), (3, 4)], [True, np.int32(0)]).labels)


def test_a_box_takes_any_four_numbers():
    assert BoxPrompt(np.array([1, 2, 3, 4])).box_xyxy == (1.0, 2.0, 3.0, 4.0)
    assert BoxPrompt([1, 2, 3, 4]) == BoxPrompt((1.0, 2.0, 3.0, 4.0))


def test_a_combined_prompt_lists_its_parts_and_a_single_one_is_its_own_part():
    point, box = PointPrompt([(1, 2)]), BoxPrompt((0, 0, 4, 4))

    assert prompt_parts(CombinedPrompt([point, box, point])) == (point, box, point)
    assert prompt_parts(box) == (box,)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PointPrompt([]), r"at least one \(x, y\) point, got none"),
        (lambda: PointPrompt((500, 375)), r"a sequence of \(x, y\) pixel pairs, got \(500, 375\)"),
        (lambda: PointPrompt([(1, 2, 3)]), r"\(x, y\) pixel pairs"),
        (lambda: PointPrompt([("a", 2)]), r"\(x, y\) pixel pairs"),
        (lambda: PointPrompt([(1, float("nan"))]), "a point must have finite pixel coordinates, got 1, nan"),
        (lambda: PointPrompt([(1, float("inf"))]), "finite pixel coordinates, got 1, inf"),
        (lambda: PointPrompt([(1, 2)], [2]), r"must be 1 \(on the object\) or 0 \(not on it\), got 2"),
        (lambda: PointPrompt([(1, 2)], [0.5]), "got 0.5"),
        (lambda: PointPrompt([(1, 2)], ["1"]), "got 1"),
        (lambda: PointPrompt([(1, 2)], [1, 0]), "each point needs one label, got 1 points and 2 labels"),
        (lambda: PointPrompt([(1, 2)], 1), "a sequence with one label for each point, got 1"),
        (lambda: BoxPrompt((1, 2, 3)), r"four numbers x1, y1, x2, y2, got \(1, 2, 3\)"),
        (lambda: BoxPrompt(None), "four numbers x1, y1, x2, y2, got None"),
        (lambda: BoxPrompt((4, 0, 2, 5)), "x1 < x2 and y1 < y2, got 4,0,2,5. It takes corners, not x, y, width"),
        (lambda: BoxPrompt((0, 0, 4, 0)), "x1 < x2 and y1 < y2"),
        (lambda: BoxPrompt((0, 0, float("nan"), 1)), "a box must have finite pixel coordinates"),
        (lambda: MaskPrompt(np.zeros((2, 2), bool)), "takes an RLE, got ndarray. Use masks.encode first."),
        (lambda: TextPrompt("  "), "at least one word, got an empty string"),
        (lambda: TextPrompt(["cup"]), "takes one string, got list"),
        (lambda: CombinedPrompt([]), "at least one part, got none"),
        (
            lambda: CombinedPrompt([BoxPrompt((0, 0, 1, 1))] * 2),
            "at most one BoxPrompt, got 2. Give each object its own",
        ),
        (lambda: CombinedPrompt([MaskPrompt(MASK)] * 2), "at most one MaskPrompt, got 2"),
        (lambda: CombinedPrompt([TextPrompt("cup")] * 3), "at most one TextPrompt, got 3"),
        (lambda: CombinedPrompt([(1, 2)]), "must be point, box, mask or text prompts, got tuple"),
        (lambda: CombinedPrompt([CombinedPrompt([TextPrompt("cup")])]), "got CombinedPrompt"),
    ],
)
def test_a_malformed_prompt_is_an_error_that_says_what_to_do(make, message):
    with pytest.raises(PromptError, match=message):
        make()
