"""Which things of a picture an instruction means: every one that may be meant, with how surely and why.

Beliefs are taken as probabilities and multiplied: that the words hold of a thing, that each relation holds to something
that its own words hold of, that the thing has the rank it is said to have among its like. Ranks count uncertain rivals
by how likely each is one (the distribution of a sum of unlike Bernoulli variables), so a doubtful mug at the far left
does not make the next one the second.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product

import numpy as np
from jaxtyping import Float

from maskwright import masks
from maskwright.predict.grounding.instruction import Description, Instruction, Order, Relation
from maskwright.predict.grounding.relations import holds, noise_of, soft, sort_key
from maskwright.predict.grounding.shapes import Shape, Thing, measure

# Two masks that share more than this are one thing.
_SAME_IOU = 0.6
# Less likely things are not followed any further; what is named beside them may still be.
_LEAST = 0.02
_MOST_OTHERS = 12
# A reading that is less natural than another.
_READING = 0.85

Find = Callable[[str], Sequence[Thing]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One thing that was said, and how well it holds, 0 to 1."""

    said: str
    truth: float

    def __str__(self) -> str:
        """Say it with two digits."""
        return f"{self.said}: {self.truth:.2f}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ranked:
    """A thing that may be meant. `score` is the product of its reasons' truths and of how natural the reading is."""

    thing: Thing
    score: float
    reasons: tuple[Reason, ...]
    reading: str

    @property
    def weakest(self) -> Reason:
        """What speaks most against it."""
        return min(self.reasons, key=lambda reason: reason.truth)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Candidate:
    thing: Thing
    shape: Shape
    score: float
    reasons: tuple[Reason, ...]

    def because(self, said: object, truth: float) -> "_Candidate":
        reason = Reason(said=str(said), truth=truth)
        return _Candidate(thing=self.thing, shape=self.shape, score=self.score * truth, reasons=(*self.reasons, reason))


