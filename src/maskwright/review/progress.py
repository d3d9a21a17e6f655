"""How far the review of a store is, how fast it goes, and how good the proposals are: figures of its newest state.

Time is read from the log: what somebody did counts for the time since his act before, unless that is so long that he
was elsewhere (`IDLE_S`); such a pause counts for nothing, and the act after it begins a new spell. So a bulk acceptance
of a thousand masks costs what it took, and nobody's lunch is work. Acts are masks drawn by hand and review events but
comments, whose time is that of the decision after them. What a rule did (`engine.RULE`) is nobody's work.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, get_args

from maskwright.core.provenance import Method
from maskwright.core.resolved import Status
from maskwright.review.engine import RULE
from maskwright.store.pages import Pages
from maskwright.store.query import ANY_STATUS, Query

IDLE_S = 180.0
MOST_GROUPS = 5_000  # episodes, labels, models
_STATUSES: tuple[Status, ...] = get_args(Status)
_ASSISTED: tuple[Method, ...] = ("sam_raw", "sam_refined")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Masks of an episode or label, by status. `dataset` and `name` None: loose pictures, masks without a label."""

    name: str | None
    num_masks: dict[Status, int]
    dataset: str | None = None
    num_frames: int = 0
    num_frames_left: int = 0  # on which something is still proposed


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecord:
    """What people said about the masks of one checkpoint: accepted as they came, accepted once corrected, rejected."""

    name: str
    checkpoint_sha256: str
    num_masks: int
    num_accepted: int
    num_corrected: int
    num_rejected: int

    @property
    def acceptance_rate(self) -> float | None:
        """How many of those decided were right as they came; None where none was."""
        num_decided = self.num_accepted + self.num_corrected + self.num_rejected
        return self.num_accepted / num_decided if num_decided else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """Time that was spent on masks, and how many they were."""

    num_masks: int = 0
    seconds: float = 0.0

    @property
    def seconds_per_mask(self) -> float | None:
        """None where nothing was timed."""
        return self.seconds / self.num_masks if self.num_masks and self.seconds else None

    @property
    def masks_per_hour(self) -> float | None:
        """None where nothing was timed."""
        return 3600 * self.num_masks / self.seconds if self.num_masks and self.seconds else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotator:
    """What one person did: acts, the masks they were about, and the time of those that could be timed."""

    name: str
    num_acts: int
    num_masks: int
    effort: Effort
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What acts in order come to."""

    annotators: tuple[Annotator, ...] = ()
    assisted: Effort = Effort()
    drawn: Effort = Effort()


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a review is. `is_cut`: there are more episodes, labels or models than are listed."""

    num_masks: dict[Status, int]
    num_frames: int
    num_frames_left: int
    episodes: tuple[Group, ...]
    labels: tuple[Group, ...]
    models: tuple[ModelRecord, ...]
    pace: Pace
    is_cut: bool = False

    @property
    def hours_left(self) -> float | None:
        """What is proposed, at the pace of masks that a model drew; None where that is not known yet."""
        seconds = self.pace.assisted.seconds_per_mask
        return None if seconds is None else self.num_masks["proposed"] * seconds / 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Somebody did something about a mask. `is_new` for its mask at all, `is_new_to_actor` for this person."""

    actor: str
    at: datetime
    method: Method
    is_new: bool
    is_new_to_actor: bool


def progress_of(pages: Pages, query: Query | None = None) -> Progress:
    """Compute the figures of the masks that a query finds, of any status."""
    query = replace(query or Query(), status=ANY_STATUS)
    episodes = _groups(pages, query, "dataset, episode")
    labels = _groups(pages, query, "CAST(NULL AS VARCHAR) AS dataset, label")
    models = [ModelRecord(**dict(zip(_MODEL_FIELDS, row, strict=True))) for row in pages.rows(query, _MODELS)]
    return Progress(
        num_masks={status: sum(group.num_masks[status] for group in episodes) for status in _STATUSES},
        num_frames=sum(group.num_frames for group in episodes),
        num_frames_left=sum(group.num_frames_left for group in episodes),
        episodes=tuple(episodes[:MOST_GROUPS]),
        labels=tuple(labels[:MOST_GROUPS]),
        models=tuple(models[:MOST_GROUPS]),
        pace=pace_of(Act(**dict(zip(_ACT_FIELDS, row, strict=True))) for row in pages.rows(query, _ACTS)),
        is_cut=max(len(episodes), len(labels), len(models)) > MOST_GROUPS,
    )


def pace_of(acts: Iterable[Act], *, idle_s: float = IDLE_S) -> Pace:
    """Fold acts in the order of their time."""
    people: dict[str, _Person] = {}
    by_kind = {"assisted": Effort(), "drawn": Effort()}
    for act in acts:
        person = people.setdefault(act.actor, _Person())
        seconds = person.do(act, idle_s)
        kind = "assisted" if act.method in _ASSISTED else "drawn" if act.method == "human_drawn" else None
        if seconds is not None and kind is not None:
            by_kind[kind] = _more(by_kind[kind], seconds, is_new=act.is_new)
    annotators = (person.as_annotator(name) for name, person in people.items())
    return Pace(annotators=tuple(sorted(annotators, key=lambda one: (-one.num_masks, one.name))), **by_kind)


@dataclass(slots=True)
class _Person:
    last_at: datetime | None = None
    num_acts: int = 0
    num_masks: int = 0
    effort: Effort = field(default_factory=Effort)

    def do(self, act: Act, idle_s: float) -> float | None:
        """Count an act, and give the time that it took; None where it begins a spell."""
        pause = None if self.last_at is None else (act.at - self.last_at).total_seconds()
        seconds = pause if pause is not None and pause <= idle_s else None
        self.last_at = act.at
        self.num_acts += 1
        self.num_masks += act.is_new_to_actor
        if seconds is not None:
            self.effort = _more(self.effort, seconds, is_new=act.is_new_to_actor)
        return seconds

    def as_annotator(self, name: str) -> Annotator:
        assert self.last_at is not None
        told: dict[str, Any] = {"num_acts": self.num_acts, "num_masks": self.num_masks, "effort": self.effort}
        return Annotator(name=name, last_at=self.last_at, **told)


def _more(effort: Effort, seconds: float, *, is_new: bool) -> Effort:
    return Effort(num_masks=effort.num_masks + is_new, seconds=effort.seconds + seconds)


def _groups(pages: Pages, query: Query, columns: str) -> list[Group]:
    """Count by two columns: data set and name."""
    counts = ", ".join(f"count(*) FILTER (status = '{status}')" for status in _STATUSES)
    frame = "hash(dataset, episode, camera, frame_index, CASE WHEN dataset IS NULL THEN image_digest END)"
    frames = f"count(DISTINCT {frame}), count(DISTINCT {frame}) FILTER (status = 'proposed')"
    select = f"SELECT {columns}, {counts}, {frames} FROM masks GROUP BY ALL ORDER BY ALL"
    return [
        Group(
            dataset=dataset,
            name=name,
            num_masks=dict(zip(_STATUSES, numbers, strict=True)),
            num_frames=num_frames,
            num_frames_left=num_left,
        )
        for dataset, name, *numbers, num_frames, num_left in pages.rows(query, select)
    ]


_MODEL_FIELDS = ("name", "checkpoint_sha256", "num_masks", "num_accepted", "num_corrected", "num_rejected")
_MODELS = f"""
    SELECT model_name, coalesce(model_sha256, ''), count(*),
        count(*) FILTER (status = 'accepted' AND edited_by IS NULL AND verified_by NOT LIKE '{RULE}%'),
        count(*) FILTER (status = 'accepted' AND edited_by IS NOT NULL),
        count(*) FILTER (status = 'rejected')
    FROM masks WHERE model_name IS NOT NULL GROUP BY ALL ORDER BY ALL
"""
_ACT_FIELDS = ("actor", "at", "method", "is_new", "is_new_to_actor")
# A mask drawn by hand is an act of its own; of other masks the wait for the machine is not anybody's work.
_ACTS = f"""
    , acts AS (
        SELECT s.actor, CAST(s.done_at AS TIMESTAMPTZ) AS done_at, s.position, m.id, m.method
        FROM steps s JOIN masks m ON m.id = s.record_id WHERE s.kind <> 'comment' AND s.actor NOT LIKE '{RULE}%'
        UNION ALL
        SELECT actor, created_at, 0, id, method FROM masks WHERE method = 'human_drawn' AND actor IS NOT NULL
    )
    SELECT actor, done_at, method,
        row_number() OVER (PARTITION BY id ORDER BY done_at, position) = 1,
        row_number() OVER (PARTITION BY id, actor ORDER BY done_at, position) = 1
    FROM acts ORDER BY done_at, position
"""

__all__ = [
    "IDLE_S",
    "MOST_GROUPS",
    "Act",
    "Annotator",
    "Effort",
    "Group",
    "ModelRecord",
    "Pace",
    "Progress",
    "pace_of",
    "progress_of",
]
