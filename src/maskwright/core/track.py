"""`TrackPoint`: how a mask stands in the track that it belongs to, and `anchor`, by which keyframes are named."""

import hashlib
from dataclasses import dataclass
from typing import Literal, get_args

from maskwright.core.errors import RecordError
from maskwright.core.rle import RLE

# occluded: partly or wholly behind something; outside: not in the picture. The mask holds what is seen, maybe nothing.
TrackState = Literal["visible", "occluded", "outside"]
# keyframe: prompted or drawn; segmented: a model drew it anew from what was carried; carried: optical flow moved it.
TrackSource = Literal["keyframe", "segmented", "carried"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackPoint:
    """One moment of a track.

    `confidence`, 0 to 1, is how sure the tracker is that these are the pixels of this object. `anchors` name the
    keyframes that the mask was propagated from, as `anchor` writes them: one before it, one after it, or both.
    A keyframe has none.
    """

    source: TrackSource
    state: TrackState = "visible"
    confidence: float = 1.0
    anchors: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, value, known in (
            ("source", self.source, get_args(TrackSource)),
            ("state", self.state, get_args(TrackState)),
        ):
            if value not in known:
                raise RecordError(f"a track point's {name} is one of {', '.join(known)}; got {value!r}")
        if not 0 <= self.confidence <= 1:
            raise RecordError(f"a track point's confidence lies between 0 and 1, got {self.confidence:g}")


def anchor(frame_index: int, rle: RLE) -> str:
    """Name a keyframe by its frame and a digest of its pixels, so that a keyframe which was redrawn has another name.

    >>> anchor(120, RLE((2, 2), b"4"))
    '120:18388ee06dc2bf63'
    """
    return f"{frame_index}:{hashlib.sha256(b'%d,%d;' % rle.size_hw + rle.counts).hexdigest()[:16]}"


__all__ = ["TrackPoint", "TrackSource", "TrackState", "anchor"]
