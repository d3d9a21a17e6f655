"""Phrases that people might ask with, and which objects of a picture they mean.

An object has the words of its name, colour and material, as indices into the vocabulary. A phrase means every object
that has all of its words; where the words of an object are not all known, it may be meant or not, and nothing is
learned from its pixels. Plain Python: a picture has few objects.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from maskwright.models.tiny.vocabulary import ANYTHING, COLOURS, MATERIALS, phrase_words
from maskwright.train.dice import Dice

Words = frozenset[int]

_NUM_COLOURS, _NUM_MATERIALS = len(COLOURS), len(MATERIALS)
COLOUR_WORDS = range(_NUM_COLOURS)
MATERIAL_WORDS = range(_NUM_COLOURS, _NUM_COLOURS + _NUM_MATERIALS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """A phrase, and for each object of the picture whether it is meant, and whether that is unknown."""

    words: tuple[int, ...]
    meant: tuple[bool, ...]
    unsure: tuple[bool, ...]

    @property
    def is_absent(self) -> bool:
        """Whether the phrase describes nothing in the picture."""
        return not any(self.meant)


def object_words(name: str, colour: str | None = None, material: str | None = None) -> Words:
    """Collect the words of an object.

    Raises:
        PromptError: a word is not in the vocabulary.
    """
    return frozenset(index for part in (name, colour, material) if part for index in phrase_words(part))


def name_of(words: Words) -> tuple[int, ...]:
    """The words that are neither colour nor material, in the vocabulary's order."""
    return tuple(sorted(index for index in words if index not in COLOUR_WORDS and index not in MATERIAL_WORDS))


def read_phrase(words: Sequence[int], objects: Sequence[Words]) -> Phrase:
    """Say which objects a phrase means."""
    wanted = frozenset(words) - ANYTHING
    missing = [wanted - known for known in objects]
    return Phrase(
        words=tuple(words),
        meant=tuple(not some for some in missing),
        unsure=tuple(bool(some) and _could_have(some, known) for some, known in zip(missing, objects, strict=True)),
    )


def _could_have(missing: Words, known: Words) -> bool:
    """Whether words that an object lacks may be true of it: a colour or a material where none is known."""
    return all(
        any(word in group and not any(other in group for other in known) for group in (COLOUR_WORDS, MATERIAL_WORDS))
        for word in missing
    )


def phrases_about(objects: Sequence[Words]) -> list[tuple[str, Phrase]]:
    """Make the phrases that describe what a picture holds, each once."""
    names = sorted({name_of(one) for one in objects if name_of(one)})
    coloured = {(*(i for i in one if i in COLOUR_WORDS), *name_of(one)) for one in objects if name_of(one)}
    of_colour = sorted({i for one in objects for i in one if i in COLOUR_WORDS})
    return [
        *(("name", read_phrase(name, objects)) for name in names),
        *(("colour name", read_phrase(words, objects)) for words in sorted(coloured) if words[0] in COLOUR_WORDS),
        *(("colour", read_phrase((colour,), objects)) for colour in of_colour),
    ]


def absent_phrase(dice: Dice, objects: Sequence[Words], names: Sequence[tuple[int, ...]]) -> Phrase:
    """Ask for something that is not there: one of `names`, or a thing of the picture in another colour."""
    phrase = read_phrase(names[dice.below(len(names))], objects)
    for _ in range(8):  # almost always the first or second try
        if objects and dice.below(2):
            words = (dice.below(_NUM_COLOURS), *name_of(objects[dice.below(len(objects))]))
        else:
            words = names[dice.below(len(names))]
        phrase = read_phrase(words, objects)
        if phrase.is_absent and not any(phrase.unsure):
            break
    return phrase


def names_in(pictures: Iterable[Sequence[Words]]) -> list[tuple[int, ...]]:
    """List the names of all objects, each once."""
    return sorted({name for objects in pictures for one in objects if (name := name_of(one))})


__all__ = [
    "ANYTHING",
    "COLOUR_WORDS",
    "MATERIAL_WORDS",
    "Phrase",
    "Words",
    "absent_phrase",
    "name_of",
    "names_in",
    "object_words",
    "phrases_about",
    "read_phrase",
]
