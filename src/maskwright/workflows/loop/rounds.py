"""`Round`: what a round of a loop was, and how far it is; and the parts that it consists of. No files here.

A round's `stage` says what is to be done next. What people decided is in the store alone; a round knows the moments
between which it was decided.
"""

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

from maskwright.review.engine import Mode

Stage = Literal["propose", "choose", "review", "train", "done"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What people decided in a round about masks of models, and what it took.

    `iou` is the mean over accepted masks of the proposal against what was accepted. `seconds` are of work, pauses left
    out, and `num_timed` the masks that it was for.
    """

    num_accepted: int = 0
    num_corrected: int = 0
    num_rejected: int = 0
    num_drawn: int = 0
    iou: float | None = None
    iou_corrected: float | None = None
    seconds: float = 0.0
    num_timed: int = 0
    people: tuple[str, ...] = ()

    @property
    def num_decided(self) -> int:
        """Masks of models that somebody decided about."""
        return self.num_accepted + self.num_corrected + self.num_rejected

    @property
    def acceptance_rate(self) -> float | None:
        """How many of those decided were right as they came."""
        return self.num_accepted / self.num_decided if self.num_decided else None

    @property
    def masks_per_hour(self) -> float | None:
        """None where nothing was timed."""
        return 3600 * self.num_timed / self.seconds if self.num_timed and self.seconds else None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditOutcome:
    """What people found of a sample of what the rule accepted, with the 95 % bounds of the error rate."""

    num_audited: int
    num_wrong: int
    low: float
    high: float
    verdict: str
    num_taken_back: int = 0

    def line(self) -> str:
        """Say it in a sentence."""
        words = {"enough": "good enough", "go_on": "not certain yet", "fall_back": "too many"}
        bounds = f"95 % between {100 * self.low:.1f} and {100 * self.high:.1f} %"
        taken = f"; {self.num_taken_back} acceptances taken back" if self.num_taken_back else ""
        return f"{self.num_wrong} of {self.num_audited} wrong, {bounds}: {words[self.verdict]}{taken}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """What a training came to: scores of the model before and after on the same held-out masks, and what follows.

    `gain` is the mean over objects of the change of IoU, by a box and by a click, with its 95 % bounds over pictures.
    """

    checkpoint: str
    base: str
    before: dict[str, float]
    after: dict[str, float]
    gain: float
    gain_low: float
    gain_high: float
    num_pictures: int
    num_objects: int
    num_training: int
    general_before: dict[str, float]
    general_after: dict[str, float]
    suggested_replay: float
    is_adopted: bool
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Two moments of a store, the first not included, and their times."""

    first: int
    last: int
    begin: str
    end: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One round. What people did after `from_moment` of the store and until `reviewed_moment` is of this round.

    `bar_*` and `audit_share` are the rule by which masks were accepted, `machine_s` what the steps that ended took.
    """

    number: int
    stage: Stage
    mode: Mode
    proposer: str
    began_at: datetime
    from_at: datetime
    from_moment: int = 0
    proposer_sha256: str | None = None
    is_new_proposer: bool = False
    num_frames: int = 0
    num_proposed: int = 0
    num_replaced: int = 0
    chosen_at: datetime | None = None
    bar_predicted_iou: float | None = None
    bar_stability: float | None = None
    bar_track: float | None = None
    bar_from: str | None = None
    audit_share: float = 0.0
    num_by_rule: int = 0
    num_audit: int = 0
    num_queued: int = 0
    queue: str | None = None
    reviewed_moment: int | None = None
    reviewed_at: datetime | None = None
    figures: Figures | None = None
    audit: AuditOutcome | None = None
    learnt: Learnt | None = None
    not_learnt: str | None = None
    machine_s: float = 0.0
    ended_at: datetime | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def window(self) -> Window:
        """The moments between which people's work is of this round, once it is reviewed."""
        assert self.reviewed_moment is not None
        assert self.reviewed_at is not None
        return Window(
            first=self.from_moment,
            last=self.reviewed_moment,
            begin=self.from_at.isoformat(),
            end=self.reviewed_at.isoformat(),
        )

    def as_json(self) -> dict[str, Any]:
        """Everything as JSON types, with the rates that follow."""
        told = json.loads(json.dumps(asdict(self), default=datetime.isoformat))
        if self.figures is not None:
            told["figures"] |= {
                name: getattr(self.figures, name) for name in ("num_decided", "acceptance_rate", "masks_per_hour")
            }
        return told


__all__ = ["AuditOutcome", "Figures", "Learnt", "Round", "Stage", "Window"]
