"""Which frames the model draws: as many as the budget pays for, where masks have changed most since they were drawn."""

from maskwright.predict.tracking.settings import TrackSettings

_NEWEST = 0.3  # of the last frame in the averages
# How much of a mask must be in doubt before a drawing is paid for.
_DOUBT = 0.03
# Frames' worth of budget that can be saved for when they are needed, and those that a session begins with.
_SAVED_FRAMES, _FIRST_FRAMES = 10, 5


class Pace:
    """Says before each frame whether the model draws it, and learns after it how long that took.

    Time that frames do not use is saved, up to a limit, and drawing is paid from it: on average frames keep to the
    budget, a scene at rest is drawn seldom, and fast motion often. `most_stride` is kept whatever it costs.
    """

    def __init__(self, settings: TrackSettings) -> None:
        self._settings = settings
        self._since = 0
        self._saved_ms = _FIRST_FRAMES * settings.budget_ms
        self._drawn_ms = 0.0
        self._carried_ms = 0.0

    def is_due(self, doubt: float) -> bool:
        """Whether the model draws this frame; `doubt` is the share of the worst mask that is in doubt."""
        settings = self._settings
        self._since += 1
        if settings.stride is not None:
            return self._since >= settings.stride
        if self._since >= settings.most_stride or self._since < settings.least_stride:
            return self._since >= settings.most_stride
        return doubt > _DOUBT and self._saved_ms >= self._drawn_ms - self._carried_ms

    def took(self, milliseconds: float, *, drawn: bool) -> None:
        """Tell how long a frame took."""
        settings = self._settings
        self._saved_ms = min(_SAVED_FRAMES * settings.budget_ms, self._saved_ms + settings.budget_ms - milliseconds)
        self._saved_ms = max(0.0, self._saved_ms)
        if drawn:
            self._since = 0
            self._drawn_ms = _average(self._drawn_ms, milliseconds)
        else:
            self._carried_ms = _average(self._carried_ms, milliseconds)


def _average(before: float, now: float) -> float:
    return before + _NEWEST * (now - before) if before else now


__all__ = ["Pace"]
