"""The scheduler alone: no threads, a clock that is told. What it promises holds for any order of events."""

from collections import Counter
from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from maskwright.core.errors import TooManyRequests
from maskwright.serve.engine.pieces import PRIORITIES, Kind, Piece, Seat
from maskwright.serve.engine.scheduler import Scheduler
from maskwright.serve.values import Priority

_KINDS: tuple[Kind, ...] = ("encode", "segment", "call")


def make(num_lanes: int = 1, max_seats: int = 100, per_client: int = 100) -> Scheduler:
    return Scheduler(num_lanes=num_lanes, max_seats=max_seats, max_seats_per_client=per_client)


def piece(
    client: str = "ann",
    kind: Kind = "segment",
    priority: Priority = "click",
    *,
    model: str = "tiny",
    deadline: float | None = None,
    lane: int | None = None,
    seat: Seat | None = None,
) -> Piece:
    return Piece(kind=kind, model=model, client=client, priority=priority, deadline=deadline, lane=lane, seat=seat)


def run_one(scheduler: Scheduler, lane: int = 0, limit: int = 1, now: float = 0.0) -> tuple[Piece, ...]:
    taken = scheduler.take(lane, limit=limit, now=now)
    scheduler.finish(lane)
    return taken.batch


def test_an_empty_scheduler_gives_nothing() -> None:
    assert run_one(make()) == ()


def test_clicks_go_before_bulk_and_bulk_before_what_is_ahead() -> None:
    scheduler = make()
    for priority in reversed(PRIORITIES):
        scheduler.put(piece(priority=priority))

    order = [run_one(scheduler)[0].priority for _ in PRIORITIES]

    assert order == ["click", "bulk", "ahead"]


def test_a_client_with_200_requests_delays_anothers_by_one() -> None:
    scheduler = make(max_seats=300, per_client=300)
    for _ in range(200):
        scheduler.put(piece("greedy"))
    scheduler.put(piece("modest"))

    first_two = [run_one(scheduler)[0].client for _ in range(2)]

    assert first_two == ["greedy", "modest"]


def test_pieces_of_one_kind_and_model_go_together_whoever_asks() -> None:
    scheduler = make()
    for client in ("ann", "ben", "cleo"):
        scheduler.put(piece(client, "segment"))
        scheduler.put(piece(client, "encode"))
        scheduler.put(piece(client, "segment", model="vit_b"))

    batches = [run_one(scheduler, limit=8) for _ in range(3)]

    assert sorted({(one.kind, one.model) for one in batch} for batch in batches) == batches_of_one_kind(batches)
    assert [len(batch) for batch in batches] == [3, 3, 3]


def batches_of_one_kind(batches: list[tuple[Piece, ...]]) -> list[set[tuple[str, str]]]:
    return sorted({(batch[0].kind, batch[0].model)} for batch in batches)


def test_a_batch_takes_from_each_client_in_turn() -> None:
    scheduler = make()
    for _ in range(5):
        scheduler.put(piece("greedy"))
    for client in ("ann", "ben"):
        scheduler.put(piece(client))

    (batch,) = [run_one(scheduler, limit=4)]

    assert Counter(one.client for one in batch) == {"greedy": 2, "ann": 1, "ben": 1}


def test_a_call_goes_alone() -> None:
    scheduler = make()
    for _ in range(3):
        scheduler.put(piece(kind="call"))

    assert len(run_one(scheduler, limit=8)) == 1


def test_bulk_never_has_the_last_lane_of_several() -> None:
    scheduler = make(num_lanes=3)
    for _ in range(5):
        scheduler.put(piece(kind="call", priority="bulk"))
    scheduler.put(piece(priority="ahead"))

    taken = [scheduler.take(lane, limit=1, now=0).batch for lane in range(3)]

    assert [len(batch) for batch in taken] == [1, 1, 0]
    assert not scheduler.has_work_for(2)
    scheduler.put(piece(priority="click"))
    assert scheduler.has_work_for(2)
    assert scheduler.take(2, limit=1, now=0).batch[0].priority == "click"


