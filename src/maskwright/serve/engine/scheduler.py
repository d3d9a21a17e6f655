"""`Scheduler`: which piece a lane does next. Pure logic: no threads, no torch, and the time is told to it.

Clicks go before bulk, bulk before what is done ahead. Within a priority clients take turns, so that one who asks 200
things delays another's one thing by one piece and not by 200. Pieces of one kind and model go together, up to what a
lane takes. Where there is more than one lane, one is always kept from bulk. Who calls it holds a lock.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from maskwright.core.errors import TooManyRequests
from maskwright.serve.engine.pieces import PRIORITIES, Kind, Piece, Seat
from maskwright.serve.values import Priority

_WEIGHT = 0.1  # of the newest measurement in the mean time of a piece
_FIRST_GUESS_S = 0.05
_LEAST_WAIT_S, _LONGEST_WAIT_S = 0.1, 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a lane is given: pieces to do together, and pieces that came too late and are not to be done."""

    batch: tuple[Piece, ...] = ()
    expired: tuple[Piece, ...] = ()


@dataclass(slots=True)
class _Turns:
    """Clients of one priority and their pieces; whose turn it is stands first."""

    clients: OrderedDict[str, deque[Piece]] = field(default_factory=OrderedDict)

    def add(self, piece: Piece) -> None:
        self.clients.setdefault(piece.client, deque()).append(piece)

    def discard(self, piece: Piece) -> None:
        mine = self.clients[piece.client]
        mine.remove(piece)
        if not mine:
            del self.clients[piece.client]

    def pieces(self) -> Iterator[Piece]:
        for mine in self.clients.values():
            yield from mine


