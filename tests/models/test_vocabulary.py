"""Phrases to vocabulary indices: every form that a person may write, and what is said when a word is unknown."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.core.errors import PromptError
from maskwright.models.tiny.vocabulary import COLOURS, MATERIALS, NOUNS, WORDS, phrase_words

words = st.sampled_from(WORDS)


def read(phrase: str) -> list[str]:
    return [WORDS[index] for index in phrase_words(phrase)]


def plural(word: str) -> str:
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("s", "x", "sh", "ch")) else "s")


def test_every_word_is_one_lower_case_word_and_stands_there_once() -> None:
    assert len(set(WORDS)) == len(WORDS) == len(COLOURS) + len(MATERIALS) + len(NOUNS)
    assert all(word.isalpha() and word == word.lower() for word in WORDS)


@given(words)
def test_a_word_is_known_in_any_case_and_in_the_plural(word: str) -> None:
    assert read(word) == read(word.upper()) == read(plural(word)) == [word]


@given(st.lists(words, min_size=1, max_size=5))
def test_a_phrase_keeps_each_word_once_in_its_order(chosen: list[str]) -> None:
    assert read(" ".join(chosen)) == list(dict.fromkeys(chosen))
    assert read("-".join(chosen)) == read("  the ".join(chosen)) == read(" ".join(chosen))


@pytest.mark.parametrize(
    ("phrase", "meant"),
    [
        ("The red mug.", ["red", "mug"]),
        ("a grey coffee-machine", ["gray", "coffee", "machine"]),
        ("knives", ["knife"]),
        ("leaves, shelves", ["leaf", "shelf"]),
        ("glass", ["glass"]),
        ("glasses", ["glass"]),
        ("strawberries", ["strawberry"]),
        ("cookies", ["cookie"]),
        ("potatoes", ["potato"]),
        ("mice", ["mouse"]),
        ("people", ["person"]),
    ],
)
def test_other_forms_of_a_word_are_understood(phrase: str, meant: list[str]) -> None:
    assert read(phrase) == meant


@pytest.mark.parametrize(
    ("phrase", "message"),
    [
        ("red mugg", r"tiny does not know the word 'mugg' of 'red mugg'\. Nearest: mug,"),
        ("grass", r"'grass' of 'grass'\. Nearest: glass, .*maskwright models show tiny"),
        ("bus", "does not know the word 'bus'"),
        ("mug and bowl", "does not know the word 'and'"),
        ("the", "needs a word that names something, got 'the'"),
        ("!?", "needs a word that names something"),
    ],
)
def test_what_is_not_understood_is_an_error_that_helps(phrase: str, message: str) -> None:
    with pytest.raises(PromptError, match=message):
        phrase_words(phrase)


def test_the_vocabulary_costs_no_torch() -> None:
    code = "import sys; from maskwright.models.tiny.vocabulary import WORDS; assert 'torch' not in sys.modules"

    subprocess.run([sys.executable, "-c", code], check=True)
