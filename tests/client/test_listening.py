"""Server-sent events: taken apart however they are cut, and gone on with after a break."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_server import DROP, error, misbehaving
from maskwright.client import Client
from maskwright.client import asking as asking_module
from maskwright.client.listening import Message, MessageReader
from maskwright.core import Accept, ReviewEvent, to_json
from maskwright.core.errors import ServerUnreachable, StoreMissing
from maskwright.serve.server_events import ALIVE, message
from maskwright.testing.store_values import START

STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    monkeypatch.setattr(asking_module, "_FIRST_PAUSE_S", 0.01)


def logged(position):
    event = ReviewEvent(id=f"e{position}", record_id="r", actor="ann", at=START, action=Accept())
    content = {"position": position, "moment": position, "event": to_json(event)}
    return message("review", content, number=position)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.lists(st.tuples(TEXTS, st.booleans()), max_size=8), st.data())
def test_messages_are_whole_however_they_are_cut(contents, data):
    stream = b"retry: 2000\n\n"
    for number, (text, is_alive) in enumerate(contents):
        stream += message("review", text, number=number) + (ALIVE if is_alive else b"")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    reader = MessageReader()

    found = [one for piece in pieces for one in reader.feed(piece)]

    assert found == [Message(kind="review", text=json.dumps(text, ensure_ascii=False)) for text, _ in contents]
    assert reader.last_id == (str(len(contents) - 1) if contents else None)


def test_an_id_alone_says_where_to_come_back_and_half_a_message_does_not():
    reader = MessageReader()

    assert list(reader.feed(b"id: 7\n\nid: 8\r\ndata: a\r\ndata: b\r\n\r\nid: 9\ndata: c\n")) == [
        Message(kind="message", text="a\nb")
    ]
    assert reader.last_id == "8"


def test_a_follower_goes_on_behind_the_last_event_that_it_had():
    script = [
        STREAM + b"id: 4\n\n",  # and breaks off before any event
        STREAM + logged(5) + logged(6) + logged(7)[:-9],
        DROP,
        error(503, "server_stopping", retry_after=0),
        STREAM + logged(7) + logged(8),
    ]
    with misbehaving(*script) as (address, asked), Client(address, retries=0) as client:
        following = client.follow()
        found = [next(following).position for _ in range(4)]
        following.close()

    assert found == [5, 6, 7, 8]
    assert [one.headers.get("last-event-id") for one in asked] == [None, "4", "6", "6", "6"]


def test_a_follower_gives_up_when_nothing_is_heard_for_long():
    with misbehaving(DROP) as (address, asked), Client(address) as client:
        following = client.follow(patience_s=0.2)
        with pytest.raises(ServerUnreachable, match="no answer came"):
            next(following)

    assert len(asked) > 2


def test_what_stays_refused_ends_a_follower():
    with misbehaving(error(404, "store_missing")) as (address, asked), Client(address) as client:
        following = client.follow(after=3)
        with pytest.raises(StoreMissing):
            next(following)

    assert [one.headers["last-event-id"] for one in asked] == ["3"]
