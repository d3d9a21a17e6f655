"""`stream`: frames in, results out, over a connection that carries both ways (web socket, gRPC)."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from maskwright.serve.in_turn import cancelled, in_turn
from maskwright.serve.track_session import TrackSession
from maskwright.serve.track_values import ShownFrame, TrackResult

# Results that a client has not taken. With these it reads on; then nothing more is read of what it sends.
_MOST_UNREAD = 8


def stream(session: TrackSession, frames: AsyncGenerator[ShownFrame, None]) -> AsyncGenerator[TrackResult, None]:
    """Show frames to a session as they come, and give the result of each in order; ends when all have theirs.

    Whoever takes results slowly has his frames taken slowly. What `frames` raises, and the end of the session, is
    raised after the results of the frames before it. Close it when it is not read to the end.
    """
    return in_turn(_shown(session, frames), _MOST_UNREAD)


async def _shown(
    session: TrackSession, frames: AsyncGenerator[ShownFrame, None]
) -> AsyncGenerator["asyncio.Future[TrackResult]", None]:
    """Show frames; stop waiting for the next one when the session is over."""
    over = asyncio.create_task(session.wait_until_over())
    coming: asyncio.Task[ShownFrame | None] | None = None
    async with aclosing(frames):
        try:
            while True:
                coming = asyncio.create_task(_next(frames))
                await asyncio.wait({coming, over}, return_when=asyncio.FIRST_COMPLETED)
                if not coming.done():
                    session.refuse_if_over()
                frame = await coming
                if frame is None:
                    return
                yield await session.push(frame, wait=True)
        finally:
            await cancelled(coming, over)


async def _next(frames: AsyncGenerator[ShownFrame, None]) -> ShownFrame | None:
    return await anext(frames, None)


__all__ = ["stream"]
