"""`in_turn`: many pieces of work at a time, their results in the order in which they were asked for."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, TypeVar

R = TypeVar("R")


async def in_turn(asked: AsyncGenerator["asyncio.Future[R]", None], most: int) -> AsyncGenerator[R, None]:
    """Give the results of futures in their order, while later ones are asked for; ends when all have been given.

    At most `most` that are not taken yet are asked ahead: who takes slowly is asked slowly. What `asked` raises is
    raised after the results before it. Close it (`contextlib.aclosing`): that cancels what is not taken.
    """
    ahead: asyncio.Queue[asyncio.Future[R] | Exception | None] = asyncio.Queue(most)

    async def ask() -> None:
        try:
            async with aclosing(asked):
                async for future in asked:
                    await put(future)
        except Exception as error:
            await ahead.put(error)
        else:
            await ahead.put(None)

    async def put(future: "asyncio.Future[R]") -> None:
        try:
            await ahead.put(future)
        except asyncio.CancelledError:
            future.cancel()
            raise

    asking = asyncio.create_task(ask())
    taken: asyncio.Future[R] | Exception | None = None
    try:
        while (taken := await ahead.get()) is not None:
            if isinstance(taken, Exception):
                raise taken
            yield await taken
    finally:
        await cancelled(asking)
        left = [taken, *(ahead.get_nowait() for _ in range(ahead.qsize()))]
        for future in left:
            if isinstance(future, asyncio.Future):
                future.cancel()


async def cancelled(*tasks: "asyncio.Task[Any] | None") -> None:
    """Cancel tasks and wait until they have ended."""
    running = {task for task in tasks if task is not None and task.cancel()}
    if running:
        await asyncio.wait(running)


__all__ = ["cancelled", "in_turn"]
