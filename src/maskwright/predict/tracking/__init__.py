"""Objects through time: sessions that are shown frames in order and say where their objects are."""

from maskwright.predict.tracking.propagate import better_of, make_tracker, propagate, propagate_both_ways
from maskwright.predict.tracking.settings import BUDGETS, TrackSettings, tracker_settings
from maskwright.predict.tracking.tracked import TrackedFrame, TrackedMask, Tracker

__all__ = [
    "BUDGETS",
    "TrackSettings",
    "TrackedFrame",
    "TrackedMask",
    "Tracker",
    "better_of",
    "make_tracker",
    "propagate",
    "propagate_both_ways",
    "tracker_settings",
]
