"""`check_simulator`: how real is a simulator? Its masks beside real ones, and a model on its frames.

Realism says whether a policy sees the same things in both worlds; the IoU of a model on simulated frames, beside that
on real ones, whether it finds the simulator as hard as the world.
"""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.models.protocol import Model
from maskwright.robot.simulator import ALL, ClassRealism, Realism, RealismSettings, compare_masks
from maskwright.robot.simulator_traits import FrameTraits, measure_frame
from maskwright.workflows.outputs import write_all
from maskwright.workflows.simulator_frames import CheckedFrame, ask_model, grey_of, read_checked_frames

_log = logging.getLogger(__name__)
_ROUNDS, _LOW_IOU = 300, 0.5
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAgreement:
    """How well a model's masks agree with the truth of one side, over a class or all masks.

    `low` and `high` hold the mean in 9 of 10 draws of frames; `share_low` is the share of masks with an IoU below 0.5.
    """

    label: str
    num_masks: int
    mean: float
    low: float
    high: float
    median: float
    tenth: float
    share_low: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorCheck:
    """Realism, and agreement of a model with the truth on both sides; empty where no model was asked.

    `worst` are the simulated masks that the model agrees least with: frame, place among its masks, IoU.
    """

    simulated: str
    real: str
    realism: Realism
    agreement: tuple[ModelAgreement, ...]
    agreement_real: tuple[ModelAgreement, ...]
    worst: tuple[tuple[int, int, float], ...]
    frames: tuple[CheckedFrame, ...]
    notes: tuple[str, ...]
    model: str | None = None

    @property
    def is_flagged(self) -> bool:
        """Whether all masks together, or a class of them, are flagged."""
        found = (self.realism.overall, *self.realism.classes)
        return any(one.verdict == "flagged" for one in found)

    def as_json(self) -> dict[str, Any]:
        """Give everything but the frames as JSON types."""
        return {
            "format": "maskwright-simulator-check-1",
            "simulated": self.simulated,
            "real": self.real,
            "model": self.model,
            "realism": self.realism.as_json(),
            "agreement": {
                "simulated": [asdict(one) for one in self.agreement],
                "real": [asdict(one) for one in self.agreement_real],
            },
            "worst": [
                {"frame": self.frames[i].name, "mask": place, "label": self.frames[i].masks[place].label, "iou": iou}
                for i, place, iou in self.worst
            ],
            "notes": list(self.notes),
        }

    def lines(self) -> list[str]:
        """Say it as a table, and what follows from it."""
        settings = self.realism.settings
        compared = [one for one in self.realism.classes if one.traits]
        few = [_counts(one) for one in (self.realism.overall, *self.realism.classes) if not one.traits]
        rows = [_cells(one) for one in (self.realism.overall, *compared)]
        head = ["class", "sim", "real", "realism", "90 % of draws", "verdict", "least real"]
        told = _table([head, *rows])
        told.append(
            f"realism: 1 - distance of the least real measure; realistic above {settings.realistic:g}, flagged below "
            f"{settings.flagged:g}; * differs surely"
        )
        if few:
            told.append(
                f"too few to tell; {settings.least_masks} masks of {settings.least_groups} episodes a side are needed, "
                f"for the frames of one episode are alike (masks of episodes, simulated / real): {', '.join(few)}"
            )
        for which, names in (("simulator", self.realism.only_simulated), ("real frames", self.realism.only_real)):
            if names:
                told.append(f"only the {which} have: {', '.join(names)}")
        for which, found in (("simulated", self.agreement), ("real", self.agreement_real)):
            if found:
                one = found[0]
                told.append(
                    f"{self.model or 'the model'} on {which} frames: mean IoU {one.mean:.3f} ({one.low:.3f} to "
                    f"{one.high:.3f}), median {one.median:.3f}, {one.share_low:.0%} below 0.5, {one.num_masks} masks"
                )
        return told


def _counts(one: ClassRealism) -> str:
    sides = (one.num_simulated, one.groups_simulated), (one.num_real, one.groups_real)
    return f"{one.label} ({' / '.join(f'{masks} of {groups}' for masks, groups in sides)})"


def check_simulator(
    simulated: str,
    real: str,
    *,
    model: Model | None = None,
    settings: RealismSettings | None = None,
    images: Path | None = None,
    real_images: Path | None = None,
    limit: int | None = None,
    num_worst: int = 8,
    progress: Progress | None = None,
) -> SimulatorCheck:
    """Compare two sources of masks; a `model` is asked about every mask of both, by its box.

    Raises:
        InputError: a source has nothing with masks.
        ImageError: a model is to be asked about frames whose pictures are not at hand.
    """
    sides = [
        read_checked_frames(source, images=folder, limit=limit)
        for source, folder in ((simulated, images), (real, real_images))
    ]
    if model is not None:
        _warn_of_few(sides, settings or RealismSettings())
    total, done = sum(map(len, sides)), 0
    traits: list[list[FrameTraits]] = [[], []]
    for which, frames in enumerate(sides):
        for i, frame in enumerate(frames):
            asked = frame if model is None else ask_model(frame, model)
            frames[i] = asked
            traits[which].append(measure_frame(frame.name, grey_of(frame), asked.masks, group=frame.group))
            done += 1
            if progress is not None:
                progress(done, total)
    rng = np.random.default_rng(0 if settings is None else settings.seed)
    return SimulatorCheck(
        simulated=simulated,
        real=real,
        realism=compare_masks(traits[0], traits[1], settings, num_oddest=num_worst),
        agreement=_agreement(sides[0], rng),
        agreement_real=_agreement(sides[1], rng),
        worst=_worst(sides[0], num_worst),
        frames=tuple(sides[0]),
        notes=tuple(_notes(sides)),
        model=None if model is None else model.card.name,
    )


