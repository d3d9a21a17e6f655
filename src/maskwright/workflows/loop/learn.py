"""The training of a round: a checkpoint learns from all that is accepted, and takes over only if it is better.

Better: its mean gain on held-out masks is above zero, and what it knew of general data is kept, counted from the loop's
first model on, so that many small losses do not add up unseen.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from maskwright.workflows.fine_tune import ROWS, FineTuned, fine_tune
from maskwright.workflows.fine_tune_job import FineTuneJob
from maskwright.workflows.loop.gain import Gain, gain_of
from maskwright.workflows.loop.rounds import Learnt, Round
from maskwright.workflows.loop.settings import LoopSettings

_SCORES = ("box", "1 click", "5 clicks")
Told = Callable[[str, int, int | None], None]


def learn(
    store: Path,
    settings: LoopSettings,
    one: Round,
    before: Sequence[Round],
    *,
    device: str,
    command: str | None,
    told: Told,
    clock: Callable[[], datetime],
) -> tuple[Learnt, tuple[str, ...]]:
    """Train on what is accepted as of the round's moment, compare, and decide; with notes on the data.

    A training that was stopped goes on where it was.

    Raises:
        InputError, ModelError, StoreError: as `fine_tune` does.
    """
    found = fine_tune(_job(store, settings, one, before, device, command), told=told, clock=clock)
    assert found is not None, "a process that trains alone has a result"
    rows = (found.checkpoint.parent / ROWS).read_text()
    names = [found.before.segmenter, found.after.segmenter]
    gain = gain_of(rows, *names, seed=settings.seed)
    return _judged(found, gain, one, before), found.notes


def _job(
    store: Path, settings: LoopSettings, one: Round, before: Sequence[Round], device: str, command: str | None
) -> FineTuneJob:
    recipe = settings.recipe
    if (last := _last_learnt(before)) is not None and last.suggested_replay > recipe.replay:
        recipe = replace(recipe, replay=last.suggested_replay)
    return FineTuneJob(
        source=str(store),
        out=settings.out / f"round-{one.number}",
        base=one.proposer,
        recipe=recipe,
        test=settings.test,
        general=settings.general,
        images=settings.images,
        as_of=one.reviewed_moment,
        device=device,
        command=command,
    )


def _last_learnt(rounds: Sequence[Round]) -> Learnt | None:
    return next((one.learnt for one in reversed(rounds) if one.learnt is not None), None)


def _judged(found: FineTuned, gain: Gain, one: Round, before: Sequence[Round]) -> Learnt:
    kept = found.retention
    first = next((other.learnt.general_before for other in before if other.learnt is not None), dict(kept.before))
    drop = max((first[name] - kept.after[name] for name in kept.after if name in first), default=0.0)
    is_adopted, why = _verdict(gain, drop, kept.tolerance, found.tuned.is_better)
    return Learnt(
        checkpoint=str(found.checkpoint.parent),
        base=one.proposer,
        before={name: value for name in _SCORES if (value := found.before.scores[name]) is not None},
        after={name: value for name in _SCORES if (value := found.after.scores[name]) is not None},
        gain=gain.mean,
        gain_low=gain.low,
        gain_high=gain.high,
        num_pictures=gain.num_pictures,
        num_objects=gain.num_objects,
        num_training=sum(len(example.masks) for example in found.split.train),
        general_before=dict(kept.before),
        general_after=dict(kept.after),
        suggested_replay=kept.suggested_replay if not kept.is_kept else 0.0,
        is_adopted=is_adopted,
        why=why,
    )


def _verdict(gain: Gain, drop: float, tolerance: float, is_better: bool) -> tuple[bool, str]:
    told = f"{gain.mean:+.3f} ({gain.low:+.3f} to {gain.high:+.3f}) on {gain.num_objects} held-out masks"
    if not is_better:
        return False, "no epoch was better on the episodes that decide when to stop"
    if gain.mean <= 0:
        return False, f"it is no better: {told}"
    if drop > tolerance:
        return False, f"it forgot: general data fell by {drop:.3f} since the first model, more than {tolerance:g}"
    return True, f"{'it is better' if gain.low > 0 else 'it is better, perhaps by chance'}: {told}"


__all__ = ["learn"]
