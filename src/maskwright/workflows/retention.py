"""Retention: what a fine-tuned model still knows of everything else, and how much of that to mix in where it forgot.

Without data of the user's, general data are painted scenes of fixed seeds: some to be scored on, others to mix in. They
say whether something broke; pictures of one's own other tasks say more (`--general`).
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from maskwright.train.tune.examples import Example
from maskwright.workflows.training_data import TrainingData, read_training_data

SCORED = ("box", "1 click")
NUM_SCORED, NUM_MIXED = 64, 48  # of 16, a few masks that went wrong were a loss of 0.047 where 64 others have 0.012
_SCORED_SEED, _MIXED_SEED = 515_151, 616_161
_SIDE = 512
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneralData:
    """General examples: to be scored on, and to be mixed in; no picture is in both."""

    name: str
    source: TrainingData
    scored: tuple[Example, ...]
    mixed: tuple[Example, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Scores on general data before and after, and what follows."""

    data: str
    before: Mapping[str, float]
    after: Mapping[str, float]
    tolerance: float
    replay: float

    @property
    def drop(self) -> float:
        """The largest loss of a score; negative where all rose."""
        return max(self.before[name] - self.after[name] for name in self.before)

    @property
    def is_kept(self) -> bool:
        """Whether no score fell by more than the tolerance."""
        return self.drop <= self.tolerance

    @property
    def suggested_replay(self) -> float:
        """The share of general pictures to try next: the more the further it fell, twice what was not enough."""
        if self.is_kept:
            return self.replay
        first = 0.25 if self.drop < 2.5 * self.tolerance else 0.5 if self.drop < 5 * self.tolerance else 1.0
        return min(2.0, max(first, 2 * self.replay))

    def line(self) -> str:
        """Say it in a sentence."""
        told = ", ".join(f"{name} {self.before[name]:.3f} to {self.after[name]:.3f}" for name in self.before)
        if self.is_kept:
            return f"general data ({self.data}): {told}; kept within {self.tolerance:g}"
        return (
            f"general data ({self.data}): {told}; fell by {self.drop:.3f}, more than {self.tolerance:g}. "
            f"Mix general pictures in: --replay {self.suggested_replay:g}"
        )


def read_general(
    folder: str | None,
    work: Path,
    *,
    is_mixed: bool,
    num_scored: int = NUM_SCORED,
    progress: Progress | None = None,
) -> GeneralData:
    """Read the general data that a user names, half to be scored on and half to mix in, or paint some.

    What is to be mixed in is painted only if `is_mixed`.

    Raises:
        InputError: the data named cannot be used.
    """
    if folder is not None:
        data = read_training_data(folder, progress=progress)
        scored = tuple(one for one in data.examples if _is_scored(one)) or data.examples[:1]
        taken = {one.digest for one in scored} | {one.group for one in scored}
        mixed = tuple(one for one in data.examples if not {one.digest, one.group} & taken)
        return GeneralData(name=data.name, source=data, scored=scored, mixed=mixed)
    scored_data = _painted(work / "scored", _SCORED_SEED, num_scored, progress)
    num_mixed = min(NUM_MIXED, 3 * num_scored)
    mixed = _painted(work / "mixed", _MIXED_SEED, num_mixed, progress).examples if is_mixed else ()
    return GeneralData(name="painted scenes", source=scored_data, scored=scored_data.examples, mixed=mixed)


def _is_scored(example: Example) -> bool:
    return hashlib.sha256(example.group.encode()).digest()[0] < 128


def _painted(folder: Path, seed: int, count: int, progress: Progress | None) -> TrainingData:
    from maskwright.train.builtin_pack import builtin_pack
    from maskwright.train.painted_folder import PaintedRecipe, write_painted_scenes

    recipe = PaintedRecipe(seed=seed, pack="computed", side=_SIDE, max_objects=5)
    write_painted_scenes(folder, recipe, builtin_pack(), count=count, progress=progress)
    return read_training_data(str(folder))


__all__ = ["NUM_SCORED", "SCORED", "GeneralData", "Retention", "read_general"]
