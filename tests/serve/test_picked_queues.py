"""Queues that somebody picked, over REST: listed beside those of rules, walked with reasons, unknown ones not found."""

import pytest
from pydantic import TypeAdapter

from maskwright.review import QUEUES, NamedQueue, QueueEntry, write_queue
from maskwright.serve.wire_review import QueueOut, QueuesOut
from maskwright.store import create_store
from maskwright.testing.store_values import START, make_record, make_ref
from store_rest import ANN, by, run, store_client


@pytest.fixture
def records(tmp_path):
    made = [make_record(make_ref(index)) for index in range(3)]
    with create_store(tmp_path / "masks") as store:
        store.put(made)
    entries = [
        QueueEntry(record=made[i].id, status="proposed", score=0.5, reasons=(f"because of {i}",)) for i in (2, 0)
    ]
    queue = NamedQueue(name="glass", about="thin glass", made_at=START, entries=tuple(entries))
    write_queue(tmp_path / "masks", queue)
    return made


def asked(path, *requests):
    async def ask():
        async with store_client(path) as (client, _):
            return [await client.get(f"/v1/{where}", headers=by(ANN), params=params) for where, params in requests]

    return run(ask())


def is_a(model, answer):
    assert answer.status_code == 200, answer.text
    TypeAdapter(model).validate_json(answer.content, strict=True)
    return answer.json()


def test_picked_queues_are_listed_after_those_of_rules(tmp_path, records):
    (tmp_path / "masks" / "queues" / "broken.json").write_text("{")

    found = is_a(QueuesOut, asked(tmp_path / "masks", ("queues", {}))[0])["items"]

    assert [one["name"] for one in found] == [*QUEUES, "glass"]
    assert found[-1] == {"name": "glass", "about": "thin glass", "may": True, "origin": "picked"}
    assert {one["origin"] for one in found[:-1]} == {"rule"}


def test_a_picked_queue_is_walked_by_cursors_and_says_why(tmp_path, records):
    path = tmp_path / "masks"
    first = is_a(QueueOut, asked(path, ("queues/glass", {"limit": 1}))[0])
    second = is_a(QueueOut, asked(path, ("queues/glass", {"limit": 1, "cursor": first["next_cursor"]}))[0])

    walked = [*first["items"], *second["items"]]
    assert [one["record"]["record"]["id"] for one in walked] == [records[2].id, records[0].id]
    assert [one["reasons"] for one in walked] == [["because of 2"], ["because of 0"]]
    assert (first["num_left"], second["num_left"], second["next_cursor"]) == (2, 1, None)


@pytest.mark.parametrize("name", ["wood", "..%2Fstore", "GLASS", "a" * 64])
def test_a_queue_that_is_not_there_is_not_found(tmp_path, records, name):
    (answer,) = asked(tmp_path / "masks", (f"queues/{name}", {}))

    assert answer.status_code == 404
