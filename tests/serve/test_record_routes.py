"""Records, frames and questions over REST: a real store behind the real application."""

import io
import json
from dataclasses import replace
from urllib.parse import quote

import pytest
from pydantic import TypeAdapter

from annotate_data import SIZE_HW, pixels, write_pictures
from full_disk import room_for
from maskwright.core import Accept, Reject, Relabel, to_json
from maskwright.core.image import Image
from maskwright.datasets import read_image
from maskwright.masks import from_runs
from maskwright.serve.prefetch import Prefetch
from maskwright.serve.wire_store import FramesOut, HistoryOut, OpenedOut, RecordOut, RecordsOut, SavedOut
from maskwright.store import SeenFrame, create_store, open_store
from maskwright.testing.store_values import make_event, make_record, make_ref, rectangle
from store_rest import ADMIN, ANN, BOB, by, run, store_client

READER = replace(ANN, scope="read")


@pytest.fixture
def path(tmp_path):
    create_store(tmp_path / "masks").close()
    return tmp_path / "masks"


@pytest.fixture
def records(path):
    made = [make_record(make_ref(index), label=f"label {index}") for index in range(6)]
    with open_store(path) as store:
        store.put(made)
    return made


def is_a(model, answer):
    """Check an answer against its description, strictly, and give it."""
    TypeAdapter(model).validate_json(answer.content, strict=True)
    return answer.json()


def new_mask(**changes):
    return {
        "rle": to_json(rectangle(1, 1, 5, 5)),
        "frame": to_json(make_ref(0)),
        "provenance": {"method": "human_drawn"},
        **changes,
    }


def big_mask():
    """An empty mask of as many pixels as a mask can have, in a few characters."""
    return to_json(from_runs([65535 * 65535], (65535, 65535)))


def test_a_record_is_read_with_its_tag_and_not_sent_again_as_long_as_it_is_the_same(path, records):
    async def read():
        async with store_client(path) as (client, _):
            url = f"/v1/records/{records[0].id}"
            first = await client.get(url)
            tag = first.headers["etag"]
            same = await client.get(url, headers={"If-None-Match": f'"other", W/{tag}'})
            edited = await client.post(
                "/v1/events",
                json={"events": [{"record_id": records[0].id, "action": {"kind": "Accept"}}]},
                headers={"If-Match": tag, **by(ANN)},
            )
            later = await client.get(url, headers={"If-None-Match": tag})
            history = await client.get(f"{url}/history")
            missing = await client.get("/v1/records/nobody")
            wrong = await client.get(url, headers={"If-None-Match": "a b"})
            return first, same, edited, later, history, missing, wrong

    first, same, edited, later, history, missing, wrong = run(read())

    assert is_a(RecordOut, first)["record"] == to_json(records[0])
    assert first.json()["etag"] == first.headers["etag"].strip('"') == "0-0"
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", first.headers["etag"])
    assert later.status_code == 200
    assert later.headers["etag"] == edited.headers["etag"] == history.headers["etag"]
    assert (later.json()["status"], later.json()["verified_by"]) == ("accepted", "ann")
    assert [one["actor"] for one in is_a(HistoryOut, history)["events"]] == ["ann"]
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "unknown_record")
    assert wrong.status_code == 422


