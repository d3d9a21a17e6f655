"""Jobs: long work that tells how far it is, can be stopped, writes where the server says, and survives a restart."""

import asyncio
import io
import json
import threading
import time
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from pydantic import TypeAdapter

from annotate_data import EVERYTHING, pixels, write_pictures
from maskwright.core import FrameRef, to_json
from maskwright.core.errors import Cancelled, TooManyRequests
from maskwright.masks import encode
from maskwright.models import load_model
from maskwright.serve import jobs as jobs_module
from maskwright.serve.job_folder import JobFolder
from maskwright.serve.job_turns import Turns
from maskwright.serve.job_values import Job, JobProblem, JobProgress, job_json, read_job
from maskwright.serve.wire_store import FormatsOut, JobIn, JobOut, JobsOut, SourcesOut
from maskwright.serve.zip_stream import zip_of
from maskwright.store import Query, create_store, open_store
from maskwright.workflows.annotate import annotate
from maskwright.workflows.annotate_plan import Footage, Selection
from maskwright.workflows.run_manifest import RunManifest
from store_rest import ADMIN, ANN, BOB, by, messages_of, run, serving, store_client, store_service

ANNOTATE = {"kind": "annotate", "source": "pictures", "preset": "fast"}
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def path(tmp_path):
    """A store with the masks of the first of four frames; the others are to be done."""
    write_pictures(tmp_path / "pictures", range(4))
    model = load_model("test-sam")
    annotate(model, Footage.open(tmp_path / "pictures"), EVERYTHING, tmp_path / "masks", selection=Selection(stop=1))
    return tmp_path / "masks"


async def until_over(client, job_id, *, most_s=30):
    until = time.monotonic() + most_s
    while time.monotonic() < until:
        job = (await client.get(f"/v1/jobs/{job_id}")).json()
        if job["state"] not in ("queued", "running"):
            return job
        await asyncio.sleep(0.01)
    raise AssertionError(job)


def is_a(model, answer):
    TypeAdapter(model).validate_json(answer.content, strict=True)
    return answer.json()


def test_a_job_annotates_a_source_that_the_store_knows(path):
    async def work():
        async with store_client(path) as (client, service):
            sources = is_a(SourcesOut, await client.get("/v1/jobs/sources"))
            begun = await client.post("/v1/jobs", json=ANNOTATE, headers={**by(ANN), "Idempotency-Key": "k"})
            over = await until_over(client, begun.json()["id"])
            twin = await client.post("/v1/jobs", json=ANNOTATE, headers={**by(ANN), "Idempotency-Key": "k"})
            again = await client.post("/v1/jobs", json=ANNOTATE, headers=by(ANN))
            resumed = await until_over(client, again.json()["id"])
            reused = await client.post(
                "/v1/jobs", json={**ANNOTATE, "label": "x"}, headers={**by(ANN), "Idempotency-Key": "k"}
            )
            listed = is_a(JobsOut, await client.get("/v1/jobs", params={"limit": 1}))
            rest = (await client.get("/v1/jobs", params={"cursor": listed["next_cursor"]})).json()
            return sources, begun, over, twin, resumed, reused, listed, rest, service

    sources, begun, over, twin, resumed, reused, listed, rest, service = run(work())

    assert sources == {"items": [{"name": "pictures", "is_here": True}]}
    assert is_a(JobOut, begun)["state"] == "queued"
    assert begun.headers["location"] == f"/v1/jobs/{over['id']}"
    assert (over["state"], over["progress"]["done"], over["progress"]["total"]) == ("done", 4, 4)
    assert over["result"]["num_frames"] == 4
    assert twin.json() == over
    assert (resumed["result"]["num_frames"], resumed["result"]["num_before"]) == (0, 4)
    assert (reused.status_code, reused.json()["error"]["code"]) == (409, "key_reused")
    assert [one["id"] for one in (*listed["items"], *rest["items"])] == [resumed["id"], over["id"]]
    assert {(work.client, work.priority) for work in service.engine.works} == {("ann", "bulk")}
    assert len(service.engine.works) >= 5  # a turn for each frame
    with open_store(path, read_only=True) as store:
        assert store.done_frames(over["result"]["run"]) == {0, 1, 2, 3}
        assert RunManifest.of(store, over["result"]["run"]).read()["sessions"][-1]["actor"] == "ann"


