"""What decides how carefully tracks are followed, and the budgets that a user names."""

from dataclasses import dataclass

from maskwright.core.errors import SettingError


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackSettings:
    """How objects are followed. The defaults were measured: docs/log.md, "objects through time".

    The model draws masks anew on some frames and optical flow carries them in between. With a `stride` it draws every
    n-th frame; else it draws when masks have moved or have been covered, at least every `most_stride` frames, not more
    often than every `least_stride`, and so that frames take `budget_ms` on average, by the time they took so far.
    """

    budget_ms: float = 95.0
    stride: int | None = None
    least_stride: int = 1
    most_stride: int = 6
    # A track that is not seen for so many frames ends.
    patience: int = 300
    # Every so many frames look for objects that have no track; 0 never does.
    find_new: int = 0
    # The longer side of the pictures that flow is computed on, and the number of cells of appearance along it.
    flow_side: int = 480
    cells: int = 80
    # How much of its usual likeness an object must have to be believed, and to be believed when it was lost.
    lost_below: float = 0.35
    found_above: float = 0.55
    # From which share of its usual likeness on a mask is learnt from, and how fast.
    learn_above: float = 0.8
    learn_rate: float = 0.1

    def __post_init__(self) -> None:
        for name in ("budget_ms", "least_stride", "most_stride", "patience", "flow_side", "cells"):
            if getattr(self, name) <= 0:
                raise SettingError(f"{name} must be above 0, got {getattr(self, name)}")
        if self.stride is not None and self.stride < 1:
            raise SettingError(f"stride must be at least 1, got {self.stride}")
        if self.find_new < 0:
            raise SettingError(f"find_new counts frames, and 0 never looks for new objects; got {self.find_new}")
        if self.least_stride > self.most_stride:
            raise SettingError(
                f"least_stride must not be above most_stride, got {self.least_stride} and {self.most_stride}"
            )
        for name in ("lost_below", "found_above", "learn_above", "learn_rate"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingError(f"{name} must lie between 0 and 1, got {getattr(self, name):g}")


BUDGETS = {
    "default": TrackSettings(),
    "fast": TrackSettings(budget_ms=47.0, least_stride=4, most_stride=15),
    "accurate": TrackSettings(stride=1, flow_side=640),
}


def tracker_settings(budget: str = "default") -> TrackSettings:
    """Read a budget: default (95 ms a frame), fast (47 ms), accurate (the model on each), or milliseconds.

    Raises:
        SettingError: it is none of these.
    """
    if budget in BUDGETS:
        return BUDGETS[budget]
    try:
        milliseconds = float(budget)
    except ValueError:
        raise SettingError(
            f"a budget is {', '.join(BUDGETS)}, or milliseconds a frame such as 80; got {budget!r}"
        ) from None
    return TrackSettings(budget_ms=milliseconds, most_stride=30)


__all__ = ["BUDGETS", "TrackSettings", "tracker_settings"]
