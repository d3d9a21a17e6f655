"""What goes over REST about the store: records, edits, frames, questions and jobs, as pydantic models.

Core's values are described by `model_of`, so a record that `POST /v1/segment` gave can be saved as it is.
"""

from datetime import datetime
from typing import Annotated, Any, Literal, Union

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    RootModel,
    StringConstraints,
    model_validator,
)

from maskwright import core
from maskwright.core import Method, Status, TrackSource, TrackState
from maskwright.serve.wire_prompts import RLE, PromptModel
from maskwright.serve.wire_values import model_of

_MOST = 1000
_BIG = 2**53 - 1
_NUMBER = r"-?[0-9]{1,9}(\.[0-9]{1,9})?"
Name = Annotated[str, StringConstraints(max_length=500)]
RecordId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,128}$")]
AnyId = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Names = Annotated[list[Name], Field(max_length=_MOST)]
Count = Annotated[int, Field(ge=0, le=_BIG)]
Cursor = Annotated[
    str | None, Field(max_length=4000, description="next_cursor of the page before; good as long as one likes.")
]
Limit = Annotated[int, Field(ge=1, le=_MOST, description="At most so many on a page.")]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Out(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_serialization_defaults_required=True)


# Records


class RecordOut(model_of(core.ResolvedRecord)):
    """A mask as it is now, and the tag that an edit of it sends back."""

    model_config = ConfigDict(title="RecordOut")
    etag: str


class RecordsOut(_Out):
    """Masks in frame order. `next_cursor` is null on the last page."""

    items: list[RecordOut]
    next_cursor: str | None


class SavedOut(_Out):
    """Records as they were put, and the moment of the store at which they were."""

    moment: int
    items: list[RecordOut]


class LoggedEventOut(_Out):
    """A review event with its place in the log."""

    position: int
    moment: int
    event: model_of(core.ReviewEvent)  # pyrefly: ignore[invalid-annotation]


class HistoryOut(_Out):
    """One mask's life: as it was put, every event that touched it, oldest first, and what they came to."""

    record: model_of(core.MaskRecord)  # pyrefly: ignore[invalid-annotation]
    put_at: datetime
    put_moment: int
    events: list[model_of(core.ReviewEvent)]  # pyrefly: ignore[invalid-annotation]
    resolved: RecordOut


class ProvenanceIn(_In):
    """How a mask came to be. The server fills in who saves it, and when it was made if that is left out."""

    kind: Literal["Provenance"] = "Provenance"
    method: Method
    created_at: AwareDatetime | None = None
    model: model_of(core.ModelRef) | None = None  # pyrefly: ignore[invalid-annotation]
    prompt: PromptModel | None = None
    steps: Annotated[
        list[model_of(core.ProcessingStep)],  # pyrefly: ignore[invalid-annotation]
        Field(max_length=50),
    ] = []
    actor: Annotated[Name | None, Field(description="Only an admin names another than himself.")] = None
    collector: Name | None = None
    captured_at: AwareDatetime | None = None
    licence: Name | None = None
    derived_from: Annotated[list[AnyId], Field(max_length=100)] = []
    source: Name | None = None


class ScoresIn(_In):
    """What the model thinks of its own mask."""

    kind: Literal["Scores"] = "Scores"
    predicted_iou: FiniteFloat | None = None
    stability: FiniteFloat | None = None
    agreement: FiniteFloat | None = None


class FrameRefIn(_In):
    """A frame's place in a data set."""

    kind: Literal["FrameRef"] = "FrameRef"
    dataset: Name
    episode: Name
    camera: Name
    frame_index: Count
    timestamp_s: FiniteFloat | None = None


class RecordIn(_In):
    """A mask to save. Box and area are computed; where they are given, they must be right."""

    kind: Literal["MaskRecord"] = "MaskRecord"
    id: RecordId | None = None
    image_digest: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64})?$")] = ""
    rle: RLE
    provenance: ProvenanceIn
    box_xyxy: tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat] | None = None
    area: Count | None = None
    frame: FrameRefIn | None = None
    label: Name | None = None
    track: Name | None = None
    parent: AnyId | None = None
    scores: ScoresIn = ScoresIn()
    track_point: model_of(core.TrackPoint) | None = None  # pyrefly: ignore[invalid-annotation]

    @model_validator(mode="after")
    def _has_a_picture(self) -> "RecordIn":
        if self.frame is None and not self.image_digest:
            raise ValueError("a mask needs a frame, or the digest of its picture")
        return self


