"""Steps: what a client does, as values. A method of a client is a generator of these, and two shells carry them out.

One shell does it with `httpx.Client` and `time.sleep`, the other with `httpx.AsyncClient` and an event loop. Nothing
but the shells knows httpx, a clock that waits, or whether anything is asynchronous; so every method is written once,
and its retries can be tested without a network.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Y = TypeVar("Y")


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A body of two parts: a picture and the JSON that goes with it."""

    picture: bytes
    request: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request of HTTP. `path` has been quoted; `timeout_s` is how long the server may be silent.

    Sending it twice does no harm where `is_repeatable`; where it has a key, the server itself sees to that. `accepts`
    are statuses above 299 that are answers all the same.
    """

    method: str
    path: str
    timeout_s: float
    query: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Form = b""
    key: str | None = None
    is_repeatable: bool = True
    accepts: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes = b""


class Unanswered(Exception):
    """No answer came. Shells raise it in place of httpx's errors; users never see it."""

    def __init__(self, told: str, *, was_sent: bool, is_timeout: bool = False) -> None:
        super().__init__(told)
        self.was_sent, self.is_timeout = was_sent, is_timeout


@dataclass(frozen=True, slots=True)
class Send:
    """Send a request; gives its `Answer`."""

    request: Request


@dataclass(frozen=True, slots=True)
class Open:
    """Send a request and leave its answer open; gives a stream and an `Answer` without content."""

    request: Request


@dataclass(frozen=True, slots=True)
class Next:
    """Wait for more of an answer; gives bytes, or None at its end. Then, and when it breaks, the stream is closed."""

    stream: Any


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Work:
    """Compute, or touch files, where no event loop is held up; gives what comes of it."""

    do: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Emit(Generic[T]):
    """Give one item of many to whoever asked for them."""

    item: T


Step = Send | Open | Next | Pause | Work
# Steps that come to one value, and steps that give many.
Steps = Generator[Step, Any, T]
Items = Generator[Step | Emit[T], Any, None]


def work(do: Callable[[], T]) -> Steps[T]:
    """Do something that takes a while."""
    return (yield Work(do))


def go_on(steps: Generator[Y, Any, Any], outcome: Any, error: Exception | None) -> Y:
    """Tell steps what came of the last one, and get the next; `StopIteration` when there is none."""
    return steps.send(outcome) if error is None else steps.throw(error)


__all__ = [
    "Answer",
    "Emit",
    "Form",
    "Items",
    "Next",
    "Open",
    "Pause",
    "Request",
    "Send",
    "Step",
    "Steps",
    "Unanswered",
    "Work",
    "go_on",
    "work",
]
