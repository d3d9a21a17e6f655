"""The data engine's rules: of a frame's masks, which are taken as they are, which people see, and which are audited.

The three stages of SA-1B as modes. assisted_manual: people see everything. semi_automatic: what the model is sure of
is taken before anybody looks, and people do the rest. fully_automatic: what passes is taken, the rest is dropped, and
a sample is audited. What is audited is drawn by a hash, so that a loop that is taken up again draws the same.

Pure: nothing is written here. How sure is sure enough can be found from what people decided (`bar_of`), and how well it
went follows from the audit (`audit_of`): an error rate with its bound, and whether to stop, go on or fall back.

Source: Kirillov et al., "Segment Anything" (2023), section 4; bounds by Wilson, "Probable Inference" (1927).
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from maskwright.core.errors import SettingError
from maskwright.core.record import MaskRecord

Mode = Literal["assisted_manual", "semi_automatic", "fully_automatic"]
Fate = Literal["accepted", "audited", "shown", "dropped"]
Verdict = Literal["go_on", "enough", "fall_back"]
Z_95 = 1.959963984540054  # two-sided, 95 %
RULE = "rule:"  # how the names of actors begin that are no people


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """How sure the model must be of a mask that nobody looks at. A mask without a score that is asked for fails."""

    predicted_iou: float = 0.92
    stability: float = 0.95
    track_confidence: float = 0.7

    def passes(self, record: MaskRecord) -> bool:
        """Tell whether a mask is sure enough."""
        point, scores = record.track_point, record.scores
        return (
            record.area > 0
            and _reaches(scores.predicted_iou, self.predicted_iou)
            and _reaches(scores.stability, self.stability)
            and (point is None or point.confidence >= self.track_confidence)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """`audit_share` of what is taken unseen is shown to people, at least `min_audit` before a rate is believed.

    `max_error_rate` is what may be wrong of what is taken unseen.

    Raises:
        SettingError: a share is none.
    """

    mode: Mode
    bar: Bar = Bar()
    audit_share: float = 0.05
    min_audit: int = 100
    max_error_rate: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise SettingError(f"a mode is one of {', '.join(get_args(Mode))}; got {self.mode!r}")
        for name in ("audit_share", "max_error_rate"):
            if not 0 < getattr(self, name) <= 1:
                raise SettingError(f"{name} is a share above 0 and up to 1, got {getattr(self, name):g}")


def is_person(actor: str) -> bool:
    """Tell whether an actor is somebody who looked, and no rule."""
    return not actor.startswith(RULE)


def fates(records: Sequence[MaskRecord], settings: EngineSettings) -> tuple[Fate, ...]:
    """Say of each mask of a frame what becomes of it.

    accepted: taken unseen; audited: taken, and shown to people who say whether it is right; shown: people decide;
    dropped: not used, which only the fully automatic mode does.
    """
    return tuple(_fate(one, settings) for one in records)


def _fate(record: MaskRecord, settings: EngineSettings) -> Fate:
    if settings.mode == "assisted_manual":
        return "shown"
    if not settings.bar.passes(record):
        return "shown" if settings.mode == "semi_automatic" else "dropped"
    return "audited" if _is_drawn(record.id, settings) else "accepted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What people found of a sample: how many were wrong, the rate, and its 95 % bounds (Wilson)."""

    num_audited: int
    num_wrong: int
    low: float
    high: float
    verdict: Verdict

    @property
    def error_rate(self) -> float | None:
        """None where nothing was audited."""
        return self.num_wrong / self.num_audited if self.num_audited else None


def audit_of(num_audited: int, num_wrong: int, settings: EngineSettings) -> Audit:
    """Judge a sample: enough, go on auditing, or fall back to a mode in which people see more.

    enough: even the upper bound is within what may be wrong. fall_back: even the lower bound is beyond it, which may be
    said before `min_audit`. Otherwise nothing is certain yet.

    Raises:
        SettingError: the numbers cannot be.
    """
    if not 0 <= num_wrong <= num_audited:
        raise SettingError(f"of those audited some or none are wrong, got {num_wrong} of {num_audited}")
    low, high = wilson(num_wrong, num_audited)
    verdict: Verdict = "go_on"
    if num_audited and low > settings.max_error_rate:
        verdict = "fall_back"
    elif num_audited >= settings.min_audit and high <= settings.max_error_rate:
        verdict = "enough"
    return Audit(num_audited=num_audited, num_wrong=num_wrong, low=low, high=high, verdict=verdict)


def wilson(num: int, total: int, *, z: float = Z_95) -> tuple[float, float]:
    """Bound a share from a sample: it lies between with 95 %, also for few and for none; 0 and 1 where total is 0."""
    if not total:
        return 0.0, 1.0
    share, spread = num / total, z * z / total
    middle = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / total + spread / total / 4) / (1 + spread)
    return (0.0 if num == 0 else middle - half), (1.0 if num == total else middle + half)


def audit_needed(settings: EngineSettings, *, expected_error_rate: float = 0.0) -> int | None:
    """How many must be audited until `enough` can be said, if as many are wrong as expected; None: it never can."""
    if expected_error_rate >= settings.max_error_rate:
        return None
    num = max(1, settings.min_audit)
    while wilson(round(num * expected_error_rate), num)[1] > settings.max_error_rate:
        num += max(1, num // 20)
    return num


def bar_of(
    scores: Sequence[float], was_wrong: Sequence[bool], *, max_error_rate: float, min_masks: int = 30
) -> float | None:
    """Find the lowest score from which on so few were wrong that the bound is within `max_error_rate`.

    Scores are those of masks that people decided about, one score each. None: no score is sure enough.

    Raises:
        SettingError: there are not as many decisions as scores.
    """
    if len(scores) != len(was_wrong):
        raise SettingError(f"each score needs a decision, got {len(scores)} and {len(was_wrong)}")
    order = sorted(zip(scores, was_wrong, strict=True), reverse=True)
    best: float | None = None
    num_wrong = 0
    for num, (score, is_wrong) in enumerate(order, 1):
        num_wrong += is_wrong
        is_last_of_equals = num == len(order) or order[num][0] < score
        if is_last_of_equals and num >= min_masks and wilson(num_wrong, num)[1] <= max_error_rate:
            best = score
    return best


def _reaches(score: float | None, bar: float) -> bool:
    return bar <= 0 or (score is not None and score >= bar)


def _is_drawn(record_id: str, settings: EngineSettings) -> bool:
    drawn = hashlib.sha256(f"audit {settings.seed} {record_id}".encode()).digest()[:8]
    return int.from_bytes(drawn, "big") < settings.audit_share * 2**64


__all__ = [
    "RULE",
    "Audit",
    "Bar",
    "EngineSettings",
    "Fate",
    "Mode",
    "Verdict",
    "audit_needed",
    "audit_of",
    "bar_of",
    "fates",
    "is_person",
    "wilson",
]
