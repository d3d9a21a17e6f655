"""One session of `annotate`: what it counts, what it tells while it runs, and what it comes to."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskwright.workflows.annotate_plan import Footage, Plan
from maskwright.workflows.stages import MaskedFrame, SkippedFrames


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a session is: `num_done` of `num_wanted` frames, those of earlier sessions included."""

    num_done: int
    num_wanted: int
    num_masks: int
    num_skipped: int
    frames_per_s: float

    @property
    def eta_s(self) -> float | None:
        """Seconds to go at the present rate."""
        left = self.num_wanted - self.num_done - self.num_skipped
        return left / self.frames_per_s if self.frames_per_s else None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedSource:
    """What a session did: `num_before` frames were done already, `num_frames` and `num_masks` are its own.

    `num_flagged` are the masks of the whole store that depth has flagged; None where nobody asked for depth.
    """

    dataset: str
    store: Path
    run: str
    num_wanted: int
    num_before: int
    num_frames: int
    num_masks: int
    seconds: float
    skipped: tuple[SkippedFrames, ...] = ()
    notes: tuple[str, ...] = ()
    other_runs: tuple[str, ...] = ()
    num_flagged: int | None = None

    @property
    def num_skipped(self) -> int:
        """Frames that could not be used."""
        return sum(one.num_frames for one in self.skipped)


class Session:
    """Counts what goes by, and tells how far it is."""

    def __init__(self, plan: Plan, progress: Callable[[Progress], None] | None, notes: list[str]) -> None:
        self._plan, self._progress, self._notes = plan, progress, notes
        self._began = time.perf_counter()
        self._num_frames = self._num_masks = 0
        self._skipped: list[SkippedFrames] = []

    def take(self, item: MaskedFrame | SkippedFrames) -> None:
        """Count an item."""
        if isinstance(item, SkippedFrames):
            self._skipped.append(item)
        else:
            self._num_frames += 1
            self._num_masks += len(item.records)
            self._notes += item.notes
        if self._progress is not None:
            num_skipped = sum(one.num_frames for one in self._skipped)
            self._progress(
                Progress(
                    num_done=self._num_before + self._num_frames,
                    num_wanted=self._plan.num_wanted,
                    num_masks=self._num_masks,
                    num_skipped=num_skipped,
                    frames_per_s=(self._num_frames + num_skipped) / (time.perf_counter() - self._began),
                )
            )

    @property
    def _num_before(self) -> int:
        return self._plan.num_wanted - self._plan.num_left

    def counts(self) -> dict[str, Any]:
        """What the manifest says of the session."""
        return {
            "session": {
                "num_frames": self._num_frames,
                "num_masks": self._num_masks,
                "seconds": round(time.perf_counter() - self._began, 3),
                "skipped": [
                    {"frame": one.name, "reason": one.reason, "num_frames": one.num_frames} for one in self._skipped
                ],
                "notes": list(self._notes),
            }
        }

    def result(self, footage: Footage, out: Path, run: str, other_runs: tuple[str, ...]) -> AnnotatedSource:
        """What the caller gets."""
        return AnnotatedSource(
            dataset=footage.source.name,
            store=out,
            run=run,
            num_wanted=self._plan.num_wanted,
            num_before=self._num_before,
            num_frames=self._num_frames,
            num_masks=self._num_masks,
            seconds=time.perf_counter() - self._began,
            skipped=tuple(self._skipped),
            notes=tuple(self._notes),
            other_runs=other_runs,
        )


__all__ = ["AnnotatedSource", "Progress", "Session"]