class RecordsIn(_In):
    """Masks to save together or not at all."""

    records: Annotated[list[RecordIn], Field(min_length=1, max_length=_MOST)]


# Questions


class Filters(_In):
    """Conditions that all must hold; of several names one. They mean what they mean in maskwright.store.Query."""

    min_area: Count | None = None
    max_area: Count | None = None
    status: Annotated[list[Status], Field(max_length=5)] | None = Field(
        default=None, description="proposed and accepted where it is left out"
    )
    method: Annotated[list[Method], Field(max_length=5)] | None = None
    label: Names | None = None
    track: Names | None = None
    track_source: Annotated[list[TrackSource], Field(max_length=3)] | None = None
    track_state: Annotated[list[TrackState], Field(max_length=3)] | None = None
    dataset: Names | None = None
    episode: Names | None = None
    camera: Names | None = None
    first_frame: Count | None = None
    last_frame: Count | None = None
    image_digest: Names | None = None
    model: Names | None = None
    actor: Names | None = None
    is_verified: bool | None = None
    min_predicted_iou: FiniteFloat | None = None
    min_stability: FiniteFloat | None = None


class RecordsAsked(Filters):
    """Conditions and a page, as query parameters; names may be repeated."""

    bbox: Annotated[
        str | None,
        StringConstraints(pattern=rf"^{_NUMBER}(,{_NUMBER}){{3}}$"),
        Field(description="x1,y1,x2,y2 in pixels: masks whose box shares area with it."),
    ] = None
    cursor: Cursor = None
    limit: Limit = 100


class QueryIn(Filters):
    """Conditions as JSON."""

    bbox: tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat] | None = None


class QuestionIn(_In):
    """A query, or SQL: one SELECT over the views masks, records, events, frames and tags, for admins."""

    query: QueryIn | None = None
    sql: Annotated[str, Field(min_length=1, max_length=20_000)] | None = None
    count_only: bool = False
    cursor: Cursor = None
    limit: Annotated[int, Field(ge=1, le=10_000, description="At most so many rows; of masks 1,000 a page.")] = 100

    @model_validator(mode="after")
    def _is_one_of_both(self) -> "QuestionIn":
        if self.sql is not None and (self.query is not None or self.count_only or self.cursor is not None):
            raise ValueError("sql comes alone: without query, count_only and cursor")
        return self


class CountOut(_Out):
    """How many masks a query finds."""

    count: int


class TableOut(_Out):
    """The answer of a SELECT. `is_cut`: there are more rows than were asked for."""

    columns: list[str]
    rows: list[list[Any]]
    is_cut: bool


# Edits

_ACTIONS = tuple(
    model_of(one)
    for one in (
        *(core.Accept, core.Reject, core.Edit, core.Relabel, core.Retrack, core.Reparent, core.Merge, core.Split),
        core.Revert,
        core.Comment,
    )
)
ActionIn = Annotated[Union[_ACTIONS], Field(discriminator="kind")]  # noqa: UP007  # pyrefly: ignore[not-a-type]


class EventIn(_In):
    """What is done to which record. The server fills in who does it, when, and the event's id."""

    record_id: AnyId
    action: ActionIn


class EventsIn(_In):
    """Edits that are made together or not at all. `if_match` holds the etag that each record is expected to have."""

    events: Annotated[list[EventIn], Field(min_length=1, max_length=_MOST)]
    if_match: Annotated[
        dict[AnyId, Annotated[str, StringConstraints(max_length=200)]],
        Field(description='Etags by record id, "*" for any; beside or instead of the header If-Match.'),
    ] = {}
    actor: Annotated[Name | None, Field(description="Only an admin signs for others.")] = None


class EditedOut(_Out):
    """The events as they were added, and the etags that the records they touch have now."""

    moment: int
    items: list[LoggedEventOut]
    etags: dict[str, str]


class LogOut(_Out):
    """Events in the order in which they were added. `last` is the position to ask after next time."""

    items: list[LoggedEventOut]
    next_cursor: str | None
    last: int


# Frames


class FrameOut(_Out):
    """A frame that was looked at, and how many masks it has of each status."""

    id: str
    name: str
    size_hw: tuple[int, int]
    ref: model_of(core.FrameRef) | None  # pyrefly: ignore[invalid-annotation]
    image_digest: str | None
    num_masks: dict[Status, int]


class FramesOut(_Out):
    """Frames in order. `next_cursor` is null on the last page."""

    items: list[FrameOut]
    next_cursor: str | None


