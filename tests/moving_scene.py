"""A tracker that knows how its scene moves, and a scene for it: frames that tell their number in their first pixel."""

from pathlib import Path

import numpy as np
from PIL import Image as PillowImage

from maskwright.core import BoxPrompt, MaskPrompt, ModelRef, PointPrompt, TextPrompt, prompt_parts
from maskwright.masks import decode, encode
from maskwright.predict.tracking import TrackedFrame, TrackedMask
from maskwright.workflows.track import Tracking

SIZE_HW = (24, 48)
MODEL = ModelRef(name="scripted", family="scripted", checkpoint_sha256="5" * 64)


def write_scene(folder: Path, num_frames: int, *, first: int = 0) -> Path:
    """Write pictures; everything moves one pixel to the right a frame."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + num_frames):
        pixels = np.full((*SIZE_HW, 3), 90, np.uint8)
        pixels[0, 0] = number % 256, number // 256, 0
        PillowImage.fromarray(pixels).save(folder / f"{number:05d}.png")
    return folder


def number_of(image) -> int:
    """The number that a frame of the scene tells."""
    low, high, _ = (int(value) for value in image.pixels[0, 0])
    return low + 256 * high


class ScriptedTracker:
    """Moves masks by one pixel a frame, either way in time; `seen` lists the numbers that all of them were shown.

    `finds` are boxes that it finds by itself, by the number of the frame.
    """

    def __init__(self, seen: list[int] | None = None, finds: dict[int, BoxPrompt] | None = None) -> None:
        self._masks: dict[str, tuple[np.ndarray, int]] = {}
        self._index = -1
        self.seen = [] if seen is None else seen
        self._finds = finds or {}

    @property
    def tracks(self) -> tuple[str, ...]:
        return tuple(self._masks)

    def step(self, image, prompts=None):
        number = number_of(image)
        self._index += 1
        self.seen.append(number)
        for name, prompt in (prompts or {}).items():
            self._masks[name] = _drawn(prompt, image.size_hw), number
        if number in self._finds:
            self._masks[f"object-{number}"] = _drawn(self._finds[number], image.size_hw), number
        masks = tuple(self._mask(name, number, (prompts or {}).get(name)) for name in self._masks)
        return TrackedFrame(index=self._index, image_digest=image.digest, masks=masks)

    def forget(self, track):
        del self._masks[track]

    def _mask(self, name, number, prompt):
        mask, drawn_at = self._masks[name]
        moved = np.zeros_like(mask)
        shift = number - drawn_at
        if abs(shift) < mask.shape[1]:
            moved[:, max(shift, 0) : mask.shape[1] + min(shift, 0)] = mask[
                :, max(-shift, 0) : mask.shape[1] - max(shift, 0)
            ]
        return TrackedMask(
            track=name,
            rle=encode(moved),
            source="keyframe" if prompt is not None else "segmented" if number % 2 else "carried",
            state="visible" if moved.any() else "outside",
            confidence=1 / (1 + abs(shift)),
            prompt=prompt,
        )


def _drawn(prompt, size_hw):
    mask = np.zeros(size_hw, bool)
    for part in prompt_parts(prompt):
        match part:
            case BoxPrompt((x1, y1, x2, y2)):
                mask[int(y1) : int(y2), int(x1) : int(x2)] = True
            case PointPrompt(points, labels):
                for (x, y), label in zip(points, labels, strict=True):
                    mask[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2] = bool(label)
            case MaskPrompt(rle):
                mask |= decode(rle)
            case TextPrompt():
                pass
    return mask


def scripted(seen: list[int] | None = None, finds: dict[int, BoxPrompt] | None = None) -> Tracking:
    """Track by the script."""
    return Tracking(
        make=lambda: ScriptedTracker(seen),
        make_finder=(lambda: ScriptedTracker(seen, finds)) if finds else None,
        model=MODEL,
    )
