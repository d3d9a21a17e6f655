"""Does the server answer questions about a store, and keep edits, as fast as a team needs?

    python benchmarks/serve_store.py [--masks 100000] [--seconds 8] [--folder F]

A server process on loopback with a store of 100,000 masks, ten a frame; the load comes from a second process over
kept connections. Asked: the masks of a random frame in a random box (`GET /v1/records`), first of a server that has
just begun, then of one that has seen each frame. Edited: 1,000 edits from 8 writers, each with the etag that it read
and acknowledged only when it is on the disk; afterwards the server is killed, and the store must have every one. Last,
both at once. The target: 500 questions a second; 1,000 edits in 10 seconds, none lost.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import asyncio
import json
import random
import signal
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from harness import RESULTS, machine
from http_load import Connection
from store_data import FRAMES_PER_EPISODE, MASKS_PER_FRAME, drawn_masks, frames

from maskwright.store import create_store, open_store

NUM_EDITS, NUM_WRITERS, NUM_READERS = 1_000, 8, 8


def make_store(path: Path, num_masks: int) -> None:
    """Write the store, a tenth of the masks in a segment of its own each."""
    if (path / "store.json").exists():
        return
    drawn = drawn_masks(10_000)
    with create_store(path) as store, store.bulk_writer(run="bench", rows_per_segment=num_masks // 10) as writer:
        for frame, records in frames(num_masks // MASKS_PER_FRAME, drawn):
            writer.add(frame, records)


def serve(path: Path, tell: Any) -> None:
    """Serve until killed."""
    from maskwright.serve.run import run
    from maskwright.serve.settings import ServeSettings

    run(ServeSettings(store=path, models=("test-sam",), port=0), tell=lambda text: tell.send(text))


@dataclass
class Load:
    """What a load met: seconds of each request, and answers that were not a success."""

    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    took_s: float = 0.0
    cpu_s: float = 0.0  # of the server
    num_items: int = 0
    told: list[str] = field(default_factory=list)


async def ask_all(port: int, num_masks: int, seconds: float, seed: int, *, each_frame_once: bool = False) -> Load:
    """Ask for masks in boxes from several connections at once, as fast as answers come."""
    chosen, load = random.Random(seed), Load()
    numbers = list(range(num_masks // MASKS_PER_FRAME))
    chosen.shuffle(numbers)
    until = time.perf_counter() + seconds

    async def reader() -> None:
        connection = await Connection(port).open()
        while (bool(numbers) if each_frame_once else True) and time.perf_counter() < until:
            number = numbers.pop() if each_frame_once else chosen.randrange(num_masks // MASKS_PER_FRAME)
            episode, index = divmod(number, FRAMES_PER_EPISODE)
            x, y = chosen.randrange(500), chosen.randrange(350)
            query = {
                **{"dataset": "bench", "episode": f"{episode:06d}", "camera": "wrist"},
                **{"first_frame": index, "last_frame": index, "bbox": f"{x},{y},{x + 140},{y + 130}"},
            }
            began = time.perf_counter()
            status, body = await connection.ask("GET", f"/v1/records?{urlencode(query)}")
            load.seconds.append(time.perf_counter() - began)
            load.num_items += body.count(b'"etag"')
            if status != 200:
                load.failures.append(f"{status} {body[:200]!r}")

    began = time.perf_counter()
    await asyncio.gather(*(reader() for _ in range(NUM_READERS)))
    load.took_s = time.perf_counter() - began
    return load


async def edit_all(port: int, ids: list[str], num_edits: int, phase: str) -> Load:
    """Edit from several connections, each edit with the tag of what was read before."""
    load = Load()
    left = iter(range(num_edits))

    async def writer(number: int) -> None:
        connection = await Connection(port).open()
        tags: dict[str, str] = {}
        for at in left:
            record_id = ids[number + NUM_WRITERS * (at % (len(ids) // NUM_WRITERS))]  # of its own, as annotators do
            action = {"kind": "Accept"} if at % 2 else {"kind": "Relabel", "label": f"label {at}"}
            body = json.dumps({"events": [{"record_id": record_id, "action": action}]}).encode()
            headers = (
                f'If-Match: "{tags.get(record_id, "0-0")}"\r\nIdempotency-Key: {phase}-{os.getpid()}-{number}-{at}\r\n'
            )
            began = time.perf_counter()
            status, answer = await connection.ask("POST", "/v1/events", body, headers)
            load.seconds.append(time.perf_counter() - began)
            if status != 201:
                load.failures.append(f"{status} {answer[:200]!r}")
                continue
            told = json.loads(answer)
            tags.update(told["etags"])
            load.told.append(told["items"][0]["event"]["id"])

    began = time.perf_counter()
    await asyncio.gather(*(writer(number) for number in range(NUM_WRITERS)))
    load.took_s = time.perf_counter() - began
    return load


def run_load(what: str, port: int, path: Path, num_masks: int, seconds: float) -> dict[str, Load]:
    """Run a load in this process, which is not the server's."""
    with open_store(path, read_only=True) as store, store.sql() as views:
        rows = views.execute("SELECT id FROM masks WHERE num_events = 0 ORDER BY hash(id) LIMIT 2000").fetchall()
    ids = [row[0] for row in rows]

    async def run() -> dict[str, Load]:
        match what:
            case "cold":
                return {"ask": await ask_all(port, num_masks, seconds, 1, each_frame_once=True)}
            case "warm":
                return {"ask": await ask_all(port, num_masks, seconds, 3)}
            case "edit":
                return {"edit": await edit_all(port, ids, NUM_EDITS, what)}
        asking, editing = await asyncio.gather(
            ask_all(port, num_masks, seconds, 4), edit_all(port, ids[NUM_EDITS:], NUM_EDITS, what)
        )
        return {"ask": asking, "edit": editing}

    return asyncio.run(run())


