"""How many threads torch uses, thread by thread, and work that is better done by several threads of one each.

A network on two cores is 1.5 times as fast as on one, for its small steps wait for each other. Two pictures, a thread
each, take half as long as one after the other.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import torch

MOST_AT_ONCE = 4  # more would take memory
_Asked = TypeVar("_Asked")
_Found = TypeVar("_Found")


def use_threads(num_threads: int) -> None:
    """Set how many threads torch uses in the thread that calls this, and in no other."""
    # The first question or computation of a thread takes over what was set last in any thread, even over what this
    # thread has set itself. So ask first.
    torch.get_num_threads()
    torch.set_num_threads(num_threads)


def on_one_thread() -> None:
    """Let torch use one thread in the thread that calls this."""
    use_threads(1)


def most_at_once(device: torch.device) -> int:
    """How many to do side by side: several on a CPU, one where another device does the work."""
    return MOST_AT_ONCE if device.type == "cpu" else 1


def side_by_side(
    work: Callable[[_Asked], _Found], asked: Iterable[_Asked], *, at_once: int = MOST_AT_ONCE
) -> Generator[_Found]:
    """Do `work` for each, several at a time, which share the threads that torch may use; results in order.

    At most one more than are done at once waits to be taken. Torch's setting of the thread that calls this is left as
    it was. An error of `work` is raised where its result would be.
    """
    own, left = torch.get_num_threads(), iter(asked)
    at_once = min(at_once, own)
    if at_once == 1:
        yield from map(work, left)
        return
    begun: deque[Future[_Found]] = deque()
    with ThreadPoolExecutor(at_once, "torch", initializer=use_threads, initargs=(own // at_once,)) as pool:
        try:
            begun.extend(pool.submit(work, one) for one in islice(left, at_once + 1))
            while begun:
                found = begun.popleft().result()
                begun.extend(pool.submit(work, one) for one in islice(left, 1))
                yield found
        finally:
            for one in begun:
                one.cancel()
            torch.set_num_threads(own)  # threads that are begun from now on take over what was set last


__all__ = ["MOST_AT_ONCE", "most_at_once", "on_one_thread", "side_by_side", "use_threads"]
