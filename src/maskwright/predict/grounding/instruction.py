"""What an instruction says, as values: which thing is meant, by its words, its place, its rank and what it stands by.

`parser.py` makes them, `resolve.py` finds what they mean in a picture. `str` gives the English back, for reasons.
"""

from dataclasses import dataclass
from typing import Literal

RelationKind = Literal[
    "left of", "right of", "in front of", "behind", "above", "below", "on", "in", "under", "next to", "between",
    "with", "of",
]  # fmt: skip
OrderKind = Literal[
    "leftmost", "rightmost", "front", "back", "highest", "lowest", "middle", "largest", "smallest", "tallest",
    "shortest", "longest", "nearest to", "farthest from",
]  # fmt: skip

OPPOSITES: dict[str, str] = {
    "left of": "right of", "right of": "left of", "in front of": "behind", "behind": "in front of", "above": "below",
    "below": "above", "on": "under", "under": "on", "leftmost": "rightmost", "rightmost": "leftmost",
    "front": "back", "back": "front", "highest": "lowest", "lowest": "highest", "largest": "smallest",
    "smallest": "largest", "tallest": "shortest", "shortest": "tallest",
}  # fmt: skip
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One among its like by rank: the `rank`-th by `by`; `of` for nearest and farthest."""

    by: OrderKind
    rank: int = 1
    of: "Description | None" = None

    def __str__(self) -> str:
        """Say it in English, as in "second leftmost"."""
        nth = "" if self.rank == 1 else f"{ordinal(self.rank)} "
        return f"{nth}{self.by}" + ("" if self.of is None else f" {_inner(self.of)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """How a thing stands to others: one of them, or two for "between"."""

    kind: RelationKind
    others: "tuple[Description, ...]"

    def __str__(self) -> str:
        """Say it in English."""
        return f"{self.kind} {' and '.join(map(_inner, self.others))}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A thing, or several: the words that name it, and what tells it from its like.

    `words` are what a model is asked, colours and materials included ("red mug"). `count` None means all there are.
    """

    words: str
    count: int | None = 1
    orders: tuple[Order, ...] = ()
    relations: tuple[Relation, ...] = ()

    def __str__(self) -> str:
        """Say it in English, in one order of words."""
        number = "all the " if self.count is None else "the " if self.count == 1 else f"the {self.count} "
        before = "".join(f"{order} " for order in self.orders if order.of is None)
        after = "".join(f" {order}" for order in self.orders if order.of is not None)
        return f"{number}{before}{self.words}{after}" + "".join(f" {one}" for one in self.relations)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One reading of a text: what to do, to which thing, and where it shall go."""

    text: str
    verb: str | None
    target: Description
    goal: Relation | None = None

    def __str__(self) -> str:
        """Say how the text was read."""
        parts = (self.verb, str(self.target), None if self.goal is None else f"to be {self.goal}")
        return " ".join(part for part in parts if part is not None)


def _inner(one: Description) -> str:
    """Say a thing that another stands by, so that it is clear what belongs to which."""
    is_plain = not one.relations and all(order.of is None for order in one.orders)
    return str(one) if is_plain else f"({one})"


def ordinal(rank: int) -> str:
    """Give the word of a rank.

    >>> ordinal(2), ordinal(12)
    ('second', '12th')
    """
    return _ORDINALS[rank - 1] if 1 <= rank <= len(_ORDINALS) else f"{rank}th"


__all__ = ["OPPOSITES", "Description", "Instruction", "Order", "OrderKind", "Relation", "RelationKind", "ordinal"]
