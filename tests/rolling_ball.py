"""A generated scene whose objects move in known ways: for tests of trackers with a real network."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from jaxtyping import Bool

from maskwright.core import RLE, Image
from maskwright.masks import encode

SIZE_HW = (240, 320)


@dataclass(frozen=True, slots=True)
class Shot:
    """A frame and where its objects are seen."""

    image: Image
    truth: dict[str, RLE]


@cache
def wood(seed: int = 7) -> np.ndarray:
    """A table of smooth noise in brown."""
    noise = np.random.default_rng(seed).normal(0, 1, (*SIZE_HW, 1)).astype(np.float32)
    grain = cv2.GaussianBlur(noise, (0, 0), sigmaX=9, sigmaY=2)
    return np.clip(np.array([150, 110, 80]) + 160 * grain.reshape(*SIZE_HW, 1), 0, 255)


def ball(x: float, y: float, radius: float) -> Bool[np.ndarray, "H W"]:
    ys, xs = np.mgrid[: SIZE_HW[0], : SIZE_HW[1]]
    return (xs - x) ** 2 + (ys - y) ** 2 <= radius**2


def shot(number: int, *, is_post_there: bool = True, speed: float = 4.0, table: np.ndarray | None = None) -> Shot:
    """A red ball that rolls from left to right, behind a gray post if it is there, and a blue box that stays."""
    pixels = (wood() if table is None else table).copy()
    red = ball(40 + speed * number, 120, 24)
    shade = 0.75 + 0.25 * np.cos(np.mgrid[: SIZE_HW[0], : SIZE_HW[1]][0] / 14.0)[..., None]
    pixels[red] = (np.array([215, 35, 35]) * shade)[red]
    box = np.zeros(SIZE_HW, bool)
    box[180:225, 30:100] = True
    pixels[box] = np.array([40, 70, 200])
    post = np.zeros(SIZE_HW, bool)
    if is_post_there:
        post[:, 150:210] = True
        pixels[post] = np.array([120, 120, 120])
    return Shot(Image(pixels.astype(np.uint8)), {"ball": encode(red & ~post), "box": encode(box & ~post)})
