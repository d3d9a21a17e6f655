"""Every counter is fed: a real server, one of everything that it does, and what /metrics says then."""

import threading
import time

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from maskwright.serve.app import build_app
from maskwright.serve.engine import LocalEngine
from maskwright.serve.meter import STAGES, Meter
from maskwright.store import create_store
from rest_service import click, listening, picture, service_of

MADE = {"provenance": {"method": "human_drawn"}, "label": "cup"}
SESSION = "maskwright_sessions"
NOT_HERE = {"remote"}  # a Ray cluster's


def read(client):
    """What /metrics says: values by name and labels."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(client.get("/metrics").text)
        for sample in family.samples
    }


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A server that has done a little of everything: metrics before and after, and while a stream was open."""
    folder = tmp_path_factory.mktemp("meter")
    create_store(folder / "masks").close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MASKWRIGHT_CACHE", str(folder / "cache"))
        service = service_of(LocalEngine, store=folder / "masks", max_body_bytes=100_000)
        with listening(build_app(service)) as address, httpx.Client(base_url=address, timeout=60) as client:
            before = read(client)
            live = use(client)
            yield before, live, read(client)


def use(client):
    digest = client.post("/v1/images", content=picture()).json()["digest"]
    asked = {"image": digest, "prompts": [click()]}
    mask = client.post("/v1/segment", json=asked).json()["masks"][0]["record"]
    together = [threading.Thread(target=client.post, args=["/v1/segment"], kwargs={"json": asked}) for _ in range(4)]
    for thread in together:
        thread.start()
    for thread in together:
        thread.join()
    everything = {"image": digest, "preset": "fast", "settings": {"points_per_side": 4}}
    assert client.post("/v1/everything", json=everything).status_code == 200
    frame = {"dataset": "kitchen", "episode": "e", "camera": "front", "frame_index": 0}
    saved = client.post("/v1/records", json={"records": [{"rle": mask["rle"], "frame": frame, **MADE}]})
    assert saved.status_code == 201, saved.text
    session = client.post("/v1/tracks").json()["id"]
    prompts = '{"prompts": {"cup": {"kind": "BoxPrompt", "box_xyxy": [5, 5, 40, 30]}}}'
    body = {"files": {"picture": picture()}, "data": {"request": prompts}}
    assert client.post(f"/v1/tracks/{session}/frames", **body).status_code == 200
    with client.stream("GET", "/v1/events/stream") as stream:
        heard = stream.iter_raw()  # kept: a connection is closed with the iterator that reads it
        next(heard)
        live = until(client, lambda told: told.get((SESSION, "stream")) == 1)
    client.delete(f"/v1/tracks/{session}")
    assert client.post("/v1/images", content=bytes(200_000)).status_code == 413
    assert client.get("/v1/images", headers={"Host": "elsewhere.example"}).status_code == 403
    assert client.get(f"/v1/images/{'0' * 64}").status_code == 404
    until(client, lambda told: told[SESSION, "stream"] == 0)
    return live


def until(client, holds):
    """Read again and again until something holds, or for ten seconds."""
    end = time.monotonic() + 10
    while not holds(told := read(client)) and time.monotonic() < end:
        time.sleep(0.02)
    return told


def test_requests_and_their_time_are_counted_by_route(told):
    _, _, after = told

    assert after["maskwright_requests_total", "/v1/segment", "200"] == 5
    assert after["maskwright_requests_total", "/v1/images/{digest}", "404"] == 1
    assert after["maskwright_request_seconds_count", "/v1/segment"] == 5
    assert 0 < after["maskwright_request_seconds_sum", "/v1/segment"] < 60
    routes = {key[1] for key in after if key[0] == "maskwright_requests_total"}
    assert all("{" in route or len(route) < 30 for route in routes)


@pytest.mark.parametrize("stage", sorted(set(STAGES) - NOT_HERE))
def test_every_stage_is_measured(told, stage):
    before, _, after = told

    assert before["maskwright_stage_seconds_count", stage] == 0
    assert after["maskwright_stage_seconds_count", stage] > 0
    assert after["maskwright_stage_seconds_sum", stage] > 0


@pytest.mark.parametrize("stage", ["encode", "decode", "call"])
def test_batches_have_a_size(told, stage):
    _, _, after = told

    assert after["maskwright_batch_size_sum", stage] >= after["maskwright_batch_size_count", stage] > 0


def test_caches_say_what_they_found(told):
    _, _, after = told

    assert after["maskwright_cache_total", "embedding", "miss"] >= 1
    assert after["maskwright_cache_total", "embedding", "hit"] >= 4
    assert after["maskwright_cache_total", "image", "hit"] >= 4
    assert after["maskwright_cache_total", "image", "miss"] == 1


def test_gauges_go_up_and_down_again(told):
    _, live, after = told

    assert (live[SESSION, "track"], live[SESSION, "stream"]) == (1, 1)
    assert (after[SESSION, "track"], after[SESSION, "stream"]) == (0, 0)
    assert {key[1] for key in after if key[0] == "maskwright_queued"} == {"click", "bulk", "ahead"}
    assert all(value == 0 for key, value in after.items() if key[0] == "maskwright_queued")


def test_what_was_refused_says_why(told):
    _, _, after = told

    assert after["maskwright_refused_total", "body"] == 1
    assert after["maskwright_refused_total", "browser"] == 1


def test_the_process_and_its_version_are_there(told):
    _, _, after = told

    assert after["process_resident_memory_bytes",] > 1e7
    assert after["process_open_fds",] > 3
    assert [key for key in after if key[0] == "maskwright_info"]


def test_two_meters_do_not_know_each_other():
    one, other = Meter(), Meter()

    one.refused.labels("rate").inc()

    assert b'why="rate"' in one.text()
    assert b'why="rate"' not in other.text()
