"""Which frames the model draws: every n-th, n from the time that frames take."""

import math

from maskwright.predict.tracking.settings import TrackSettings

_NEWEST = 0.3  # of the last frame in the averages


class Pace:
    """Says before each frame whether the model draws it, and learns after it how long that took."""

    def __init__(self, settings: TrackSettings) -> None:
        self._settings = settings
        self._since = 0
        self._drawn_ms: float | None = None
        self._carried_ms: float | None = None

    @property
    def stride(self) -> int:
        """Every how many frames the model draws."""
        settings = self._settings
        if settings.stride is not None:
            return settings.stride
        if self._drawn_ms is None or self._carried_ms is None:
            return settings.least_stride + 1  # the second frame is carried, so that both kinds have been timed
        spare = settings.budget_ms - self._carried_ms
        wanted = math.ceil((self._drawn_ms - self._carried_ms) / spare) if spare > 0 else settings.most_stride
        return min(settings.most_stride, max(settings.least_stride, wanted))

    def is_due(self) -> bool:
        """Whether the model draws the next frame."""
        self._since += 1
        return self._since >= self.stride

    def took(self, milliseconds: float, *, drawn: bool) -> None:
        """Tell how long a frame took."""
        if drawn:
            self._since = 0
            self._drawn_ms = _average(self._drawn_ms, milliseconds)
        else:
            self._carried_ms = _average(self._carried_ms, milliseconds)


def _average(before: float | None, now: float) -> float:
    return now if before is None else before + _NEWEST * (now - before)


__all__ = ["Pace"]
