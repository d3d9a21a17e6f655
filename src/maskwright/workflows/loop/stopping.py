"""When a loop has done enough, as one pure function of its rounds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from maskwright.review.engine import wilson
from maskwright.workflows.loop.rounds import Round
from maskwright.workflows.loop.settings import LoopSettings

_IN_A_ROW = 2
_LEAST_DECIDED = 20  # below that an acceptance rate is luck


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a loop has ended, in a word and in a sentence, and what to do to go on all the same."""

    rule: Literal["audit", "complete", "budget", "goal", "gain"]
    why: str
    to_go_on: str


def stop_of(rounds: Sequence[Round], settings: LoopSettings) -> Stop | None:
    """Say why the next round is not worth it; None where it is. Only rounds that are done count.

    audit: what the rule accepted was wrong too often. complete: nothing is left that is only proposed. goal: what
    people see is right as it comes. gain: training brings nothing any more, surely in the last round or by the mean in
    the last two. budget: as many rounds as were asked for.
    """
    done = [one for one in rounds if one.stage == "done"]
    if not done:
        return None
    last = done[-1]
    return (
        _audit(last, settings)
        or _complete(last)
        or _goal(last, settings)
        or _gain(done, settings)
        or _budget(done, settings)
    )


def _complete(last: Round) -> Stop | None:
    if last.num_queued or last.num_by_rule:
        return None
    return Stop("complete", "nothing is left that is only proposed", "give it more pictures: --source PICTURES")


def _audit(last: Round, settings: LoopSettings) -> Stop | None:
    found = last.audit
    if found is None or found.verdict != "fall_back" or settings.mode != last.mode:
        return None
    fallback = "semi-automatic" if last.mode == "fully_automatic" else "assisted-manual"
    return Stop(
        "audit",
        f"{found.num_wrong} of {found.num_audited} audited masks were wrong ({_percent(found.low)} to "
        f"{_percent(found.high)}), more than {_percent(settings.max_error_rate)}; the {found.num_taken_back} that the "
        f"rule accepted and nobody looked at are proposals again",
        f"go on in a mode in which people see more: --mode {fallback}",
    )


def _goal(last: Round, settings: LoopSettings) -> Stop | None:
    told = last.figures
    rate = told.acceptance_rate if told is not None else None
    if told is None or rate is None or told.num_decided < _LEAST_DECIDED or rate < settings.goal:
        return None
    less = {"assisted_manual": "semi-automatic", "semi_automatic": "automatic"}.get(settings.mode)
    less = f", or let people see less: --mode {less}" if less else ""
    low, high = wilson(told.num_accepted, told.num_decided)
    return Stop(
        "goal",
        f"{told.num_accepted} of {told.num_decided} proposals were right as they came, {_percent(rate)} "
        f"({_percent(low)} to {_percent(high)}), the goal is {_percent(settings.goal)}",
        f"go on with a higher --goal{less}",
    )


def _gain(done: Sequence[Round], settings: LoopSettings) -> Stop | None:
    learnt = [one.learnt for one in done if one.learnt is not None]
    if not learnt or done[-1].learnt is None:
        return None
    last, few = learnt[-1], learnt[-_IN_A_ROW:]
    if last.is_adopted and last.num_pictures > 1 and last.gain_high < settings.tolerance:
        why = f"the last round's gain is below {settings.tolerance:g} for sure"
    elif len(few) == _IN_A_ROW and all(one.gain < settings.tolerance for one in few):
        why = f"the gain was below {settings.tolerance:g} in {_IN_A_ROW} rounds one after the other"
    else:
        return None
    told = f"{last.gain:+.3f}, 95 % between {last.gain_low:+.3f} and {last.gain_high:+.3f}"
    return Stop("gain", f"{why} ({told}, on {last.num_objects} held-out masks)", "go on with a lower --tolerance")


def _budget(done: Sequence[Round], settings: LoopSettings) -> Stop | None:
    if settings.rounds is None or len(done) < settings.rounds:
        return None
    num_masks = sum(one.num_queued for one in done)
    return Stop(
        "budget",
        f"{len(done)} of {settings.rounds} rounds are done, {num_masks} masks were shown to people",
        f"go on with more: --rounds {settings.rounds + 1}",
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share in (0, 1) or share >= 0.1 else f"{100 * share:.1f} %"


__all__ = ["Stop", "stop_of"]
