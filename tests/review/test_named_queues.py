"""Queues that somebody picked: kept beside the store, walked in their order, and shorter with each decision."""

from datetime import UTC, datetime, timedelta

import pytest

from maskwright.core import Accept, Reject, Revert
from maskwright.core.errors import SettingError, StoreDamaged, UnknownRecord
from maskwright.review import NamedQueue, QueueEntry, named_page, queue_names, read_queue, write_queue
from maskwright.review.named_queues import delete_queue, free_name
from maskwright.store import Query, create_store
from maskwright.testing.store_values import START, make_event, make_record, make_ref

MADE_AT = datetime(2026, 1, 3, tzinfo=UTC)


@pytest.fixture
def store(tmp_path):
    with create_store(tmp_path / "masks") as store:
        yield store


def queue_of(records, status="proposed", **changes):
    entries = [
        QueueEntry(record=record.id, status=status, score=0.9, reasons=(f"reason {at}",))
        for at, record in enumerate(records)
    ]
    given = {"name": "glass", "about": "thin glass", "made_at": MADE_AT, "entries": tuple(entries)}
    return NamedQueue(**{**given, **changes})


def ids(page):
    return [one.mask.record.id for one in page.items]


def test_a_queue_is_read_as_it_was_written(store):
    queue = queue_of([make_record(make_ref(0))], settings={"budget": 3, "by": ["thin"]})

    path = write_queue(store.path, queue)

    assert path == store.path / "queues" / "glass.json"
    assert read_queue(store.path, "glass") == queue
    assert queue_names(store.path) == ["glass"]
    assert free_name(store.path, "glass") == "glass-2"
    delete_queue(store.path, "glass")
    delete_queue(store.path, "glass")
    assert queue_names(store.path) == []


def test_pages_keep_the_order_of_the_queue_and_the_reasons(store):
    records = [make_record(make_ref(index)) for index in range(5)]
    store.put(records)
    queue = queue_of([records[i] for i in (3, 0, 4, 1)])
    pages = store.pages()

    first = named_page(pages, queue, limit=3)
    second = named_page(pages, queue, after=first.next, limit=3)

    assert [*ids(first), *ids(second)] == [records[i].id for i in (3, 0, 4, 1)]
    assert (first.num_left, second.num_left, second.next) == (4, 1, None)
    assert [one.reasons for one in first.items] == [("reason 0",), ("reason 1",), ("reason 2",)]
    assert ids(named_page(pages, queue, Query(first_frame=3))) == [records[3].id, records[4].id]


def test_what_is_decided_leaves_and_comes_back_when_that_is_undone(store):
    records = [make_record(make_ref(index)) for index in range(3)]
    store.put(records)
    queue = queue_of(records)
    decided = make_event(records[1], Reject())
    store.append([decided])

    assert ids(named_page(store.pages(), queue)) == [records[0].id, records[2].id]

    store.append([make_event(records[1], Revert(decided.id), minute=1)])

    assert ids(named_page(store.pages(), queue)) == [one.id for one in records]


def test_what_was_accepted_stays_until_somebody_accepts_it_anew(store):
    records = [make_record(make_ref(index)) for index in range(2)]
    store.put(records)
    store.append([make_event(record, Accept()) for record in records])
    queue = queue_of(records, status="accepted", made_at=START + timedelta(hours=1))
    pages = store.pages()

    assert ids(named_page(pages, queue)) == [one.id for one in records]

    store.append([make_event(records[0], Accept(), actor="bob", minute=120)])

    assert ids(named_page(pages, queue)) == [records[1].id]


def test_a_mask_that_is_not_in_the_store_is_passed_over(store):
    there = make_record(make_ref(0))
    store.put([there])

    assert ids(named_page(store.pages(), queue_of([make_record(make_ref(1)), there]))) == [there.id]


@pytest.mark.parametrize("name", ["", "Glass", "../x", "a/b", "-a", "a" * 65, "a b"])
def test_a_name_that_is_none_is_refused_and_reaches_no_file(store, name):
    with pytest.raises(SettingError, match="a queue's name has small letters"):
        queue_of([], name=name)
    with pytest.raises(UnknownRecord, match="a queue is one of uncertain, .*; got"):
        read_queue(store.path, name)


def test_names_of_rules_are_taken():
    with pytest.raises(SettingError, match="uncertain is a queue that a rule makes"):
        queue_of([], name="uncertain")


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"format": "another"}', b'{"format": "maskwright-queue-1"}'])
def test_a_damaged_queue_is_told_in_one_line(store, content):
    write_queue(store.path, queue_of([]))
    (store.path / "queues" / "glass.json").write_bytes(content)

    with pytest.raises(StoreDamaged, match=r"this queue cannot be read .* or delete it: .*glass\.json"):
        read_queue(store.path, "glass")
