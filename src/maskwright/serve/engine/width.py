"""`Width`: whether work that is alone is done sooner on all threads or on one, learned from what it took.

On a quiet machine all threads are faster: 14 ms a click against 20 (`tiny`, two cores). Where other programs want the
cores they are far slower, since at every step of the network each thread waits until the other is let on: 440 ms
against 23 with two busy programs beside it.
"""

from collections import Counter, defaultdict, deque
from statistics import median

_REMEMBERED = 3  # measurements of each; their median does not heed one that was disturbed
_TRY_OTHER_EVERY = 32


class Width:
    """Choices by kind of work and model. First all threads, then one; then the faster, and at times the other again."""

    def __init__(self) -> None:
        self._seconds: defaultdict[tuple[str, str, bool], deque[float]] = defaultdict(lambda: deque(maxlen=_REMEMBERED))
        self._num_chosen: Counter[tuple[str, str]] = Counter()

    def is_wide(self, kind: str, model: str) -> bool:
        """Choose for the next."""
        wide, narrow = self._seconds[kind, model, True], self._seconds[kind, model, False]
        if not wide or not narrow:
            return not wide
        self._num_chosen[kind, model] += 1
        is_faster = median(wide) <= median(narrow)
        used, other = (wide, narrow) if is_faster else (narrow, wide)
        has_got_better = other[-1] < median(used)  # then see whether it is so again
        tries_other = has_got_better or self._num_chosen[kind, model] % _TRY_OTHER_EVERY == 0
        return is_faster != tries_other

    def learn(self, kind: str, model: str, *, is_wide: bool, seconds: float) -> None:
        """Learn how long something took that was alone from beginning to end; of several prompts, one's share."""
        self._seconds[kind, model, is_wide].append(seconds)


__all__ = ["Width"]
