"""One session of `track`: what it counts and notices, what it tells while it runs, and what it comes to."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskwright.core import FrameRef
from maskwright.workflows.annotate_session import Progress
from maskwright.workflows.stages import SkippedFrames
from maskwright.workflows.track_keyframes import Drawn
from maskwright.workflows.track_passes import FilledFrame

_UNEVEN = 1.5  # the longest time between two frames over the shortest


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedSource:
    """What a session did: keyframes that it drew from prompts, masks that it propagated, and older ones it replaced."""

    dataset: str
    store: Path
    run: str
    tracks: tuple[str, ...]
    num_keyframes: int
    num_masks: int
    num_replaced: int
    seconds: float
    skipped: tuple[SkippedFrames, ...] = ()
    cuts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def num_skipped(self) -> int:
        """Frames that could not be used."""
        return sum(one.num_frames for one in self.skipped)


class TrackSession:
    """Counts what goes by, and notices cuts and uneven times."""

    def __init__(self, progress: Callable[[Progress], None] | None, notes: list[str]) -> None:
        self._progress, self.notes = progress, notes
        self._began = time.perf_counter()
        self._num_steps = self._num_wanted = 0
        self._skipped: dict[str, SkippedFrames] = {}
        self._cuts: dict[str, None] = {}
        self._tracks: dict[str, None] = {}
        self._last: FrameRef | None = None
        self._gaps_s: tuple[float, float] | None = None
        self.num_keyframes = self.num_masks = self.num_replaced = 0

    def expect(self, num_steps: int, tracks: tuple[str, ...]) -> None:
        """Take note of what a recording will need."""
        self._num_wanted += num_steps
        self._tracks |= dict.fromkeys(tracks)

    def step(self) -> None:
        """Count a frame that a tracker was shown."""
        self._num_steps += 1
        if self._progress is not None:
            self._progress(
                Progress(
                    num_done=self._num_steps,
                    num_wanted=max(self._num_wanted, self._num_steps),
                    num_masks=self.num_masks,
                    num_skipped=0,
                    frames_per_s=self._num_steps / (time.perf_counter() - self._began),
                )
            )

    def take_drawn(self, drawn: Drawn) -> None:
        """Count keyframes."""
        self.num_keyframes += drawn.num_keyframes
        self.num_replaced += drawn.num_replaced
        self.notes += drawn.notes

    def take(self, item: FilledFrame | SkippedFrames) -> None:
        """Count an item. Frames that a way back cannot decode either are skipped once."""
        if isinstance(item, SkippedFrames):
            self._skipped.setdefault(item.name, item)
            return
        self.num_masks += len(item.masks)
        self.num_keyframes += len(item.found)
        self._tracks |= {gap.track: None for gap, _ in item.found}
        if item.is_cut:
            self._cuts[item.frame.name] = None
        self._note_time(item.frame.frame.ref)

    def _note_time(self, ref: FrameRef) -> None:
        last, self._last = self._last, ref
        if last is None or last.timestamp_s is None or ref.timestamp_s is None:
            return
        is_next = (last.episode, last.camera, last.frame_index + 1) == (ref.episode, ref.camera, ref.frame_index)
        if is_next:
            gap_s = ref.timestamp_s - last.timestamp_s
            least, most = self._gaps_s or (gap_s, gap_s)
            self._gaps_s = min(least, gap_s), max(most, gap_s)

    def told(self) -> tuple[str, ...]:
        """All notes."""
        notes = list(self.notes)
        if self._cuts:
            names = ", ".join(list(self._cuts)[:5]) + (", ..." if len(self._cuts) > 5 else "")
            notes.append(f"the picture changes as a whole (a cut) at {len(self._cuts)} frame(s): {names}")
        if self._gaps_s is not None and self._gaps_s[1] > _UNEVEN * max(self._gaps_s[0], 1e-4):
            least, most = (1000 * value for value in self._gaps_s)
            notes.append(f"frames are {least:.0f} to {most:.0f} ms apart; masks are on each of them, with its own time")
        return tuple(notes)

    def counts(self) -> dict[str, Any]:
        """What the manifest says of the session."""
        return {
            "session": {
                "tracks": list(self._tracks),
                "num_keyframes": self.num_keyframes,
                "num_masks": self.num_masks,
                "num_replaced": self.num_replaced,
                "seconds": round(time.perf_counter() - self._began, 3),
                "cuts": list(self._cuts),
                "skipped": [
                    {"frame": one.name, "reason": one.reason, "num_frames": one.num_frames}
                    for one in self._skipped.values()
                ],
                "notes": list(self.told()),
            }
        }

    def result(self, dataset: str, store: Path, run: str) -> TrackedSource:
        """What the caller gets."""
        return TrackedSource(
            dataset=dataset,
            store=store,
            run=run,
            tracks=tuple(self._tracks),
            num_keyframes=self.num_keyframes,
            num_masks=self.num_masks,
            num_replaced=self.num_replaced,
            seconds=time.perf_counter() - self._began,
            skipped=tuple(self._skipped.values()),
            cuts=tuple(self._cuts),
            notes=self.told(),
        )


__all__ = ["TrackSession", "TrackedSource"]