def write_check(check: SimulatorCheck, folder: Path) -> Path:
    """Write check.json and report.html, whole or not at all; gives the report.

    Raises:
        SettingError: the folder cannot be written.
    """
    from maskwright.workflows.check_simulator_report import simulator_report

    report = simulator_report(check).encode()
    content = (json.dumps(check.as_json(), indent=1) + "\n").encode()
    write_all({folder / "report.html": report, folder / "check.json": content})
    return folder / "report.html"


def _warn_of_few(sides: Sequence[Sequence[CheckedFrame]], settings: RealismSettings) -> None:
    """Say before a model is asked, which takes minutes, that realism will stay open; its agreement may be wanted."""
    counts = [(sum(len(one.masks) for one in side), len({one.group for one in side})) for side in sides]
    if any(masks < settings.least_masks or groups < settings.least_groups for masks, groups in counts):
        told = " / ".join(f"{masks} of {groups}" for masks, groups in counts)
        _log.warning(
            "too few to tell how real: %d masks of %d episodes a side are needed, got %s (simulated / real). The model "
            "is asked all the same; leave it out (--no-model) if its agreement is not wanted",
            settings.least_masks,
            settings.least_groups,
            told,
        )


def _notes(sides: Sequence[Sequence[CheckedFrame]]) -> list[str]:
    """What is not known, so that nobody takes its absence for agreement."""
    notes = []
    for which, frames in zip(("simulated", "real"), sides, strict=True):
        missing = sum(frame.read is None for frame in frames)
        if missing:
            notes.append(f"{missing} of {len(frames)} {which} pictures are not at hand: no sharpness there")
        if all(one.label is None for frame in frames for one in frame.masks):
            notes.append(f"the {which} masks have no labels: only all masks together are compared")
    return notes


def _agreement(frames: Sequence[CheckedFrame], rng: np.random.Generator) -> tuple[ModelAgreement, ...]:
    by_label: dict[str, list[list[float]]] = {}
    for frame in frames:
        here: dict[str, list[float]] = {}
        for one, iou in zip(frame.masks, frame.ious or (), strict=False):
            for label in (ALL, *([one.label] if one.label else [])):
                here.setdefault(label, []).append(iou)
        for label, ious in here.items():
            by_label.setdefault(label, []).append(ious)
    found = [_agreement_of(label, groups, rng) for label, groups in by_label.items()]
    return tuple(sorted(found, key=lambda one: (one.label != ALL, -one.num_masks)))


def _agreement_of(label: str, groups: Sequence[Sequence[float]], rng: np.random.Generator) -> ModelAgreement:
    ious = np.concatenate([np.array(one) for one in groups])
    sums, counts = (np.array([measure(one) for one in groups], float) for measure in (sum, len))
    drawn = rng.multinomial(len(groups), np.full(len(groups), 1 / len(groups)), size=_ROUNDS)
    low, high = np.quantile((drawn @ sums) / (drawn @ counts), [0.05, 0.95])
    return ModelAgreement(
        label=label,
        num_masks=len(ious),
        mean=float(ious.mean()),
        low=float(low),
        high=float(high),
        median=float(np.median(ious)),
        tenth=float(np.quantile(ious, 0.1)),
        share_low=float((ious < _LOW_IOU).mean()),
    )


def _worst(frames: Sequence[CheckedFrame], most: int) -> tuple[tuple[int, int, float], ...]:
    """The least agreement of each frame, the worst frames first."""
    found = [
        (i, int(np.argmin(frame.ious)), float(min(frame.ious)))
        for i, frame in enumerate(frames)
        if frame.ious
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda one: one[2])[:most])


def _cells(one: ClassRealism) -> list[str]:
    if one.score is None or one.low is None or one.high is None or one.weakest is None:
        return [one.label, str(one.num_simulated), str(one.num_real), "-", "-", one.verdict, ""]
    weakest = one.weakest
    least = f"{weakest.trait}{'*' if weakest.differs else ''} {_short(weakest.simulated)} / {_short(weakest.real)}"
    spread = f"{one.low:.2f} to {one.high:.2f}"
    return [one.label, str(one.num_simulated), str(one.num_real), f"{one.score:.2f}", spread, one.verdict, least]


def _short(value: float) -> str:
    return f"{value:.3g}"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]  # fmt: skip


__all__ = ["ModelAgreement", "SimulatorCheck", "check_simulator", "write_check"]
