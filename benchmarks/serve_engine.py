"""What does the server's engine add to a click, and what does it gain where many click? Without HTTP, in process.

python benchmarks/serve_engine.py [--model tiny] [--device cpu]

One client clicks on a cached embedding, beside predict and to_records alone. Then 16 clients click on 16 images as fast
as they get answers, with batching and with batching off (one piece at a time, which has all threads). Each contender
has a process of its own, since threads of OpenMP are one's whole process's; they take turns.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from harness import Timing, report

_NUM_CLIENTS = 16
_SIZE_HW = (480, 640)


def images() -> list[Any]:
    """Pictures of a robot's size."""
    from maskwright.core import Image

    random = np.random.default_rng(0)
    small = random.integers(0, 255, (_NUM_CLIENTS, 15, 20, 3), dtype=np.uint8)
    return [Image(np.kron(one, np.ones((32, 32, 1), np.uint8))) for one in small]


def bare(connection: Connection, model_name: str, device: str, _: int) -> None:
    """`predict` and `to_records`, as a script would call them."""
    from maskwright.core import PointPrompt
    from maskwright.models import load_model
    from maskwright.predict import embed, predict, to_records

    model = load_model(model_name, device=device)
    embeddings = [embed(model, image) for image in images()]

    def click(i: int) -> None:
        to_records(predict(model, embeddings[i % _NUM_CLIENTS], [PointPrompt([(300.0 + i % 7, 200.0)])]))

    def single(number: int) -> dict[str, Any]:
        return {"times": _times(click, number)}

    _answer_orders(connection, {"single": single})


def engine(connection: Connection, model_name: str, device: str, max_batch: int) -> None:
    """The engine of `maskwright serve`."""
    from maskwright.core import PointPrompt
    from maskwright.serve.engine import LocalEngine
    from maskwright.serve.meter import Meter
    from maskwright.serve.settings import ServeSettings
    from maskwright.serve.values import Segment, Work

    settings = ServeSettings(models=(model_name,), device=device, max_batch=max_batch)
    meter = Meter()
    served, pictures = LocalEngine(settings, meter), images()

    async def click(i: int, client: int) -> None:
        segment = Segment(prompts=(PointPrompt([(300.0 + i % 7, 200.0)]),))
        await served.segment(pictures[client], segment, Work(client=f"client {client}"))

    async def prepare() -> None:
        await served.start()
        for client, picture in enumerate(pictures):
            await served.embed(picture, Work(client=f"client {client}"))

    with asyncio.Runner() as runner:
        runner.run(prepare())

        async def one_by_one(number: int) -> list[float]:
            times = []
            for i in range(number):
                began = time.perf_counter()
                await click(i, i % _NUM_CLIENTS)
                times.append(time.perf_counter() - began)
            return times

        async def all_at_once(seconds: float) -> tuple[int, list[float]]:
            until, times = time.perf_counter() + seconds, []

            async def keep_clicking(client: int) -> None:
                i = 0
                while (began := time.perf_counter()) < until:
                    await click(i, client)
                    times.append(time.perf_counter() - began)
                    i += 1

            began = time.perf_counter()
            await asyncio.gather(*(keep_clicking(client) for client in range(_NUM_CLIENTS)))
            return round(len(times) / (time.perf_counter() - began), 2), times

        def single(number: int) -> dict[str, Any]:
            return {"times": runner.run(one_by_one(number))}

        def saturated(seconds: float) -> dict[str, Any]:
            rate, times = runner.run(all_at_once(seconds))
            return {"rate": rate, "times": times}

        def stages(_: float) -> dict[str, Any]:
            value = meter.registry.get_sample_value
            names = ("queue", "decode", "draw")
            sums = {name: value("maskwright_stage_seconds_sum", {"stage": name}) or 0.0 for name in names}
            counts = {name: value("maskwright_stage_seconds_count", {"stage": name}) or 0.0 for name in names}
            return {name: (sums[name], counts[name]) for name in names}

        _answer_orders(connection, {"single": single, "saturated": saturated, "stages": stages})
        runner.run(served.drain(1.0))


def _times(click: Callable[[int], None], number: int) -> list[float]:
    times = []
    for i in range(number):
        began = time.perf_counter()
        click(i)
        times.append(time.perf_counter() - began)
    return times


def _answer_orders(connection: Connection, orders: dict[str, Callable[[Any], dict[str, Any]]]) -> None:
    orders["single"](5)
    connection.send({})
    while (order := connection.recv()) is not None:
        name, argument = order
        connection.send(orders[name](argument))


def _start(target: Callable[..., None], *arguments: Any) -> tuple[Connection, Any]:
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=target, args=(theirs, *arguments), daemon=True)
    process.start()
    ours.recv()
    return ours, process


def _ask(connection: Connection, name: str, argument: Any) -> dict[str, Any]:
    connection.send((name, argument))
    return connection.recv()


def _timing(name: str, seconds: float) -> Timing:
    return Timing(name, seconds, 0.0, 0.0, None)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--clicks", type=int, default=40, help="a round, of the single client")
    parser.add_argument("--seconds", type=float, default=4.0, help="a round, of the 16 clients")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MASKWRIGHT_CACHE"] = folder
        names = ("predict and to_records", "engine", "engine, batching off")
        started = [
            _start(bare, args.model, args.device, 0),
            _start(engine, args.model, args.device, 32),
            _start(engine, args.model, args.device, 1),
        ]
        single: list[list[float]] = [[], [], []]
        rates: list[list[float]] = [[], []]
        busy: list[list[float]] = [[], []]
        for _ in range(args.rounds):
            for i, (connection, _process) in enumerate(started):
                single[i].append(statistics.median(_ask(connection, "single", args.clicks)["times"]))
            for i, (connection, _process) in enumerate(started[1:]):
                answer = _ask(connection, "saturated", args.seconds)
                rates[i].append(answer["rate"])
                busy[i] += answer["times"]
        note = f"{args.model}, {args.device}, {_SIZE_HW[1]}x{_SIZE_HW[0]}"
        medians = [statistics.median(times) for times in single]
        report("serve_engine", "a click of one client, p50", list(map(_timing, names, medians)), note=note)
        rate = [statistics.median(some) for some in rates]
        report(
            "serve_engine",
            "a click where 16 clients click without pause, time a click",
            [_timing(name, 1 / one) for name, one in zip(names[1:], rate, strict=True)],
            note=note,
        )
        p95 = [1000 * float(np.percentile(times, 95)) for times in busy]
        print(f"\nclicks/s: {rate[0]:.1f} with batching, {rate[1]:.1f} without: {rate[0] / rate[1]:.2f} times as many")
        ratios = sorted(on / off for on, off in zip(*rates, strict=True))
        print(f"round by round: {', '.join(f'{ratio:.2f}' for ratio in ratios)} times as many")
        print(f"best rounds: {max(rates[0]):.1f} clicks/s with batching, {max(rates[1]):.1f} without")
        best = (f"{1000 * min(times):.1f} {name}" for name, times in zip(names, single, strict=True))
        print(f"best p50 of one client, ms: {', '.join(best)}")
        print(f"p95 of a client, ms: {p95[0]:.0f} with batching, {p95[1]:.0f} without")
        for connection, process in started:
            connection.send(None)
            process.join(10)


if __name__ == "__main__":
    main()
