"""`stream`: frames in, results out, over a connection that carries both ways (web socket, gRPC)."""

import asyncio
from collections.abc import AsyncIterator

from maskwright.serve.track_session import TrackSession
from maskwright.serve.track_values import ShownFrame, TrackResult

# Results that a client has not taken. With these it reads on; then nothing more is read of what it sends.
_MOST_UNREAD = 8


async def stream(session: TrackSession, frames: AsyncIterator[ShownFrame]) -> AsyncIterator[TrackResult]:
    """Show frames to a session as they come, and give the result of each in order; ends when all have theirs.

    Whoever takes results slowly has his frames taken slowly. What `frames` raises, and the end of the session, is
    raised after the results of the frames before it.
    """
    answers: asyncio.Queue[asyncio.Future[TrackResult] | Exception | None] = asyncio.Queue(_MOST_UNREAD)

    async def show() -> None:
        try:
            async for shown in frames:
                await answers.put(await session.push(shown, wait=True))
        except Exception as error:
            await answers.put(error)
        else:
            await answers.put(None)

    showing = asyncio.create_task(show())
    try:
        while (answer := await answers.get()) is not None:
            if isinstance(answer, Exception):
                raise answer
            yield await answer
    finally:
        showing.cancel()
        await asyncio.wait({showing})


__all__ = ["stream"]
