"""What goes over REST about the work of reviewing: presence, progress, queues, agreement, as pydantic models."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from maskwright import core
from maskwright.core import Status
from maskwright.review import Difference
from maskwright.serve.store_cursors import MOST_CHARACTERS
from maskwright.serve.wire_store import AnyId, Cursor, Limit, Names, RecordOut
from maskwright.serve.wire_values import model_of


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Out(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_serialization_defaults_required=True)


# Presence


class PresenceIn(_In):
    """Where somebody is. `page` tells several open pages of one person apart."""

    frame: Annotated[str, Field(min_length=1, max_length=MOST_CHARACTERS)] | None
    record: Annotated[AnyId | None, Field(description="The mask in hand.")] = None
    page: Annotated[str, Field(max_length=64)] = ""


class PersonOut(_Out):
    """Somebody on a frame, with the mask in hand if there is one."""

    name: str
    record: str | None


class PresenceOut(_Out):
    """Who is on a frame, each person once. Who says nothing for `kept_s` seconds is gone."""

    frame: str | None
    people: list[PersonOut]
    kept_s: float


# Progress


class ReviewAsked(_In):
    """Which masks, as query parameters; names may be repeated."""

    label: Names | None = None
    track: Names | None = None
    dataset: Names | None = None
    episode: Names | None = None
    camera: Names | None = None
    model: Names | None = None


class GroupOut(_Out):
    """Masks of an episode or a label. `num_frames_left` counts frames on which something is still proposed."""

    dataset: str | None
    name: str | None
    num_masks: dict[Status, int]
    num_frames: int
    num_frames_left: int


class ModelRecordOut(_Out):
    """What people said about a checkpoint's masks. The rate is of those decided: accepted as they came."""

    name: str
    checkpoint_sha256: str
    num_masks: int
    num_accepted: int
    num_corrected: int
    num_rejected: int
    acceptance_rate: float | None


class EffortOut(_Out):
    """Time spent on masks, and how many they were; null where nothing was timed."""

    num_masks: int
    seconds: float
    seconds_per_mask: float | None
    masks_per_hour: float | None


class AnnotatorOut(_Out):
    """What one person did: acts, the masks they were about, and the time of those that could be timed."""

    name: str
    num_acts: int
    num_masks: int
    effort: EffortOut
    last_at: datetime


class ProgressOut(_Out):
    """How far a review is. `annotators` are all for reviewers, and oneself for others."""

    num_masks: dict[Status, int]
    num_frames: int
    num_frames_left: int
    episodes: list[GroupOut]
    labels: list[GroupOut]
    models: list[ModelRecordOut]
    annotators: list[AnnotatorOut]
    assisted: EffortOut
    drawn: EffortOut
    hours_left: float | None
    idle_s: float
    is_cut: bool


# Labels


class LabelOut(_Out):
    """A label and how many masks have it, those that were rejected, merged or split apart."""

    name: str
    num_masks: int


class LabelsOut(_Out):
    """The labels of the store, by name. `is_cut`: there are more, with fewer masks than these."""

    items: list[LabelOut]
    is_cut: bool


# Queues


class QueueAsked(ReviewAsked):
    """Which masks of a queue, and which page."""

    seed: Annotated[int, Field(ge=0, le=2**31 - 1, description="Of the order of an audit.")] = 0
    cursor: Cursor = None
    limit: Limit = 100


class QueueAboutOut(_Out):
    """A queue that can be asked for. `may` says whether the caller may; `origin` whether a rule makes it.

    rule: the masks that a rule finds now; picked: a list that somebody picked, each mask with reasons.
    """

    name: str
    origin: Literal["rule", "picked"]
    about: str
    may: bool


class QueuesOut(_Out):
    """The queues that there are."""

    items: list[QueueAboutOut]


class QueuedOut(_Out):
    """A mask with what it was ordered by, the smallest first; null where that is not known, which comes last.

    `frame` is the id of its frame, `cursor` goes on after this mask, `reasons` say why it was picked.
    """

    record: RecordOut
    frame: str
    value: float | None
    cursor: str
    reasons: list[str]


class QueueOut(_Out):
    """Masks in the order of a queue. `next_cursor` is null on the last page; `num_left` counts these and all after."""

    items: list[QueuedOut]
    next_cursor: str | None
    num_left: int


# Agreement


class AgreementAsked(ReviewAsked):
    """Which masks, and which page."""

    is_open: Annotated[bool, Field(description="Only what is seen differently and nobody has settled.")] = False
    cursor: Cursor = None
    limit: Limit = 100


class ComparisonOut(_Out):
    """Two people's versions of one mask. decision: one of them rejected it; pixels: the IoU is below `same_iou`."""

    record_id: str
    frame: str
    first: str
    second: str
    iou: float
    difference: Difference
    labels: tuple[str | None, str | None]
    settled_by: Annotated[str | None, Field(description="Who had the last word of three or more.")]


class MaskVersionOut(_Out):
    """What a mask is to one person, who said so last `at`; without `rle`: nothing that should be used."""

    actor: str
    at: datetime
    rle: model_of(core.RLE) | None  # pyrefly: ignore[invalid-annotation]
    label: str | None


class MaskVersionsOut(_Out):
    """Each person's version of one mask, who spoke last at the end, and how each two of them compare."""

    items: list[MaskVersionOut]
    pairs: list[ComparisonOut]
    same_iou: float


class PairOut(_Out):
    """How two people agree, over all masks that both looked at."""

    first: str
    second: str
    num_masks: int
    num_same: int
    mean_iou: float


class AgreementOut(_Out):
    """Comparisons, the worst first, and what all of them come to. `is_cut`: of very many masks those looked at last."""

    items: list[ComparisonOut]
    pairs: list[PairOut]
    same_iou: float
    is_cut: bool
    next_cursor: str | None
