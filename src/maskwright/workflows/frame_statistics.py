"""What frames look like in four numbers, to tell those of another domain: brightness, contrast, colour, detail.

`USUAL` is what photographs and robot cameras have: the 1st and 99th percentile of 202 real pictures of things on
tables, glass, rooms and robot cells. Frames outside of it (thermal, X-ray, night, screenshots) may be segmented well,
but what was measured on photographs says nothing of them.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields

import cv2
import numpy as np
from jaxtyping import UInt8

_SIDE = 256  # of the reduced picture that is measured, so that resolution does not count as detail


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameStatistics:
    """Of one frame, all in 0..1: mean and deviation of brightness, mean saturation, mean step between neighbours."""

    brightness: float
    contrast: float
    colour: float
    detail: float


USUAL: dict[str, tuple[float, float]] = {
    "brightness": (0.16, 0.69),
    "contrast": (0.08, 0.32),
    "colour": (0.01, 0.45),
    "detail": (0.008, 0.074),
}


def frame_statistics(pixels: UInt8[np.ndarray, "H W 3"]) -> FrameStatistics:
    """Measure a frame."""
    scale = _SIDE / max(pixels.shape[:2])
    if scale < 1:
        pixels = np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    floats = pixels.astype(np.float32) / 255
    grey = floats.mean(axis=2)
    steps = [float(np.abs(np.diff(grey, axis=axis)).mean()) for axis in (0, 1) if grey.shape[axis] > 1]
    return FrameStatistics(
        brightness=float(grey.mean()),
        contrast=float(grey.std()),
        colour=float((floats.max(axis=2) - floats.min(axis=2)).mean()),
        detail=float(np.mean(steps)) if steps else 0.0,
    )


def unusual(frames: Sequence[FrameStatistics]) -> list[str]:
    """Say what most of the frames have that photographs do not."""
    medians = np.median([astuple(one) for one in frames], axis=0)
    return [
        f"{field.name} {value:.2f}, photographs have {low:.2f} to {high:.2f}"
        for field, value in zip(fields(FrameStatistics), medians, strict=True)
        for low, high in [USUAL[field.name]]
        if not low <= value <= high
    ]


def apart(some: Sequence[FrameStatistics], others: Sequence[FrameStatistics]) -> list[str]:
    """Say in what two sets of frames differ by more than twice their spread, which frames of one kind do not."""
    found = []
    for field in fields(FrameStatistics):
        first, second = (np.array([getattr(one, field.name) for one in each]) for each in (some, others))
        spread = max(float(np.hypot(first.std(), second.std())), 0.02)
        if abs(float(first.mean() - second.mean())) > 2 * spread:
            found.append(f"{field.name} {first.mean():.2f} and {second.mean():.2f}")
    return found


__all__ = ["USUAL", "FrameStatistics", "apart", "frame_statistics", "unusual"]
