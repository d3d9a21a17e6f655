"""What does a click cost over HTTP, alone, among 16 annotators, and where the server is saturated? Does it last?

    python benchmarks/serve.py [clicks|soak] [--minutes 30] [--model tiny]

Server processes on loopback; the load comes from this process over kept connections. Beside the server stand the same
one with batching off, and what a user could write in an afternoon: FastAPI around `predict`, one request at a time.
One client: p50 of a click on a cached embedding, beside `predict` and `to_records` in a process of their own (target
1.3 times). Sixteen annotators, one click in 0.5 s each, on images of their own: p95 (target 6 times the p50 of one) and
errors (target none). Saturated: clicks a second (target twice those with batching off). `soak` clicks at half of
that for a long time and watches resident memory and open files.
"""

import argparse
import asyncio
import io
import json
import os
import signal
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from harness import Timing, report
from http_load import Connection
from serve_engine import bare, images

NUM_CLIENTS = 16
PAUSE_S = 0.5


def ours(tell: Any, model: str, max_batch: int) -> None:
    """`maskwright serve`, with limits that a benchmark needs."""
    from maskwright.serve.run import run
    from maskwright.serve.settings import ServeSettings

    run(
        ServeSettings(models=(model,), port=0, max_batch=max_batch, rate_per_s=100_000, burst=100_000),
        tell=lambda text: tell.send(int(text.split("http://127.0.0.1:")[1].split("\n")[0].split(",")[0])),
    )


def plain(tell: Any, model: str, _: int) -> None:
    """FastAPI around `predict`: embeds once by digest, then a request at a time, as a lock is all it has."""
    import threading

    import uvicorn
    from fastapi import FastAPI, Request

    from maskwright.core import PointPrompt
    from maskwright.core.codec import to_json
    from maskwright.datasets import read_image
    from maskwright.models import load_model
    from maskwright.predict import embed, predict, to_records

    app, network, embeddings, lock = FastAPI(), load_model(model), {}, threading.Lock()

    @app.post("/v1/images")
    async def send(request: Request) -> dict[str, str]:
        image = read_image(io.BytesIO(await request.body()))
        embeddings[image.digest] = embed(network, image)
        return {"digest": image.digest}

    @app.post("/v1/segment")
    def segment(asked: dict[str, Any]) -> dict[str, Any]:
        with lock:
            prompts = [PointPrompt(one["points_xy"]) for one in asked["prompts"]]
            records = to_records(predict(network, embeddings[asked["image"]], prompts))
        return {"masks": [to_json(record) for record in records]}

    config = uvicorn.Config(app, port=0, log_level="critical")
    server = uvicorn.Server(config)

    async def serve() -> None:
        task = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.05)
        tell.send(server.servers[0].sockets[0].getsockname()[1])
        await task

    asyncio.run(serve())


@dataclass
class Server:
    """A server in a process of its own, and the digests of the pictures it was shown."""

    name: str
    port: int
    process: Any
    digests: list[str] = field(default_factory=list)


async def begin(name: str, target: Callable[..., None], model: str, max_batch: int = 0) -> Server:
    """Start a server and show it a picture for each client."""
    hears, tells = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=target, args=(tells, model, max_batch), daemon=True)
    process.start()
    server = Server(name, await asyncio.to_thread(hears.recv), process)
    connection = await Connection(server.port).open()
    for image in images():
        status, body = await connection.ask("POST", "/v1/images?embed=true", png(image), "Content-Type: image/png\r\n")
        assert status in (200, 201), body
        server.digests.append(json.loads(body)["digest"])
    return server


