"""The last step of a round: a checkpoint learns from what is accepted, and takes over if it is better."""

from dataclasses import replace

from maskwright.core.errors import InputError
from maskwright.store import Query, open_store
from maskwright.workflows.loop.call import Call, timed
from maskwright.workflows.loop.rounds import Round


def step_train(call: Call, one: Round, before: list[Round]) -> None:
    """Train, judge, and write the round. A training that was stopped goes on where it was.

    Raises:
        InputError: nothing can be held out, or a picture is gone; the next call counts what is labelled until then.
        ModelError: the loss is no number any more, or memory does not suffice.
        StoreError: the store cannot be read.
    """
    reason = _why_not(call, one)
    if reason is not None:
        call.says(one, f"not trained: {reason}")
        call.book.write(replace(one, stage="done", not_learnt=reason, ended_at=call.around.clock()))
        return
    from maskwright.workflows.loop.learn import learn

    around = call.around
    try:
        with timed() as took:
            learnt, notes = learn(
                call.path,
                call.settings,
                one,
                before,
                device=around.device,
                command=around.command,
                told=around.told,
                clock=around.clock,
            )
    except InputError:
        call.book.write(replace(one, stage="review"))
        raise
    call.says(one, f"{learnt.checkpoint} {'takes over' if learnt.is_adopted else 'does not take over'}: {learnt.why}")
    call.book.write(
        replace(
            one,
            stage="done",
            learnt=learnt,
            machine_s=one.machine_s + took[0],
            notes=tuple(dict.fromkeys([*one.notes, *notes])),
            ended_at=around.clock(),
        )
    )


def _why_not(call: Call, one: Round) -> str | None:
    told, taken = one.figures, one.audit.num_taken_back if one.audit is not None else 0
    by_people = 0 if told is None else told.num_accepted + told.num_corrected + told.num_drawn
    if one.num_by_rule - taken + by_people <= 0:
        return "nothing was accepted in this round"
    with open_store(call.path, read_only=True) as store:
        is_any = store.count(Query(status=("accepted",)), as_of=one.reviewed_moment) > 0
    return None if is_any else "no mask is accepted"


__all__ = ["step_train"]