def test_a_job_is_refused_that_could_not_be_done(path):
    wrong = [
        ({**ANNOTATE, "source": "../../etc"}, 422),
        ({**ANNOTATE, "source": str(path)}, 422),
        ({**ANNOTATE, "selection": {"start": 5, "stop": 2}}, 422),
        ({**ANNOTATE, "path": "/etc"}, 422),
        ({"kind": "export", "format": "odd"}, 422),
        ({"kind": "export", "format": "labelme"}, 422),
        ({"kind": "export", "format": "coco", "out": "/tmp/x"}, 422),
        ({"kind": "export", "format": "coco", "query": {"min_area": 9, "max_area": 1}}, 422),
        ({"kind": "nothing"}, 422),
    ]

    async def ask():
        async with store_client(path) as (client, _):
            for body, status in wrong:
                answer = await client.post("/v1/jobs", json=body)
                assert answer.status_code == status, answer.text
            reader = replace(ANN, scope="read")
            assert (await client.post("/v1/jobs", json=ANNOTATE, headers=by(reader))).status_code == 403
            for url in ("/v1/jobs/none", "/v1/jobs/none/result", "/v1/jobs/none/stream"):
                assert (await client.get(url)).json()["error"]["code"] == "unknown_job"
            assert (await client.get("/v1/jobs", params={"cursor": "none"})).status_code == 422
            assert (await client.get("/v1/jobs")).json() == {"items": [], "next_cursor": None}

    run(ask())


def test_a_job_that_fails_says_why(path):
    async def ask():
        async with store_client(path) as (client, _):
            phrases = await client.post("/v1/jobs", json={**ANNOTATE, "phrases": ["cup"]})
            model = await client.post("/v1/jobs", json={**ANNOTATE, "model": "odd"})
            return [await until_over(client, one.json()["id"]) for one in (phrases, model)]

    phrases, model = run(ask())

    assert (phrases["state"], phrases["error"]["code"]) == ("failed", "unsupported_prompt")
    assert (model["state"], model["error"]["code"]) == ("failed", "unknown_model")


@pytest.mark.parametrize(("form", "name"), [("coco", ".json"), ("png-ids", ".png")])
def test_an_export_is_fetched_as_a_zip(path, form, name):
    async def work():
        async with store_client(path) as (client, _):
            begun = await client.post("/v1/jobs", json={"kind": "export", "format": form})
            job = await until_over(client, begun.json()["id"])
            return job, await client.get(f"/v1/jobs/{job['id']}/result")

    job, answer = run(work())

    assert job["state"] == "done", job
    assert job["has_file"]
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert any(one.endswith(name) for one in archive.namelist())
        assert all(one.startswith(f"export-{job['id'][:8]}/") for one in archive.namelist())


def test_an_audit_tells_what_is_wrong_and_which_masks_to_look_at(path):
    async def work():
        async with store_client(path) as (client, _):
            refused = await client.post("/v1/jobs", json={"kind": "audit"}, headers=by(ANN))
            begun = await client.post("/v1/jobs", json={"kind": "audit"}, headers=by(replace(ANN, scope="review")))
            job = await until_over(client, begun.json()["id"])
            (found,) = [one for one in job["result"]["findings"] if one["check"] == "unverified"]
            example = found["examples"][0]
            frame = (await client.get(f"/v1/frames/{example['frame']}/records")).json()
            return refused, is_a(JobOut, await client.get(f"/v1/jobs/{job['id']}")), found, example, frame

    refused, job, found, example, frame = run(work())

    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "not_allowed")
    assert (job["state"], job["kind"], job["has_file"]) == ("done", "audit", False)
    assert job["result"]["num_masks"] == found["count"] > 0
    assert not job["result"]["is_clean"]
    assert example["text"].startswith(example["record_id"])
    assert example["record_id"] in [one["record"]["id"] for one in frame["items"]]