def png(image: Any) -> bytes:
    """Encode a picture."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image.pixels).save(file, "PNG")
    return file.getvalue()


@dataclass
class Load:
    """Seconds of each click that was answered, and what else came."""

    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


async def click(connection: Connection, server: Server, client: int, number: int, load: Load) -> None:
    """Click once and note what came."""
    prompt = {"kind": "PointPrompt", "points_xy": [[300 + number % 7, 200]]}
    body = json.dumps({"image": server.digests[client], "prompts": [prompt]}).encode()
    began = time.perf_counter()
    status, answer = await connection.ask("POST", "/v1/segment", body, "Content-Type: application/json\r\n")
    if status == 200:
        load.seconds.append(time.perf_counter() - began)
    else:
        load.failures.append(f"{status} {answer[:100]!r}")


async def alone(server: Server, number: int) -> Load:
    """One client, click after click."""
    load, connection = Load(), await Connection(server.port).open()
    for i in range(number):
        await click(connection, server, 0, i, load)
    return load


async def crowd(server: Server, seconds: float, pause_s: float) -> tuple[Load, float]:
    """All clients for a while, each with a pause between clicks; also gives clicks a second."""
    load, until = Load(), time.perf_counter() + seconds

    async def annotate(client: int) -> None:
        connection, number = await Connection(server.port).open(), 0
        await asyncio.sleep(pause_s * client / NUM_CLIENTS)
        while time.perf_counter() < until:
            began = time.perf_counter()
            await click(connection, server, client, number, load)
            number += 1
            await asyncio.sleep(max(0.0, pause_s - (time.perf_counter() - began)))

    began = time.perf_counter()
    await asyncio.gather(*(annotate(client) for client in range(NUM_CLIENTS)))
    return load, len(load.seconds) / (time.perf_counter() - began)


async def clicks(model: str, rounds: int) -> None:
    """Alone, among 16, saturated."""
    hears, tells = get_context("spawn").Pipe()
    script = get_context("spawn").Process(target=bare, args=(tells, model, "cpu", 0), daemon=True)
    script.start()
    await asyncio.to_thread(hears.recv)
    servers = [
        await begin("maskwright serve", ours, model, 32),
        await begin("batching off", ours, model, 1),
        await begin("FastAPI around predict", plain, model),
    ]
    single: dict[str, list[float]] = {name: [] for name in ("predict and to_records", *(one.name for one in servers))}
    rates: dict[str, list[float]] = {one.name: [] for one in servers}
    paced: dict[str, list[float]] = {one.name: [] for one in servers}
    failures: dict[str, list[str]] = {one.name: [] for one in servers}
    for _ in range(rounds):
        hears.send(("single", 40))
        answer = await asyncio.to_thread(hears.recv)
        single["predict and to_records"].append(statistics.median(answer["times"]))
        for server in servers:
            single[server.name].append(statistics.median((await alone(server, 40)).seconds))
        for server in servers:
            load, _ = await crowd(server, 8.0, PAUSE_S)
            paced[server.name] += load.seconds
            failures[server.name] += load.failures
        for server in servers:
            load, rate = await crowd(server, 5.0, 0.0)
            rates[server.name].append(rate)
            failures[server.name] += load.failures
    note = f"{model}, cpu, 640x480, one click, cached embedding, RLE back"
    p50 = {name: statistics.median(times) for name, times in single.items()}
    report("serve", "a click of one client over HTTP, p50", [_timing(*one) for one in p50.items()], note=note)
    p95 = {name: float(np.percentile(times, 95)) for name, times in paced.items()}
    for server in servers:
        told = f"{len(failures[server.name])} errors, p95 {p95[server.name] / p50[server.name]:.1f} times its p50 alone"
        print(f"{server.name}: {told}")
    report("serve", "16 annotators, one click in 0.5 s each, p95", [_timing(*one) for one in p95.items()], note=note)
    rate = {name: statistics.median(some) for name, some in rates.items()}
    saturated = [_timing(name, 1 / one) for name, one in rate.items()]
    report("serve", "16 clients without pause, time a click", saturated, note=note)
    hears.send(None)
    for server in servers:
        os.kill(server.process.pid, signal.SIGTERM)
        server.process.join(30)


async def soak(model: str, minutes: float) -> None:
    """Half load for long: memory and open files by tenths."""
    server = await begin("maskwright serve", ours, model, 32)
    _, rate = await crowd(server, 5.0, 0.0)
    pause_s = NUM_CLIENTS / (rate / 2)
    folder = Path(f"/proc/{server.process.pid}")
    rows, failures, num_clicks = [], 0, 0
    for tenth in range(10):
        load, _ = await crowd(server, 6.0 * minutes, pause_s)
        resident = int((folder / "statm").read_text().split()[1]) * 4096 / 1e6
        files = len(list((folder / "fd").iterdir()))
        failures, num_clicks = failures + len(load.failures), num_clicks + len(load.seconds)
        told = f"minute {(tenth + 1) * minutes / 10:g}, {files} files open"
        rows.append(Timing(told, float(np.percentile(load.seconds, 95)), resident, 0.0, None))
        print(f"{told}: {resident:.0f} MB, p95 {1000 * rows[-1].seconds:.0f} ms", flush=True)
    note = f"{num_clicks} clicks, {failures} errors, {rate / 2:.1f} clicks/s, half of what saturates it; p95 of a click"
    report("serve", f"{minutes:g} minutes at half load: resident memory", rows, note=note)
    os.kill(server.process.pid, signal.SIGTERM)
    server.process.join(30)


def _timing(name: str, seconds: float) -> Timing:
    return Timing(name, seconds, 0.0, 0.0, None)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", choices=("clicks", "soak"), default="clicks")
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=30.0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MASKWRIGHT_CACHE"] = folder
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        asyncio.run(clicks(args.model, args.rounds) if args.part == "clicks" else soak(args.model, args.minutes))


if __name__ == "__main__":
    main()
