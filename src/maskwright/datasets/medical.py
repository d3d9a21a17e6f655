"""Intensity windows: how grayscale of any depth (8, 12, 16 bits, signed, float) becomes the uint8 that networks take.

A CT slice holds 4000 levels and a screen 256, so somebody must say which part to look at. `Window` says it as
radiologists do (centre and width, in the units of the pixels), `Percentiles` takes it from the picture, as MedSAM's
preparation does for MR. Knows numpy only; files are the work of `images`.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Num, UInt8

from maskwright.core.errors import ImageError, SettingError


@dataclass(frozen=True, slots=True)
class Window:
    """Level and width in the units of the pixels (Hounsfield units for a CT that is stored in them).

    Follows DICOM PS3.3 C.11.2.1.2.1 (LINEAR): values up to centre - 0.5 - (width - 1) / 2 are black.

    Raises:
        SettingError: the width is below 1, or a number is not finite.
    """

    center: float
    width: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.center) and np.isfinite(self.width)) or self.width < 1:
            raise SettingError(
                f"a window needs a finite centre and a width of at least 1, got {self.center:g}/{self.width:g}"
            )

    def apply(self, values: Num[np.ndarray, "H W"]) -> UInt8[np.ndarray, "H W"]:
        """Map the window to 0..255; what is outside is clipped, what is not a number is black."""
        low = self.center - 0.5 - (self.width - 1) / 2
        return stretch(values, low, low + max(self.width - 1, 1e-6))


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Two percentiles of the picture's own finite values become black and white.

    Raises:
        SettingError: not 0 <= low < high <= 100.
    """

    low: float = 0.5
    high: float = 99.5

    def __post_init__(self) -> None:
        if not 0 <= self.low < self.high <= 100:
            raise SettingError(f"percentiles need 0 <= low < high <= 100, got {self.low:g},{self.high:g}")

    def apply(self, values: Num[np.ndarray, "H W"]) -> UInt8[np.ndarray, "H W"]:
        """Map the percentiles to 0..255; a picture of one value becomes black.

        Raises:
            ImageError: no pixel is a finite number.
        """
        finite = values[np.isfinite(values)]
        if not finite.size:
            raise ImageError(
                f"none of the {values.size} pixels is a finite number, so there are no percentiles to take"
            )
        low, high = np.percentile(finite, [self.low, self.high])
        return stretch(values, float(low), float(high))


Intensity = Window | Percentiles

# Centre/width in Hounsfield units, as radiology textbooks and viewers have them.
CT_WINDOWS: dict[str, Window] = {
    "soft-tissue": Window(40, 400),
    "lung": Window(-600, 1500),
    "bone": Window(400, 1800),
    "brain": Window(40, 80),
    "liver": Window(60, 160),
    "mediastinum": Window(50, 350),
}


def parse_window(text: str) -> Window:
    """Read "CENTER/WIDTH" or the name of a CT window.

    >>> parse_window("40/400")
    Window(center=40.0, width=400.0)

    Raises:
        SettingError: it is neither.
    """
    if text in CT_WINDOWS:
        return CT_WINDOWS[text]
    return Window(*_two_numbers(text, "/", f"a window is CENTER/WIDTH (40/400) or one of {', '.join(CT_WINDOWS)}"))


def parse_percentiles(text: str) -> Percentiles:
    """Read "LOW,HIGH".

    >>> parse_percentiles("1,99")
    Percentiles(low=1.0, high=99.0)

    Raises:
        SettingError: it is not two numbers in order.
    """
    return Percentiles(*_two_numbers(text, ",", "percentiles are LOW,HIGH (1,99)"))


def stretch(values: Num[np.ndarray, "*s"], low: float, high: float) -> UInt8[np.ndarray, "*s"]:
    """Map `low` to 0 and `high` to 255, clip outside, round to nearest; NaN becomes 0."""
    scale = 255.0 / (high - low) if high > low else 0.0
    with np.errstate(invalid="ignore", over="ignore"):
        scaled = (values.astype(np.float32) - np.float32(low)) * np.float32(scale)
    return np.rint(np.clip(np.nan_to_num(scaled, nan=0.0), 0, 255)).astype(np.uint8)


def _two_numbers(text: str, separator: str, expected: str) -> tuple[float, float]:
    try:
        first, second = (float(part) for part in text.split(separator))
    except ValueError as error:
        raise SettingError(f"{expected}, got {text!r}") from error
    return first, second


__all__ = ["CT_WINDOWS", "Intensity", "Percentiles", "Window", "parse_percentiles", "parse_window", "stretch"]
