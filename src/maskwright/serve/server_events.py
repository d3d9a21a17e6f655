"""Server-sent events: text that a browser's `EventSource` reads, with a sign of life while nothing happens."""

import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import StreamingResponse

ALIVE = b": alive\n\n"
_RETRY_MS = 2_000


def message(kind: str, content: Any, *, number: int | None = None) -> bytes:
    """Write one event; `number` is what the client sends as Last-Event-ID when it comes back."""
    head = "" if number is None else f"id: {number}\n"
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    return f"{head}event: {kind}\ndata: {text}\n\n".encode()


def stream_answer(messages: AsyncIterator[bytes]) -> StreamingResponse:
    """Send messages as they come; whoever reads slowly has his taken slowly."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_begun(messages), media_type="text/event-stream", headers=headers)


async def _begun(messages: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield f"retry: {_RETRY_MS}\n\n".encode()
    async for one in messages:
        yield one


EVENT_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "Server-sent events"}
}

__all__ = ["ALIVE", "EVENT_STREAM", "message", "stream_answer"]