def test_conditions_are_those_of_the_store_and_pages_go_on(path, records):
    with open_store(path) as store:
        store.append([make_event(records[1], Reject()), make_event(records[2], Accept())])

    async def ask(**asked):
        async with store_client(path) as (client, _):
            return is_a(RecordsOut, await client.get("/v1/records", params=asked))

    async def walk():
        async with store_client(path) as (client, _):
            labels, cursor = [], None
            while True:
                page = await client.get(
                    "/v1/records", params={"limit": 2, "cursor": cursor} if cursor else {"limit": 2}
                )
                labels += [one["record"]["label"] for one in page.json()["items"]]
                cursor = page.json()["next_cursor"]
                if cursor is None:
                    return labels

    def labels(**asked):
        return [one["record"]["label"][-1] for one in run(ask(**asked))["items"]]

    assert labels() == list("02345")
    assert run(walk()) == [f"label {i}" for i in (0, 2, 3, 4, 5)]
    assert labels(status=["rejected", "accepted"]) == list("12")
    assert labels(label=["label 3", "label 5"]) == list("35")
    assert labels(first_frame=2, last_frame=3) == list("23")
    assert labels(
        bbox="0,0,3,4", dataset="böxes", episode="episode-0", camera="wrist", first_frame=4, last_frame=4
    ) == ["4"]
    assert labels(bbox="10,10,11,11") == []
    assert labels(is_verified=True) == ["2"]
    assert labels(min_area=10_000) == []
    assert labels(method=["human_drawn"]) == []
    assert labels(label="a\0b") == []


@pytest.mark.parametrize(
    "query",
    [
        *("bbox=1,2,3", "bbox=4,4,1,1", "bbox=1..2,1,2,3", "min_area=-1", "min_area=9&max_area=3", "status=odd"),
        *("limit=0", "limit=5000", "cursor=abc", "where=1=1", "first_frame=99999999999999999999"),
        *("min_stability=nan", "nonsense=1"),
    ],
)
def test_questions_that_cannot_be_are_refused_in_a_line(path, records, query):
    async def ask():
        async with store_client(path) as (client, _):
            return await client.get(f"/v1/records?{query}")

    answer = run(ask())

    assert answer.status_code == 422
    assert set(answer.json()["error"]) == {"code", "message", "request_id"}


def test_a_mask_that_segment_gave_is_saved_as_it_is(tmp_path):
    path = tmp_path / "masks"
    image = Image(pixels(1))
    with create_store(path) as store:
        frame = SeenFrame(name="1.png", size_hw=SIZE_HW, image_digest=image.digest)
        with store.bulk_writer(run="looked") as writer:
            writer.add(frame)

    async def click_and_save():
        async with store_client(path) as (client, service):
            service.images.add_image(image)
            asked = {"image": image.digest, "prompts": [{"kind": "PointPrompt", "points_xy": [[20, 20]]}]}
            answer = await client.post("/v1/segment", json=asked, headers=by(ANN))
            record = answer.json()["masks"][0]["record"]
            body = {"records": [{**record, "label": "mug"}]}
            saved = await client.post("/v1/records", json=body, headers={"Idempotency-Key": "k", **by(ANN)})
            again = await client.post("/v1/records", json=body, headers={"Idempotency-Key": "k", **by(ANN)})
            return record, saved, again

    record, saved, again = run(click_and_save())

    assert saved.status_code == 201
    assert again.content == saved.content
    (kept,) = is_a(SavedOut, saved)["items"]
    assert kept["record"]["rle"] == record["rle"]
    assert kept["record"]["provenance"] == {**record["provenance"], "actor": "ann"}
    assert kept["record"]["label"] == "mug"
    with open_store(path, read_only=True) as store:
        assert store.count() == 1