@dataclass(slots=True)
class Resolver:
    """Finds what descriptions mean in one picture. `find` gives all things that some words may hold of."""

    find: Find
    depth_m: Float[np.ndarray, "H W"] | None = None
    _seen: dict[str, tuple[_Candidate, ...]] = field(default_factory=dict)

    def rank(self, readings: Sequence[Instruction]) -> tuple[Ranked, ...]:
        """Rank things as targets of an instruction, over all its readings, the likeliest first."""
        return self._over_readings([(one.target, str(one)) for one in readings])

    def rank_goal(self, readings: Sequence[Instruction]) -> tuple[Ranked, ...]:
        """Rank things beside which the target shall go; none where nothing is said of it."""
        goals = [(one.goal.others[0], str(one)) for one in readings if one.goal is not None]
        return self._over_readings(goals)

    def _over_readings(self, wanted: Sequence[tuple[Description, str]]) -> tuple[Ranked, ...]:
        best: list[Ranked] = []
        for i, (description, reading) in enumerate(wanted):
            for one in self.candidates(description):
                ranked = Ranked(thing=one.thing, score=one.score * _READING**i, reasons=one.reasons, reading=reading)
                best.append(ranked)
        best.sort(key=lambda one: -one.score)
        kept: dict[str, Ranked] = {}
        for one in best:
            kept.setdefault(f"{one.thing.rle.counts}", one)
        return tuple(kept.values())

    def candidates(self, description: Description) -> tuple[_Candidate, ...]:
        """Give all things that may be meant by a description, the likeliest first."""
        found = list(self._named(description.words))
        for relation in description.relations:
            found = [one.because(relation, self._relation(one, relation)) for one in found]
        for order in description.orders:
            found = self._ordered(found, order)
        return tuple(sorted(found, key=lambda one: -one.score))

    def _named(self, words: str) -> tuple[_Candidate, ...]:
        """Find the things that words hold of, each once."""
        if words in self._seen:
            return self._seen[words]
        things = sorted(self.find(words), key=lambda one: -one.belief)
        apart = _apart([thing for thing in things if thing.belief >= _LEAST])
        shapes = [(thing, measure(thing.rle, self.depth_m)) for thing in apart]
        known = [(thing, shape) for thing, shape in shapes if shape is not None]
        said = f"is a {words}" if not words.startswith(("a", "e", "i", "o", "u")) else f"is an {words}"
        self._seen[words] = tuple(
            _Candidate(thing=thing, shape=shape, score=thing.belief, reasons=(Reason(said=said, truth=thing.belief),))
            for thing, shape in known
        )
        return self._seen[words]

    def _relation(self, one: _Candidate, relation: Relation) -> float:
        """How likely a relation holds to something that is what it is said to be."""
        groups = [self.candidates(other)[:_MOST_OTHERS] for other in relation.others]
        pairs = combinations(groups[0], 2) if relation.kind == "between" and len(groups) == 1 else product(*groups)
        truths = [
            float(np.prod([other.score for other in others]))
            * holds(relation.kind, one.shape, [other.shape for other in others])
            for others in pairs
            if not any(_is_same(one.shape, other.shape) for other in others)
        ]
        return max(truths, default=0.0)

    def _ordered(self, found: Sequence[_Candidate], order: Order) -> list[_Candidate]:
        """Weigh things by how likely each has the rank that is asked for."""
        if order.of is None:
            return self._ranked(found, order, None)
        others = self.candidates(order.of)[:1]
        if not others:
            return [one.because(order, 0.0) for one in found]
        rivals = [one for one in found if not _is_same(one.shape, others[0].shape)]
        return [
            one.because(f"{order.of} is there", others[0].score) for one in self._ranked(rivals, order, others[0].shape)
        ]

    @staticmethod
    def _ranked(found: Sequence[_Candidate], order: Order, of: Shape | None) -> list[_Candidate]:
        shapes = _alike([one.shape for one in found])
        keys = [sort_key(order.by, shape, shapes, of) for shape in shapes]
        ranked: list[_Candidate] = []
        for i, one in enumerate(found):
            before = [
                rival.score * soft(3 * (keys[i] - keys[j]) / max(noise_of(order.by, shapes[i], shapes[j]), 1e-9))
                for j, rival in enumerate(found)
                if j != i
            ]
            ranked.append(one.because(f"{order}", _chance_of_count(before, order.rank - 1)))
        return ranked


def _chance_of_count(chances: Sequence[float], count: int) -> float:
    """How likely exactly `count` of some independent things are true."""
    counts = np.zeros(len(chances) + 1)
    counts[0] = 1.0
    for chance in chances:
        counts[1:] = counts[1:] * (1 - chance) + counts[:-1] * chance
        counts[0] *= 1 - chance
    return float(counts[count]) if count < len(counts) else 0.0


def _alike(shapes: Sequence[Shape]) -> list[Shape]:
    """Forget depth unless it is known of all: distances and places in the picture do not compare."""
    if all(shape.depth_m is not None for shape in shapes):
        return list(shapes)
    return [Shape(cells=shape.cells, area=shape.area, depth_m=None) for shape in shapes]


def _is_same(one: Shape, other: Shape) -> bool:
    common = int((one.cells & other.cells).sum())
    return common > _SAME_IOU * int((one.cells | other.cells).sum())


def _apart(things: Sequence[Thing]) -> list[Thing]:
    """Keep each thing once: the most believed of masks that share most of their pixels."""
    if len(things) < 2:
        return list(things)
    overlap = masks.iou_matrix([one.rle for one in things], [one.rle for one in things])
    kept: list[int] = []
    for i in range(len(things)):
        if not any(overlap[i, j] > _SAME_IOU for j in kept):
            kept.append(i)
    return [things[i] for i in kept]


__all__ = ["Find", "Ranked", "Reason", "Resolver"]
