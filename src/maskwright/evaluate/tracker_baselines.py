"""What trackers are compared with: optical flow alone, a model prompted by its own last box, and a mask at rest.

A weak baseline would flatter every tracker, so flow is the best of what was tried (see `_Flow`). The box is tight
around the last mask, without a memory of anything else.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from maskwright.core import RLE, BoxPrompt, Image, MaskPrompt, Prompt
from maskwright.core.errors import ImageError, SettingError, UnsupportedPrompt
from maskwright.core.track import TrackSource
from maskwright.evaluate.segmenter import Answer, Segmenter
from maskwright.masks import box_xyxy, decode, encode, is_empty
from maskwright.predict.tracking import TrackedFrame, TrackedMask, Tracker

_LEAST_SIDE = 8  # pixels of a side, below which DIS has no patch
TRACKER_BASELINES = ("flow", "previous-box", "static")


class _Carrier(Protocol):
    """How a baseline takes masks from one frame to the next."""

    def begin(self, image: Image, masks: Mapping[str, RLE]) -> None:
        """Take note of masks as they are on this frame; those of the same names are replaced."""
        ...

    def carry(self, image: Image, tracks: Sequence[str]) -> dict[str, RLE]:
        """Say where the tracks are on the next frame."""
        ...

    def forget(self, track: str) -> None:
        """Drop a track."""
        ...


class BaselineTracker:
    """A tracker that carries each mask in one way and has no doubts."""

    def __init__(self, carrier: _Carrier, source: TrackSource, segmenter: Segmenter | None = None) -> None:
        self._carrier, self._segmenter = carrier, segmenter
        self._source: TrackSource = source
        self._tracks: tuple[str, ...] = ()
        self._num_frames = 0
        self._size_hw: tuple[int, int] | None = None

    @property
    def tracks(self) -> tuple[str, ...]:
        """See `Tracker`."""
        return self._tracks

    def step(self, image: Image, prompts: Mapping[str, Prompt] | None = None) -> TrackedFrame:
        """See `Tracker`; prompts other than masks are drawn by the segmenter."""
        if self._size_hw not in (None, image.size_hw):
            raise ImageError(
                f"frames of one video have one size (height, width): {self._size_hw}, then {image.size_hw}"
            )
        asked = dict(prompts or {})
        drawn = self._drawn(image, asked)
        masks = self._carrier.carry(image, self._tracks) | drawn
        self._carrier.begin(image, drawn)
        self._size_hw = image.size_hw
        self._tracks += tuple(name for name in drawn if name not in self._tracks)
        index, self._num_frames = self._num_frames, self._num_frames + 1
        return TrackedFrame(
            index=index,
            image_digest=image.digest,
            masks=tuple(
                TrackedMask(
                    track=name,
                    rle=masks[name],
                    source="keyframe" if name in drawn else self._source,
                    state="outside" if is_empty(masks[name]) else "visible",
                    prompt=asked.get(name),
                )
                for name in self._tracks
            ),
        )

    def forget(self, track: str) -> None:
        """See `Tracker`."""
        if track not in self._tracks:
            raise SettingError(f"there is no track {track!r}; there are {', '.join(self._tracks) or 'none'}")
        self._carrier.forget(track)
        self._tracks = tuple(name for name in self._tracks if name != track)

    def _drawn(self, image: Image, prompts: Mapping[str, Prompt]) -> dict[str, RLE]:
        drawn = {name: prompt.rle for name, prompt in prompts.items() if isinstance(prompt, MaskPrompt)}
        for name, rle in drawn.items():
            if rle.size_hw != image.size_hw:
                raise ImageError(f"the mask of {name} is {rle.size_hw} (height, width), the frame {image.size_hw}")
        others = {name: prompt for name, prompt in prompts.items() if name not in drawn}
        if others and self._segmenter is None:
            raise UnsupportedPrompt("without a model a baseline begins from masks alone; give one, or --start mask")
        if others and self._segmenter is not None:
            answers = self._segmenter.open(image).answer(list(others.values()))
            drawn |= {name: answer.mask for name, answer in zip(others, answers, strict=True)}
        return {name: drawn[name] for name in prompts}


@dataclass(slots=True)
class _AtRest:
    """Masks that stay where they were."""

    masks: dict[str, RLE] = field(default_factory=dict)

    def begin(self, image: Image, masks: Mapping[str, RLE]) -> None:
        del image
        self.masks |= masks

    def carry(self, image: Image, tracks: Sequence[str]) -> dict[str, RLE]:
        del image
        return {name: self.masks[name] for name in tracks}

    def forget(self, track: str) -> None:
        del self.masks[track]


@dataclass(slots=True)
class _PreviousBox:
    """Each mask is what the model makes of the tight box of the last one; what is lost stays lost."""

    segmenter: Segmenter
    masks: dict[str, RLE] = field(default_factory=dict)

    def begin(self, image: Image, masks: Mapping[str, RLE]) -> None:
        del image
        self.masks |= masks

    def carry(self, image: Image, tracks: Sequence[str]) -> dict[str, RLE]:
        seen = [name for name in tracks if not is_empty(self.masks[name])]
        if seen:
            prompts = [BoxPrompt(box_xyxy(self.masks[name])) for name in seen]
            answers: list[Answer] = self.segmenter.open(image).answer(prompts)
            self.masks |= {name: answer.mask for name, answer in zip(seen, answers, strict=True)}
        return {name: self.masks[name] for name in tracks}

    def forget(self, track: str) -> None:
        del self.masks[track]


@dataclass(slots=True)
class _Flow:
    """Each mask is the last one moved by optical flow (DIS, Kroeger et al., ECCV 2016).

    Flow is looked up backwards with DIS's medium preset at full size. J&F on two videos of dogs and on four generated
    episodes (25 November 2026): 0.35 and 0.73; with the fast preset 0.33 and 0.71, with that at half the size 0.31 and
    0.64; pixels moved forwards 0.35 and 0.70; only where forwards and backwards agree within 3 pixels 0.33 and 0.70.
    """

    masks: dict[str, RLE] = field(default_factory=dict)
    last: UInt8[np.ndarray, "H W"] | None = None

    def begin(self, image: Image, masks: Mapping[str, RLE]) -> None:
        self.last = _gray(image)
        self.masks |= masks

    def carry(self, image: Image, tracks: Sequence[str]) -> dict[str, RLE]:
        if tracks and self.last is not None:
            x, y = _came_from(_gray(image), self.last)
            self.masks |= {name: _looked_up(self.masks[name], x, y) for name in tracks}
        return {name: self.masks[name] for name in tracks}

    def forget(self, track: str) -> None:
        del self.masks[track]


def _gray(image: Image) -> UInt8[np.ndarray, "H W"]:
    return np.asarray(cv2.cvtColor(image.pixels, cv2.COLOR_RGB2GRAY))


def _came_from(
    now: UInt8[np.ndarray, "H W"], before: UInt8[np.ndarray, "H W"]
) -> tuple[Float[np.ndarray, "H W"], Float[np.ndarray, "H W"]]:
    """For each pixel of `now`, where it was: its x and its y; of pictures too small for flow, where it is."""
    height, width = now.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    if min(height, width) < _LEAST_SIDE:
        return x, y
    # None: any array given here would be taken as a first guess.
    estimator = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = estimator.calc(now, before, None)  # pyrefly: ignore[no-matching-overload]
    return x + flow[..., 0], y + flow[..., 1]


def _looked_up(rle: RLE, x: Float[np.ndarray, "H W"], y: Float[np.ndarray, "H W"]) -> RLE:
    if is_empty(rle):
        return rle
    shades = decode(rle).astype(np.uint8) * 255
    return encode(cv2.remap(shades, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT) > 127)


def baseline_tracker(name: str, segmenter: Segmenter | None) -> Tracker:
    """Make a baseline by its name; `segmenter` draws first masks, and everything for `previous-box`.

    Raises:
        SettingError: the name is unknown.
        UnsupportedPrompt: it needs a model.
    """
    makers: dict[str, Callable[[], Tracker]] = {
        "flow": lambda: BaselineTracker(_Flow(), "carried", segmenter),
        "static": lambda: BaselineTracker(_AtRest(), "carried", segmenter),
        "previous-box": lambda: _previous_box(segmenter),
    }
    if name not in makers:
        raise SettingError(f"baselines of tracking are some of {', '.join(TRACKER_BASELINES)}; got {name}")
    return makers[name]()


def _previous_box(segmenter: Segmenter | None) -> Tracker:
    if segmenter is None:
        raise UnsupportedPrompt("previous-box asks a model on every frame; give one with --model")
    return BaselineTracker(_PreviousBox(segmenter), "segmented", segmenter)


__all__ = ["TRACKER_BASELINES", "BaselineTracker", "baseline_tracker"]
