"""`Piece`: one thing that a lane does, and `Seat`: a request's place among those that may wait.

Values of the scheduler; they know neither threads nor torch. A request sits down once and may need two pieces: the
encoding of its image, which it may share with others, and its own answer.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from maskwright.serve.values import Priority

# Encodings go together, segments go together; a call runs a function over a model and goes alone.
Kind = Literal["encode", "segment", "call"]
PRIORITIES: tuple[Priority, ...] = ("click", "bulk", "ahead")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Seat:
    """A request that waits. `dropped` is called when a seat taken ahead of need is given to somebody who needs it."""

    client: str
    priority: Priority
    dropped: Callable[[], None] | None = None


@dataclass(slots=True, eq=False)
class Ticket:
    """Whether anybody still wants a piece that runs."""

    is_cancelled: bool = False


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Piece:
    """Something to do by the model `model`. `lane` None may run anywhere; `content` is what the lane makes of it.

    `deadline` is a moment of the scheduler's clock. `seat` is left when the piece begins.
    """

    kind: Kind
    model: str
    client: str
    priority: Priority
    deadline: float | None = None
    lane: int | None = None
    seat: Seat | None = None
    content: object = None
    ticket: Ticket = field(default_factory=Ticket)


__all__ = ["PRIORITIES", "Kind", "Piece", "Seat", "Ticket"]
