"""The tracks of one recording over time: a lane for each track, and what each of its frames is, without any pixels.

Where a track has several masks on a frame, one speaks for it: a listed one before a rejected one, a keyframe before
what a tracker made, the newest. Frames that look the same and follow each other are one span, so that an episode of an
hour is a short answer.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from maskwright.core.resolved import Status
from maskwright.core.track import TrackSource, TrackState
from maskwright.store.pages import Pages
from maskwright.store.query import Query

_SHOWN: tuple[Status, ...] = ("proposed", "accepted", "rejected")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One camera of one episode."""

    dataset: str
    episode: str
    camera: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A track: where it begins and ends, how many masks it has, how many are keyframes, how many nobody has decided."""

    track: str
    label: str | None
    first_frame: int
    last_frame: int
    num_masks: int
    num_keyframes: int
    num_proposed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The lanes of a recording by name, and its first and last frame that the store knows; None where it knows none."""

    first_frame: int | None
    last_frame: int | None
    lanes: tuple[Lane, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Frames `first` to `last` of a track that look the same; `confidence` has one value for each of them, or is None.

    `source` is None where no tracker and no prompt said how the mask came into the track.
    """

    track: str
    first: int
    last: int
    source: TrackSource | None
    state: TrackState
    status: Status
    is_keyframe: bool
    is_corrected: bool
    confidence: tuple[float, ...] | None


@dataclass(frozen=True, slots=True)
class PointPlace:
    """The place of a track's point: points come by frame, those of a frame by track."""

    frame_index: int
    track: str


def timeline_of(pages: Pages, recording: Recording) -> Timeline:
    """List the lanes of a recording."""
    ends = pages.ends(_frames_of(recording))
    lanes = [Lane(**dict(zip(_LANE_FIELDS, row, strict=True))) for row in pages.rows(_tracked(recording), _LANES)]
    first, last = (None, None) if ends is None else (ends[0][4], ends[1][4])
    return Timeline(first_frame=first, last_frame=last, lanes=tuple(lanes))


def spans_of(
    pages: Pages,
    recording: Recording,
    *,
    tracks: tuple[str, ...] | None = None,
    first_frame: int | None = None,
    last_frame: int | None = None,
    after: PointPlace | None = None,
    limit: int,
) -> tuple[list[Span], PointPlace | None]:
    """Give spans of at most `limit` points after a place, by track, and the place to go on after if there is more."""
    query = replace(_tracked(recording), track=tracks, first_frame=first_frame, last_frame=last_frame)
    place = after or PointPlace(-1, "")
    rows = list(pages.rows(query, f"{_POINTS} LIMIT {limit + 1}", [place.frame_index, place.track]))
    page = rows[:limit]
    spans = list(_spans(_Point(*row) for row in sorted(page, key=lambda row: (row[1], row[0]))))
    return spans, PointPlace(page[-1][0], page[-1][1]) if len(rows) > limit else None


@dataclass(frozen=True, slots=True)
class _Point:
    frame_index: int
    track: str
    source: TrackSource | None
    state: TrackState
    status: Status
    is_keyframe: bool
    is_corrected: bool
    confidence: float | None

    def looks_like(self, span: Span) -> bool:
        own = (self.track, self.source, self.state, self.status, self.is_keyframe, self.is_corrected)
        its = (span.track, span.source, span.state, span.status, span.is_keyframe, span.is_corrected)
        return own == its and (self.confidence is None) == (span.confidence is None)

    def begin(self) -> Span:
        return Span(
            track=self.track,
            first=self.frame_index,
            last=self.frame_index,
            source=self.source,
            state=self.state,
            status=self.status,
            is_keyframe=self.is_keyframe,
            is_corrected=self.is_corrected,
            confidence=None if self.confidence is None else (self.confidence,),
        )


def _spans(points: Iterable[_Point]) -> Iterator[Span]:
    """Join points that follow each other; they come by track and frame."""
    span: Span | None = None
    confidences: list[float] = []
    for point in points:
        if span is not None and point.frame_index == span.last + 1 and point.looks_like(span):
            span = replace(span, last=point.frame_index)
        else:
            if span is not None:
                yield _ended(span, confidences)
            span, confidences = point.begin(), []
        if point.confidence is not None:
            confidences.append(point.confidence)
    if span is not None:
        yield _ended(span, confidences)


def _ended(span: Span, confidences: list[float]) -> Span:
    return span if span.confidence is None else replace(span, confidence=tuple(confidences))


def _frames_of(recording: Recording) -> Query:
    return Query(dataset=recording.dataset, episode=recording.episode, camera=recording.camera)


def _tracked(recording: Recording) -> Query:
    return replace(_frames_of(recording), status=_SHOWN, where="track IS NOT NULL")


_IS_KEYFRAME = (
    "(status <> 'rejected' AND "
    "(coalesce(track_source, 'keyframe') = 'keyframe' OR edited_by IS NOT NULL OR verified_by IS NOT NULL))"
)
_STATE = (
    "coalesce(CASE WHEN edited_by IS NOT NULL THEN if(area > 0, 'visible', 'outside') ELSE track_state END, 'visible')"
)
_LANES = (
    "SELECT track, mode(label) AS label, min(frame_index), max(frame_index), count(*), "
    f"count(*) FILTER ({_IS_KEYFRAME}), count(*) FILTER (status = 'proposed') "
    "FROM masks WHERE status <> 'rejected' GROUP BY track ORDER BY track"
)
_LANE_FIELDS = ("track", "label", "first_frame", "last_frame", "num_masks", "num_keyframes", "num_proposed")
_POINTS = (
    f"SELECT frame_index, track, track_source, {_STATE} AS state, status, {_IS_KEYFRAME} AS is_keyframe, "
    "edited_by IS NOT NULL AS is_corrected, track_confidence "
    "FROM masks WHERE row(frame_index, track) > row(?, ?) "
    "QUALIFY row_number() OVER (PARTITION BY frame_index, track ORDER BY status = 'rejected', NOT is_keyframe, "
    "ordinal DESC) = 1 ORDER BY frame_index, track"
)

__all__ = ["Lane", "PointPlace", "Recording", "Span", "Timeline", "spans_of", "timeline_of"]
