"""English instructions to `Instruction`s: a small grammar of noun phrases, places, ranks and relations.

Every way in which a text can be read is given: in "the mug next to the bowl on the left" either may be on the left.
The nearest noun comes first, since people mean it more often. Words that are no part of the grammar name things; the
model that is asked for them says whether it knows them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice

from maskwright.core.errors import PromptError
from maskwright.predict.grounding import lexicon
from maskwright.predict.grounding.instruction import (
    OPPOSITES,
    Description,
    Instruction,
    Order,
    OrderKind,
    Relation,
    RelationKind,
)

_MOST_READINGS = 12
_MOST_WORDS = 60
# Things that come in twos and are one.
_NOT_PLURAL = ("scissors", "pliers", "tongs", "glasses", "goggles", "tweezers", "stairs", "gas")

_Read = tuple[Description, int]


def parse(text: str) -> tuple[Instruction, ...]:
    """Read an instruction, or the description of a thing, in every way that makes sense, the likeliest first.

    >>> print(parse("Put the red mug on the left, next to the bowl, into the sink.")[0])
    put the leftmost red mug next to the bowl to be in the sink

    Raises:
        PromptError: it names nothing, cannot be read to its end, or contradicts itself. The message quotes the words.
    """
    if not isinstance(text, str):
        raise PromptError(f"an instruction is one string, got a {type(text).__name__}")
    words = lexicon.tokens(text)
    if len(words) > _MOST_WORDS:
        raise PromptError(f"an instruction has at most {_MOST_WORDS} words, got {len(words)}: {text[:60]!r} ...")
    reader = _Reader(text=text.strip(), words=words)
    found = tuple(dict.fromkeys(islice(reader.instructions(), _MOST_READINGS)))
    if any(one.goal for one in found):  # what can be a goal is one
        found = tuple(one for one in found if one.goal)
    if not found:
        raise reader.refusal()
    problems = [contradiction(one.target) for one in found]
    if all(problems):
        raise PromptError(f"{problems[0]} contradict each other in {text.strip()!r}. Leave one of them out.")
    return tuple(one for one, problem in zip(found, problems, strict=True) if problem is None)


def contradiction(description: Description) -> str | None:
    """Name two parts of a description that cannot both hold, if there are such."""
    orders = [order.by for order in description.orders if order.of is None]
    said = [(order, order) for order in orders]
    said += [(one.kind, f"{one.kind} {' and '.join(map(str, one.others))}") for one in description.relations]
    for i, (kind, written) in enumerate(said):
        opposite = OPPOSITES.get(kind)
        for other, other_written in said[i + 1 :]:
            is_same_place = written.removeprefix(kind) == other_written.removeprefix(other)
            if other == opposite and is_same_place:
                return f"'{written}' and '{other_written}'"
    inner = [other for one in description.relations for other in one.others]
    inner += [order.of for order in description.orders if order.of is not None]
    return next((problem for one in inner if (problem := contradiction(one)) is not None), None)


@dataclass(slots=True)
class _Noun:
    """A noun phrase while it is read."""

    words: list[str] = field(default_factory=list)
    count: int | None = 1
    is_counted: bool = False
    orders: list[Order] = field(default_factory=list)
    rank: int | None = None


@dataclass(slots=True)
class _Reader:
    """One text and how far it could be read: the grammar, by recursive descent over all alternatives."""

    text: str
    words: tuple[str, ...]
    furthest: int = 0

    def refusal(self) -> PromptError:
        """Say what could not be read."""
        rest = " ".join(self.words[self.furthest :])
        if not self.words:
            return PromptError("an instruction needs words that name a thing, got none")
        if not rest:
            return PromptError(f"the instruction ends before it names a thing: {self.text!r}")
        advice = "Say which thing, and where: 'the red mug on the left, next to the bowl'."
        return PromptError(f"cannot read {rest!r} of {self.text!r}. {advice}")

    def instructions(self) -> Iterator[Instruction]:
        """Read the whole text."""
        at = 0
        while (polite := self._match(at, lexicon.POLITE)) is not None or self._is(at, ","):
            at = at + 1 if polite is None else polite[1]
        verb = self._match(at, lexicon.VERBS)
        name, at = (None, at) if verb is None else verb
        goes: lexicon.Goes = "nowhere" if name is None else lexicon.VERBS[name]
        for target, end in self._descriptions(at, is_inner=False):
            if end == len(self.words):
                yield Instruction(text=self.text, verb=name, target=target)
            else:
                for goal in self._goals(end, goes):
                    yield Instruction(text=self.text, verb=name, target=target, goal=goal)

    def _goals(self, at: int, goes: lexicon.Goes) -> Iterator[Relation]:
        """Read where the thing shall go: "into the sink", "and put it on the plate"."""
        at = self._behind_comma(at)
        if (second := self._match(at, lexicon.VERBS)) is not None:
            at, goes = second[1], lexicon.VERBS[second[0]]
            if self._is(at, *lexicon.PRONOUNS):
                at += 1
        kinds: dict[str, RelationKind] = lexicon.RELATIONS | lexicon.GOALS
        if goes == "nowhere" or (found := self._match(at, kinds)) is None:
            return
        if goes == "to" and not found[0].startswith(("to", "in to", "into", "onto")):
            return
        for others, end in self._others(kinds[found[0]], found[1]):
            if end == len(self.words):
                yield Relation(kind=kinds[found[0]], others=others)

    def _descriptions(self, at: int, *, is_inner: bool) -> Iterator[_Read]:
        """Read a thing with all that is said of it; an inner one leaves what follows a comma to the outer."""
        noun, at = self._noun(at)
        if not noun.words:
            return
        count = noun.count
        if not noun.is_counted and _is_plural(noun.words[-1]):
            count = None
        plain = Description(words=" ".join(noun.words), count=count, orders=tuple(noun.orders))
        yield from self._more(plain, at, rank=noun.rank, is_inner=is_inner)

    def _noun(self, at: int) -> tuple[_Noun, int]:
        noun = _Noun()
        while at < len(self.words):
            self.furthest = max(self.furthest, at)
            word = self.words[at]
            is_named = bool(noun.words)
            if is_named and (self._match(at, lexicon.RELATIONS) or self._match(at, lexicon.NEAREST)):
                break
            if not is_named and word in lexicon.COUNTS and not noun.is_counted:
                noun.count, noun.is_counted = lexicon.COUNTS[word], True
                at += 2 if self._is(at + 1, "of") else 1
            elif not is_named and word == "one" and self._is(at + 1, "of"):
                noun.count, noun.is_counted, at = 1, True, at + 2
            elif not is_named and word in lexicon.ARTICLES:
                at += 1
            elif not is_named and noun.rank is None and word in lexicon.RANKS:
                noun.rank, at = lexicon.RANKS[word], at + 1
            elif word in lexicon.ORDERS and not self._is(at + 1, "of"):
                noun.orders.append(Order(by=lexicon.ORDERS[word], rank=noun.rank or 1))
                noun.rank, at = None, at + 1
            elif word in lexicon.ONES:
                noun.words.append("object")
                at += 1
            elif lexicon.is_function_word(word):
                break
            else:
                noun.words.append(word)
                at += 1
        # What was said last may stand for a thing by itself: "the second from the left", "the leftmost".
        last = self.words[at - 1] if at else ""
        if not noun.words and (noun.rank is not None or (noun.orders and last in lexicon.ALONE_NAMES)):
            noun.words.append("object")
        self.furthest = max(self.furthest, at)
        return noun, at

    def _more(self, one: Description, at: int, *, rank: int | None, is_inner: bool) -> Iterator[_Read]:
        """Read what follows a noun, in every way."""
        begin = self._behind_comma(at)
        if begin == at or not is_inner:
            begin = self._behind(begin, lexicon.SAID_OF)
            for order, end in self._orders(begin):
                nth = replace(order, rank=rank) if rank is not None and order.of is None else order
                left = None if nth is not order else rank
                yield from self._more(replace(one, orders=(*one.orders, nth)), end, rank=left, is_inner=is_inner)
            for relation, end in self._relations(begin):
                yield from self._more(
                    replace(one, relations=(*one.relations, relation)), end, rank=rank, is_inner=is_inner
                )
        if rank is not None:  # "the second mug": as one reads, from the left
            one = replace(one, orders=(*one.orders, Order(by="leftmost", rank=rank)))
        yield one, at

    def _orders(self, at: int) -> Iterator[tuple[Order, int]]:
        """Read "on the left (side) (of the table)", "from the left", "nearest to the bowl", "in front"."""
        if (found := self._match(at, lexicon.NEAREST)) is not None:
            for other, end in self._descriptions(found[1], is_inner=True):
                yield Order(by=lexicon.NEAREST[found[0]], of=other), end
        if (found := self._match(at, lexicon.ALONE)) is not None and not self._is(found[1], "of", "to"):
            yield Order(by=lexicon.ALONE[found[0]]), found[1]
        if not self._is(at, "on", "at", "to", "in", "from", "towards"):
            return
        side = self._match(self._behind(at + 1, ("the",)), lexicon.SIDES)
        if side is None:
            return
        by: OrderKind = lexicon.SIDES[side[0]]
        end = self._behind(side[1], lexicon.SIDE_AFTER)
        if not self._is(end, "of"):
            yield Order(by=by), end
        else:
            place = self._behind(end + 1, ("the",))
            if self._is(place, *lexicon.PLACES):
                yield Order(by=by), place + 1

    def _relations(self, at: int) -> Iterator[tuple[Relation, int]]:
        """Read "next to the bowl", "between the mug and the box"."""
        if (found := self._match(at, lexicon.RELATIONS)) is None:
            return
        kind = lexicon.RELATIONS[found[0]]
        for others, end in self._others(kind, found[1]):
            if found[0].startswith(lexicon.SIDE_RELATIONS) and others[0].words in lexicon.PLACES:
                continue
            yield Relation(kind=kind, others=others), end

    def _others(self, kind: RelationKind, at: int) -> Iterator[tuple[tuple[Description, ...], int]]:
        for first, end in self._descriptions(at, is_inner=True):
            if kind != "between":
                yield (first,), end
            elif self._is(end, "and"):
                for second, last in self._descriptions(end + 1, is_inner=True):
                    yield (first, second), last
            elif first.count != 1:  # "between the two mugs"
                yield (first,), end

    def _is(self, at: int, *wanted: str) -> bool:
        return at < len(self.words) and self.words[at] in wanted

    def _match(self, at: int, phrases: Iterable[str]) -> tuple[str, int] | None:
        """Find the longest phrase of a table that stands here, and where it ends."""
        best = None
        for phrase in phrases:
            words = tuple(phrase.split())
            if self.words[at : at + len(words)] == words and (best is None or at + len(words) > best[1]):
                best = phrase, at + len(words)
        return best

    def _behind(self, at: int, phrases: Iterable[str]) -> int:
        found = self._match(at, phrases)
        return at if found is None else found[1]

    def _behind_comma(self, at: int) -> int:
        while self._is(at, ",", "and"):
            at += 1
        return at


def _is_plural(word: str) -> bool:
    return word.endswith("s") and not word.endswith(("ss", "us", "is")) and word not in _NOT_PLURAL


__all__ = ["contradiction", "parse"]
