"""Bounded queues between threads: `ahead` runs an iterator in a thread of its own, `spread` shares one among several.

Memory holds at most `size` items between two stages. What fails in a thread is raised where its results are used; a
consumer that stops early stops the producer. Nothing polls.
"""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
U = TypeVar("U")


class Channel(Generic[T]):
    """A queue of at most `size` items with an end: `close` by either side, `fail` by the producer."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._is_closed = False
        self._error: BaseException | None = None

    def put(self, item: T) -> bool:
        """Add an item, waiting for room; False if the channel is closed, and the item dropped."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or len(self._items) < self._size)
            if self._is_closed:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True

    def close(self) -> None:
        """End it: what is in it can still be taken."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def fail(self, error: BaseException) -> None:
        """End it with an error, which is raised after the items before it."""
        with self._changed:
            self._error = error
            self._is_closed = True
            self._changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_closed or bool(self._items))
                if not self._items:
                    if self._error is not None:
                        raise self._error
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item


def ahead(items: Iterable[T], *, size: int, name: str) -> Generator[T, None, None]:
    """Give the items of an iterable that runs in a thread, at most `size` of them ahead.

    Leaving early (closing the generator) ends the thread after the item it is at.
    """
    channel: Channel[T] = Channel(size)

    def produce() -> None:
        try:
            for item in items:
                if not channel.put(item):
                    return
            channel.close()
        except BaseException as error:
            channel.fail(error)

    thread = threading.Thread(target=produce, name=f"maskwright-{name}", daemon=True)
    thread.start()
    try:
        yield from channel
    finally:
        channel.close()
        thread.join()


def spread(
    items: Iterable[T], workers: Sequence[Callable[[Iterator[T]], Iterable[U]]], *, size: int, name: str
) -> Generator[U, None, None]:
    """Give what workers make of the items, each in a thread of its own; an item goes to the first that is free.

    A worker is given the items that it takes as an iterator. Results come as they are made; leaving early ends all.
    """
    waiting: Channel[T] = Channel(size)
    made: Channel[U] = Channel(size)
    at_work = len(workers)
    counting = threading.Lock()

    def feed() -> None:
        try:
            for item in items:
                if not waiting.put(item):
                    return
            waiting.close()
        except BaseException as error:
            waiting.fail(error)

    def work(worker: Callable[[Iterator[T]], Iterable[U]]) -> None:
        nonlocal at_work
        try:
            for result in worker(iter(waiting)):
                if not made.put(result):
                    return
            with counting:
                at_work -= 1
                if not at_work:
                    made.close()
        except BaseException as error:
            made.fail(error)

    threads = [threading.Thread(target=feed, name=f"maskwright-{name}-feed", daemon=True)]
    threads += [threading.Thread(target=work, args=(one,), name=f"maskwright-{name}", daemon=True) for one in workers]
    for thread in threads:
        thread.start()
    try:
        yield from made
    finally:
        waiting.close()
        made.close()
        for thread in threads:
            thread.join()


__all__ = ["Channel", "ahead", "spread"]
