"""Tracks over time over REST: lanes, spans a page at a time; and followers hear where masks were added."""

import pytest
from pydantic import TypeAdapter

from maskwright.core import Accept, TrackPoint
from maskwright.serve.wire_timeline import SpansOut, TimelineOut
from maskwright.store import create_store
from maskwright.testing.store_values import make_event, make_record, make_ref
from store_rest import run, store_client

HERE = {"dataset": "böxes", "episode": "episode-0", "camera": "wrist"}


@pytest.fixture
def path(tmp_path):
    point = TrackPoint(source="carried", confidence=0.123456)
    masks = [make_record(make_ref(index), track="cup", label="cup", track_point=point) for index in range(4)]
    with create_store(tmp_path / "masks") as store:
        store.put(masks)
        store.append([make_event(masks[1], Accept())])
    return tmp_path / "masks"


def asked(path, where, *given):
    async def ask():
        async with store_client(path) as (client, _):
            return [await client.get(f"/v1/{where}", params=params) for params in given]

    return run(ask())


def is_a(model, answer):
    assert answer.status_code == 200, answer.text
    TypeAdapter(model).validate_json(answer.content, strict=True)
    return answer.json()


def test_the_lanes_of_a_recording_are_told(path):
    found, nowhere, wrong = asked(path, "timeline", HERE, {**HERE, "camera": "front"}, {"dataset": "böxes"})

    lane = {"track": "cup", "label": "cup", "first_frame": 0, "last_frame": 3}
    assert is_a(TimelineOut, found) == {
        "first_frame": 0,
        "last_frame": 3,
        "items": [{**lane, "num_masks": 4, "num_keyframes": 1, "num_proposed": 3}],
    }
    assert is_a(TimelineOut, nowhere) == {"first_frame": None, "last_frame": None, "items": []}
    assert wrong.status_code == 422
    assert "query.episode" in wrong.json()["error"]["message"]


def test_spans_come_by_pages_and_what_is_asked_wrongly_is_told(path):
    whole, part, first = asked(
        path, "timeline/spans", HERE, {**HERE, "first_frame": 2, "track": ["cup", "lid"]}, {**HERE, "limit": 3}
    )
    cursor = first.json()["next_cursor"]
    rest, *wrong = asked(
        path,
        "timeline/spans",
        {**HERE, "limit": 3, "cursor": cursor},
        {**HERE, "cursor": "x"},
        {**HERE, "first_frame": 3, "last_frame": 2},
        {**HERE, "first_frame": -1},
    )

    spans = is_a(SpansOut, whole)["items"]
    assert [(one["first"], one["last"], one["status"], one["is_keyframe"]) for one in spans] == [
        (0, 0, "proposed", False),
        (1, 1, "accepted", True),
        (2, 3, "proposed", False),
    ]
    assert spans[2]["confidence"] == [0.123, 0.123]
    assert [(one["first"], one["last"]) for one in is_a(SpansOut, part)["items"]] == [(2, 3)]
    assert [(one["first"], one["last"]) for one in is_a(SpansOut, rest)["items"]] == [(3, 3)]
    assert rest.json()["next_cursor"] is None
    assert [one.status_code for one in wrong] == [422] * 3
