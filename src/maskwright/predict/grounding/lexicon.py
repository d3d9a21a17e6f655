"""The words around nouns that instructions are made of. What is not here is taken to name a thing, or its looks."""

import re
from typing import Literal

from maskwright.predict.grounding.instruction import OrderKind, RelationKind

# What may be done to a thing, and whether a place for it follows: never, only behind "to" or "into", wherever it can.
Goes = Literal["nowhere", "to", "anywhere"]
_GOES: dict[Goes, tuple[str, ...]] = {
    "nowhere": (
        "pick up", "pick", "grasp", "grab", "lift", "raise", "get", "hold", "fetch", "give me", "hand me", "pass me",
        "bring me", "find", "locate", "show me", "show", "segment", "select", "highlight", "track", "follow", "ground",
        "point at", "point to", "reach for", "reach", "look at", "where is", "where are", "go to", "touch", "press",
        "turn on", "turn off", "turn", "rotate", "open", "close", "wipe", "clean", "unplug",
    ),
    "to": ("take", "bring", "push", "pull", "slide", "throw"),
    "anywhere": (
        "pick and place", "move", "put", "place", "drop", "set", "lay", "stack", "insert", "pour", "plug", "hang",
    ),
}  # fmt: skip
VERBS: dict[str, Goes] = {verb: goes for goes, verbs in _GOES.items() for verb in verbs}
POLITE = ("please", "can you", "could you", "would you", "now", "robot", "i want you to", "you should", "try to")

RELATIONS: dict[str, RelationKind] = {
    "to the left of": "left of", "on the left of": "left of", "at the left of": "left of",
    "on the left side of": "left of", "to the left side of": "left of", "left of": "left of",
    "to the right of": "right of", "on the right of": "right of", "at the right of": "right of",
    "on the right side of": "right of", "to the right side of": "right of", "right of": "right of",
    "in front of": "in front of", "before": "in front of", "behind": "behind", "in back of": "behind",
    "at the back of": "behind", "on top of": "on", "onto": "on", "upon": "on", "atop": "on", "on": "on",
    "inside of": "in", "inside": "in", "within": "in", "into": "in", "in": "in", "underneath": "under",
    "beneath": "under", "under": "under", "below": "below", "above": "above", "over": "above", "next to": "next to",
    "beside": "next to", "besides": "next to", "close to": "next to", "adjacent to": "next to", "near to": "next to",
    "near": "next to", "by": "next to", "alongside": "next to", "against": "next to", "touching": "next to",
    "between": "between", "in between": "between", "with": "with", "of": "of", "held by": "next to",
}  # fmt: skip
# "on the left of the table" is a place, and not beyond the table.
SIDE_RELATIONS = ("on the left", "at the left", "on the right", "at the right", "at the back")
# Only where something shall go.
GOALS: dict[str, RelationKind] = {"to": "next to", "toward": "next to", "towards": "next to", "at": "next to"}

NEAREST: dict[str, OrderKind] = {
    "nearest to": "nearest to", "closest to": "nearest to", "nearest": "nearest to", "closest": "nearest to",
    "farthest from": "farthest from", "furthest from": "farthest from", "farthest away from": "farthest from",
    "furthest away from": "farthest from", "most far from": "farthest from",
}  # fmt: skip

