"""What a server says about the work of reviewing: progress, labels, queues, agreement."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from maskwright.client.values import TaggedRecord
from maskwright.core import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewGroup:
    """Masks of an episode or a label, by status. `num_frames_left`: frames on which something is still proposed."""

    dataset: str | None
    name: str | None
    num_masks: dict[Status, int]
    num_frames: int
    num_frames_left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedModel:
    """What people said about a checkpoint's masks. The rate is of those decided: accepted as they came."""

    name: str
    checkpoint_sha256: str
    num_masks: int
    num_accepted: int
    num_corrected: int
    num_rejected: int
    acceptance_rate: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewEffort:
    """Time spent on masks, and how many they were; None where nothing was timed."""

    num_masks: int
    seconds: float
    seconds_per_mask: float | None
    masks_per_hour: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewAnnotator:
    """What one person did: acts, the masks they were about, and the time of those that could be timed."""

    name: str
    num_acts: int
    num_masks: int
    effort: ReviewEffort
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewProgress:
    """How far a review is. `annotators` are all for reviewers, and oneself for others.

    `assisted` is the time of masks that a model drew, `drawn` that of masks drawn by hand. `is_cut`: there are more
    groups than these.
    """

    num_masks: dict[Status, int]
    num_frames: int
    num_frames_left: int
    episodes: tuple[ReviewGroup, ...]
    labels: tuple[ReviewGroup, ...]
    models: tuple[ReviewedModel, ...]
    annotators: tuple[ReviewAnnotator, ...]
    assisted: ReviewEffort
    drawn: ReviewEffort
    hours_left: float | None
    idle_s: float
    is_cut: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewQueue:
    """An order in which masks are worth looking at. `may` says whether the caller may ask for it.

    `origin`: rule, the masks that a rule finds now; picked, a list that somebody picked.
    """

    name: str
    about: str
    may: bool
    origin: str = "rule"


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """A mask of a queue, the id of its frame, and what it was ordered by, the smallest first; None comes last.

    `reasons` say why somebody picked it.
    """

    mask: TaggedRecord
    frame: str
    value: float | None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two people's versions of one mask, the IoU of their pixels, and who had the last word of three or more."""

    record_id: str
    frame: str
    first: str
    second: str
    iou: float
    difference: Literal["none", "label", "pixels", "decision"]
    labels: tuple[str | None, str | None]
    settled_by: str | None


__all__ = [
    "Comparison",
    "Queued",
    "ReviewAnnotator",
    "ReviewEffort",
    "ReviewGroup",
    "ReviewProgress",
    "ReviewQueue",
    "ReviewedModel",
]
