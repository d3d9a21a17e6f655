"""The second step of a round: a rule accepts what is sure enough, and the rest is chosen from for people."""

from dataclasses import replace

from maskwright.core.errors import InputError
from maskwright.store import open_store
from maskwright.workflows.loop import accept
from maskwright.workflows.loop.call import Call, timed
from maskwright.workflows.loop.choose import choose
from maskwright.workflows.loop.rounds import Round


def step_choose(call: Call, one: Round) -> None:
    """Accept, choose, and write the round. What was accepted before a kill is not accepted twice.

    Raises:
        InputError: in the first round there is nothing to accept or to look at.
        StoreError: the store cannot be read or written.
    """
    with timed() as took:
        if one.chosen_at is None:
            one = _set_rule(call, one)
        assert one.chosen_at is not None
        engine = call.engine(one)
        with open_store(call.path) as store:
            num_by_rule = accept.accept_sure(store, engine, number=one.number, at=one.chosen_at)
            accepted = accept.accepted_by_rule(store, one.mode, one.chosen_at)
        audited = accept.drawn_for_audit(accepted, engine)
        queue = choose(
            call.path,
            one.number,
            audited=audited,
            budget=call.settings.budget,
            is_picking=one.mode != "fully_automatic",
            images=call.settings.images,
            seed=call.settings.seed,
            progress=lambda done, total: call.around.told("measuring masks", done, total),
            clock=call.around.clock,
        )
    if queue is None and not num_by_rule and one.number == 1:
        raise InputError(_why_nothing(call, one))
    if one.mode != "assisted_manual":
        call.says(one, f"{num_by_rule} masks accepted by the rule (the bar is {one.bar_from})")
    call.book.write(
        replace(
            one,
            stage="review",
            num_by_rule=num_by_rule,
            num_audit=min(len(audited), call.settings.budget),
            num_queued=0 if queue is None else len(queue.entries),
            queue=None if queue is None else queue.name,
            machine_s=one.machine_s + took[0],
        )
    )


def _set_rule(call: Call, one: Round) -> Round:
    """Write down by what rule masks are accepted before any is, so that a kill between changes nothing of it."""
    with open_store(call.path, read_only=True) as store:
        rule = accept.rule_of(store, replace(call.settings, mode=one.mode))
    return call.book.write(
        replace(
            one,
            chosen_at=call.around.clock(),
            bar_predicted_iou=rule.bar.predicted_iou,
            bar_stability=rule.bar.stability,
            bar_track=rule.bar.track_confidence,
            bar_from=rule.origin,
            audit_share=rule.audit_share,
        )
    )


def _why_nothing(call: Call, one: Round) -> str:
    if one.mode == "fully_automatic":
        told = f"no proposal is sure enough for the rule (the bar is {one.bar_from})"
        return f"{told}. Lower it with --sure, or let people see more, --mode semi-automatic: {call.path}"
    told = "there is nothing to look at: no mask is only proposed, or all wait in other queues"
    return f"{told}. Name pictures with --source, or annotate some: {call.path}"


__all__ = ["step_choose"]