# Where among its like, said before the noun.
ORDERS: dict[str, OrderKind] = {
    "leftmost": "leftmost", "left-most": "leftmost", "left": "leftmost", "left-hand": "leftmost",
    "rightmost": "rightmost", "right-most": "rightmost", "right": "rightmost", "right-hand": "rightmost",
    "front": "front", "nearest": "front", "closest": "front", "frontmost": "front", "foremost": "front",
    "back": "back", "rear": "back", "farthest": "back", "furthest": "back", "rearmost": "back",
    "top": "highest", "topmost": "highest", "upper": "highest", "highest": "highest",
    "bottom": "lowest", "bottommost": "lowest", "lower": "lowest", "lowest": "lowest",
    "middle": "middle", "central": "middle", "center": "middle", "centre": "middle",
    "largest": "largest", "biggest": "largest", "larger": "largest", "bigger": "largest", "large": "largest",
    "big": "largest", "widest": "largest", "smallest": "smallest", "smaller": "smallest", "small": "smallest",
    "little": "smallest", "tiny": "smallest", "tallest": "tallest", "taller": "tallest", "tall": "tallest",
    "shortest": "shortest", "shorter": "shortest", "short": "shortest", "longest": "longest", "longer": "longest",
    "long": "longest",
}  # fmt: skip
# These stand for a thing by themselves: "the leftmost", but not "the left".
ALONE_NAMES = tuple(word for word in ORDERS if word.endswith("est") or word.endswith("most"))
# Where among its like, said behind the noun: "on the SIDE".
SIDES: dict[str, OrderKind] = {
    "far left": "leftmost", "left": "leftmost", "far right": "rightmost", "right": "rightmost", "front": "front",
    "back": "back", "rear": "back", "top": "highest", "bottom": "lowest", "middle": "middle", "center": "middle",
    "centre": "middle",
}  # fmt: skip
SIDE_AFTER = ("side", "edge", "end", "hand side", "half")
# "in front" and "behind" by themselves.
ALONE: dict[str, OrderKind] = {"in front": "front", "in the back": "back", "closest": "front", "nearest": "front"}
# "on the left of the table" says where on it, and not what it is left of.
PLACES = ("picture", "image", "scene", "frame", "view", "photo", "screen", "table", "desk", "counter", "workspace")

RANKS: dict[str, int] = {
    "first": 1, "1st": 1, "second": 2, "2nd": 2, "third": 3, "3rd": 3, "fourth": 4, "4th": 4, "fifth": 5, "5th": 5,
    "sixth": 6, "6th": 6, "seventh": 7, "7th": 7, "eighth": 8, "8th": 8, "ninth": 9, "9th": 9, "tenth": 10, "10th": 10,
}  # fmt: skip
COUNTS: dict[str, int | None] = {
    "all": None, "every": None, "each": None, "both": 2, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6,
    "2": 2, "3": 3, "4": 4, "5": 5, "6": 6,
}  # fmt: skip
ARTICLES = ("the", "a", "an", "my", "this", "these", "those", "some", "any", "your", "its")
PRONOUNS = ("it", "them")
ONES = ("one", "ones", "object", "objects", "thing", "things", "item", "items")
SAID_OF = (
    "that is", "that are", "that's", "which is", "which are", "that stands", "that lies", "that sits", "standing",
    "lying", "sitting", "located", "placed", "resting", "positioned", "is", "are", "being",
)  # fmt: skip


def tokens(text: str) -> tuple[str, ...]:
    """Cut a text into lower-case words and commas.

    >>> tokens("The red mug, on the LEFT.")
    ('the', 'red', 'mug', ',', 'on', 'the', 'left')
    """
    return tuple(re.findall(r"[\w'-]+|,", text.lower().replace(";", ",").replace("\u2019", "'")))


_FUNCTION = frozenset(
    word
    for table in (RELATIONS, GOALS, NEAREST, ALONE, SAID_OF, PRONOUNS, ARTICLES, ("and", ",", "from", "than"))
    for phrase in table
    for word in phrase.split()
) - {"left", "right", "front", "back", "top", "side", "close", "adjacent", "hand", "far", "most", "away"}


def is_function_word(word: str) -> bool:
    """Whether a word belongs to the grammar and cannot name a thing."""
    return word in _FUNCTION


__all__ = [
    "ALONE",
    "ALONE_NAMES",
    "ARTICLES",
    "COUNTS",
    "GOALS",
    "NEAREST",
    "ONES",
    "ORDERS",
    "PLACES",
    "POLITE",
    "PRONOUNS",
    "RANKS",
    "RELATIONS",
    "SAID_OF",
    "SIDES",
    "SIDE_AFTER",
    "SIDE_RELATIONS",
    "VERBS",
    "Goes",
    "is_function_word",
    "tokens",
]
