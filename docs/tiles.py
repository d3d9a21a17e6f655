"""Tiles with a caption, side by side: what the programs that draw the pictures of the guides share."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

Picture = UInt8[np.ndarray, "h w 3"]
RGB = tuple[int, int, int]
PICTURES = Path(__file__).parent / "pictures"
_GAP, _LINE, _FONT_PX = 4, 18, 14


def tile(picture: Picture, caption: str, *, height: int) -> Picture:
    """Scale a picture to a height, with lines of text above it."""
    width = round(picture.shape[1] * height / picture.shape[0])
    way = cv2.INTER_AREA if height < picture.shape[0] else cv2.INTER_CUBIC
    lines = caption.split("\n")
    canvas = np.full((height + 6 + _LINE * len(lines), width, 3), 255, np.uint8)
    canvas[-height:] = cv2.resize(picture, (width, height), interpolation=way)
    image = PillowImage.fromarray(canvas)
    for at, line in enumerate(lines):
        ImageDraw.Draw(image).text((2, 2 + at * _LINE), line, fill=(20, 20, 20), font=ImageFont.load_default(_FONT_PX))
    return np.asarray(image)


def row(tiles: Sequence[Picture]) -> Picture:
    """Put tiles of one height side by side."""
    gap = np.full((tiles[0].shape[0], _GAP, 3), 255, np.uint8)
    return np.concatenate([part for one in tiles for part in (one, gap)][:-1], axis=1)


def rows(tiles: Sequence[Picture], *, across: int) -> Picture:
    """Put tiles of one size into rows."""
    return np.concatenate([row(tiles[at : at + across]) for at in range(0, len(tiles), across)], axis=0)


def tinted(picture: Picture, mask: Bool[np.ndarray, "H W"], colour: RGB, *, share: float = 0.4) -> Picture:
    """Tint what is in a mask, with its outline."""
    drawn = picture.copy()
    drawn[mask] = ((1 - share) * drawn[mask] + share * np.array(colour)).astype(np.uint8)
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(drawn, outlines, -1, colour, max(1, round(picture.shape[0] / 300)), cv2.LINE_AA)


def enlarged(picture: Picture, times: int) -> Picture:
    """Enlarge a picture before lines are drawn on it, so that they are fine."""
    return cv2.resize(picture, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC)


def save(picture: Picture, name: str, *, quality: int = 85) -> None:
    """Write a picture into docs/pictures."""
    PillowImage.fromarray(picture).save(PICTURES / name, quality=quality)
