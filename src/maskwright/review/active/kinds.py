"""The signals that there are, as data: which group a user names them by, how much they weigh, and how they are told."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from maskwright.core.errors import SettingError

Group = Literal["uncertainty", "candidates", "drift", "disagreement", "novelty", "thin", "looks"]
GROUPS: dict[Group, str] = {
    "uncertainty": "predicted IoU and stability are low, or contradict each other",
    "candidates": "the model's candidates differ, or other masks of the frame compete for the same pixels",
    "drift": "a tracker's confidence fell, size or shape jumped, flow and model differ",
    "disagreement": "two models, runs or annotators draw it differently on the same frame",
    "novelty": "its embedding is far from what is labelled or chosen; needs vectors",
    "thin": "narrow, by the distance transform of the mask",
    "looks": "dark, or like what is behind it, as glass is; needs the pictures",
}
# Those that a store answers alone. Thinness says that an object is hard, not that its mask is wrong: it is asked for.
DEFAULT_GROUPS: tuple[Group, ...] = ("uncertainty", "candidates", "drift", "disagreement")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One number of a mask, larger where it needs a person more. `told` has {value} as people know it, {share} of rank.

    `is_inverted`: people know it as 1 minus the number.
    """

    name: str
    group: Group
    weight: float
    told: str
    is_inverted: bool = False

    def words(self, value: float, rank: float) -> str:
        """Say why this number speaks for a mask whose rank is `rank`, of 0 to 1."""
        shown = 1 - value if self.is_inverted else value
        return self.told.format(value=shown, share=f"{max(0.01, 1 - rank):.0%}")


SIGNALS: tuple[Signal, ...] = (
    Signal(
        name="doubt",
        group="uncertainty",
        weight=1.0,
        told="predicted IoU {value:.2f}, among the lowest {share}",
        is_inverted=True,
    ),
    Signal(
        name="instability",
        group="uncertainty",
        weight=1.0,
        told="stability {value:.2f}, among the lowest {share}",
        is_inverted=True,
    ),
    Signal(
        name="mismatch",
        group="uncertainty",
        weight=0.5,
        told="predicted IoU and stability are {value:.2f} apart, among the widest {share}",
    ),
    Signal(
        name="ambiguity",
        group="candidates",
        weight=1.0,
        told="the model's candidates agree by IoU {value:.2f}, among the lowest {share}",
        is_inverted=True,
    ),
    Signal(
        name="rivalry",
        group="candidates",
        weight=1.0,
        told="another mask claims part of its pixels ({value:.2f} of 1), among the most contested {share}",
    ),
    Signal(
        name="confidence_fall",
        group="drift",
        weight=1.0,
        told="the tracker is unsure here, among the worst {share}",
    ),
    Signal(
        name="size_jump",
        group="drift",
        weight=0.75,
        told="its size changed by {value:.0%} since the frame before, among the largest {share}",
    ),
    Signal(
        name="shape_jump",
        group="drift",
        weight=0.75,
        told="its outline changed since the frame before (IoU {value:.2f}), among the largest {share}",
        is_inverted=True,
    ),
    Signal(
        name="moved",
        group="drift",
        weight=0.5,
        told="it went {value:.2f} of its size since the frame before, among the farthest {share}",
    ),
    Signal(
        name="flow_against_model",
        group="drift",
        weight=0.5,
        told="flow carried it where the model drew something else",
    ),
    Signal(
        name="models",
        group="disagreement",
        weight=1.0,
        told="another model or run draws it differently (IoU {value:.2f}), among the least alike {share}",
        is_inverted=True,
    ),
    Signal(
        name="people",
        group="disagreement",
        weight=1.0,
        told="somebody drew it differently (IoU {value:.2f}), among the least alike {share}",
        is_inverted=True,
    ),
    Signal(
        name="novelty",
        group="novelty",
        weight=1.0,
        told="far from all that is labelled ({value:.2f} of 2), among the farthest {share}",
    ),
    Signal(name="thinness", group="thin", weight=1.0, told="among the thinnest {share} of masks"),
    Signal(name="darkness", group="looks", weight=0.5, told="among the darkest {share} of masks"),
    Signal(name="see_through", group="looks", weight=1.0, told="looks like what is around it, as glass does"),
)


def signals_of(groups: Sequence[str]) -> tuple[Signal, ...]:
    """List the signals of some groups, in the order of `SIGNALS`.

    Raises:
        SettingError: there is no group of that name, or none at all is named.
    """
    if not groups:
        raise SettingError(f"a choice goes by at least one of {', '.join(GROUPS)}; got none")
    for name in groups:
        if name not in get_args(Group):
            raise SettingError(f"a choice goes by {', '.join(GROUPS)}; got {name!r}")
    return tuple(one for one in SIGNALS if one.group in groups)


__all__ = ["DEFAULT_GROUPS", "GROUPS", "SIGNALS", "Group", "Signal", "signals_of"]