def test_a_drawn_mask_needs_its_pixels_and_how_it_came_to_be(path, records):
    async def save(*masks, who=ANN, **headers):
        async with store_client(path) as (client, _):
            return await client.post("/v1/records", json={"records": masks}, headers={**by(who), **headers})

    saved = is_a(SavedOut, run(save(new_mask(), new_mask(label="b"))))["items"]

    assert [one["record"]["area"] for one in saved] == [16, 16]
    assert saved[0]["record"]["provenance"]["actor"] == "ann"
    assert saved[0]["record"]["image_digest"] == records[0].image_digest
    wrong = [
        (new_mask(rle={"kind": "RLE", "size_hw": [12, 16], "counts": "zz"}), 422),
        (new_mask(rle={"kind": "RLE", "size_hw": [12, 16], "counts": "0000"}), 422),
        (new_mask(rle={"kind": "RLE", "size_hw": [9, 9], "counts": "Y2"}), 422),
        (new_mask(area=3), 422),
        (new_mask(provenance={"method": "sam_raw"}), 422),
        (new_mask(provenance={"method": "imported"}), 403),
        (new_mask(provenance={"method": "human_drawn", "actor": "bob"}), 403),
        (new_mask(provenance={"method": "human_drawn", "derived_from": ["nobody"]}), 404),
        (new_mask(parent="nobody"), 404),
        (new_mask(frame=to_json(make_ref(99))), 422),
        (new_mask(frame=None), 422),
        (new_mask(frame=None, image_digest="0" * 64, rle={**big_mask(), "size_hw": [65535, 65535]}), 413),
        (new_mask(id="a b"), 422),
        (new_mask(id=records[0].id), 409),
        (new_mask(odd=1), 422),
    ]
    for mask, status in wrong:
        answer = run(save(mask))
        assert answer.status_code == status, answer.text
    assert run(save()).status_code == 422
    assert run(save(new_mask(), who=READER)).status_code == 403
    assert run(save(new_mask(frame=to_json(make_ref(99))), who=ADMIN)).status_code == 201


def test_a_full_disk_says_so_and_the_server_goes_on(path, records):
    log = path / "live.sqlite-wal"

    async def fill():
        async with store_client(path) as (client, _):
            body = {"records": [new_mask(label="x" * 400) for _ in range(100)]}
            with room_for(log.stat().st_size + 1000):
                full = await client.post("/v1/records", json=body, headers=by(ANN))
            return full, await client.post("/v1/records", json=body, headers=by(ANN))

    full, saved = run(fill())

    assert (full.status_code, full.json()["error"]["code"]) == (507, "store_full")
    assert saved.status_code == 201
    with open_store(path, read_only=True) as store:
        assert store.count() == 106


# Questions as JSON


def test_questions_as_json_count_list_and_speak_sql_to_admins_only(path, records):
    async def ask(body, who=ADMIN):
        async with store_client(path) as (client, _):
            return await client.post("/v1/queries", content=json.dumps(body), headers=by(who))

    assert run(ask({"count_only": True})).json() == {"count": 6}
    assert run(ask({"query": {"first_frame": 4}, "count_only": True})).json() == {"count": 2}
    page = is_a(RecordsOut, run(ask({"query": {"bbox": [0, 0, 5, 5]}, "limit": 4})))
    assert len(page["items"]) == 4
    rest = run(ask({"query": {"bbox": [0, 0, 5, 5]}, "cursor": page["next_cursor"]})).json()
    assert len(rest["items"]) == 2
    assert run(ask({"sql": "SELECT count(*) AS n FROM masks"})).json() == {
        "columns": ["n"],
        "rows": [[6]],
        "is_cut": False,
    }
    refused = run(ask({"sql": "SELECT 1"}, who=ANN))
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "not_allowed")
    for body in (
        {"sql": "SELECT * FROM '/etc/passwd'"},
        {"sql": "SELECT 1", "count_only": True},
        {"query": {"where": "1=1"}},
        {"query": {"bbox": [1, 2, 3]}},
        {"query": {"status": ["odd"]}},
        [],
        "a" * 100,
    ):
        assert run(ask(body)).status_code == 422


# Frames


@pytest.fixture
def annotated(tmp_path):
    """A store whose frames have pictures, as `annotate` leaves it."""
    from annotate_data import EVERYTHING
    from maskwright.models import load_model
    from maskwright.workflows.annotate import annotate
    from maskwright.workflows.annotate_plan import Footage

    write_pictures(tmp_path / "pictures", range(3))
    annotate(load_model("test-sam"), Footage.open(tmp_path / "pictures"), EVERYTHING, tmp_path / "masks")
    return tmp_path / "masks"


