"""How fine the Perceiver works on the machine that it is on: flow within the budget, looks within the wanted age.

Both stand on a ladder of sizes: down before the limit is broken, up when there has been room for long, so that neither
flutters. Pure: they are told how long things took, and know no clock.
"""

from collections import deque
from collections.abc import Callable, Sequence
from statistics import median

# Shares of the flow's side, from the finest, and what they cost beside it: nearly their squares.
_SHARES, _SHARE_COSTS = (1.0, 0.85, 0.7, 0.5, 0.35), (1.0, 0.74, 0.52, 0.29, 0.17)
# Of the budget that one step of the last three seconds may reach, two may not; and steps before anything is decided.
_OF_BUDGET, _STEPS, _FEWEST_STEPS = 0.92, 90, 12
_MOST_SKIPPED = 3
# Looks that are judged by, and those before anything is decided; what a look takes that does not grow with its side.
_LOOKS, _FEWEST_LOOKS, _FIXED = 9, 5, 0.35
# What is to fit before a finer size is tried, of the limit; a size that did not hold is tried again after twice the
# wait, in samples, that it had before.
_ROOM, _MOST_DOUBLED = 0.85, 6


class Ladder:
    """Chooses the finest of some sizes whose time keeps below a limit.

    `costs` are of the sizes, from the finest, in any unit. `usual` makes of the times of the last `window` samples the
    one that has to keep below.
    """

    def __init__(
        self,
        costs: Sequence[float],
        *,
        limit_ms: float,
        usual: Callable[[Sequence[float]], float],
        window: int,
        fewest: int,
    ) -> None:
        self._costs, self._limit_ms, self._usual, self._fewest = costs, limit_ms, usual, fewest
        self._samples: deque[tuple[float, float]] = deque(maxlen=window)
        self._window = window
        self._level = self._since = self._doubled = 0
        self._was_raised = False

    @property
    def level(self) -> int:
        """0 is the finest."""
        return self._level

    def tell(self, ms: float, fixed_ms: float = 0.0) -> None:
        """Tell what this size took, and what was done besides, which takes as long with any."""
        self._samples.append((ms, fixed_ms))
        self._since += 1
        if self._since < self._fewest:
            return
        if self._expected_ms(self._level) > self._limit_ms:
            self._fall()
        elif self._has_room:
            self._go_to(self._level - 1, is_raised=True)

    @property
    def _has_room(self) -> bool:
        """Whether the next finer size may be tried."""
        is_due = self._level > 0 and self._since >= self._wait
        return is_due and self._expected_ms(self._level - 1) < _ROOM * self._limit_ms

    @property
    def _wait(self) -> int:
        return self._window << self._doubled

    def _fall(self) -> None:
        """Go down to the finest size that fits; one that was too fine so soon is not tried again for long."""
        if self._level == len(self._costs) - 1:
            return
        did_not_hold = self._was_raised and self._since < 2 * self._wait
        self._doubled = min(self._doubled + 1, _MOST_DOUBLED) if did_not_hold else max(self._doubled - 1, 0)
        coarser = range(self._level + 1, len(self._costs))
        self._go_to(
            next((one for one in coarser if self._expected_ms(one) <= self._limit_ms), coarser[-1]), is_raised=False
        )

    def _expected_ms(self, level: int) -> float:
        ratio = self._costs[level] / self._costs[self._level]
        return self._usual([ms * ratio + fixed_ms for ms, fixed_ms in self._samples])

    def _go_to(self, level: int, *, is_raised: bool) -> None:
        self._level, self._since, self._was_raised = level, 0, is_raised
        self._samples.clear()


class Effort:
    """Chooses the share of the flow's side, so that nearly all steps keep the budget."""

    def __init__(self, budget_ms: float) -> None:
        self._ladder = Ladder(
            _SHARE_COSTS, limit_ms=_OF_BUDGET * budget_ms, usual=_second_longest, window=_STEPS, fewest=_FEWEST_STEPS
        )
        self._budget_ms = budget_ms
        self._coarsest_ms: deque[float] = deque(maxlen=3)  # the newest ones
        self._to_skip = 0

    def share(self) -> float | None:
        """The share for the next picture; None: even the coarsest flow takes longer than the budget, leave it out."""
        if self._to_skip:
            self._to_skip -= 1
            return None
        return _SHARES[self._ladder.level]

    def took(self, motion_ms: float, rest_ms: float = 0.0) -> None:
        """Tell how long the motion of a picture took, and the rest of its step."""
        if self._ladder.level == len(_SHARES) - 1:
            self._coarsest_ms.append(motion_ms)
            self._to_skip = min(_MOST_SKIPPED, int(median(self._coarsest_ms) / self._budget_ms))
        self._ladder.tell(motion_ms, rest_ms)


class Sharpness:
    """Chooses the side of the frames that the model looks at, so that masks are no older than wanted on average."""

    def __init__(self, sides: Sequence[int], age_ms: float) -> None:
        self._sides = sides
        costs = [_FIXED + (1 - _FIXED) * (side / sides[0]) ** 2 for side in sides]
        self._ladder = Ladder(costs, limit_ms=age_ms, usual=median, window=_LOOKS, fewest=_FEWEST_LOOKS)

    @property
    def side(self) -> int:
        """For the next look."""
        return self._sides[self._ladder.level]

    @property
    def finest(self) -> int:
        """The largest side, with which it begins."""
        return self._sides[0]

    def answered(self, age_ms: float) -> None:
        """Tell how old masks are on average if answers come as this one did."""
        self._ladder.tell(age_ms)


def _second_longest(times_ms: Sequence[float]) -> float:
    """One picture in three seconds may be late: something else ran just then."""
    return sorted(times_ms)[-2]


__all__ = ["Effort", "Ladder", "Sharpness"]
