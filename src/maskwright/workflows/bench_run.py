"""One contender of `bench`, in the process that is its own: `python -m maskwright.workflows.bench_run JSON`.

Clocks are read after the device is done with what it was given. The first round of everything warms up and does not
count: compilation, autotuning and page faults are no part of a frame.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from maskwright.core import BoxPrompt, Image, PointPrompt, Prompt
from maskwright.core.errors import MaskwrightError
from maskwright.models import load_model
from maskwright.models.protocol import Model
from maskwright.predict import embed, embed_batch, everything, predict, to_records
from maskwright.workflows.pictures import find_pictures

_BATCHES = {"cpu": (1, 2, 4), "cuda": (1, 2, 4, 8, 16)}
_PEAK_SIDE, _PEAK_ROUNDS = 8192, 20


def measure(asked: dict[str, Any]) -> dict[str, Any]:
    """Measure what was asked for."""
    before = _memory_mb("VmRSS")
    started = time.perf_counter()
    model = load_model(asked["model"], device=asked["device"], precision=asked["precision"], backend=asked["backend"])
    loaded = time.perf_counter() - started
    images = [one.read() for one in find_pictures([asked["data"]])[: asked["num_frames"]]]
    wait = torch.cuda.synchronize if asked["device"].startswith("cuda") else lambda: None
    image, click = images[0], [PointPrompt([_middle(images[0])])]
    embedding = embed(model, image)
    rounds = asked["rounds"]
    found: dict[str, Any] = {
        "load_s": round(loaded, 2),
        "precision": embedding.model.precision.split()[0],  # of an exported model also what runs it
        "encode": _times(lambda: embed(model, image), rounds, wait),
        "click": _times(lambda: to_records(predict(model, embedding, click)), rounds, wait),
        "both": _times(lambda: to_records(predict(model, embed(model, image), click)), rounds, wait),
        "everything_ms": _times(lambda: everything(model, image, embedding=embedding), 1, wait)["median"],
        "batches": _batches(model, images, asked["device"].partition(":")[0], wait),
        "masks": [mask for one in images for mask in _masks(model, one)],
        "peak_mb": _memory_mb("VmHWM"),
        "before_mb": before,
    }
    if asked["device"].startswith("cuda"):
        found |= _on_gpu(model, asked, found["batches"])
    return found


def _times(run: Callable[[], object], rounds: int, wait: Callable[[], None]) -> dict[str, float]:
    """Milliseconds of wall and of processor, after one round that does not count."""
    run()
    wait()
    wall, spent = list[float](), list[float]()
    for _ in range(rounds):
        started, used = time.perf_counter(), time.process_time()
        run()
        wait()
        wall.append(1000 * (time.perf_counter() - started))
        spent.append(1000 * (time.process_time() - used))
    return {
        "median": float(np.median(wall)),
        "p95": float(np.percentile(wall, 95)),
        "processor": float(np.median(spent)),
    }


def _batches(model: Model, images: list[Image], kind: str, wait: Callable[[], None]) -> dict[str, float]:
    """Milliseconds a picture at each batch size that memory holds."""
    found = {}
    for size in _BATCHES.get(kind, (1,)):
        batch = [images[i % len(images)] for i in range(size)]
        try:
            took = _times(lambda b=batch, n=size: list(embed_batch(model, b, batch_size=n)), 2, wait)
        except (torch.cuda.OutOfMemoryError, MemoryError):
            break
        found[str(size)] = took["median"] / size
    return found


def _masks(model: Model, image: Image) -> list[tuple[tuple[int, int], str]]:
    """Answers that contenders are compared by: a grid of clicks and of boxes around them."""
    height, width = image.size_hw
    prompts: list[Prompt] = []
    for y in (0.25, 0.5, 0.75):
        for x in (0.25, 0.5, 0.75):
            cx, cy, w, h = x * width, y * height, width / 8, height / 8
            prompts += [PointPrompt([(cx, cy)]), BoxPrompt((cx - w, cy - h, cx + w, cy + h))]
    records = to_records(predict(model, embed(model, image), prompts))
    return [(record.rle.size_hw, record.rle.counts.hex()) for record in records]


def _on_gpu(model: Model, asked: dict[str, Any], batches: dict[str, float]) -> dict[str, Any]:
    """The GPU's peak memory, and the encoder's share of what its matrix products reach in the same numbers."""
    found: dict[str, Any] = {"gpu_peak_mb": torch.cuda.max_memory_allocated() / 2**20}
    if asked["backend"] not in ("torch", "compile"):
        return found
    dtype = model.precision
    flops, peak = _encoder_flops(model), _matrix_peak(dtype)
    reached = flops / (min(batches.values()) / 1000)
    return found | {
        "encoder_tflop": flops / 1e12,
        "matrix_peak_tflops": peak / 1e12,
        "share_of_peak": reached / peak,
    }


def _encoder_flops(model: Model) -> float:
    from torch.utils.flop_counter import FlopCounterMode

    side = model.frame.side
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.encode(torch.zeros(1, 3, side, side, device=model.device))
    return float(counter.get_total_flops())


def _matrix_peak(dtype: torch.dtype) -> float:
    """Operations a second of a large matrix product, the best of some."""
    a = torch.randn(_PEAK_SIDE, _PEAK_SIDE, device="cuda", dtype=dtype)
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    best = float("inf")
    for _ in range(_PEAK_ROUNDS):
        begin.record()
        torch.matmul(a, a)
        end.record()
        torch.cuda.synchronize()
        best = min(best, begin.elapsed_time(end) / 1000)
    return 2 * _PEAK_SIDE**3 / best


def _middle(image: Image) -> tuple[float, float]:
    height, width = image.size_hw
    return width / 2, height / 2


def _memory_mb(what: str) -> float:
    """Of this process, on Linux; elsewhere the peak that Python knows."""
    status = Path("/proc/self/status")
    if not status.exists():
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    lines = status.read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{what}:"))


def main() -> None:
    """Measure and write one line of JSON; what went wrong is the last line of stderr."""
    try:
        found = measure(json.loads(sys.argv[1]))
    except MaskwrightError as error:
        sys.exit(f"error: {error}")
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()


__all__ = ["main", "measure"]