def test_frames_have_pictures_masks_and_neighbours_that_are_made_ready(annotated):
    async def look():
        async with store_client(annotated) as (client, service):
            frames = is_a(FramesOut, await client.get("/v1/frames", params={"limit": 2}))
            rest = (await client.get("/v1/frames", params={"cursor": frames["next_cursor"]})).json()
            url = f"/v1/frames/{frames['items'][0]['id']}"
            opened = await client.post(f"{url}/open", params={"ahead": 1})
            prefetch: Prefetch = client._transport.app.state.prefetch
            await prefetch.settle()
            picture = await client.get(f"{url}/picture")
            same = await client.get(f"{url}/picture", headers={"If-None-Match": picture.headers["etag"]})
            jpeg = await client.get(f"{url}/picture", params={"format": "jpeg"})
            small = await client.get(f"{url}/picture", params={"width": 16})
            one = (await client.get(url)).json()
            masks = is_a(RecordsOut, await client.get(f"{url}/records"))
            return frames, rest, opened, service, picture, same, jpeg, small, one, masks

    frames, rest, opened, service, picture, same, jpeg, small, one, masks = run(look())

    assert [f["name"] for f in (*frames["items"], *rest["items"])] == ["000.png", "001.png", "002.png"]
    assert rest["next_cursor"] is None
    assert is_a(OpenedOut, opened)["ahead"] == [frames["items"][1]["id"]]
    assert [(work.priority, work.client) for work in service.engine.works] == [("ahead", "root")] * 2
    assert picture.headers["x-image-digest"] == Image(pixels(0)).digest == frames["items"][0]["image_digest"]
    assert picture.headers["content-type"] == "image/png"
    assert (same.status_code, same.content) == (304, b"")
    assert jpeg.content[:2] == b"\xff\xd8"
    assert read_image(io.BytesIO(small.content)).size_hw == (round(16 * SIZE_HW[0] / SIZE_HW[1]), 16)
    assert small.headers["etag"] not in (picture.headers["etag"], jpeg.headers["etag"])
    assert one == opened.json()["frame"] == frames["items"][0]
    assert sum(one["num_masks"].values()) == len(masks["items"])


def test_frames_that_are_not_there_and_pictures_that_are_gone_are_told(path, records):
    async def look():
        async with store_client(path) as (client, _):
            frame = (await client.get("/v1/frames")).json()["items"][0]["id"]
            return [
                await client.get("/v1/frames/nonsense"),
                await client.get(f"/v1/frames/{quote('../../etc/passwd', safe='')}"),
                await client.get("/v1/frames/WyJhIiwiYiIsImMiLDFd/picture"),
                await client.get(f"/v1/frames/{frame}/picture"),
                await client.get("/v1/frames", params={"cursor": "x"}),
                await client.get(f"/v1/frames/{frame}/records", params={"status": "any"}),
            ]

    assert [one.status_code for one in run(look())] == [422, 404, 404, 404, 422, 200]


def test_a_server_without_a_store_says_so():
    from rest_service import client_of, service_of

    async def ask():
        async with client_of(service_of()) as client:
            return await client.get("/v1/records"), await client.get("/v1/frames")

    for answer in run(ask()):
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "store_missing")


def test_one_persons_edit_is_seen_by_the_other(path, records):
    async def both():
        async with store_client(path) as (client, _):
            url = f"/v1/records/{records[0].id}"
            before = (await client.get(url, headers=by(BOB))).json()
            action = to_json(Relabel("mug"))
            body = {"events": [{"record_id": records[0].id, "action": action}], "if_match": {records[0].id: "0-0"}}
            await client.post("/v1/events", json=body, headers=by(ANN))
            lost = await client.post("/v1/events", json=body, headers=by(BOB))
            return before, lost, (await client.get(url, headers=by(BOB))).json()

    before, lost, after = run(both())

    assert before["etag"] == "0-0"
    assert (lost.status_code, lost.json()["error"]["code"]) == (412, "edit_conflict")
    assert after["etag"] in lost.json()["error"]["message"]
    assert "ann changed it" in lost.json()["error"]["message"]
    assert after["record"]["label"] == "mug"
