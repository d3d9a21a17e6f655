"""Who is on a frame: told by pages that are open, forgotten when they fall silent, heard of in the event stream."""

import asyncio
import threading

import httpx
import pytest

from maskwright.serve.presence import KEPT_S, Presence, Present
from maskwright.serve.store_cursors import frame_id
from maskwright.store import create_store
from maskwright.store.frame_log import key_of
from maskwright.testing.store_values import make_record, make_ref
from store_rest import ADMIN, ANN, BOB, Believing, by, messages_of, run, serving, store_client, store_service

FRAMES = [frame_id(key_of(make_ref(index), None)) for index in range(3)]


@pytest.fixture
def path(tmp_path):
    with create_store(tmp_path / "masks") as store:
        store.put([make_record(make_ref(index)) for index in range(2)])
    return tmp_path / "masks"


class Room:
    """A presence with a clock that stands until it is moved."""

    def __init__(self):
        self.now, self.num_told = 0.0, 0
        self.presence = Presence(self.told, clock=lambda: self.now)

    def told(self):
        self.num_told += 1

    def names(self, frame):
        return [one.name for one in self.presence.on(frame)]


def in_a_room(function):
    """Run a test on an event loop, which timers need."""

    async def on_a_loop():
        room = Room()
        function(room)
        room.presence.close()

    asyncio.run(on_a_loop())


def test_a_page_is_on_one_frame_at_a_time_and_a_person_is_listed_once():
    def check(room):
        room.presence.tell("ann", "1", "a", "mask")
        room.presence.tell("ann", "2", "a")
        room.presence.tell("bob", "1", "a")
        assert room.presence.on("a") == (Present(name="ann", record="mask"), Present(name="bob", record=None))

        room.presence.tell("bob", "1", "b")
        assert (room.names("a"), room.names("b")) == (["ann"], ["bob"])
        room.presence.tell("bob", "1", None)
        room.presence.tell("bob", "1", None)
        assert room.names("b") == []

    in_a_room(check)


def test_who_is_silent_is_gone_and_who_says_it_again_stays():
    def check(room):
        room.presence.tell("ann", "1", "a")
        room.presence.tell("bob", "1", "a")
        room.now = KEPT_S - 1
        room.presence.tell("bob", "1", "a")
        room.now = KEPT_S

        assert room.names("a") == ["bob"]

    in_a_room(check)


def test_followers_hear_of_changes_and_not_of_signs_of_life():
    def check(room):
        room.presence.tell("ann", "1", "a")
        number = room.presence.number
        room.presence.tell("ann", "1", "a")
        assert (room.presence.changed_after(number), room.num_told) == ({}, 1)

        room.presence.tell("ann", "1", "b", "mask")
        room.presence.tell("bob", "1", "b")
        changed = room.presence.changed_after(number)
        assert {frame: [one.name for one in people] for frame, people in changed.items()} == {
            "a": [],
            "b": ["ann", "bob"],
        }
        room.now = KEPT_S
        assert set(room.presence.changed_after(room.presence.number)) == {"b"}  # it is noticed that they are gone

    in_a_room(check)


def test_one_person_cannot_fill_the_memory_with_pages():
    def check(room):
        for page in range(100):
            room.presence.tell("ann", str(page), f"frame {page}")
        room.presence.tell("bob", "1", "frame 99")

        there = [frame for frame in range(100) if room.names(f"frame {frame}")]
        assert there == list(range(80, 100))
        assert room.names("frame 99") == ["ann", "bob"]

    in_a_room(check)


def test_over_rest_one_says_where_one_is_and_hears_who_is_there(path):
    async def talk():
        async with store_client(path) as (client, _):
            frame = FRAMES[0]
            first = await client.post("/v1/presence", json={"frame": frame, "page": "x"}, headers=by(ANN))
            second = await client.post("/v1/presence", json={"frame": frame, "record": "mask 1"}, headers=by(BOB))
            await client.post("/v1/presence", json={"frame": None, "page": "x"}, headers=by(ANN))
            left = await client.get("/v1/presence", params={"frame": frame})
            wrong = [
                await client.post("/v1/presence", json={"frame": FRAMES[2]}),
                await client.post("/v1/presence", json={"frame": "x"}),
                await client.post("/v1/presence", json={}),
                await client.get("/v1/presence"),
            ]
            return first, second, left, [one.status_code for one in wrong]

    first, second, left, wrong = run(talk())

    assert first.json() == {"frame": FRAMES[0], "people": [{"name": "ann", "record": None}], "kept_s": KEPT_S}
    assert second.json()["people"] == [{"name": "ann", "record": None}, {"name": "bob", "record": "mask 1"}]
    assert left.json()["people"] == [{"name": "bob", "record": "mask 1"}]
    assert wrong == [404, 422, 422, 422]


def test_it_comes_with_the_event_stream_between_the_events_of_the_log(path):
    service = store_service(path, guard=Believing())
    with serving(service) as address, httpx.Client(base_url=address, timeout=20) as client:
        heard, listening = [], threading.Event()

        def listen():
            with httpx.Client(base_url=address, timeout=20) as own, own.stream("GET", "/v1/events/stream") as response:
                listening.set()
                heard.extend(messages_of(response, 3))

        thread = threading.Thread(target=listen)
        thread.start()
        assert listening.wait(10)
        record = client.get("/v1/records").json()["items"][0]["record"]["id"]
        client.post("/v1/presence", json={"frame": FRAMES[0]}, headers=by(ANN)).raise_for_status()
        client.post("/v1/presence", json={"frame": FRAMES[0]}, headers=by(ANN)).raise_for_status()
        body = {"events": [{"record_id": record, "action": {"kind": "Accept"}}], "if_match": {record: "*"}}
        client.post("/v1/events", json=body, headers=by(ADMIN)).raise_for_status()
        client.post("/v1/presence", json={"frame": None}, headers=by(ANN)).raise_for_status()
        thread.join(10)

    content = {"frame": FRAMES[0], "people": [{"name": "ann", "record": None}]}
    assert sorted(kind for _, kind, _ in heard) == ["presence", "presence", "review"]
    presences = [one for one in heard if one[1] == "presence"]
    assert presences[0] == (None, "presence", content)
    assert presences[1][2] == {"frame": FRAMES[0], "people": []}