def _in_process(parent: Any, what: str, port: int, path: Path, num_masks: int, seconds: float) -> None:
    if what == "warm":
        asyncio.run(ask_all(port, num_masks, 120, 2, each_frame_once=True))
    parent.send("warm")
    parent.recv()
    parent.send(run_load(what, port, path, num_masks, seconds))


class Server:
    """A server process, and loads from others."""

    def __init__(self, path: Path, num_masks: int, seconds: float) -> None:
        self._context, self._rest = get_context("spawn"), (path, num_masks, seconds)
        hears, tells = self._context.Pipe(duplex=False)
        self._process = self._context.Process(target=serve, args=(path, tells), daemon=True)
        self._process.start()
        self._port = int(hears.recv().split("http://127.0.0.1:")[1].split()[0])

    def load(self, what: str) -> dict[str, Load]:
        """Run a load in a process of its own."""
        hears, tells = self._context.Pipe()
        process = self._context.Process(target=_in_process, args=(tells, what, self._port, *self._rest), daemon=True)
        process.start()
        hears.recv()  # warm
        before = self._cpu_s()
        hears.send("go")
        found = hears.recv()
        took = self._cpu_s() - before
        process.join()
        for load in found.values():
            load.cpu_s = took
        return found

    def _cpu_s(self) -> float:
        """Seconds of CPU that the server has used, which other work on the machine does not change."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self._process.pid is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.join()


def row(title: str, name: str, load: Load, note: str) -> dict[str, Any]:
    """One figure, for people and for RESULTS.md."""
    if load.failures:
        sys.exit(f"{name}: {len(load.failures)} failed, for instance {load.failures[0]}")
    p50, p95 = statistics.median(load.seconds), statistics.quantiles(load.seconds, n=20)[-1]
    rate = len(load.seconds) / load.took_s
    told = f"{len(load.seconds)} in {load.took_s:.1f} s: {rate:.0f} a second, p95 {1000 * p95:.1f} ms{note}"
    told += f"; {1000 * load.cpu_s / len(load.seconds):.2f} ms of the server's CPU each"
    print(f"{name:44} p50 {1000 * p50:6.1f} ms  {told}")
    facts = {
        "ms": round(1000 * p50, 2),
        "times_as_fast": 1.0,
        "added_mb": 0,
        "memory_ratio": 1.0,
        "max_abs_error": None,
    }
    return {"title": title, "name": f"{name}: {told}", **facts, "note": __doc__.split("\n\n")[2].replace("\n", " ")}


def main() -> None:
    """Measure and append the rows to results/serve_store.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--masks", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--folder", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = (chosen.folder or Path(folder)) / "masks"
        path.parent.mkdir(parents=True, exist_ok=True)
        make_store(path, chosen.masks)
        title = f"Serving a store of {chosen.masks:,} masks"
        server = Server(path, chosen.masks, chosen.seconds)
        rows, told = [], []
        for what, name in (
            ("cold", "questions, no frame seen before"),
            ("warm", "questions, frames seen before"),
            ("edit", f"edits by {NUM_WRITERS} writers"),
            ("both", "both at once"),
        ):
            for kind, load in server.load(what).items():
                told += load.told
                each = f", {load.num_items / len(load.seconds):.1f} masks each" if kind == "ask" else ", durable"
                rows.append(row(title, f"{name} ({kind})" if what == "both" else name, load, each))
        server.kill()
        with open_store(path, read_only=True) as store:
            kept = {event.id for event in store.events()}
        lost = len(set(told) - kept)
        print(f"{len(told)} edits were acknowledged, {lost} of them are lost after kill -9")
        if lost or len(set(told)) != len(told):
            sys.exit("edits were lost or told twice")
    command = " ".join(["python", "benchmarks/serve_store.py", *sys.argv[1:]])
    RESULTS.mkdir(exist_ok=True)
    written = [{**one, "peak_mb": 0, "command": command, **machine()} for one in rows]
    (RESULTS / "serve_store.json").write_text(json.dumps(written, indent=1) + "\n")


if __name__ == "__main__":
    main()
