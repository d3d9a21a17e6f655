"""Review events over REST: decide, read the log, follow it while others write."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from pydantic import TypeAdapter

from maskwright.core import Accept, Comment, Edit, Merge, Reject, Relabel, Retrack, Revert, Split, from_json, to_json
from maskwright.core.errors import TooManyRequests
from maskwright.serve import store_feed
from maskwright.serve.store_desk import StoreDesk
from maskwright.serve.wire_store import EditedOut, LogOut
from maskwright.store import create_store, open_store
from maskwright.testing.store_values import make_event, make_record, make_ref, rectangle
from store_rest import ADMIN, ANN, BOB, by, messages_of, run, serving, settings_of, store_client, store_service

ANY = {"If-Match": "*"}


@pytest.fixture
def records(tmp_path):
    made = [make_record(make_ref(index)) for index in range(5)]
    with create_store(tmp_path / "masks") as store:
        store.put(made)
    return made


@pytest.fixture
def path(tmp_path, records):
    return tmp_path / "masks"


def event(record, action):
    return {"record_id": record if isinstance(record, str) else record.id, "action": to_json(action)}


def post(path, body, *, who=ANN, headers=ANY):
    async def send():
        async with store_client(path) as (client, _):
            return await client.post("/v1/events", json=body, headers={**headers, **by(who)})

    return run(send())


async def read(path, where):
    async with store_client(path) as (client, _):
        return (await client.get(where, headers=by(ANN))).json()


def is_a(model, answer):
    TypeAdapter(model).validate_json(answer.content, strict=True)
    return answer.json()


def test_every_decision_can_be_made_and_is_signed_by_the_server(path, records):
    actions = [Accept(), Reject("blurred"), Edit(rectangle(0, 0, 4, 4)), Relabel("mug"), Retrack("track 2")]
    answer = post(path, {"events": [event(records[0], action) for action in actions]})
    more = post(
        path, {"events": [event(records[1], Merge((records[2].id,))), event(records[3], Split((records[4].id,)))]}
    )
    undone = post(path, {"events": [event(records[0], Revert(answer.json()["items"][2]["event"]["id"]))]})

    edited = is_a(EditedOut, answer)
    assert answer.status_code == more.status_code == undone.status_code == 201
    assert [one["event"]["actor"] for one in edited["items"]] == ["ann"] * 5
    assert list(edited["etags"]) == [records[0].id]
    assert answer.headers["etag"].strip('"') == edited["etags"][records[0].id]
    assert sorted(more.json()["etags"]) == sorted(record.id for record in records[1:])
    assert "etag" not in more.headers
    with open_store(path, read_only=True) as store:
        assert [one.action for one in store.events()][:5] == actions
        assert store.record(records[0].id).record.rle == records[0].rle
        assert store.record(records[2].id).status == "merged"


def test_requests_that_cannot_be_are_refused_and_leave_nothing(path, records):
    small = {"kind": "Edit", "rle": {"kind": "RLE", "size_hw": [2, 2], "counts": "4"}}
    torn = {"kind": "Edit", "rle": {"kind": "RLE", "size_hw": [12, 16], "counts": "zzzz"}}
    wrong = [
        ({"events": []}, ANY, 422),
        ({"events": [{"record_id": records[0].id, "action": {"kind": "Explode"}}]}, ANY, 422),
        ({"events": [{**event(records[0], Accept()), "at": "2026-01-01T00:00:00Z"}]}, ANY, 422),
        ({"events": [{"record_id": records[0].id, "action": small}]}, ANY, 422),
        ({"events": [{"record_id": records[0].id, "action": torn}]}, ANY, 422),
        ({"events": [event(records[0], Merge(()))]}, ANY, 422),
        ({"events": [event(records[0], Merge((records[0].id,)))]}, ANY, 422),
        ({"events": [event(records[0], Accept())]}, {}, 428),
        ({"events": [event(records[0], Accept())]}, {"If-Match": "a b"}, 422),
        ({"events": [event(records[0], Accept()), event(records[1], Accept())]}, {"If-Match": '"0-0"'}, 422),
        ({"events": [event(records[0], Accept())], "actor": "bob"}, ANY, 403),
        ({"events": [event(records[0], Accept()), event("nobody", Accept())]}, ANY, 404),
        ({"events": [event(records[0], Revert("nothing"))]}, ANY, 404),
        ({"events": [event(records[0], Accept())]}, {"If-Match": '"3-1"'}, 412),
        ({"events": [event(records[0], Accept())]}, {"If-Match": 'W/"0-0"'}, 412),
        ({"events": [event(records[0], Accept())]}, {**ANY, "Idempotency-Key": "a b"}, 422),
        ({"events": [event(records[0], Accept())] * 1001}, ANY, 422),
    ]
    for body, headers, status in wrong:
        answer = post(path, body, headers=headers)
        assert answer.status_code == status, (body, answer.text)
        assert set(answer.json()["error"]) == {"code", "message", "request_id"}
    with open_store(path, read_only=True) as store:
        assert list(store.events()) == []


def test_a_batch_says_what_it_expects_of_each_record(path, records):
    first = post(path, {"events": [event(records[0], Accept())]})
    batch = [event(records[0], Relabel("a")), event(records[1], Merge((records[2].id,)))]
    tags = {records[0].id: first.json()["etags"][records[0].id], records[1].id: "0-0"}

    without = post(path, {"events": batch, "if_match": tags}, headers={})
    stale = post(path, {"events": batch, "if_match": {**tags, records[2].id: "1-1"}}, headers={})
    good = post(path, {"events": batch, "if_match": {**tags, records[2].id: "*"}}, headers={})

    assert (without.status_code, stale.status_code, good.status_code) == (428, 412, 201)
    assert records[2].id in without.json()["error"]["message"]


def test_a_key_gives_the_first_answer_to_the_byte(path, records):
    body, headers = {"events": [event(records[0], Accept())]}, {"If-Match": '"0-0"', "Idempotency-Key": "k"}
    first = post(path, body, headers=headers)
    post(path, {"events": [event(records[0], Reject())]}, who=BOB)
    again = post(path, body, headers=headers)
    other = post(path, {"events": [event(records[0], Reject())]}, headers=headers)

    assert again.content == first.content
    assert again.headers["etag"] == first.headers["etag"]
    assert (other.status_code, other.json()["error"]["code"]) == (409, "key_reused")


def test_an_admin_signs_for_others(path, records):
    answer = post(path, {"events": [event(records[0], Accept())], "actor": "a robot"}, who=ADMIN)

    assert answer.json()["items"][0]["event"]["actor"] == "a robot"


def test_the_log_is_read_in_pages_and_taken_up_again(path, records):
    with open_store(path) as store:
        store.append([make_event(records[i % 5], Accept()) for i in range(7)])
        wanted = [to_json(one) for one in store.events()]

    async def read():
        async with store_client(path) as (client, _):
            first = is_a(LogOut, await client.get("/v1/events", params={"limit": 3}))
            rest = is_a(LogOut, await client.get("/v1/events", params={"after": first["last"], "limit": 100}))
            none = is_a(LogOut, await client.get("/v1/events", params={"after": rest["last"]}))
            return first, rest, none

    first, rest, none = run(read())

    assert [one["event"] for one in (*first["items"], *rest["items"])] == wanted
    assert first["next_cursor"] == str(first["last"])
    assert rest["next_cursor"] is none["next_cursor"] is None
    assert (none["items"], none["last"]) == ([], rest["last"])


# Followers


def test_followers_hear_of_edits_as_they_come_whoever_makes_them_and_miss_none(path, records):
    service = store_service(path)
    with serving(service) as url, httpx.Client(base_url=url, timeout=20) as client:
        heard = {}
        ready = threading.Barrier(4)

        def follow(name):
            with client.stream("GET", "/v1/events/stream") as response:
                assert response.headers["content-type"].startswith("text/event-stream")
                ready.wait(10)
                heard[name] = messages_of(response, 6)

        with ThreadPoolExecutor(3) as threads:
            following = [threads.submit(follow, i) for i in range(3)]
            ready.wait(10)
            for i in range(3):
                body = {"events": [event(records[i], Accept())]}
                assert client.post("/v1/events", json=body, headers=ANY).status_code == 201
            with open_store(path) as other:  # as another process would
                other.append([make_event(records[i], Reject(), actor="elsewhere") for i in range(3)])
            for one in following:
                one.result(20)
        assert heard[0] == heard[1] == heard[2]
        assert [content["event"]["actor"] for _, kind, content in heard[0]] == ["local"] * 3 + ["elsewhere"] * 3
        positions = [number for number, _, _ in heard[0]]

        with client.stream("GET", "/v1/events/stream", headers={"Last-Event-ID": positions[2]}) as response:
            again = messages_of(response, 3)
        with client.stream("GET", "/v1/events/stream", params={"after": 0}) as response:
            everything = messages_of(response, 6)
        assert again == heard[0][3:]
        assert everything == heard[0]
        assert client.get("/v1/events/stream", headers={"Last-Event-ID": "x"}).status_code == 422
    assert service.desk.feed.num_followers == 0


def test_followers_hear_of_new_masks_and_where_they_are_whoever_puts_them(path, records):
    service = store_service(path)
    with serving(service) as url, httpx.Client(base_url=url, timeout=20) as client:
        ready = threading.Event()

        def follow():
            with client.stream("GET", "/v1/events/stream") as response:
                ready.set()
                return messages_of(response, 3)

        with ThreadPoolExecutor(1) as threads:
            following = threads.submit(follow)
            ready.wait(10)
            frame = to_json(make_ref(1))
            made = {"rle": to_json(records[1].rle), "frame": frame, "provenance": {"method": "human_drawn"}}
            saved = client.post("/v1/records", json={"records": [made, made]})
            assert saved.status_code == 201, saved.text
            with open_store(path) as other:  # as another process would
                other.put([make_record(make_ref(2)), make_record(make_ref(4))])
                other.append([make_event(records[0], Accept())])
            here, elsewhere, review = following.result(20)

    dataset, episode, camera = ([frame[name]] * 2 for name in ("dataset", "episode", "camera"))
    place = {"dataset": dataset, "episode": episode, "camera": camera}
    moment = saved.json()["moment"]
    assert here == (None, "record", {"moment": moment, "num_records": 2, **place, "frame_index": [1, 1]})
    new = {"moment": moment + 1, "num_records": 2, **place, "frame_index": [2, 4]}
    assert {one[1]: one[2] for one in (elsewhere, review)}["record"] == new


def test_a_follower_that_reads_slowly_holds_no_more_than_a_page(path, records):
    with open_store(path) as store:
        store.append([make_event(records[i % 5], Relabel(str(i))) for i in range(3 * store_feed.PAGE)])
    desk = StoreDesk(settings_of(path))

    async def follow():
        following = desk.feed.follow(0)
        await anext(following)
        pages = []
        for _ in range(3):
            pages.append(await anext(following))
            await asyncio.sleep(0.05)
        assert max(len(page) for page in pages) == store_feed.PAGE
        desk.feed.close()
        assert [page async for page in following] == []
        return [one.position for page in pages for one in page]

    positions = run(follow())
    desk.close()

    assert positions == sorted(set(positions))
    assert len(positions) == 3 * store_feed.PAGE


def test_a_follower_is_told_that_all_is_well_and_too_many_are_refused(path, records):
    desk = StoreDesk(settings_of(path))

    async def follow():
        following = desk.feed.follow(None, heartbeat_s=0.05)
        await anext(following)
        assert await anext(following) == []
        others = [desk.feed.follow() for _ in range(store_feed.MOST_FOLLOWERS)]
        for one in others[:-1]:
            await anext(one)
        with pytest.raises(TooManyRequests, match="clients follow the log already"):
            await anext(others[-1])
        for one in (following, *others):
            await one.aclose()
        assert desk.feed.num_followers == 0

    run(follow())
    desk.close()


def test_many_writers_over_rest_lose_nothing(path, records):
    service = store_service(path)
    with serving(service) as url:

        def write(number):
            with httpx.Client(base_url=url, timeout=30) as client:
                return [
                    client.post(
                        "/v1/events",
                        json={"events": [event(records[i % 5], Relabel(f"{number} {i}"))]},
                        headers={**ANY, "Idempotency-Key": f"{number}-{i}"},
                    ).json()["items"][0]["event"]
                    for i in range(15)
                ]

        with ThreadPoolExecutor(6) as threads:
            told = [one for answers in threads.map(write, range(6)) for one in answers]
    with open_store(path, read_only=True) as store:
        kept = [to_json(one) for one in store.events()]
    assert len(kept) == 90
    assert sorted(one["id"] for one in kept) == sorted(one["id"] for one in told)
    assert all(from_json(type(make_event(records[0], Accept())), one) for one in told)


def test_a_comment_is_text_and_leaves_the_mask_as_it_is(path, records):
    said = "<b>not</b> a cup?\nask Ann"
    answer = post(path, {"events": [event(records[0], Comment(said))]})
    written = run(read(path, f"/v1/records/{records[0].id}"))
    long = post(path, {"events": [{"record_id": records[0].id, "action": {"kind": "Comment", "text": "x" * 2001}}]})
    empty = post(path, {"events": [{"record_id": records[0].id, "action": {"kind": "Comment", "text": " "}}]})

    assert answer.status_code == 201
    assert [(one["actor"], one["text"]) for one in written["comments"]] == [("ann", said)]
    assert (written["status"], written["num_events"]) == ("proposed", 1)
    assert (long.status_code, empty.status_code) == (422, 422)
    assert "1 to 2000 characters" in long.json()["error"]["message"]
