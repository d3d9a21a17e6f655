"""Benchmarks that can be trusted on a noisy machine: contenders take turns, each in a process of its own.

A `Contender` names a function that builds something callable. Every contender gets a worker process; the parent asks
them to run one after another, round after round, so that whatever else the machine does hits all alike. Reported
are medians, the ratio to the first contender, the peak memory that a run added to a fresh process, and the largest
difference of the results. Rows are appended to results/NAME.json; report.py makes RESULTS.md of them.
"""

import importlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results"
Run = Callable[[], np.ndarray | None]


@dataclass(frozen=True)
class Contender:
    """`build` is "module:function" inside benchmarks/; called with `arguments` it returns what is to be timed."""

    name: str
    build: str
    arguments: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Timing:
    """What one contender did: median seconds by the clock and of the processor, peak memory in MB (whole process, and
    added by the runs), its result."""

    name: str
    seconds: float
    processor_seconds: float
    peak_mb: float
    added_mb: float
    result: np.ndarray | None


def compare(contenders: Sequence[Contender], *, rounds: int = 5) -> list[Timing]:
    """Run all contenders in turn, `rounds` times after one warm-up."""
    context = get_context("spawn")
    workers: list[tuple[Connection, Any]] = []
    for contender in contenders:
        ours, theirs = context.Pipe()
        previous = {key: os.environ.get(key) for key in contender.environment}
        os.environ.update(contender.environment)
        process = context.Process(target=_worker, args=(theirs, contender), daemon=True)
        process.start()
        for key, value in previous.items():
            os.environ.pop(key) if value is None else os.environ.__setitem__(key, value)
        workers.append((ours, process))
    seconds: list[list[float]] = [[] for _ in contenders]
    spent: list[list[float]] = [[] for _ in contenders]
    finished: list[dict[str, Any]] = []
    for connection, _ in workers:
        _answer(connection)  # built and warmed up
    for _ in range(rounds):
        for i, (connection, _) in enumerate(workers):
            connection.send("run")
            answer = _answer(connection)
            seconds[i].append(answer["seconds"])
            spent[i].append(answer["processor_seconds"])
    for connection, process in workers:
        connection.send("finish")
        finished.append(_answer(connection))
        process.join()
    return [
        Timing(c.name, statistics.median(s), statistics.median(p), f["peak_mb"], f["added_mb"], _load(f["result"]))
        for c, s, p, f in zip(contenders, seconds, spent, finished, strict=True)
    ]


def _answer(connection: Connection) -> dict[str, Any]:
    answer = connection.recv()
    if "error" in answer:
        sys.exit(f"benchmark worker failed: {answer['error']}")
    return answer


def _worker(connection: Connection, contender: Contender) -> None:
    try:
        sys.path.insert(0, str(Path(__file__).parent))
        module, function = contender.build.split(":")
        run: Run = getattr(importlib.import_module(module), function)(**contender.arguments)
        before = _memory_mb("VmRSS")
        reset_peak()
        result = run()
        added = _memory_mb("VmHWM") - before
        connection.send({})
        while connection.recv() == "run":
            start, begun = time.perf_counter(), time.process_time()
            run()
            spent = time.process_time() - begun
            connection.send({"seconds": time.perf_counter() - start, "processor_seconds": spent})
        path = None
        if result is not None:
            with tempfile.NamedTemporaryFile(suffix=".npy", delete=False) as file:
                np.save(file, result)
                path = file.name
        connection.send({"peak_mb": _memory_mb("VmHWM"), "added_mb": added, "result": path})
    except Exception as error:
        connection.send({"error": f"{contender.name}: {type(error).__name__}: {error}"})
        raise


def _load(path: str | None) -> np.ndarray | None:
    if path is None:
        return None
    result = np.load(path)
    Path(path).unlink()
    return result


def reset_peak() -> None:
    """Forget the peak so far (Linux), so that VmHWM is the peak of what follows."""
    Path("/proc/self/clear_refs").write_text("5")


def _memory_mb(what: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(what + ":"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"no {what} in /proc/self/status; the memory figures need Linux")


def machine() -> dict[str, Any]:
    """What a figure depends on."""
    import torch

    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    model = next((x.split(":")[1].strip() for x in _lines("/proc/cpuinfo") if x.startswith("model name")), "?")
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit.stdout.strip(),
        "cpu": model,
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def report(name: str, title: str, timings: Sequence[Timing], *, note: str = "", items: int = 1) -> list[dict[str, Any]]:
    """Print a table with ratios to the first contender and append its rows to results/NAME.json."""
    first = timings[0]
    rows = []
    for timing in timings:
        error = None
        if first.result is not None and timing.result is not None and timing is not first:
            error = float(np.abs(first.result.astype(np.float64) - timing.result).max())
        rows.append(
            {
                "title": title,
                "name": timing.name,
                "ms": round(1000 * timing.seconds / items, 3),
                "times_as_fast": round(timing.seconds / first.seconds, 2),
                "processor_ms": round(1000 * timing.processor_seconds / items, 3),
                "processor_ratio": round(timing.processor_seconds / first.processor_seconds, 2),
                "peak_mb": round(timing.peak_mb),
                "added_mb": round(timing.added_mb),
                "memory_ratio": round(first.added_mb / max(timing.added_mb, 1), 3),
                "max_abs_error": error,
                "note": note,
                "command": command(),
                **machine(),
            }
        )
    print(f"\n{title}{f' ({note})' if note else ''}")
    print(f"{'':34}{'ms':>10}{'ratio':>8}{'cpu ms':>10}{'ratio':>8}{'peak MB':>9}{'added MB':>10}{'max error':>11}")
    for row in rows:
        error = "" if row["max_abs_error"] is None else f"{row['max_abs_error']:.1e}"
        print(
            f"{row['name']:34}{row['ms']:10.1f}{row['times_as_fast']:7.2f}x{row['processor_ms']:10.1f}"
            f"{row['processor_ratio']:7.2f}x{row['peak_mb']:9}{row['added_mb']:10}{error:>11}"
        )
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    kept = [row for row in json.loads(path.read_text()) if row["title"] != title] if path.exists() else []
    path.write_text(json.dumps(kept + rows, indent=1) + "\n")
    return rows


def command() -> str:
    """The command that runs, as others would type it."""
    return " ".join(["python", *(_shown(a) for a in sys.argv)])


def _shown(argument: str) -> str:
    """An argument as others would type it: no path of this machine."""
    if argument.endswith(".py"):
        return f"benchmarks/{Path(argument).name}"
    return f"PATH/{Path(argument).name}" if "/" in argument else argument


__all__ = ["Contender", "Timing", "command", "compare", "machine", "report", "reset_peak"]
