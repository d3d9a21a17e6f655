"""`serve_socket`: a track session over a web socket.

In come binary messages: the length of a header in four bytes, big end first, the header (`TrackStreamIn` as JSON), and
the frame's file or pixels. A message of text is a header alone, whose frame names a picture by its digest; `is_last`
says that no frame comes any more. Out go messages of text: `TrackFrameOut` for each frame, in order, or `ErrorOut` and
the end.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from functools import partial
from typing import Any

import anyio
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from maskwright.core.errors import Cancelled, DeadlinePassed, MaskwrightError
from maskwright.serve.problems import problem_of
from maskwright.serve.service import Service
from maskwright.serve.sign_in import SUBPROTOCOL
from maskwright.serve.track_frames import shown_of
from maskwright.serve.track_session import TrackSession
from maskwright.serve.track_stream import stream
from maskwright.serve.track_values import ShownFrame
from maskwright.serve.wire import Format, parse
from maskwright.serve.wire_tracks import TrackStreamIn, frame_json, split_message

_OURS, _POLICY, _AWAY, _DONE = 1011, 1008, 1001, 1000


async def serve_socket(socket: WebSocket, session: TrackSession, service: Service, *, form: Format, keep: bool) -> None:
    """Carry frames and results until one side has enough; then the session ends, unless it is to be kept."""
    await socket.accept(SUBPROTOCOL if SUBPROTOCOL in socket.scope["subprotocols"] else None)
    try:
        async with aclosing(stream(session, _frames(socket, session, service, keep=keep))) as results:
            async for result in results:
                write = partial(frame_json, result, form)
                content = write() if form == "rle" else await anyio.to_thread.run_sync(write)
                await _send(socket, content, session.limits.idle_s)
        await socket.close(_DONE)
    except WebSocketDisconnect:
        pass
    except MaskwrightError as error:
        await _end(socket, error)
    finally:
        if not keep:
            with anyio.CancelScope(shield=True):
                await session.close(Cancelled("the web socket of the track session was closed"))


async def _frames(
    socket: WebSocket, session: TrackSession, service: Service, *, keep: bool
) -> AsyncGenerator[ShownFrame, None]:
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            if not keep:  # so that nobody waits for what nobody will hear
                await session.close(Cancelled("the client of the track session is gone"))
            raise WebSocketDisconnect(message.get("code") or _AWAY)
        header, picture = _apart(message)
        asked = parse(TrackStreamIn, header)
        if asked.is_last and not picture and asked.image is None:
            return
        yield await _shown(asked, picture, service)
        if asked.is_last:
            return


def _apart(message: Any) -> tuple[bytes, bytes | None]:
    content = message.get("bytes")
    return split_message(content) if content is not None else (message["text"].encode(), None)


async def _shown(asked: TrackStreamIn, picture: bytes | None, service: Service) -> ShownFrame:
    """A frame of which something is wrong is told in its turn."""
    try:
        return await shown_of(asked, picture, service)
    except MaskwrightError as error:
        return ShownFrame(picture=error)


async def _send(socket: WebSocket, content: dict[str, Any], within_s: float) -> None:
    """Send; a client that does not read for so long that a session would end is not waited for."""
    try:
        async with asyncio.timeout(within_s):
            await socket.send_text(json.dumps(content, separators=(",", ":")))
    except TimeoutError:
        raise DeadlinePassed(f"the client has not read what it was sent for {within_s:g} seconds") from None


async def _end(socket: WebSocket, error: MaskwrightError) -> None:
    problem = problem_of(error)
    code = _AWAY if problem.status == 503 else _OURS if problem.status >= 500 else _POLICY
    if socket.client_state is not WebSocketState.CONNECTED:
        return
    with suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
        async with asyncio.timeout(1):
            await socket.send_text(json.dumps(problem.as_json(socket.state.request_id)))
            await socket.close(code, problem.code)


__all__ = ["serve_socket"]
