"""A server is killed under load: what it acknowledged is there once, and what is sent again with its key only once too.

A run of the suite kills 3 times; MASKWRIGHT_KILLS=100 kills a hundred.
"""

import multiprocessing
import os
import random
import signal
import threading
import time
from pathlib import Path

import httpx
import pytest

import killed_servers
from annotate_data import EVERYTHING, write_pictures
from maskwright.core import Relabel, to_json
from maskwright.models import load_model
from maskwright.store import ANY_STATUS, Query, create_store, open_store
from maskwright.testing.store_values import make_record, make_ref, rectangle
from maskwright.workflows.annotate import annotate
from maskwright.workflows.annotate_plan import Footage, Selection

NUM_KILLS = int(os.environ.get("MASKWRIGHT_KILLS", "3"))
NUM_WRITERS = 6
ANY = {"If-Match": "*"}


@pytest.fixture(scope="module")
def processes():
    """A server that has imported everything once, and forks."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["killed_servers", "duckdb", "maskwright.store.mask_store"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(killed_servers.__file__).parent))
        context.Process(target=int).start()
        yield context


@pytest.fixture
def start(processes):
    started = []

    def begin(path, **options):
        hears, tells = processes.Pipe(duplex=False)
        process = processes.Process(target=killed_servers.serve, args=(path, tells), kwargs=options, daemon=True)
        process.start()
        started.append(process)
        tells.close()
        assert hears.poll(60), "the server never began"
        return process, f"http://127.0.0.1:{hears.recv()}"

    yield begin
    for process in started:
        process.kill()
        process.join()


def kill(process):
    os.kill(process.pid, signal.SIGKILL)
    process.join()


class Writer:
    """Sends edits and masks one after the other, each with a key; the one that got no answer it sends again."""

    def __init__(self, number, records):
        self.number, self.records = number, records
        self.at = 0
        self.told = {}

    def write(self, url):
        with httpx.Client(base_url=url, timeout=10) as client:
            while True:
                key = f"{self.number}-{self.at}"
                try:
                    answer = self._send(client, key)
                except httpx.HTTPError:
                    return  # it was killed: nobody knows whether this one is there
                assert answer.status_code == 201, answer.text
                self.told[key] = answer.json()["items"]
                self.at += 1

    def _send(self, client, key):
        headers = {**ANY, "Idempotency-Key": key}
        if self.at % 3 == 2:
            mask = {"rle": to_json(rectangle(0, 0, 3, 3)), "frame": to_json(make_ref(self.number)), "label": key}
            body = {"records": [{**mask, "provenance": {"method": "human_drawn"}}]}
            return client.post("/v1/records", json=body, headers=headers)
        record = self.records[self.at % len(self.records)]
        events = [{"record_id": record.id, "action": to_json(Relabel(f"{key}-{i}"))} for i in range(1 + self.at % 2)]
        return client.post("/v1/events", json={"events": events}, headers=headers)


def test_what_was_acknowledged_before_a_kill_is_there_exactly_once(start, tmp_path):
    path = tmp_path / "masks"
    records = [make_record(make_ref(index)) for index in range(NUM_WRITERS)]
    with create_store(path) as store:
        store.put(records)
    writers = [Writer(number, records) for number in range(NUM_WRITERS)]
    moments = random.Random(6)

    for _ in range(NUM_KILLS):
        process, url = start(path)
        threads = [threading.Thread(target=writer.write, args=(url,)) for writer in writers]
        begun = sum(len(writer.told) for writer in writers)
        for thread in threads:
            thread.start()
        while sum(len(writer.told) for writer in writers) < begun + 30:
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.2))
        kill(process)
        for thread in threads:
            thread.join()
        check(path, records, writers)


def check(path, records, writers):
    with open_store(path, read_only=True) as store:
        events = [to_json(one) for one in store.events()]
        masks = {one.record.id: one for one in store.query(Query(status=ANY_STATUS))}
    ids = [one["id"] for one in events]
    assert len(set(ids)) == len(ids)
    labels = [one["action"]["label"] for one in events]
    assert len(set(labels)) == len(labels), "an edit is there twice"
    new = [one.record.label for one in masks.values() if one.record.id not in {record.id for record in records}]
    assert len(set(new)) == len(new), "a mask is there twice"
    kept = {one["id"]: one for one in events}
    for writer in writers:
        for items in writer.told.values():
            for one in items:
                if "event" in one:
                    assert kept[one["event"]["id"]] == one["event"]
                else:
                    assert to_json(masks[one["record"]["id"]].record)["rle"] == one["record"]["rle"]
    # at most the last of each writer is there without its having been told
    assert len(events) - sum(len(i) for w in writers for i in w.told.values() if "event" in i[0]) <= 2 * NUM_WRITERS


def test_a_job_of_a_killed_server_is_interrupted_and_goes_on_when_it_is_sent_again(start, tmp_path):
    write_pictures(tmp_path / "pictures", range(3))
    footage, path = Footage.open(tmp_path / "pictures"), tmp_path / "masks"
    annotate(load_model("test-sam"), footage, EVERYTHING, path, selection=Selection(stop=1))
    asked = {"kind": "annotate", "source": "pictures", "preset": "fast"}
    process, url = start(path, gate_is_open=False)
    job = httpx.post(f"{url}/v1/jobs", json=asked).json()
    while httpx.get(f"{url}/v1/jobs/{job['id']}").json()["state"] == "queued":
        time.sleep(0.01)
    kill(process)

    _, url = start(path)
    found = httpx.get(f"{url}/v1/jobs/{job['id']}").json()
    again = httpx.post(f"{url}/v1/jobs", json=asked).json()
    while (over := httpx.get(f"{url}/v1/jobs/{again['id']}").json())["state"] in ("queued", "running"):
        time.sleep(0.05)

    assert found["state"] == "interrupted"
    assert (over["state"], over["result"]["num_frames"]) == ("done", 3)
