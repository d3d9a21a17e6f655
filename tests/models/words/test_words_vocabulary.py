"""Labels and phrases as words, without torch."""

import subprocess
import sys

import pytest

from maskwright.models.words.vocabulary import word_numbers, words_in, words_of


@pytest.mark.parametrize(
    ("phrase", "words"),
    [
        ("The red Coffee_Mug", ("red", "coffee", "mug")),
        ("mug-handle/left", ("mug", "handle", "left")),
        ("a", ()),
        ("tasse à café 2", ("tasse", "à", "café", "2")),
        ("mug mug", ("mug",)),
    ],
)
def test_labels_are_cut_where_no_letter_is(phrase, words):
    assert words_of(phrase) == words


def test_words_of_labels_are_in_order_and_each_once():
    assert words_in(["red mug", "Mug", "blue_bowl"]) == ("blue", "bowl", "mug", "red")


@pytest.mark.parametrize(
    ("phrase", "known"), [("mugs", "mug"), ("Boxes", "box"), ("berries", "berry"), ("grey", "gray"), ("glass", "glass")]
)
def test_plurals_and_other_spellings_are_found(phrase, known):
    assert word_numbers(phrase, ("a1", known)) == (1,)


def test_a_word_that_is_known_is_not_taken_for_a_plural():
    assert word_numbers("glasses", ("glass", "glasses")) == (1,)


def test_words_cost_no_torch():
    code = "import sys; import maskwright.models.words.vocabulary; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
