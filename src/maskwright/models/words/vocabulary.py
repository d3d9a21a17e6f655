"""The words that a text adapter was trained on, and how a phrase becomes their numbers. No torch.

Words are those of the labels that it learnt from: in lower case, and cut where no letter or digit is, so that
`Coffee_Mug` is "coffee mug". Their order is part of the weights.
"""

import difflib
import re
from collections.abc import Iterable, Sequence

from maskwright.core.errors import PromptError

_ARTICLES = frozenset({"a", "an", "the"})
_OTHER_FORMS = {"grey": "gray", "mice": "mouse", "people": "person", "persons": "person", "knives": "knife"}
_PLURALS = (("s", ""), ("es", ""), ("ies", "y"), ("ves", "f"), ("ves", "fe"))
_TOLD = 4


def words_of(phrase: str) -> tuple[str, ...]:
    """Cut a phrase or a label into words, without articles, each once.

    >>> words_of("The red Coffee_Mug")
    ('red', 'coffee', 'mug')
    """
    found = re.findall(r"[^\W_]+", phrase.lower())
    return tuple(dict.fromkeys(word for word in found if word not in _ARTICLES))


def words_in(labels: Iterable[str]) -> tuple[str, ...]:
    """List the words of labels, in order of the alphabet."""
    return tuple(sorted({word for label in labels for word in words_of(label)}))


def word_numbers(phrase: str, known: Sequence[str]) -> tuple[int, ...]:
    """Turn a phrase into positions in `known`; plurals and other spellings are found too.

    Raises:
        PromptError: a word is unknown (the message lists the nearest), or there is none beside articles.
    """
    meant = words_of(phrase)
    if not meant:
        raise PromptError(f"a text prompt needs a word that names something, got {phrase!r}")
    place = {word: number for number, word in enumerate(known)}
    return tuple(dict.fromkeys(place[_known_form(word, phrase, known)] for word in meant))


def _known_form(word: str, phrase: str, known: Sequence[str]) -> str:
    other = _OTHER_FORMS.get(word, word)
    singulars = (word.removesuffix(ending) + rest for ending, rest in _PLURALS if word.endswith(ending))
    for form in (word, other, *singulars):
        if form in known:
            return form
    nearest = difflib.get_close_matches(word, known, n=_TOLD, cutoff=0.0)
    raise PromptError(
        f"this model was not taught the word {word!r} of {phrase!r}. Nearest of its {len(known)}: {', '.join(nearest)}"
    )


__all__ = ["word_numbers", "words_in", "words_of"]
