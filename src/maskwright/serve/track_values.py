"""What is said and answered in a track session: how it is opened, a frame that is shown, and what came of it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from maskwright.core import Image, Prompt
from maskwright.core.errors import MaskwrightError, PromptError, SettingError
from maskwright.predict.tracking import TrackedFrame, TrackSettings, tracker_settings
from maskwright.serve.problems import Problem, problem_of

_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackOptions:
    """How a session follows its objects: as `maskwright track` takes it. `model` None is the server's default."""

    budget: str = "default"
    find_new: int = 0
    model: str | None = None

    def tracker_settings(self) -> TrackSettings:
        """Read the budget.

        Raises:
            SettingError: it is none, or `find_new` is below 0.
        """
        settings = tracker_settings(self.budget)
        if not math.isfinite(settings.budget_ms):
            raise SettingError(f"a budget in milliseconds must be finite, got {self.budget}")
        return replace(settings, find_new=self.find_new)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownFrame:
    """The next frame of a stream: a picture file's bytes, pixels, or why there is neither, which is told in its turn.

    Tracks in `forget` end before it; one that has ended already is no mistake. `deadline` is a moment of
    `time.monotonic`, by which its turn must have come.
    """

    picture: bytes | Image | MaskwrightError
    prompts: Mapping[str, Prompt] = field(default_factory=dict)
    forget: tuple[str, ...] = ()
    deadline: float | None = None

    def __post_init__(self) -> None:
        for name in (*self.prompts, *self.forget):
            check_track_name(name)

    @property
    def num_bytes(self) -> int:
        """What it takes in memory while it waits."""
        match self.picture:
            case bytes():
                return len(self.picture)
            case Image():
                return self.picture.pixels.nbytes
            case _:
                return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackResult:
    """What came of frame `index` of a stream, counted from 0: its masks, or the error for which it was skipped."""

    index: int
    tracked: TrackedFrame | None = None
    error: Exception | None = None

    @property
    def problem(self) -> Problem | None:
        """Why the frame was skipped, as clients are told."""
        return None if self.error is None else problem_of(self.error)

    @property
    def num_bytes(self) -> int:
        """About what it takes in memory."""
        masks = self.tracked.masks if self.tracked else ()
        return 200 + sum(300 + len(mask.rle.counts) for mask in masks)


@dataclass(frozen=True, slots=True, kw_only=True)
class LostResults:
    """Results that nobody fetched in time: those of the frames `first` to `last` are kept no longer."""

    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackInfo:
    """What a session is at. `ends_in_s` says when it ends unless a frame comes."""

    id: str
    options: TrackOptions
    tracks: tuple[str, ...]
    num_shown: int
    num_answered: int
    num_skipped: int
    first_kept: int
    idle_s: float
    ends_in_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackLimits:
    """How far a session goes: frames that wait (and their bytes), results that are kept, seconds without a frame."""

    most_frames: int = 100_000
    most_tracks: int = 256
    most_pixels: int = 64_000_000
    most_waiting: int = 8
    most_waiting_bytes: int = 64 << 20
    most_kept: int = 512
    most_kept_bytes: int = 8 << 20
    idle_s: float = 120.0
    deadline_s: float = 30.0


def check_track_name(name: str) -> None:
    """Refuse a name that is empty or longer than any name should be.

    Raises:
        PromptError: it is.
    """
    if not name.strip() or len(name) > _LONGEST_NAME:
        raise PromptError(f"a track needs a name of 1 to {_LONGEST_NAME} characters, got {name[:40]!r}")


__all__ = [
    "LostResults",
    "ShownFrame",
    "TrackInfo",
    "TrackLimits",
    "TrackOptions",
    "TrackResult",
    "check_track_name",
]
