"""The third step of a round, which is people's: nothing happens until the queue is done, and then it is counted."""

from dataclasses import replace

from maskwright.core.errors import InputError
from maskwright.review.named_queues import queue_names, read_queue
from maskwright.store import MaskStore, open_store
from maskwright.workflows.loop import accept
from maskwright.workflows.loop.call import Call
from maskwright.workflows.loop.choose import num_left
from maskwright.workflows.loop.figures import figures_of
from maskwright.workflows.loop.rounds import AuditOutcome, Round


def step_review(call: Call, one: Round) -> bool:
    """Count what people decided, judge the sample, and write the round; False where people are not done.

    Raises:
        InputError: training was asked for at once, and nothing was reviewed.
        StoreError: the store cannot be read or written.
    """
    if one.queue is not None and one.queue not in queue_names(call.path):  # somebody deleted it
        call.book.write(replace(one, stage="choose"))
        return True
    with open_store(call.path) as store:
        left = 0 if one.queue is None else num_left(store, one.queue)
        if left and not call.around.trains_now:
            return False
        if left and left == one.num_queued:
            raise InputError(
                f"nothing of the queue {one.queue} was reviewed yet, so nothing new is there to learn from"
            )
        one = _audit(call, store, one)
        moment, now = store.moment(), call.around.clock()
        one = replace(one, stage="train", reviewed_moment=moment, reviewed_at=now)
        one = replace(one, figures=figures_of(store, one.window))
    call.book.write(one)
    return True


def _audit(call: Call, store: MaskStore, one: Round) -> Round:
    """Judge the sample; what a rule accepted that was wrong too often is taken back, but for what people saw."""
    if not one.num_audit or one.queue is None or one.chosen_at is None:
        return one
    if one.audit is None:
        ids = [entry.record for entry in read_queue(call.path, one.queue).entries[: one.num_audit]]
        found = accept.audit(store, ids, call.engine(one))
        unseen = accept.accepted_by_rule(store, one.mode, one.chosen_at)
        outcome = AuditOutcome(
            num_audited=found.num_audited,
            num_wrong=found.num_wrong,
            low=found.low,
            high=found.high,
            verdict=found.verdict,
            num_taken_back=len(unseen) if found.verdict == "fall_back" else 0,
        )
        one = call.book.write(replace(one, audit=outcome))
        call.says(one, f"audit: {outcome.line()}")
    assert one.chosen_at is not None
    if one.audit is not None and one.audit.verdict == "fall_back":
        accept.take_back(store, one.mode, number=one.number, at=one.chosen_at)
    return one


__all__ = ["step_review"]
