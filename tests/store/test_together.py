"""Events of several parties in one write: one party's mistake is its own, and each sees what came before it."""

import pytest

from full_disk import room_for
from maskwright.core import Accept, Edit, Reject, Relabel, Revert
from maskwright.core.errors import RecordError, StoreFull, UnknownRecord
from maskwright.testing.store_values import make_event, make_record, make_ref, rectangle


class Party:
    """Adds events if the record has as many as it expects."""

    def __init__(self, *events, expects=None, record=None):
        self.wanted, self.expects, self.record = events, expects, record
        self.seen = None

    def events(self, log):
        if self.expects is not None and len(log.events_of(self.record)) != self.expects:
            raise UnknownRecord("it has changed")
        return self.wanted

    def added(self, log):
        self.seen = [log.event(event.id).position for event in self.wanted]


@pytest.fixture
def records(store):
    made = [make_record(make_ref(index)) for index in range(3)]
    store.put(made)
    return made


def test_parties_share_a_write_and_each_sees_the_one_before(store, records):
    first = Party(make_event(records[0], Accept()), expects=0, record=records[0].id)
    second = Party(make_event(records[0], Reject()), expects=0, record=records[0].id)
    third = Party(make_event(records[1], Relabel("mug")), expects=0, record=records[1].id)
    before = len(store.writes())

    refusals = store.append_each([first, second, third])

    assert [type(one) for one in refusals] == [type(None), UnknownRecord, type(None)]
    assert len(store.writes()) == before + 1
    assert list(store.events()) == [*first.wanted, *third.wanted]
    assert store.record(records[0].id).status == "accepted"
    assert third.seen[0] > first.seen[0]


def test_a_party_is_all_or_none(store, records):
    wrong = Party(make_event(records[0], Accept()), make_event("nobody", Accept()))
    odd = Party(make_event(records[1], Accept()), make_event(records[1], Edit(rectangle(0, 0, 2, 2))))
    small = Party(make_event(records[2], Accept()), make_event(records[2], Revert("no event")))

    refusals = store.append_each([wrong, odd, small])

    assert isinstance(refusals[0], UnknownRecord)
    assert refusals[1] is None
    assert isinstance(refusals[2], UnknownRecord)
    assert [event.record_id for event in store.events()] == [records[1].id] * 2


def test_nothing_is_written_where_all_are_refused(store, records):
    head = store.moment()

    refusals = store.append_each([Party(), Party(make_event(records[0], Edit(make_rle_of_other_size())))])

    assert refusals[0] is None
    assert isinstance(refusals[1], RecordError)
    assert store.moment() == head


def make_rle_of_other_size():
    from maskwright.core import RLE

    return RLE((2, 2), b"4")


def test_a_full_disk_refuses_all_and_the_next_write_goes_on(store, records):
    parties = [Party(*(make_event(records[0], Relabel("x" * 500)) for _ in range(50))) for _ in range(3)]
    log = store.path / "live.sqlite-wal"

    with room_for(log.stat().st_size + 10_000), pytest.raises(StoreFull):
        store.append_each(parties)
    assert list(store.events()) == []

    assert store.append_each(parties) == [None] * 3
    assert len(list(store.events())) == 150