def test_the_formats_that_exports_can_have_are_listed(path):
    async def ask():
        async with store_client(path) as (client, _):
            return await client.get("/v1/jobs/formats", headers=by(ANN))

    listed = {one["name"]: one for one in is_a(FormatsOut, run(ask()))["items"]}

    assert {"coco", "yolo", "lerobot"} <= listed.keys()
    assert "labelme" not in listed  # which is only read
    assert "comments" in listed["coco"]["holds"]
    assert "comments" not in listed["yolo"]["holds"]


def test_a_job_is_cancelled_by_who_began_it_or_an_admin(path):
    async def work():
        async with store_client(path) as (client, service):
            service.engine.gate.clear()
            jobs = [(await client.post("/v1/jobs", json=ANNOTATE, headers=by(ANN))).json()["id"] for _ in range(4)]
            while (await client.get(f"/v1/jobs/{jobs[0]}")).json()["state"] == "queued":
                await asyncio.sleep(0.01)
            refused = await client.post(f"/v1/jobs/{jobs[0]}/cancel", headers=by(BOB))
            waiting = (await client.post(f"/v1/jobs/{jobs[3]}/cancel", headers=by(ANN))).json()
            for job, who in ((jobs[0], ANN), (jobs[1], ADMIN), (jobs[2], ANN)):
                await client.post(f"/v1/jobs/{job}/cancel", headers=by(who))
            service.engine.gate.set()
            over = [await until_over(client, job) for job in jobs]
            twice = await client.post(f"/v1/jobs/{jobs[0]}/cancel", headers=by(ANN))
            return refused, waiting, over, twice

    refused, waiting, over, twice = run(work())

    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "not_allowed")
    assert waiting["state"] == "cancelled"
    assert [one["state"] for one in over] == ["cancelled"] * 4
    assert twice.json() == over[0]


def test_a_job_that_is_cancelled_at_once_is_cancelled(path):
    async def work():
        async with store_client(path) as (_, service):
            asked = JobIn.model_validate(ANNOTATE).root
            jobs = [await service.jobs.submit(asked, ANN) for _ in range(3)]
            for job in jobs:
                await service.jobs.cancel(job.id, ANN)
            async with asyncio.timeout(20):
                while not all(service.jobs.job(job.id).is_over for job in jobs):
                    await asyncio.sleep(0.01)
            return [service.jobs.job(job.id) for job in jobs]

    assert [job.state for job in run(work())] == ["cancelled"] * 3


def test_a_follower_hears_how_far_a_job_is_until_it_is_over(path):
    service = store_service(path)
    service.engine.gate.clear()
    with serving(service) as url, httpx.Client(base_url=url, timeout=30) as client:
        job = client.post("/v1/jobs", json=ANNOTATE).json()
        with client.stream("GET", f"/v1/jobs/{job['id']}/stream") as response:
            threading.Timer(0.3, service.engine.gate.set).start()
            heard = [content for _, kind, content in messages_of(response, 1000)]
    assert heard[-1]["state"] == "done"
    assert heard[0]["state"] in ("queued", "running")
    assert [one["progress"]["done"] for one in heard] == sorted(one["progress"]["done"] for one in heard)


def keyframe_on_pictures(tmp_path):
    """A store that knows three pictures, and a keyframe for the first, as a client sends it."""
    source = write_pictures(tmp_path / "pictures", range(3))
    footage = Footage.open(source)
    model = load_model("test-sam")
    annotate(model, footage, EVERYTHING, tmp_path / "masks", selection=Selection(stop=1))
    ref = FrameRef(dataset="pictures", episode=footage.source.episodes[0].key, camera="", frame_index=0)
    with open_store(tmp_path / "masks") as store:
        place = next(iter(store.seen_frames())).ref or ref
    mask = pixels(0)[..., 0] > 300
    mask[10:30, 10:40] = True
    return {
        "rle": to_json(encode(mask)),
        "frame": to_json(place),
        "track": "mug",
        "provenance": {"method": "human_drawn"},
        "track_point": {"kind": "TrackPoint", "source": "keyframe"},
    }


