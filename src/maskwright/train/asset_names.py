"""From the file names of asset packages to words of the vocabulary: `bedsideTable` is a table, `1f34e` an apple.

Only names that leave no doubt give words; a cut-out without words is still drawn, and nobody asks for it by name. The
names are in `asset_names.txt`, which says how it is read.
"""

import re
import unicodedata
from functools import lru_cache
from importlib.resources import files

from maskwright.models.tiny.vocabulary import WORDS

# Tokens that a name may end in without a change of what it names: "sofa2", "window_2x3_arched".
_TRAILING = re.compile(r"^(?:\d+|[a-z]|bw|swap|set|regular|arched|v\d+|\d+x\d+)$")
# An emoji with one of these in its name is a drawing of a sign, whatever else it is called.
_SIGNS = {"sign", "symbol", "button", "arrow", "square", "ideograph", "heart"}
_PEOPLE = {"adult", "man", "woman", "person", "boy", "girl", "child"}


def plain_name(kind: str, file_name: str) -> str:
    """Spell a file name as lower-case tokens: code points by their Unicode name, camel case and dashes apart."""
    stem = file_name.rsplit(".", 1)[0].split("__")[-1]
    if kind == "emoji":
        try:
            points = [int(point, 16) for point in stem.split("-")]
            names = [unicodedata.name(chr(point)) for point in points if point not in (0xFE0F, 0x200D)]
        except (ValueError, OverflowError):  # flags of regions are spelt in another way
            return ""
        return " + ".join(names).lower().replace("-", " ")
    if kind == "render":  # the view's number
        stem = re.sub(r"_\d+$", "", stem)
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", stem)
    return " ".join(re.split(r"[^A-Za-z0-9]+", apart)).strip().lower()


def words_for(kind: str, file_name: str) -> tuple[str, ...]:
    """Give the words for a cut-out, its name first; none where its name leaves doubt."""
    name = plain_name(kind, file_name)
    wholes = _table("whole")
    whole = wholes.get(name) or wholes.get(re.sub(r"[ \d]+$", "", name))
    if whole:
        return whole
    if kind == "emoji":
        return _emoji_words(name)
    if kind == "clipart":  # titles by their painters, cut at 24 letters: too loose for the last token to tell
        return ()
    tokens = name.split()
    while tokens and _TRAILING.match(tokens[-1]):
        tokens.pop()
    return _by_last(tokens)


def texture_material(file_name: str) -> str | None:
    """Name the material that a texture shows, if its file name says so."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", file_name.rsplit(".", 1)[0])
    materials = (_table("textures").get(token) for token in re.split(r"[^a-z]+", apart.lower()))
    return next((words[0] for words in materials if words), None)


def _emoji_words(name: str) -> tuple[str, ...]:
    first, *others = name.split(" + ")
    tokens = first.split()
    if not tokens or tokens[0] == "regional":
        return ()
    if tokens[0] in _PEOPLE:
        return ("person",)
    if others:  # "runner + female sign"
        words = _table("whole").get(first, ())
        return words if "person" in words else ()
    if "clock face" in name:
        return ("clock",)
    if tokens[-1] == "face" or tokens[0] in ("face", "smiling", "grinning"):
        animal = _table("whole").get(name.removesuffix(" face")) or _by_last(tokens[:-1])
        return (*animal, "face") if not animal or "animal" in animal else ()
    return () if len(tokens) > 3 or _SIGNS & set(tokens) else _by_last(tokens)


def _by_last(tokens: list[str]) -> tuple[str, ...]:
    if not tokens or " ".join(tokens) in _table("none"):
        return ()
    words = _table("last").get(re.sub(r"\d+$", "", tokens[-1]), ())
    kinds = (kind for word in words for kind in _table("kinds").get(word, ()))
    return tuple(dict.fromkeys((*words, *kinds)))


@lru_cache
def _table(section: str) -> dict[str, tuple[str, ...]]:
    """Read one section as {name: words}."""
    text = files("maskwright.train").joinpath("asset_names.txt").read_text("utf-8")
    body = re.search(rf"^\[{section}\]\n(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL)
    assert body, section
    table: dict[str, tuple[str, ...]] = {}
    for line in re.sub(r"\n\s+", " ", body[1]).splitlines():
        words, _, names = line.rpartition("=")
        table |= {name.strip(): tuple(words.split()) for name in names.split("/")}
    assert all(word in WORDS for words in table.values() for word in words), section
    return table


__all__ = ["plain_name", "texture_material", "words_for"]
