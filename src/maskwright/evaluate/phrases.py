"""Phrases to ask a picture by, made from the names and colours of its objects.

A phrase asks for everything that it describes, as one mask. Asked are every name, every colour with a name, and things
that are not there: a name of another picture, and a name that is there in a colour that is not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from maskwright.core import RLE
from maskwright.evaluate.dataset import TrueObject
from maskwright.masks import union


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """Words, and the mask of all that they describe: None if there is no such thing in the picture."""

    kind: str
    text: str
    truth: RLE | None


def phrases_of(objects: Sequence[TrueObject], *, elsewhere: Sequence[str], rng: np.random.Generator) -> list[Phrase]:
    """Make the phrases of a picture. `elsewhere` are names that other pictures have.

    A phrase is left out when it describes things of several names ("cup" where there is a cup and a paper cup): what
    is meant would be unclear.
    """
    named = [one for one in objects if one.name]
    names = list(dict.fromkeys(one.name for one in named if one.name))
    pairs = list(dict.fromkeys((one.colour, one.name) for one in named if one.colour and one.name))
    wanted = [("name", name) for name in names] + [("colour+name", f"{colour} {name}") for colour, name in pairs]
    found = [
        Phrase(kind=kind, text=text, truth=_described(text, named)) for kind, text in wanted if _is_clear(text, named)
    ]
    absent = _absent(named, elsewhere, rng)
    return found + [Phrase(kind="absent", text=text, truth=None) for text in absent]


def _absent(named: Sequence[TrueObject], elsewhere: Sequence[str], rng: np.random.Generator) -> list[str]:
    colours = sorted({one.colour for one in named if one.colour})
    names = sorted({one.name for one in named if one.name and one.colour})
    in_other_colours = [f"{c} {n}" for c in colours for n in names if not _matching(f"{c} {n}", named)]
    others = sorted(name for name in set(elsewhere) if not _matching(name, named))
    return [str(rng.choice(some)) for some in (others, in_other_colours) if some]


def _described(text: str, named: Sequence[TrueObject]) -> RLE:
    return union([one.mask for one in _matching(text, named)])


def _is_clear(text: str, named: Sequence[TrueObject]) -> bool:
    return len({one.name for one in _matching(text, named)}) == 1


def _matching(text: str, named: Sequence[TrueObject]) -> list[TrueObject]:
    """Find the objects that have every word of the text, among name, colour and material."""
    wanted = set(text.split())
    return [
        one for one in named if wanted <= set(" ".join(w for w in (one.name, one.colour, one.material) if w).split())
    ]


__all__ = ["Phrase", "phrases_of"]
