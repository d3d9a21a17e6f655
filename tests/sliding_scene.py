"""A camera over a textured ground on which textured squares slide, and one that knows where they are."""

from dataclasses import dataclass, field

import cv2
import numpy as np

from maskwright.core import RLE
from maskwright.masks import empty_mask, encode
from maskwright.robot.perceiver_worker import Question, Reply, Sighting

SIZE_HW = (120, 160)
SIDE = 30
SPEED = 3


def _texture(seed, size_hw):
    noise = np.random.default_rng(seed).integers(0, 255, (*size_hw, 3), np.uint8)
    return cv2.GaussianBlur(cv2.resize(noise, size_hw[::-1]), (0, 0), 2) // 2 + 60


GROUND = _texture(0, SIZE_HW)
SKINS = {"mug": _texture(1, (SIDE, SIDE)) // 2 + 120, "cup": _texture(2, (SIDE, SIDE)) // 3}
_TOPS = {"mug": 20, "cup": 70}


def place(name, number):
    """Top left corner of a square on a frame."""
    return 10 + SPEED * number, _TOPS[name]


def truth(name, number, size_hw=SIZE_HW) -> RLE:
    mask = np.zeros(SIZE_HW, np.uint8)
    x, y = place(name, number)
    mask[y : y + SIDE, max(0, x) : x + SIDE] = 1
    return encode(cv2.resize(mask, size_hw[::-1], interpolation=cv2.INTER_NEAREST).astype(bool))


def picture(number, size_hw=SIZE_HW):
    """Frame `number`, which its first pixel tells."""
    pixels = GROUND.copy()
    for name, skin in SKINS.items():
        x, y = place(name, number)
        part = pixels[y : y + SIDE, x : x + SIDE]
        part[...] = skin[: part.shape[0], : part.shape[1]]
    pixels = cv2.resize(pixels, size_hw[::-1], interpolation=cv2.INTER_AREA)
    pixels[0, 0] = number
    return pixels


@dataclass
class Oracle:
    """Answers with the truth about the picture that it was shown; `blind_to` are not found, `broken` raises."""

    asked: list[Question] = field(default_factory=list)
    blind_to: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)
    broken: Exception | None = None
    _known: dict[tuple[str, int], dict[str, None]] = field(default_factory=dict)

    def look(self, question: Question) -> Reply:
        self.asked.append(question)
        if self.broken is not None:
            raise self.broken
        known = self._known.setdefault((question.camera, question.session), {})
        for name in question.forget:
            known.pop(name, None)
        failed = {name: self.refused[name] for name in question.prompts if name in self.refused}
        known.update(dict.fromkeys(name for name in question.prompts if name not in failed))
        size_hw = question.pixels.shape[:2]
        number = int(question.pixels[0, 0, 0])
        return Reply(
            camera=question.camera,
            session=question.session,
            number=question.number,
            failed=failed,
            sightings=tuple(self._sighting(name, number, size_hw) for name in known),
        )

    def _sighting(self, name, number, size_hw):
        if name in self.blind_to:
            return Sighting(name=name, rle=empty_mask(size_hw), state="occluded", confidence=0.0)
        return Sighting(name=name, rle=truth(name, number, size_hw), state="visible", confidence=0.9)


class Clock:
    """Stands still until somebody moves it."""

    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        return self.now_s
