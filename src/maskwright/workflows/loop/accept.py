"""What a rule accepts before anybody looks, and what it takes back when an audit says that it was wrong too often.

How sure is sure enough follows from what people decided so far, where that is enough to tell (`review.engine.bar_of`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from maskwright.core.resolved import ResolvedRecord
from maskwright.core.review_event import Accept, Revert, ReviewEvent
from maskwright.masks import iou_matrix
from maskwright.review.engine import (
    Audit,
    Bar,
    EngineSettings,
    audit_needed,
    audit_of,
    bar_of,
    fates,
    is_person,
)
from maskwright.store import MaskStore, Query
from maskwright.workflows.loop.decide import UnlessTouched, append_all, event_id, rule_actor
from maskwright.workflows.loop.settings import LoopSettings

RIGHT_IOU = 0.9  # who changes less than that has touched a mask up, and not corrected it
_METHODS = ("sam_raw", "sam_refined")
_LEAST_SHARE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How sure the rule must be, where that comes from, and what share of what it accepts is audited."""

    bar: Bar
    origin: str
    audit_share: float


def rule_of(store: MaskStore, settings: LoopSettings) -> Rule:
    """Find the rule of a round. A bar that nothing can reach stands for: nothing is sure enough."""
    if settings.mode == "assisted_manual":
        return Rule(bar=Bar(), origin="people see everything", audit_share=_LEAST_SHARE)
    bar, origin = _bar(store, settings)
    num_passing = sum(1 for one in store.query(Query(status=("proposed",), method=_METHODS)) if bar.passes(one.record))
    needed = audit_needed(settings.engine(bar, _LEAST_SHARE)) or num_passing
    share = _LEAST_SHARE if settings.mode != "fully_automatic" else min(1.0, needed / max(1, num_passing))
    return Rule(bar=bar, origin=origin, audit_share=max(_LEAST_SHARE, share))


def _bar(store: MaskStore, settings: LoopSettings) -> tuple[Bar, str]:
    if settings.sure is not None:
        return Bar(predicted_iou=settings.sure, stability=settings.sure), "given"
    scores: list[float] = []
    was_wrong: list[bool] = []
    for mask, was in _decided(store):
        told = mask.record.scores
        if told.predicted_iou is not None and told.stability is not None:
            scores.append(min(told.predicted_iou, told.stability))
            was_wrong.append(was)
    if len(scores) < 30:
        return Bar(), f"usual, as people decided about {len(scores)} masks, too few to tell"
    found = bar_of(scores, was_wrong, max_error_rate=settings.max_error_rate)
    if found is None:
        return Bar(
            predicted_iou=2, stability=2
        ), f"none: of {len(scores)} masks that people saw, no score was sure enough"
    return Bar(predicted_iou=found, stability=found), f"found from {len(scores)} masks that people decided about"


def _decided(store: MaskStore) -> Iterator[tuple[ResolvedRecord, bool]]:
    """Give masks of models that people decided about, and whether they were wrong as they came."""
    for mask in store.query(Query(status=("accepted", "rejected"), method=_METHODS)):
        if mask.status == "rejected":
            yield mask, True
        elif mask.verified_by is not None and is_person(mask.verified_by):
            yield mask, mask.edited_by is not None and not is_touched_up(store, mask)


def is_touched_up(store: MaskStore, mask: ResolvedRecord) -> bool:
    """Whether a mask that was edited is nearly the one that was proposed."""
    proposed = store.history(mask.record.id).record
    return float(iou_matrix([proposed.rle], [mask.record.rle])[0, 0]) >= RIGHT_IOU


def accept_sure(store: MaskStore, engine: EngineSettings, *, number: int, at: datetime) -> int:
    """Accept what is sure enough, as the rule's actor, and count all that this round's rule has accepted.

    `at` is the round's, so that a round which is taken up again sends the same events.

    Raises:
        StoreError: it cannot be written; some may be accepted already.
    """
    if engine.mode == "assisted_manual":
        return 0
    frame: list[ResolvedRecord] = [
        one for one in store.query(Query(status=("proposed",), method=_METHODS)) if one.edited_by is None
    ]
    sure = fates([one.record for one in frame], engine)
    actor = rule_actor(engine.mode)
    append_all(
        store,
        (
            UnlessTouched(
                record_id=mask.record.id,
                given=(
                    ReviewEvent(
                        id=event_id("accept", number, mask.record.id),
                        record_id=mask.record.id,
                        actor=actor,
                        at=at,
                        action=Accept(),
                    ),
                ),
            )
            for mask, fate in zip(frame, sure, strict=True)
            if fate in ("accepted", "audited")
        ),
    )
    return len(accepted_by_rule(store, engine.mode, at))


def accepted_by_rule(store: MaskStore, mode: str, at: datetime) -> list[ResolvedRecord]:
    """List what the rule accepted at a time and nobody has looked at since."""
    actor = rule_actor(mode)
    found = store.query(Query(status=("accepted",), method=_METHODS, is_verified=True))
    return [one for one in found if one.verified_by == actor and one.verified_at == at]


def drawn_for_audit(accepted: list[ResolvedRecord], engine: EngineSettings) -> list[ResolvedRecord]:
    """List what people are shown of what the rule accepted, in the order of ids, which says nothing of them."""
    told = fates([one.record for one in accepted], engine)
    drawn = [one for one, fate in zip(accepted, told, strict=True) if fate == "audited"]
    return sorted(drawn, key=lambda one: one.record.id)


def audit(store: MaskStore, ids: list[str], engine: EngineSettings) -> Audit:
    """Count what people said of a sample; those that nobody has looked at say nothing."""
    num_audited = num_wrong = 0
    for record_id in ids:
        mask = store.record(record_id)
        if mask.status == "rejected" or (mask.edited_by is not None and not is_touched_up(store, mask)):
            num_wrong, num_audited = num_wrong + 1, num_audited + 1
        elif mask.verified_by is not None and is_person(mask.verified_by):
            num_audited += 1
    return audit_of(num_audited, num_wrong, engine)


def take_back(store: MaskStore, mode: str, *, number: int, at: datetime) -> int:
    """Propose again what the rule accepted in a round, but for what people have looked at; say how much it was.

    `at` is when the rule accepted, and stands in these events as well, so that they are the same after a kill.

    Raises:
        StoreError: it cannot be written.
    """
    masks = accepted_by_rule(store, mode, at)
    actor = rule_actor(mode)
    append_all(
        store,
        (
            UnlessTouched(
                record_id=one.record.id,
                given=(
                    ReviewEvent(
                        id=event_id("take back", number, one.record.id),
                        record_id=one.record.id,
                        actor=actor,
                        at=at,
                        action=Revert(event_id("accept", number, one.record.id)),
                    ),
                ),
            )
            for one in masks
        ),
    )
    return len(masks)


__all__ = [
    "RIGHT_IOU",
    "Rule",
    "accept_sure",
    "accepted_by_rule",
    "audit",
    "drawn_for_audit",
    "is_touched_up",
    "rule_of",
    "take_back",
]