def test_tracks_are_brought_up_to_date(tmp_path):
    keyframe = keyframe_on_pictures(tmp_path)

    async def work():
        async with store_client(tmp_path / "masks") as (client, _):
            saved = await client.post("/v1/records", json={"records": [keyframe]}, headers=by(ANN))
            assert saved.status_code == 201, saved.text
            begun = await client.post("/v1/jobs", json={"kind": "track", "source": "pictures"}, headers=by(ANN))
            return await until_over(client, begun.json()["id"])

    job = run(work())

    assert job["state"] == "done", job
    assert (job["result"]["tracks"], job["result"]["num_masks"]) == (["mug"], 2)
    with open_store(tmp_path / "masks", read_only=True) as store:
        assert [one.record.frame.frame_index for one in store.query(Query(track="mug"))] == [0, 1, 2]


def test_tracking_that_is_cancelled_skips_no_frames_but_ends(tmp_path):
    keyframe = keyframe_on_pictures(tmp_path)

    async def work():
        async with store_client(tmp_path / "masks") as (client, service):
            await client.post("/v1/records", json={"records": [keyframe]}, headers=by(ANN))
            service.engine.gate.clear()
            begun = await client.post("/v1/jobs", json={"kind": "track", "source": "pictures"}, headers=by(ANN))
            job = begun.json()["id"]
            while (await client.get(f"/v1/jobs/{job}")).json()["state"] == "queued":
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)  # its first turn waits at the gate
            await client.post(f"/v1/jobs/{job}/cancel", headers=by(ANN))
            service.engine.gate.set()
            over = await until_over(client, job)
            again = await client.post("/v1/jobs", json={"kind": "track", "source": "pictures"}, headers=by(ANN))
            return over, await until_over(client, again.json()["id"])

    over, again = run(work())

    assert (over["state"], over["result"]) == ("cancelled", None)
    assert (again["state"], again["result"]["num_masks"]) == ("done", 2)


# Restarts


def test_a_server_that_stops_in_the_middle_says_that_its_jobs_were_interrupted(path):
    async def begin():
        async with store_client(path, drain_s=5.0) as (client, service):
            service.engine.gate.clear()
            jobs = [(await client.post("/v1/jobs", json=ANNOTATE)).json()["id"] for _ in range(3)]
            while (await client.get(f"/v1/jobs/{jobs[0]}")).json()["state"] == "queued":
                await asyncio.sleep(0.01)
            service.engine.gate.set()
            return jobs

    async def look(jobs):
        async with store_client(path) as (client, _):
            found = [(await client.get(f"/v1/jobs/{job}")).json() for job in jobs]
            again = await client.post("/v1/jobs", json=ANNOTATE)
            return found, await until_over(client, again.json()["id"])

    jobs = run(begin())
    found, again = run(look(jobs))

    assert all(one["state"] in ("interrupted", "done") for one in found)
    assert found[2]["state"] == "interrupted"
    assert again["state"] == "done"
    with open_store(path, read_only=True) as store:
        assert store.done_frames(again["result"]["run"]) == {0, 1, 2, 3}


def test_what_a_killed_server_was_at_is_interrupted_and_a_living_ones_jobs_are_left_alone(tmp_path):
    create_store(tmp_path / "masks").close()
    job = Job(id="a" * 32, kind="export", caller="ann", request={"kind": "export"}, created_at=NOW, state="running")
    killed, living = JobFolder(tmp_path / "masks"), JobFolder(tmp_path / "masks")
    killed.write(job)
    living.write(replace(job, id="b" * 32))
    killed.out(job.id).mkdir()
    killed._lock.release()  # as the system does when a process dies

    service = store_service(tmp_path / "masks")
    (found,), _ = service.jobs.jobs()

    assert (found.id, found.state) == (job.id, "interrupted")
    assert not killed.out(job.id).exists()
    assert [one.id for one, _ in living.read()] == []
    living.close()
    service.desk.close()