def test_bulk_has_the_only_lane_and_lets_clicks_by() -> None:
    scheduler = make(num_lanes=1)
    scheduler.put(piece(kind="call", priority="bulk"))
    assert scheduler.take(0, limit=1, now=0).batch[0].priority == "bulk"
    scheduler.put(piece("ann"))
    scheduler.put(piece("ben", priority="bulk"))

    by = scheduler.take_click(0, limit=8, now=0)

    assert [one.client for one in by.batch] == ["ann"]


def test_of_several_lanes_one_lets_only_those_clicks_by_that_no_other_can_do() -> None:
    scheduler = make(num_lanes=2)
    scheduler.put(piece("ann"))
    scheduler.put(piece("ben", lane=0))
    scheduler.put(piece("cleo", lane=1))

    assert [one.client for one in scheduler.take_click(0, limit=8, now=0).batch] == ["ben"]


def test_a_piece_bound_to_a_lane_is_given_to_that_lane_alone() -> None:
    scheduler = make(num_lanes=2)
    scheduler.put(piece(lane=1))

    assert not scheduler.has_work_for(0)
    assert scheduler.take(0, limit=1, now=0).batch == ()
    assert len(scheduler.take(1, limit=1, now=0).batch) == 1


def test_what_comes_too_late_is_not_run() -> None:
    scheduler = make()
    late, timely = piece(deadline=1.0), piece(deadline=3.0)
    scheduler.put(late)
    scheduler.put(timely)

    taken = scheduler.take(0, limit=8, now=2.0)

    assert taken.expired == (late,)
    assert taken.batch == (timely,)


def test_a_full_queue_refuses_and_says_when_to_come_back() -> None:
    scheduler = make(max_seats=2)
    scheduler.measured("segment", seconds_a_piece=2.0)
    for client in ("ann", "ben"):
        seat = Seat(client=client, priority="click")
        assert scheduler.sit(seat)
        scheduler.put(piece(client, seat=seat))

    with pytest.raises(TooManyRequests, match="2 requests are waiting already") as caught:
        scheduler.sit(Seat(client="cleo", priority="click"))

    assert caught.value.retry_after_s == pytest.approx(4.0)


def test_a_client_with_many_requests_is_refused_while_others_are_not() -> None:
    scheduler = make(per_client=1)
    scheduler.sit(Seat(client="ann", priority="click"))

    with pytest.raises(TooManyRequests, match="ann has 1 requests waiting already"):
        scheduler.sit(Seat(client="ann", priority="click"))
    assert scheduler.sit(Seat(client="ben", priority="click"))


def test_what_is_ahead_of_need_is_dropped_where_there_is_no_room() -> None:
    dropped: list[str] = []
    scheduler = make(max_seats=2)
    for name in ("older", "newer"):
        assert scheduler.sit(Seat(client="ann", priority="ahead", dropped=lambda name=name: dropped.append(name)))

    assert not scheduler.sit(Seat(client="ben", priority="ahead"))
    assert scheduler.sit(Seat(client="ben", priority="click"))
    assert dropped == ["newer"]
    assert scheduler.num_seats == 2


def test_a_seat_is_free_again_when_its_piece_begins() -> None:
    scheduler = make(max_seats=1)
    seat = Seat(client="ann", priority="click")
    scheduler.sit(seat)
    scheduler.put(piece(seat=seat))

    run_one(scheduler)

    assert scheduler.num_seats == 0
    scheduler.leave(seat)
    assert scheduler.sit(Seat(client="ben", priority="click"))


