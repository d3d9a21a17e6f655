"""`compare_masks`: how real is a simulator, told by how its masks differ from real ones, class by class.

Realism of a measure is 1 minus the distance between its two distributions, beyond what chance makes between samples
as small. A class is as real as its least real measure, because that is what a policy would notice. Where frames are
too few, or the spread covers both thresholds, the verdict says so and nothing else. Knows measured frames, no files.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from maskwright.core.errors import InputError, SettingError
from maskwright.robot.simulator_statistics import Distance, Sample, distance_between, tails
from maskwright.robot.simulator_traits import TRAITS, FrameTraits, Trait, frame_traits

Verdict = Literal["realistic", "in between", "flagged", "too few to tell"]
ALL = "all masks"
_SURE = 0.05  # chance below which a difference counts as sure, for all measures of a class together


@dataclass(frozen=True, slots=True, kw_only=True)
class RealismSettings:
    """Above `realistic` a class is, below `flagged` it is not; fewer masks or groups a side than these tell nothing.

    Raises:
        SettingError: the thresholds are not 0 <= flagged < realistic <= 1.
    """

    realistic: float = 0.85
    flagged: float = 0.70
    least_masks: int = 20
    least_groups: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the thresholds."""
        if not 0 <= self.flagged < self.realistic <= 1:
            raise SettingError(
                f"thresholds must be 0 <= flagged < realistic <= 1, got flagged {self.flagged:g} and realistic "
                f"{self.realistic:g}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class TraitRealism:
    """One measure of a class: its medians, its realism with the spread of 9 in 10 draws, whether it surely differs."""

    trait: Trait
    simulated: float
    real: float
    score: float
    low: float
    high: float
    chance: float
    differs: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRealism:
    """A class of masks, or all: how many of each, its measures, and what follows. `score` is None where too few."""

    label: str
    num_simulated: int
    num_real: int
    groups_simulated: int
    groups_real: int
    traits: tuple[TraitRealism, ...]
    score: float | None
    low: float | None
    high: float | None
    verdict: Verdict

    @property
    def differs(self) -> bool:
        """Whether a measure surely differs, however little."""
        return any(one.differs for one in self.traits)

    @property
    def weakest(self) -> TraitRealism | None:
        """The least real measure."""
        return min(self.traits, key=lambda one: one.score, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class OddFrame:
    """A simulated frame that is unlike the real ones: how usual it is, 0 to 1, and what is odd about which mask."""

    name: str
    usual: float
    place: int
    label: str
    trait: Trait
    value: float
    real: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Realism:
    """All masks together, each class that both sides have, classes of one side alone, and the oddest frames."""

    overall: ClassRealism
    classes: tuple[ClassRealism, ...]
    only_simulated: tuple[str, ...]
    only_real: tuple[str, ...]
    oddest: tuple[OddFrame, ...]
    settings: RealismSettings

    def as_json(self) -> dict[str, Any]:
        """Give everything as JSON types."""
        return asdict(self)


def compare_masks(
    simulated: Sequence[FrameTraits],
    real: Sequence[FrameTraits],
    settings: RealismSettings | None = None,
    *,
    num_oddest: int = 8,
) -> Realism:
    """Compare the masks of simulated frames with those of real ones.

    Costs some 0.1 s a class. The same frames and seed give the same numbers.

    Raises:
        InputError: a side has no mask.
    """
    settings = settings or RealismSettings()
    counts = [Counter(one.label for frame in side for one in frame.masks) for side in (simulated, real)]
    for which, count in zip(("simulated", "real"), counts, strict=True):
        if not count:
            raise InputError(f"expected masks on both sides, the {which} frames have none of at least 16 pixels")
    shared = [label for label, _ in (counts[0] & counts[1]).most_common() if label]
    return Realism(
        overall=_compare(ALL, simulated, real, settings),
        classes=tuple(_compare(label, simulated, real, settings) for label in shared),
        only_simulated=_names(counts[0].keys() - counts[1].keys()),
        only_real=_names(counts[1].keys() - counts[0].keys()),
        oddest=tuple(_oddest(simulated, real, num_oddest)),
        settings=settings,
    )


def verdict_of(score: float, low: float, high: float, settings: RealismSettings) -> Verdict:
    """Say what a score means; nothing where its spread reaches from flagged to realistic."""
    if low < settings.flagged and high > settings.realistic:
        return "too few to tell"
    if score > settings.realistic:
        return "realistic"
    return "flagged" if score < settings.flagged else "in between"


def _names(labels: set[str]) -> tuple[str, ...]:
    return tuple(sorted(label for label in labels if label))


def _compare(
    label: str, simulated: Sequence[FrameTraits], real: Sequence[FrameTraits], settings: RealismSettings
) -> ClassRealism:
    rng = np.random.default_rng(settings.seed)
    sides = [_samples(label, side) for side in (simulated, real)]
    num_masks = [len(side["area"].values) for side in sides]
    # A class is as sure as the groups that show it, not as those that do not.
    groups = [len(np.unique(side["area"].groups)) for side in sides]
    about = {
        "label": label,
        "num_simulated": num_masks[0], "num_real": num_masks[1],
        "groups_simulated": groups[0], "groups_real": groups[1],
    }  # fmt: skip
    if min(num_masks) < settings.least_masks or min(groups) < settings.least_groups:
        return ClassRealism(**about, traits=(), score=None, low=None, high=None, verdict="too few to tell")
    pairs: dict[Trait, tuple[Sample, Sample]] = {trait: (sides[0][trait], sides[1][trait]) for trait in TRAITS}
    known: dict[Trait, tuple[Sample, Sample]] = {
        trait: pair for trait, pair in pairs.items() if all(_is_enough(one, settings) for one in pair)
    }
    found: dict[Trait, Distance] = {trait: distance_between(*pair, rng) for trait, pair in known.items()}
    traits = tuple(_trait(trait, *pair, found[trait], len(found)) for trait, pair in known.items())
    weakest = min(traits, key=lambda one: one.score)
    return ClassRealism(
        **about,
        traits=traits,
        score=weakest.score,
        low=weakest.low,
        high=weakest.high,
        verdict=verdict_of(weakest.score, weakest.low, weakest.high, settings),
    )


def _trait(trait: Trait, simulated: Sample, real: Sample, found: Distance, num_traits: int) -> TraitRealism:
    return TraitRealism(
        trait=trait,
        simulated=float(np.nanmedian(simulated.values)),
        real=float(np.nanmedian(real.values)),
        score=1 - found.value,
        low=1 - found.high,
        high=1 - found.low,
        chance=found.chance,
        differs=found.chance * num_traits < _SURE,
    )


def _is_enough(sample: Sample, settings: RealismSettings) -> bool:
    known = ~np.isnan(sample.values)
    return bool(known.sum() >= settings.least_groups and len(np.unique(sample.groups[known])) >= settings.least_groups)


def _samples(label: str, frames: Sequence[FrameTraits]) -> dict[Trait, Sample]:
    """The values of a class for each measure; what is of a frame for each, also where it has none of the class."""
    numbers = {name: i for i, name in enumerate(dict.fromkeys(frame.group for frame in frames))}
    values: dict[Trait, list[float]] = {trait: [] for trait in TRAITS}
    groups: dict[Trait, list[int]] = {trait: [] for trait in TRAITS}
    for frame in frames:
        chosen = [one for one in frame.masks if label in (ALL, one.label)]
        rows: list[dict[Trait, float]] = [one.values for one in chosen]
        rows.append(frame_traits(chosen))
        for row in rows:
            for trait, value in row.items():
                values[trait].append(value)
                groups[trait].append(numbers[frame.group])
    found: dict[Trait, Sample] = {
        trait: Sample(
            values=np.array(values[trait], float), groups=np.array(groups[trait], np.intp), num_groups=len(numbers)
        )
        for trait in TRAITS
    }
    return found


def _tails_of(values: dict[Trait, float], reference: dict[Trait, Sample]) -> dict[Trait, float]:
    found: dict[Trait, float] = {}
    for trait, value in values.items():
        tail = float(tails(np.array([value]), reference[trait].values)[0])
        if not np.isnan(tail):
            found[trait] = tail
    return found


def _oddest(simulated: Sequence[FrameTraits], real: Sequence[FrameTraits], most: int) -> list[OddFrame]:
    """The frames with the least usual masks: how far out a mask lies is the geometric mean over its measures."""
    labels = {one.label for frame in real for one in frame.masks}
    found: list[OddFrame] = []
    references = {label: _samples(label or ALL, real) for label in {*labels, ""}}
    for frame in simulated:
        odd: list[OddFrame] = []
        for one in frame.masks:
            reference = references.get(one.label, references[""])
            tail = _tails_of(one.values, reference)
            if not tail:
                continue
            trait = min(tail.items(), key=lambda pair: pair[1])[0]
            odd.append(
                OddFrame(
                    name=frame.name, usual=float(np.exp(np.mean(np.log(list(tail.values()))))), place=one.place,
                    label=one.label, trait=trait, value=one.values[trait],
                    real=float(np.nanmedian(reference[trait].values)),
                )
            )  # fmt: skip
        if odd:
            found.append(min(odd, key=lambda one: one.usual))
    return sorted(found, key=lambda one: one.usual)[:most]


__all__ = [
    "ALL",
    "ClassRealism",
    "OddFrame",
    "Realism",
    "RealismSettings",
    "TraitRealism",
    "Verdict",
    "compare_masks",
    "verdict_of",
]