def test_a_jobs_file_that_is_torn_is_passed_over(tmp_path, caplog):
    create_store(tmp_path / "masks").close()
    folder = JobFolder(tmp_path / "masks")
    for name, text in (("torn", '{"format'), ("odd", '{"format": "maskwright-job", "version": 1, "job": {"id": 1}}')):
        (folder.path / f"{name}.json").write_text(text)
    (folder.path / "other.json").write_text('{"format": "other"}')

    assert folder.read() == []
    assert caplog.text.count("a job's file cannot be read") == 2
    folder.close()


def test_a_job_is_written_and_read_whole():
    job = Job(
        id="j",
        kind="annotate",
        caller="ann",
        request={"kind": "annotate", "selection": {"start": 0}},
        created_at=NOW,
        state="failed",
        started_at=NOW + timedelta(seconds=1),
        progress=JobProgress(done=3, total=None, eta_s=2.5),
        result={"any": ["thing"]},
        error=JobProblem(code="store_full", message="no space"),
    )

    written = json.loads(json.dumps(job_json(job)))

    TypeAdapter(JobOut).validate_json(json.dumps(written), strict=True)
    assert read_job(written) == job


def test_only_so_many_jobs_wait_and_are_remembered(path, monkeypatch):
    monkeypatch.setattr(jobs_module, "MOST_WAITING", 2)
    monkeypatch.setattr(jobs_module, "MOST_KEPT", 3)
    monkeypatch.setattr(jobs_module, "MOST_FILES", 1)
    export = {"kind": "export", "format": "coco"}

    async def work():
        async with store_client(path) as (client, service):
            service.engine.gate.clear()
            waiting = [(await client.post("/v1/jobs", json=ANNOTATE)).json()["id"] for _ in range(2)]
            refused = await client.post("/v1/jobs", json=ANNOTATE)
            for job in waiting:
                await client.post(f"/v1/jobs/{job}/cancel")
            service.engine.gate.set()
            for job in waiting:
                await until_over(client, job)
            for _ in range(4):
                await until_over(client, (await client.post("/v1/jobs", json=export)).json()["id"])
            await client.post("/v1/jobs", json=export)
            return refused, (await client.get("/v1/jobs")).json()["items"]

    refused, jobs = run(work())

    assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
    assert 3 <= len(jobs) <= 5
    assert sum(job["has_file"] for job in jobs) <= 2


# Parts


def test_a_turn_waits_for_room_and_a_stopped_job_gets_none():
    from direct_engine import DirectEngine
    from maskwright.serve.values import Work

    async def take():
        engine = DirectEngine()
        engine.full_times = 2
        turns = Turns(engine, asyncio.get_running_loop(), Work(client="ann"))
        name = await asyncio.to_thread(turns.run, lambda model: model.card.name)
        turns.stop()
        with pytest.raises(Cancelled):
            await asyncio.to_thread(turns.run, lambda model: None)
        return name

    assert run(take()) == "test-sam"
    assert TooManyRequests("full").retry_after_s == 1.0


def test_a_zip_of_a_folder_is_whole_whatever_is_in_it(tmp_path):
    folder = tmp_path / "out"
    (folder / "deep").mkdir(parents=True)
    contents = {"a.json": b"{}" * 100_000, "deep/ü.png": bytes(range(256)) * 9000, "empty": b""}
    for name, content in contents.items():
        (folder / name).write_bytes(content)

    whole = b"".join(zip_of(folder, "export"))

    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert {one: archive.read(f"export/{one}") for one in contents} == contents
    with zipfile.ZipFile(io.BytesIO(b"".join(zip_of(folder / "a.json", "a.json")))) as archive:
        assert archive.namelist() == ["a.json"]


def test_a_server_without_a_store_has_no_jobs():
    from maskwright.serve.jobs import Jobs
    from maskwright.serve.settings import ServeSettings

    jobs = Jobs(ServeSettings(), None, None)

    assert jobs.jobs() == ([], None)
    assert jobs.sources() == {}
    run(jobs.drain(1))
