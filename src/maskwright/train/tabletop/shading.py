"""Darkness in creases: where a thing stands on another, light from the sides does not reach.

The simulator's renderer has lamps and hard shadows but no light from the room, so things seem to float. From the
distance of each pixel alone the inner edges are found and darkened. Planes stay as they are at any slant, because
inverse distance is linear on them; so does what lies behind an outline, which must not get a halo.
"""

import math

import cv2
import numpy as np
from jaxtyping import Float, UInt8

# Reach of the shade, as shares of the picture's height. What jumps by so many metres, or bends so much more sharply
# than a right angle, is an outline and no crease.
_REACHES = (0.008, 0.02, 0.045)
_DIRECTIONS = 6
_OUTLINE, _SHARPEST = 0.04, 2.5


def crease_shade(depth: Float[np.ndarray, "H W"], fovy_degrees: float) -> Float[np.ndarray, "H W"]:
    """How deep within a crease each pixel lies: 0 on open ground, 1 in a right angle; `depth` in metres."""
    height, width = depth.shape
    near = cv2.resize(depth.astype(np.float32), (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    inverse = 1 / np.maximum(near, 1e-3)
    focal = near.shape[0] / 2 / math.tan(math.radians(fovy_degrees / 2))
    total = np.zeros_like(inverse)
    for reach in _REACHES:
        radius = max(1.0, reach * near.shape[0])
        for k in range(_DIRECTIONS):
            turn = math.pi * (k + 0.5) / _DIRECTIONS
            dx, dy = round(radius * math.cos(turn)), round(radius * math.sin(turn))
            ahead, behind = _shifted(inverse, dx, dy), _shifted(inverse, -dx, -dy)
            bend = (ahead + behind - 2 * inverse) / (inverse * 2 * math.hypot(dx, dy) / focal)
            is_outline = np.maximum(np.abs(1 / ahead - near), np.abs(1 / behind - near)) > _OUTLINE
            total += np.where(is_outline | (bend > _SHARPEST), 0, np.clip(bend, 0, 1))
    shade = cv2.GaussianBlur(total / (len(_REACHES) * _DIRECTIONS), (0, 0), 0.006 * near.shape[0] + 0.3)
    return cv2.resize(shade, (width, height), interpolation=cv2.INTER_LINEAR)


def _shifted(values: Float[np.ndarray, "h w"], dx: int, dy: int) -> Float[np.ndarray, "h w"]:
    """The value dx to the right and dy below, the border repeated."""
    move = np.array([[1, 0, -dx], [0, 1, -dy]], np.float32)
    size = values.shape[1], values.shape[0]
    return cv2.warpAffine(values, move, size, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)


def darken_creases(
    image: UInt8[np.ndarray, "H W 3"], depth: Float[np.ndarray, "H W"], fovy_degrees: float, amount: float
) -> UInt8[np.ndarray, "H W 3"]:
    """Take up to `amount`, 0..1, of the light from creases."""
    light = 1 - amount * np.clip(2 * crease_shade(depth, fovy_degrees), 0, 1)
    return (image * light[..., None]).astype(np.uint8)


__all__ = ["crease_shade", "darken_creases"]
