"""Objects through time: sessions that are shown frames in order and say where their objects are."""

from maskwright.predict.tracking.tracked import TrackedFrame, TrackedMask, Tracker

__all__ = ["TrackedFrame", "TrackedMask", "Tracker"]
