"""What a server answers about tracks: a `TrackedFrame` and its `TrackedMask`s are much as `propagate` gives them."""

from dataclasses import dataclass
from typing import Any

from maskwright.core import RLE, BoxXYXY, Scores, TrackSource, TrackState, from_json


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedMask:
    """An object on one frame. `rle` has the picture's size and holds what is seen of the object, maybe nothing."""

    track: str
    rle: RLE
    box_xyxy: BoxXYXY
    area: int
    source: TrackSource
    state: TrackState
    confidence: float
    scores: Scores


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedFrame:
    """Every live track on one frame, in the order in which they began; `index` counts frames from 0.

    `is_cut`: the picture changed as a whole since the frame before, so that nothing could be carried over.
    """

    index: int
    image_digest: str
    masks: tuple[TrackedMask, ...]
    is_cut: bool = False

    def __getitem__(self, track: str) -> TrackedMask:
        """The mask of one track."""
        for mask in self.masks:
            if mask.track == track:
                return mask
        raise KeyError(track)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackInfo:
    """What a session is at. It ends `ends_in_s` from now unless a frame comes; `first_kept` is its oldest result."""

    id: str
    budget: str
    find_new: int
    model: str | None
    tracks: tuple[str, ...]
    num_shown: int
    num_answered: int
    num_skipped: int
    first_kept: int
    idle_s: float
    ends_in_s: float


def read_frame(data: Any) -> TrackedFrame:
    """Read a frame's masks from the server's JSON.

    Raises:
        RecordError: it is something else.
    """
    masks = tuple(_read_mask(mask) for mask in data["masks"])
    return TrackedFrame(index=data["index"], image_digest=data["image_digest"], masks=masks, is_cut=data["is_cut"])


def _read_mask(data: Any) -> TrackedMask:
    """The server draws masks too where it is asked to; it is not."""
    plain = {name: value for name, value in data.items() if name not in ("png", "polygons")}
    return from_json(TrackedMask, plain)


__all__ = ["TrackInfo", "TrackedFrame", "TrackedMask", "read_frame"]