def test_a_piece_that_somebody_needs_now_is_promoted() -> None:
    scheduler = make()
    ahead = piece("ann", "encode", "ahead")
    scheduler.put(ahead)
    scheduler.put(piece("ben", priority="bulk"))

    promoted = scheduler.promote(ahead, priority="click", client="cleo")

    assert run_one(scheduler) == (promoted,)
    assert (promoted.priority, promoted.client, promoted.ticket) == ("click", "cleo", ahead.ticket)
    assert scheduler.promote(promoted, priority="click", client="dan") is promoted


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 20)), min_size=1, max_size=40))
def test_turns_are_fair(arrivals: list[tuple[str, int]]) -> None:
    """Between a client's arrival at the head of its queue and its turn, every other client is served at most once."""
    scheduler = make(max_seats=1000, per_client=1000)
    for client, number in arrivals:
        for _ in range(number):
            scheduler.put(piece(client))

    served = []
    while batch := run_one(scheduler):
        served.append(batch[0].client)

    assert Counter(served) == {
        client: total for client in "abcdef" if (total := sum(n for name, n in arrivals if name == client))
    }
    places = {client: [i for i, one in enumerate(served) if one == client] for client in set(served)}
    for mine in places.values():
        for before, after in pairwise([-1, *mine]):
            between = Counter(served[before + 1 : after])
            assert max(between.values(), default=0) <= 1


