"""What goes over REST about the tracks of a recording over time, as pydantic models, and how it is written."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from maskwright.core import Status, TrackSource, TrackState
from maskwright.review import PointPlace, Recording, Span, Timeline
from maskwright.serve.store_cursors import not_given, read_parts, written
from maskwright.serve.wire_store import Count, Cursor, Name, Names

MOST_POINTS = 50_000


class _Out(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_serialization_defaults_required=True)


class TimelineAsked(BaseModel):
    """Which recording, as query parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: Name
    episode: Name
    camera: Name

    def recording(self) -> Recording:
        """As a value."""
        return Recording(dataset=self.dataset, episode=self.episode, camera=self.camera)


class LaneOut(_Out):
    """A track of the recording: where it begins and ends, and how many of its masks are what."""

    track: str
    label: str | None
    first_frame: int
    last_frame: int
    num_masks: int
    num_keyframes: int
    num_proposed: int


class TimelineOut(_Out):
    """The tracks of a recording by name, and its first and last frame; null where the store knows none."""

    first_frame: int | None
    last_frame: int | None
    items: list[LaneOut]


class SpansAsked(TimelineAsked):
    """Which recording, tracks and frames; both ends are included."""

    track: Names | None = None
    first_frame: Count | None = None
    last_frame: Count | None = None
    cursor: Cursor = None
    limit: Annotated[int, Field(ge=1, le=MOST_POINTS, description="At most so many points on a page.")] = 20_000


class SpanOut(_Out):
    """Frames of a track, both ends included, that look the same.

    `source` is null where no tracker and no prompt said how the mask came into the track; then it is a keyframe, as is
    what somebody drew, corrected or accepted. `confidence` is null, or has one value for each frame.
    """

    track: str
    first: int
    last: int
    source: TrackSource | None
    state: TrackState
    status: Status
    is_keyframe: bool
    is_corrected: bool
    confidence: list[float] | None


class SpansOut(_Out):
    """Spans by track. `next_cursor` is null on the last page; a span may go on with the next."""

    items: list[SpanOut]
    next_cursor: str | None


def timeline_json(found: Timeline) -> dict[str, Any]:
    """Write a `TimelineOut`."""
    items = [{name: getattr(lane, name) for name in LaneOut.model_fields} for lane in found.lanes]
    return {"first_frame": found.first_frame, "last_frame": found.last_frame, "items": items}


def spans_json(spans: list[Span], following: PointPlace | None) -> dict[str, Any]:
    """Write a `SpansOut`."""
    cursor = None if following is None else written([following.frame_index, following.track])
    return {"items": [_span_json(one) for one in spans], "next_cursor": cursor}


def read_point_place(text: str) -> PointPlace:
    """Read the cursor of spans.

    Raises:
        RequestError: it is something else.
    """
    match read_parts(text, "a cursor"):
        case [int(index), str(track)] if type(index) is int and 0 <= index < 2**63:
            return PointPlace(index, track)
    raise not_given("a cursor")


def _span_json(span: Span) -> dict[str, Any]:
    confidence = None if span.confidence is None else [round(one, 3) for one in span.confidence]
    return {**{name: getattr(span, name) for name in SpanOut.model_fields}, "confidence": confidence}


__all__ = [
    "SpansAsked",
    "SpansOut",
    "TimelineAsked",
    "TimelineOut",
    "read_point_place",
    "spans_json",
    "timeline_json",
]