class Scheduler:
    """Queues of pieces for `num_lanes` lanes, bounded by seats in total and for each client."""

    def __init__(self, *, num_lanes: int, max_seats: int, max_seats_per_client: int) -> None:
        self._num_lanes = num_lanes
        self._max_seats = max_seats
        self._max_seats_per_client = max_seats_per_client
        self._turns: dict[Priority, _Turns] = {priority: _Turns() for priority in PRIORITIES}
        self._queued: set[Piece] = set()
        self._seats: dict[Seat, None] = {}  # in order of arrival
        self._seats_of: Counter[str] = Counter()
        self._running: dict[int, Priority] = {}
        self._mean_s: dict[Kind, float] = {}

    def sit(self, seat: Seat) -> bool:
        """Take a seat. False where it is for something ahead of need and there is no room.

        Raises:
            TooManyRequests: all seats are taken, or all of this client's.
        """
        if self._seats_of[seat.client] >= self._max_seats_per_client:
            if seat.priority == "ahead":
                return False
            told = f"{seat.client} has {self._max_seats_per_client} requests waiting already, which is the most"
            raise TooManyRequests(f"{told}. Wait for some of them", self._wait_s(seat.client))
        if len(self._seats) >= self._max_seats and (seat.priority == "ahead" or not self._drop_one_ahead()):
            if seat.priority == "ahead":
                return False
            told = f"{self._max_seats} requests are waiting already, which is the most"
            raise TooManyRequests(f"{told}. Come back a little later", self._wait_s(None))
        self._seats[seat] = None
        self._seats_of[seat.client] += 1
        return True

    def has(self, seat: Seat) -> bool:
        """Whether somebody sits in a seat."""
        return seat in self._seats

    def leave(self, seat: Seat) -> None:
        """Give a seat back; more than once does no harm."""
        if seat in self._seats:
            del self._seats[seat]
            self._seats_of[seat.client] -= 1
            if not self._seats_of[seat.client]:
                del self._seats_of[seat.client]

    def put(self, piece: Piece) -> None:
        """Queue a piece. Nothing is refused here: who has a seat gets what it needs."""
        self._queued.add(piece)
        self._turns[piece.priority].add(piece)

    def remove(self, piece: Piece) -> bool:
        """Take a piece out of the queue again; False where it runs already or is done."""
        if piece not in self._queued:
            return False
        self._forget(piece)
        if piece.seat is not None:
            self.leave(piece.seat)
        return True

    def promote(self, piece: Piece, *, priority: Priority, client: str) -> Piece:
        """Let a piece that waits be done for somebody more urgent; give it back as it now is."""
        if piece not in self._queued or PRIORITIES.index(priority) >= PRIORITIES.index(piece.priority):
            return piece
        self._forget(piece)
        promoted = replace(piece, priority=priority, client=client)
        self.put(promoted)
        return promoted

    def take(self, lane: int, *, limit: int, now: float) -> Taken:
        """Give a lane that is free what it does next, at most `limit` pieces; call `finish` when it is done."""
        expired = self._expire(now)
        for priority in PRIORITIES:
            if self._is_closed(priority):
                break
            if batch := self._form(priority, lane, limit):
                self._running[lane] = priority
                return Taken(batch=batch, expired=expired)
        return Taken(expired=expired)

    def take_click(self, lane: int, *, limit: int, now: float) -> Taken:
        """Give a lane that is busy with less urgent work the clicks that no other lane can do."""
        expired = self._expire(now)
        return Taken(batch=self._form("click", lane, limit, only_here=self._num_lanes > 1), expired=expired)

    def finish(self, lane: int) -> None:
        """Say that a lane has done what it was given."""
        self._running.pop(lane, None)

    def measured(self, kind: Kind, *, seconds_a_piece: float) -> None:
        """Learn how long a piece of a kind takes, which is what waiting times are estimated from."""
        mean = self._mean_s.get(kind, seconds_a_piece)
        self._mean_s[kind] = mean + _WEIGHT * (seconds_a_piece - mean)

    def has_work_for(self, lane: int) -> bool:
        """Whether a free lane would be given something."""
        open_priorities: list[Priority] = [priority for priority in PRIORITIES if not self._is_closed(priority)]
        return any(_runs_on(piece, lane) for priority in open_priorities for piece in self._turns[priority].pieces())

    def clear(self) -> list[Piece]:
        """Empty the queue and give back what was in it."""
        pieces = [piece for priority in PRIORITIES for piece in self._turns[priority].pieces()]
        for piece in pieces:
            self.remove(piece)
        return pieces

    @property
    def num_queued(self) -> dict[Priority, int]:
        """How many pieces wait, by priority."""
        return {priority: sum(map(len, turns.clients.values())) for priority, turns in self._turns.items()}

    @property
    def num_seats(self) -> int:
        """How many requests wait."""
        return len(self._seats)

    @property
    def num_running(self) -> int:
        """How many lanes are busy."""
        return len(self._running)

    def _is_closed(self, priority: Priority) -> bool:
        """Whether as many lanes as may are busy with what is no click."""
        num_others = sum(running != "click" for running in self._running.values())
        return priority != "click" and num_others >= max(1, self._num_lanes - 1)

    def _form(self, priority: Priority, lane: int, limit: int, *, only_here: bool = False) -> tuple[Piece, ...]:
        """Take pieces of one kind and model, one of each client in turn, and again until there are `limit`."""
        clients = self._turns[priority].clients
        batch: list[Piece] = []
        found = True
        while found and len(batch) < limit:
            found = False
            for client in list(clients):
                piece = _first_fit(clients[client], batch, lane, only_here=only_here)
                if piece is None:
                    continue
                found = True
                batch.append(piece)
                self._forget(piece)
                if piece.seat is not None:
                    self.leave(piece.seat)
                if client in clients:
                    clients.move_to_end(client)
                if len(batch) == limit or piece.kind == "call":
                    return tuple(batch)
        return tuple(batch)

    def _expire(self, now: float) -> tuple[Piece, ...]:
        late = tuple(piece for piece in self._queued if piece.deadline is not None and piece.deadline <= now)
        for piece in late:
            self.remove(piece)
        return late

    def _forget(self, piece: Piece) -> None:
        self._queued.discard(piece)
        self._turns[piece.priority].discard(piece)

    def _drop_one_ahead(self) -> bool:
        """Make room by dropping the newest request that is only ahead of need."""
        seat = next((seat for seat in reversed(self._seats) if seat.priority == "ahead"), None)
        if seat is None:
            return False
        self.leave(seat)
        if seat.dropped is not None:
            seat.dropped()
        return True

    def _wait_s(self, client: str | None) -> float:
        """Estimate when there is room again: what is queued, at the pace measured, over the lanes."""
        queued_s = sum(self._mean_s.get(piece.kind, _FIRST_GUESS_S) for piece in self._queued)
        share = 1.0 if client is None else min(1.0, self._seats_of[client] * len(self._seats_of) / len(self._seats))
        return min(_LONGEST_WAIT_S, max(_LEAST_WAIT_S, queued_s * share / self._num_lanes))


def _runs_on(piece: Piece, lane: int) -> bool:
    return piece.lane is None or piece.lane == lane


def _first_fit(mine: deque[Piece], batch: list[Piece], lane: int, *, only_here: bool) -> Piece | None:
    """The first piece of a client that the lane can do, and together with what it has already."""
    for piece in mine:
        if only_here and piece.lane != lane:
            continue
        if not _runs_on(piece, lane):
            continue
        if not batch or (piece.kind != "call" and (piece.kind, piece.model) == (batch[0].kind, batch[0].model)):
            return piece
    return None


__all__ = ["Scheduler", "Taken"]
