"""`SessionTracker`: the tracker of a track session, stepped in one run of the engine after the other."""

import time

from maskwright.core import Image
from maskwright.core.errors import Cancelled, DeadlinePassed, ServeError, TooLarge, UnknownJob
from maskwright.models import Model
from maskwright.predict.tracking import TrackedFrame, Tracker, TrackSettings, make_tracker
from maskwright.serve.lent_model import LentModel
from maskwright.serve.meter import Meter
from maskwright.serve.track_values import ShownFrame


class HalfTaken(Cancelled):
    """The model was stopped within a step, and the tracker has taken half of a frame: it cannot go on."""


class SessionTracker:
    """A tracker that is made with the first frame. One thread at a time may use it."""

    def __init__(self, settings: TrackSettings, most_tracks: int, meter: Meter) -> None:
        self._settings, self._most_tracks, self._meter = settings, most_tracks, meter
        self._lent: LentModel | None = None
        self._tracker: Tracker | None = None

    @property
    def tracks(self) -> tuple[str, ...]:
        """Names of the tracks that live, as of the last frame."""
        return self._tracker.tracks if self._tracker else ()

    def step(self, model: Model, image: Image, shown: ShownFrame, deadline: float) -> TrackedFrame:
        """Take the next frame by the model of this run. Tracks to be forgotten are, even if the frame is refused.

        Raises:
            DeadlinePassed: it is too late for the frame.
            TooLarge: there would be more tracks than there may be.
            HalfTaken: the run was stopped within the frame.
            PromptError, ImageError, UnsupportedPrompt: as `Tracker.step`; the tracks are as they were.
        """
        check_in_time(deadline)
        if self._lent is None or self._tracker is None:
            self._lent = LentModel(model)
            self._tracker = make_tracker(self._lent, self._settings)
        tracker = self._tracker
        self._lent.lend(model)
        for track in set(shown.forget) & set(tracker.tracks):
            tracker.forget(track)
        num_tracks = len({*tracker.tracks, *shown.prompts})
        if num_tracks > self._most_tracks:
            raise TooLarge(f"a track session follows {self._most_tracks} objects, got {num_tracks}; forget some")
        try:
            with self._meter.timed("track"):
                return tracker.step(image, shown.prompts or None)
        except ServeError as error:
            raise HalfTaken(f"the track session ended within a frame: {error}") from error

    def forget(self, track: str) -> None:
        """End a track.

        Raises:
            UnknownJob: there is no such track.
        """
        if self._tracker is None or track not in self._tracker.tracks:
            known = ", ".join(self.tracks) or "none"
            raise UnknownJob(f"there is no track {track[:200]!r}; tracks that live: {known}")
        self._tracker.forget(track)


def check_in_time(deadline: float) -> None:
    """Refuse a frame whose turn comes too late.

    Raises:
        DeadlinePassed: it does.
    """
    if time.monotonic() > deadline:
        raise DeadlinePassed("the frame's turn came after its deadline. Allow more time, or send fewer frames")


__all__ = ["HalfTaken", "SessionTracker", "check_in_time"]
