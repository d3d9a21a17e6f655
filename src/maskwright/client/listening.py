"""`listen`: server-sent events that go on by themselves after the connection broke or the server began anew."""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any, TypeVar

from maskwright.client.answers import unanswered
from maskwright.client.asking import opened, pause_before_next
from maskwright.client.link import Link
from maskwright.client.requests import request
from maskwright.client.steps import Next, Pause, Step, Unanswered
from maskwright.core.errors import ServerStopping, ServerUnreachable, StoreBusy, TooManyRequests

# The server gives a sign of life every 15 seconds.
_SILENCE_S = 45.0
_NOT_NOW = (ServerUnreachable, ServerStopping, StoreBusy, TooManyRequests)

Y = TypeVar("Y")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One event: its kind and its JSON."""

    kind: str
    text: str


class MessageReader:
    """Takes a stream of server-sent events apart. Source: the WHATWG's HTML standard, 9.2.6.

    `last_id` is what a client sends when it comes back; a message without content may set it too.
    """

    def __init__(self, last_id: str | None = None) -> None:
        self.last_id = self._next_id = last_id
        self._rest = b""
        self._kind, self._lines = "message", list[str]()

    def feed(self, content: bytes) -> Iterator[Message]:
        """Take some more bytes; give the messages that are whole now."""
        *lines, self._rest = (self._rest + content).split(b"\n")
        for line in lines:
            message = self._take(line.removesuffix(b"\r").decode())
            if message is not None:
                yield message

    def _take(self, line: str) -> Message | None:
        if line:
            self._take_field(*_field_of(line))
            return None
        kind, lines = self._kind, self._lines
        self._kind, self._lines = "message", []
        self.last_id = self._next_id
        return Message(kind=kind, text="\n".join(lines)) if lines else None

    def _take_field(self, name: str, value: str) -> None:
        match name:
            case "event":
                self._kind = value
            case "data":
                self._lines.append(value)
            case "id":
                self._next_id = value


def _field_of(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, value.removeprefix(" ")


def listen(
    link: Link,
    path: Sequence[str],
    take: Callable[[Message], Generator[Y, Any, bool]],
    *,
    last_id: str | None = None,
    patience_s: float,
    until: float | None = None,
) -> Generator[Step | Y, Any, bool]:
    """Give messages to `take` until it says that it has enough (True), or until the moment `until` (False).

    After a break it comes back with the last message's id, so that the server goes on behind it. It gives up when for
    `patience_s` nothing could be heard.

    Raises:
        ServerUnreachable, MaskwrightError: as `ask` does, after that time.
    """
    reader, heard_at, num_tries = MessageReader(last_id), monotonic(), 0
    while until is None or monotonic() < until:
        try:
            stream = yield from opened(replace(link, retries=0), _request(link, path, reader.last_id, until))
            while (content := (yield Next(stream))) is not None:
                heard_at, num_tries = monotonic(), 0
                for message in reader.feed(content):
                    if (yield from take(message)):
                        return True
                if until is not None and monotonic() >= until:
                    return False
            problem: Exception = unanswered(link, "the stream ended")
        except Unanswered as error:
            problem = unanswered(link, str(error))
        except _NOT_NOW as error:
            problem = error
        reader = MessageReader(reader.last_id)  # half a message may have been in the old one
        pause_s = pause_before_next(num_tries, getattr(problem, "retry_after_s", None))
        if monotonic() + pause_s > heard_at + patience_s:
            raise problem
        yield Pause(pause_s)
        num_tries += 1
    return False


def _request(link: Link, path: Sequence[str], last_id: str | None, until: float | None) -> Any:
    silence_s = _SILENCE_S if until is None else max(0.05, min(_SILENCE_S, until - monotonic()))
    headers = {"Accept": "text/event-stream"} | ({} if last_id is None else {"Last-Event-ID": last_id})
    return replace(request(link, "GET", *path, timeout_s=silence_s), headers=headers)


__all__ = ["Message", "MessageReader", "listen"]