class SchedulerMachine(RuleBasedStateMachine):
    """Requests come, run, end, are cancelled and promoted in any order; time goes on."""

    @initialize(
        num_lanes=st.integers(1, 4), max_seats=st.integers(1, 12), per_client=st.integers(1, 6), limit=st.integers(1, 5)
    )
    def begin(self, num_lanes: int, max_seats: int, per_client: int, limit: int) -> None:
        self.scheduler = make(num_lanes, max_seats, per_client)
        self.num_lanes, self.max_seats, self.per_client, self.limit = num_lanes, max_seats, per_client, limit
        self.now = 0.0
        self.waiting: dict[Piece, None] = {}  # in order, so that hypothesis can repeat itself
        self.ended: Counter[Piece] = Counter()
        self.running: dict[int, tuple[Piece, ...]] = {}
        self.seats: set[Seat] = set()

    @rule(
        client=st.sampled_from("abc"),
        kind=st.sampled_from(_KINDS),
        priority=st.sampled_from(PRIORITIES),
        model=st.sampled_from(["tiny", "vit_b"]),
        in_s=st.none() | st.integers(1, 5),
        lane=st.none() | st.integers(0, 3),
    )
    def ask(self, client: str, kind: Kind, priority: Priority, model: str, in_s: int | None, lane: int | None) -> None:
        gone: list[Seat] = []
        seat = Seat(client=client, priority=priority, dropped=lambda: gone.append(seat))
        mine = sum(one.client == client for one in self.seats)
        has_room = len(self.seats) < self.max_seats
        may_push = priority != "ahead" and any(one.priority == "ahead" for one in self.seats)
        refused = 0.0
        try:
            sits = self.scheduler.sit(seat)
        except TooManyRequests as error:
            refused = error.retry_after_s
            sits = None
        if sits is None:
            assert priority != "ahead"
            assert mine >= self.per_client or not (has_room or may_push)
            assert 0 < refused <= 60
            return
        if not sits:
            assert priority == "ahead"
            assert mine >= self.per_client or not has_room
            return
        self.seats.add(seat)
        self.seats = {one for one in self.seats if self.scheduler.has(one)}  # one ahead may have made room
        deadline = None if in_s is None else self.now + in_s
        where = None if lane is None else lane % self.num_lanes
        asked = piece(client, kind, priority, model=model, deadline=deadline, lane=where, seat=seat)
        self.scheduler.put(asked)
        self.waiting[asked] = None

    @rule(lane=st.integers(0, 3))
    def take(self, lane: int) -> None:
        lane %= self.num_lanes
        if lane in self.running:
            return
        could = self.scheduler.has_work_for(lane)
        taken = self.scheduler.take(lane, limit=self.limit, now=self.now)
        self._ended(taken.expired, is_late=True)
        self._began(taken.batch)
        assert could or not taken.batch
        if taken.batch:
            self.running[lane] = taken.batch
            first = taken.batch[0]
            better = PRIORITIES[: PRIORITIES.index(first.priority)]
            fits = [one for one in self.waiting if one.lane in (None, lane) and one.priority in better]
            assert not [one for one in fits if one.priority == "click"]
            assert len(taken.batch) <= self.limit
            assert len({(one.kind, one.model, one.priority) for one in taken.batch}) == 1
            assert first.kind != "call" or len(taken.batch) == 1
            assert all(one.lane in (None, lane) for one in taken.batch)

    @precondition(lambda self: self.running)
    @rule()
    def let_clicks_by(self) -> None:
        lane = next(iter(self.running))
        taken = self.scheduler.take_click(lane, limit=self.limit, now=self.now)
        self._ended(taken.expired, is_late=True)
        self._began(taken.batch)
        assert all(one.priority == "click" for one in taken.batch)
        assert all(self.num_lanes == 1 or one.lane == lane for one in taken.batch)
        self._ended(taken.batch)

    @precondition(lambda self: self.running)
    @rule()
    def finish(self) -> None:
        lane, batch = self.running.popitem()
        self.scheduler.finish(lane)
        self.scheduler.measured(batch[0].kind, seconds_a_piece=0.5)
        self._ended(batch)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(list(self.waiting)))
        assert self.scheduler.remove(one)
        assert not self.scheduler.remove(one)
        self._ended([one])

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def promote(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(list(self.waiting)))
        promoted = self.scheduler.promote(one, priority="click", client="a")
        self.waiting.pop(one, None)
        self.waiting[promoted] = None

    @rule(seconds=st.integers(1, 3))
    def time_goes_on(self, seconds: int) -> None:
        self.now += seconds

    @invariant()
    def nothing_is_lost_and_nothing_runs_twice(self) -> None:
        if not hasattr(self, "scheduler"):
            return
        assert sum(self.scheduler.num_queued.values()) == len(self.waiting)
        assert self.scheduler.num_seats == len(self.seats) <= self.max_seats
        assert all(count == 1 for count in self.ended.values())

    @invariant()
    def bulk_leaves_a_lane(self) -> None:
        if hasattr(self, "running") and self.num_lanes > 1:
            assert sum(batch[0].priority != "click" for batch in self.running.values()) < self.num_lanes

    def teardown(self) -> None:
        """Whatever is left is done in the end, by lanes that are free."""
        if not hasattr(self, "scheduler"):
            return
        for lane, batch in self.running.items():
            self.scheduler.finish(lane)
            self._ended(batch)
        lanes = list(range(self.num_lanes))
        while any(self.scheduler.has_work_for(lane) for lane in lanes):
            for lane in lanes:
                taken = self.scheduler.take(lane, limit=self.limit, now=self.now)
                self.scheduler.finish(lane)
                self._ended(taken.expired, is_late=True)
                self._began(taken.batch)
                self._ended(taken.batch)
        assert not self.waiting
        assert not self.seats

    def _began(self, batch: tuple[Piece, ...]) -> None:
        for one in batch:
            assert one in self.waiting
            assert one.deadline is None or one.deadline > self.now
        self._gone(batch)

    def _ended(self, pieces: tuple[Piece, ...] | list[Piece], *, is_late: bool = False) -> None:
        for one in pieces:
            assert not is_late or (one.deadline is not None and one.deadline <= self.now)
            self.ended[one] += 1
        self._gone(pieces)

    def _gone(self, pieces: tuple[Piece, ...] | list[Piece]) -> None:
        for one in pieces:
            self.waiting.pop(one, None)
            if one.seat is not None:
                self.seats.discard(one.seat)


TestSchedulerMachine = SchedulerMachine.TestCase
TestSchedulerMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
