"""`ground`: from an instruction and things that may be meant to a ranked answer, with what it does not know said."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
from jaxtyping import Float

from maskwright.core.errors import SettingError
from maskwright.predict.grounding.instruction import Instruction
from maskwright.predict.grounding.parser import parse
from maskwright.predict.grounding.resolve import Find, Ranked, Resolver

# What is less likely than this is not there; of what is this much less likely than the best, one cannot be sure.
MIN_SCORE = 0.2
_RIVAL = 0.5
# "All the mugs" are those at least this likely, beside the likeliest.
_ALL = 0.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grounding:
    """What an instruction means in a picture: everything that may be meant, the likeliest first, and how it was read.

    `goal` ranks what the target shall be put to, if the text says so; `relation` says how ("in", "next to").
    """

    text: str
    readings: tuple[Instruction, ...]
    ranked: tuple[Ranked, ...]
    goal: tuple[Ranked, ...] = ()
    min_score: float = MIN_SCORE

    @property
    def chosen(self) -> tuple[Ranked, ...]:
        """What is meant: as many things as were asked for, or all there are; none that is unlikely."""
        count = self.readings[0].target.count
        likely = [one for one in self.ranked if one.score >= self.min_score]
        if count is not None:
            return tuple(likely[:count])
        return tuple(takewhile(lambda one: one.score >= _ALL * likely[0].score, likely))

    @property
    def relation(self) -> str | None:
        """How the target shall stand to the goal."""
        goal = self.readings[0].goal
        return None if goal is None else goal.kind

    @property
    def rivals(self) -> tuple[Ranked, ...]:
        """Things that were not chosen and fit nearly as well: with any of them the text is ambiguous."""
        if not self.chosen:
            return ()
        least = _RIVAL * self.chosen[-1].score
        return tuple(one for one in self.ranked if one not in self.chosen and one.score >= least)

    @property
    def is_ambiguous(self) -> bool:
        """Whether something else fits nearly as well."""
        return bool(self.rivals)

    @property
    def told(self) -> str:
        """Say the answer in a line: what was found, what else fits, or what is missing."""
        if not self.ranked:
            return f"there is no {self.readings[0].target.words} here"
        if not self.chosen:
            best = self.ranked[0]
            return f"nothing fits {self.text!r}; the likeliest thing has {best.score:.2f}, since {best.weakest}"
        wanted = self.readings[0].target.count or 1
        found = ", ".join(f"{one.score:.2f}" for one in self.chosen)
        if len(self.chosen) < wanted:
            return f"{len(self.chosen)} of {wanted} found ({found})"
        if self.is_ambiguous:
            others = ", ".join(f"{one.score:.2f}" for one in self.rivals)
            return f"ambiguous: chosen {found}, but {others} fit nearly as well; say where it is, or what it is next to"
        return f"found ({found})"


def ground(
    find: Find,
    text: str,
    *,
    depth_m: Float[np.ndarray, "H W"] | None = None,
    min_score: float = MIN_SCORE,
) -> Grounding:
    """Find what an instruction means among the things that `find` gives for words ("red mug").

    `depth_m` are distances from the camera in metres, of the picture's size; not finite or not above zero is unknown.
    With them "in front of" and "nearest" are measured, without them they are read off the picture.

    Raises:
        PromptError: the text names nothing, cannot be read or contradicts itself; or `find` does not know a word.
        SettingError: `min_score` is not within 0 and 1, or the depth is no (H, W) array.
    """
    if not 0 <= min_score <= 1:
        raise SettingError(f"min_score must be between 0 and 1, got {min_score}")
    if depth_m is not None and (np.ndim(depth_m) != 2 or not np.issubdtype(np.asarray(depth_m).dtype, np.floating)):
        kind = np.asarray(depth_m).dtype
        raise SettingError(f"depth must be an (H, W) array of metres, got {np.shape(depth_m)} {kind}")
    readings = parse(text)
    resolver = Resolver(find, depth_m)
    ranked = resolver.rank(readings)
    return Grounding(
        text=text,
        readings=_likeliest_first(readings, ranked),
        ranked=ranked,
        goal=resolver.rank_goal(readings),
        min_score=min_score,
    )


def _likeliest_first(readings: Sequence[Instruction], ranked: Sequence[Ranked]) -> tuple[Instruction, ...]:
    """Put the reading by which the likeliest thing is meant before the others."""
    best = ranked[0].reading if ranked else None
    return tuple(sorted(readings, key=lambda one: str(one) != best))


__all__ = ["MIN_SCORE", "Grounding", "ground"]