class FramesAsked(_In):
    """Which frames, as query parameters; names may be repeated."""

    dataset: Names | None = None
    episode: Names | None = None
    camera: Names | None = None
    first_frame: Count | None = None
    last_frame: Count | None = None
    cursor: Cursor = None
    limit: Limit = 100


class OpenedOut(_Out):
    """A frame that somebody is about to look at. `ahead` are the frames whose pictures are made ready as well."""

    frame: FrameOut
    ahead: list[str]


# Jobs


class SelectionIn(_In):
    """Which frames of a source: episodes by key, position or range; every `stride`th frame from start to stop."""

    episodes: Names | None = None
    cameras: Names | None = None
    start: Count = 0
    stop: Annotated[int, Field(ge=1, le=_BIG)] | None = None
    stride: Annotated[int, Field(ge=1, le=1_000_000)] = 1


class AnnotateIn(_In):
    """Find masks on the frames of a source that the store knows, with the model of the server."""

    kind: Literal["annotate"]
    source: Annotated[Name, Field(description="The name of a data set, as GET /v1/jobs/sources lists them.")]
    preset: Literal["fast", "balanced", "thorough"] = "balanced"
    phrases: Annotated[list[Name], Field(max_length=100)] | None = Field(
        default=None, description="Look for these words instead of everything, with a model that takes text."
    )
    label: Name | None = None
    model: Annotated[Name | None, Field(description="One that is served; the first is the default.")] = None
    selection: SelectionIn = SelectionIn()


class TrackIn(_In):
    """Bring the tracks of a source up to date with their keyframes, after corrections."""

    kind: Literal["track"]
    source: Name
    tracks: Names | None = None
    budget: Literal["fast", "default", "accurate"] = "default"
    model: Name | None = None
    selection: SelectionIn = SelectionIn()


class ExportIn(_In):
    """Write the masks that a query finds in a format, to be fetched from /v1/jobs/{id}/result as a zip."""

    kind: Literal["export"]
    format: Annotated[Name, Field(description="A format of maskwright export.")]
    query: QueryIn = QueryIn()
    with_images: bool = False


class AuditIn(_In):
    """Look for what is wrong, doubtful or worth knowing in the whole store, as maskwright audit does. For reviewers."""

    kind: Literal["audit"]


JobRequest = AnnotateIn | TrackIn | ExportIn | AuditIn


class JobIn(RootModel[Annotated[JobRequest, Field(discriminator="kind")]]):
    """A piece of long work."""


JobState = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]


class ProgressOut(_Out):
    """How far a job is; `total` is null where nobody knows."""

    done: int
    total: int | None
    eta_s: float | None


class JobProblemOut(_Out):
    """Why a job failed, as errors are told elsewhere."""

    code: str
    message: str


class JobOut(_Out):
    """A piece of long work. `interrupted`: the server ended while it ran; the same request goes on where it was."""

    id: str
    kind: Literal["annotate", "track", "export", "audit"]
    state: JobState
    caller: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    progress: ProgressOut
    request: dict[str, Any]
    result: dict[str, Any] | None
    has_file: Annotated[bool, Field(description="Whether /v1/jobs/{id}/result has something to fetch.")]
    error: JobProblemOut | None


class JobsOut(_Out):
    """Jobs, the newest first."""

    items: list[JobOut]
    next_cursor: str | None


class FormatOut(_Out):
    """A format that exports can be written in. `holds`: what it keeps beside the pixels."""

    name: str
    about: str
    holds: list[str]


class FormatsOut(_Out):
    """The formats that exports can be written in."""

    items: list[FormatOut]


class SourceOut(_Out):
    """A source of frames that jobs can be about."""

    name: str
    is_here: bool


class SourcesOut(_Out):
    """Sources that runs of the store found their frames in."""

    items: list[SourceOut]


__all__ = [
    "AnnotateIn",
    "AuditIn",
    "CountOut",
    "EditedOut",
    "EventIn",
    "EventsIn",
    "ExportIn",
    "Filters",
    "FormatsOut",
    "FrameOut",
    "FramesAsked",
    "FramesOut",
    "HistoryOut",
    "JobIn",
    "JobOut",
    "JobRequest",
    "JobState",
    "JobsOut",
    "LogOut",
    "LoggedEventOut",
    "OpenedOut",
    "QueryIn",
    "QuestionIn",
    "RecordIn",
    "RecordOut",
    "RecordsAsked",
    "RecordsIn",
    "RecordsOut",
    "SavedOut",
    "SelectionIn",
    "SourcesOut",
    "TableOut",
    "TrackIn",
]
