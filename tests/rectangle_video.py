"""Trackers whose answers are known, and video made of rectangles, for tests of how trackers are scored."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from maskwright.core import RLE, Image, Prompt
from maskwright.core.errors import ImageError, SettingError
from maskwright.evaluate import LabelledSequence, MissedFrame, SequenceFrame
from maskwright.masks import empty_mask, encode
from maskwright.predict.tracking import TrackedFrame, TrackedMask

SIZE_HW = (40, 60)
# The answers of a frame by track, from its number, counted from that of the first prompt.
Script = Callable[[int], Mapping[str, RLE]]


def rectangle(left: int, top: int, width: int = 10, height: int = 10) -> RLE:
    canvas = np.zeros(SIZE_HW, bool)
    canvas[max(0, top) : top + height, max(0, left) : left + width] = True
    return encode(canvas)


NOTHING = empty_mask(SIZE_HW)


def picture(number: int) -> Image:
    rng = np.random.default_rng(number)
    return Image(rng.integers(0, 255, (*SIZE_HW, 3), np.uint8))


def sequence(
    truths: Sequence[Mapping[str, RLE] | None], *, name: str = "video", broken: Sequence[int] = ()
) -> LabelledSequence:
    """Make a video of noise; frames in `broken` cannot be read."""

    def read(start: int, stop: int | None) -> Iterator[SequenceFrame | MissedFrame]:
        for index, truth in enumerate(truths[start:stop], start):
            if index in broken:
                yield MissedFrame(index=index, error=ImageError("the picture is damaged"))
            else:
                yield SequenceFrame(index=index, image=picture(index), truth=truth)

    return LabelledSequence(name=name, num_frames=len(truths), read=read)


@dataclass
class ScriptedTracker:
    """Answers frame n with `script(n)`, whatever it is shown."""

    script: Script
    asked: list[Mapping[str, Prompt]] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)

    @property
    def tracks(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for prompts in self.asked for name in prompts if name not in self.dropped))

    def step(self, image: Image, prompts: Mapping[str, Prompt] | None = None) -> TrackedFrame:
        index = len(self.asked)
        self.asked.append(dict(prompts or {}))
        masks = tuple(TrackedMask(track=name, rle=rle, source="carried") for name, rle in self.script(index).items())
        return TrackedFrame(index=index, image_digest=image.digest, masks=masks)

    def forget(self, track: str) -> None:
        if track not in self.tracks:
            raise SettingError(f"there is no track {track!r}")
        self.dropped.append(track)
