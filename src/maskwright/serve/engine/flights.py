"""`Flights`: one run of something for all who ask for it at once. On one event loop, so without locks.

Whoever asked first has no say over the others: a flight ends early only when nobody waits for it any more.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


@dataclass(slots=True, eq=False)
class _Flight(Generic[V]):
    task: "asyncio.Task[V]"
    num_waiting: int = 0


class Flights(Generic[K, V]):
    """Flights under way, by what they are for."""

    def __init__(self) -> None:
        self._under_way: dict[K, _Flight[V]] = {}

    def is_under_way(self, key: K) -> bool:
        """Whether somebody asked for it already."""
        return key in self._under_way

    async def join(self, key: K, begin: Callable[[], Coroutine[Any, Any, V]]) -> V:
        """Wait for the flight to a key, which `begin` starts if there is none.

        Cancelling whoever waits lets the others' flight go on.
        """
        flight = self._under_way.get(key)
        if flight is None:
            flight = _Flight(asyncio.create_task(begin()))
            flight.task.add_done_callback(lambda task: self._land(key, task))
            self._under_way[key] = flight
        flight.num_waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.num_waiting -= 1
            if not flight.num_waiting and not flight.task.done():
                # The next who asks starts anew.
                if self._under_way.get(key) is flight:
                    del self._under_way[key]
                flight.task.cancel()

    def _land(self, key: K, task: "asyncio.Task[V]") -> None:
        flight = self._under_way.get(key)
        if flight is not None and flight.task is task:
            del self._under_way[key]
        if not task.cancelled():
            task.exception()  # so that an error which nobody waits for is not complained about


__all__ = ["Flights"]
