"""Colours that have a name: drawn so that nobody would call them otherwise, and named where a name is clear.

The names are those of the vocabulary (`models/tiny/vocabulary.py`); a test holds the two together.
"""

import colorsys
from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

# Hue in degrees, saturation and value, from and to. Neighbours leave gaps, so that a drawn colour is never a near miss.
_RANGES: dict[str, tuple[float, float, float, float, float, float]] = {
    "red": (350, 367, 0.75, 1.0, 0.5, 0.95),
    "orange": (22, 36, 0.8, 1.0, 0.85, 1.0),
    "yellow": (47, 60, 0.7, 1.0, 0.8, 1.0),
    "green": (95, 155, 0.5, 1.0, 0.3, 0.8),
    "blue": (203, 240, 0.6, 1.0, 0.4, 0.95),
    "purple": (265, 292, 0.45, 0.9, 0.35, 0.8),
    "pink": (322, 342, 0.35, 0.65, 0.88, 1.0),
    "brown": (16, 32, 0.5, 0.8, 0.22, 0.46),
    "black": (0, 360, 0.0, 0.2, 0.03, 0.11),
    "white": (0, 360, 0.0, 0.05, 0.88, 1.0),
    "gray": (0, 360, 0.0, 0.06, 0.35, 0.6),
}
COLOUR_NAMES = tuple(_RANGES)
Rgb = tuple[float, float, float]


def draw_colour(rng: np.random.Generator, name: str) -> Rgb:
    """Draw a colour, 0..1, that carries the name."""
    hue_from, hue_to, s_from, s_to, v_from, v_to = _RANGES[name]
    hue = rng.uniform(hue_from, hue_to) % 360 / 360
    red, green, blue = colorsys.hsv_to_rgb(hue, rng.uniform(s_from, s_to), rng.uniform(v_from, v_to))
    return red, green, blue


def name_colour(rgb: Sequence[float]) -> str | None:
    """Name a colour, 0..1; None where people would differ."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(float(c) for c in rgb))
    hue *= 360
    if value < 0.16:
        return "black"
    if saturation < 0.12:
        return "white" if value > 0.78 else ("gray" if 0.25 < value < 0.68 else None)
    if saturation < 0.25 or value < 0.2:
        return None
    if (hue > 345 or hue < 10) and saturation > 0.55:
        return "red"
    if (hue > 315 or hue < 5) and value > 0.7 and saturation < 0.7:
        return "pink"
    if 8 < hue < 42 and value < 0.55:
        return "brown"
    bands = (("orange", 18, 40, 0.6), ("yellow", 45, 66, 0.45), ("green", 80, 165, 0.25), ("blue", 195, 250, 0.3))
    for name, start, end, least in (*bands, ("purple", 260, 300, 0.3)):
        if start < hue < end and saturation > least:
            return None if name in ("orange", "yellow") and value < 0.6 else name
    return None


def name_picture(picture: UInt8[np.ndarray, "h w 3"], tint: Sequence[float] = (1, 1, 1)) -> str | None:
    """Name the colour of most of a picture's pixels; None where none prevails."""
    step = max(1, min(picture.shape[:2]) // 16)
    pixels = picture[::step, ::step].reshape(-1, 3) / 255 * np.asarray(tint)
    names = [name_colour(pixel) for pixel in pixels]
    best = max(COLOUR_NAMES, key=names.count)
    return best if names.count(best) > 0.6 * len(names) else None


__all__ = ["COLOUR_NAMES", "Rgb", "draw_colour", "name_colour", "name_picture"]
