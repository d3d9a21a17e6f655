"""`Timeline`: the time of a camera's pictures, which never goes backwards whatever its clock does.

Knows numbers only. Ages are differences of `elapsed_ms`, so a clock that jumps back or stands still can make no mask
younger than the number of pictures since says.
"""

from collections import deque
from dataclasses import dataclass
from statistics import median

from maskwright.robot.perceiver_values import Notice, PerceiverSettings

_PERIODS = 15
_FIRST_PERIOD_MS = 1000 / 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When a picture was taken: its number, what its clock said, and milliseconds of the camera's own time."""

    frame: int
    at_s: float
    elapsed_ms: float


class Timeline:
    """Takes the times of pictures, one after another."""

    def __init__(self, settings: PerceiverSettings) -> None:
        self._settings = settings
        self._periods_ms: deque[float] = deque(maxlen=_PERIODS)
        self.last: Moment | None = None

    @property
    def period_ms(self) -> float:
        """The usual time from picture to picture."""
        return median(self._periods_ms) if self._periods_ms else _FIRST_PERIOD_MS

    def take(self, at_s: float) -> tuple[Moment, tuple[Notice, ...]]:
        """Take the next picture's time; notices tell of a clock that went back and of gaps."""
        last = self.last
        if last is None:
            self.last = Moment(frame=0, at_s=at_s, elapsed_ms=0.0)
            return self.last, ()
        passed_ms = 1000 * (at_s - last.at_s)
        notices: tuple[Notice, ...] = ()
        if passed_ms <= 0:
            if passed_ms < 0:
                text = f"the camera's clock went back by {-passed_ms:.0f} ms; ages go on by its usual period"
                notices = (Notice(kind="clock_backwards", text=text),)
            passed_ms = self.period_ms
        elif self.is_gap(passed_ms):
            notices = (Notice(kind="frame_gap", text=f"no picture came for {passed_ms:.0f} ms"),)
        else:
            self._periods_ms.append(passed_ms)
        self.last = Moment(frame=last.frame + 1, at_s=at_s, elapsed_ms=last.elapsed_ms + passed_ms)
        return self.last, notices

    def is_gap(self, passed_ms: float) -> bool:
        """Whether so long without a picture is more than this camera usually takes."""
        return passed_ms > max(self._settings.gap_ms, self._settings.gap_periods * self.period_ms)


__all__ = ["Moment", "Timeline"]
