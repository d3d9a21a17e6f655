"""`bench`: how fast a model is by each backend, what memory it takes, and how its masks compare with PyTorch's in fp32.

Every contender runs in a process of its own, one after another, and is asked the same pictures and prompts. The first
is PyTorch in fp32, which the masks of all others are compared with. A contender that cannot run says why and is no
reason to stop.
"""

import json
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.core import RLE
from maskwright.core.errors import InputError, SettingError
from maskwright.core.settings import BACKENDS
from maskwright.masks import iou
from maskwright.models.backends.names import is_exported

_ON_CPU = (("torch", "fp32"), ("compile", "fp32"), ("onnx", "fp32"), ("openvino", "fp32"))
_ON_GPU = (
    ("torch", "fp32"), ("torch", "bf16"), ("torch", "fp16"), ("compile", "auto"), ("onnx", "fp32"),
    ("onnx-tensorrt", "fp32"), ("tensorrt", "fp32"),
)  # fmt: skip
_LIMIT_S = 1800  # of one contender
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A model, what runs it, and the numbers that its encoder computes in."""

    model: str
    backend: str
    precision: str
    device: str

    @property
    def title(self) -> str:
        """What it is called in the table."""
        return f"{self.model}, {self.backend} {self.precision}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one contender did, or why it could not. Times are milliseconds, memory megabytes of the whole process.

    `agreement` is the mean IoU of its masks with those of the first contender that ran.
    """

    contender: Contender
    measured: dict[str, Any]
    agreement: float | None = None
    problem: str | None = None

    @property
    def title(self) -> str:
        """What it is called in the table: with the numbers that "auto" came to, once that is known."""
        one = self.contender
        return f"{one.model}, {one.backend} {self.measured.get('precision', one.precision)}"


def contenders(models: Sequence[str], backend: str, device: str) -> list[Contender]:
    """List who is measured: for "all" what the device has, else one backend behind PyTorch in fp32.

    An exported model is run by what it was written for, and is compared with the first model named.

    Raises:
        SettingError: there is no such backend.
    """
    if backend not in ("all", *BACKENDS):
        raise SettingError(f"--backend must be all or one of {', '.join(BACKENDS)}; got {backend!r}")
    is_gpu = device.startswith("cuda")
    found = []
    for model in models:
        if is_exported(Path(model)):
            runs = ("default",) if Path(model).suffix != ".onnx" else ("onnx",) if is_gpu else ("onnx", "openvino")
            each = [(one, "auto") for one in (runs if backend == "all" else (backend,))]
        elif backend == "all":
            each = list(_ON_GPU if is_gpu else _ON_CPU)
        else:
            each = [("torch", "fp32"), (backend, "auto" if is_gpu else "fp32")]
        found += [Contender(model=model, backend=b, precision=p, device=device) for b, p in dict.fromkeys(each)]
    return found


def bench(
    each: Sequence[Contender], data: str, *, num_frames: int = 8, rounds: int = 10, say: Say = lambda text: None
) -> Iterator[Row]:
    """Measure contenders in turn."""
    reference: list[RLE] | None = None
    for one in each:
        say(f"measuring {one.title}")
        measured, problem = _run(one, data, num_frames, rounds)
        masks = [RLE(size_hw=tuple(size), counts=bytes.fromhex(counts)) for size, counts in measured.pop("masks", [])]
        if problem is None and reference is None:
            reference = masks
        agreement = None
        if reference is not None and problem is None:
            agreement = float(np.mean([iou(a, b) for a, b in zip(masks, reference, strict=True)]))
        yield Row(contender=one, measured=measured, agreement=agreement, problem=problem)


def _run(one: Contender, data: str, num_frames: int, rounds: int) -> tuple[dict[str, Any], str | None]:
    """Measure one in a process of its own; what it says last on stdout is what it measured."""
    asked = json.dumps({**asdict(one), "data": data, "num_frames": num_frames, "rounds": rounds})
    command = [sys.executable, "-m", "maskwright.workflows.bench_run", asked]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return {}, f"took longer than {_LIMIT_S // 60} minutes"
    lines = done.stdout.strip().splitlines()
    if done.returncode == 0 and lines:
        return json.loads(lines[-1]), None
    told = done.stderr.strip().splitlines()
    return {}, told[-1].removeprefix("error: ") if told else f"ended with {done.returncode}"


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    import torch

    from maskwright import __version__

    on_linux = Path("/proc/cpuinfo")
    lines = on_linux.read_text().splitlines() if on_linux.exists() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "maskwright": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "cpu": model,
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def as_json(rows: Sequence[Row]) -> dict[str, Any]:
    """Give all that was measured as JSON's values."""
    return {"machine": machine(), "rows": [asdict(row) for row in rows]}


def summary(row: Row) -> str:
    """Say in one line what a contender did, for who waits for the others."""
    if row.problem is not None:
        return f"{row.title}: {row.problem}"
    one = row.measured
    return (
        f"{row.title}: encode {one['encode']['median']:.1f} ms, click {one['click']['median']:.1f} ms, "
        f"everything {one['everything_ms']:.0f} ms"
    )


def as_text(rows: Sequence[Row]) -> str:
    """Give the table for a terminal."""
    head = (
        "",
        "encode",
        "p95",
        "x",
        "click",
        "p95",
        "encode+click",
        "everything",
        "batch",
        "peak MB",
        "of peak",
        "mIoU",
    )
    lines: list[tuple[str, ...]] = [head]
    first = next((row for row in rows if row.problem is None), None)
    for row in rows:
        if row.problem is not None:
            lines.append((row.title, row.problem))
            continue
        lines.append(_cells(row, first))
    widths = [max((len(line[i]) for line in lines if len(line) == len(head)), default=0) for i in range(len(head))]
    widths[0] = max(len(line[0]) for line in lines)
    told = [
        f"{line[0]:<{widths[0]}}  " + "  ".join(f"{x:>{w}}" for x, w in zip(line[1:], widths[1:], strict=False))
        for line in lines
    ]
    return "\n".join([*told, _footnote(rows)])


def _cells(row: Row, first: Row | None) -> tuple[str, ...]:
    one = row.measured
    base = first.measured["encode"]["median"] if first is not None else one["encode"]["median"]
    batches = one["batches"]
    best = min(batches, key=lambda size: batches[size])
    peak = one.get("gpu_peak_mb") or one["peak_mb"]
    share = one.get("share_of_peak")
    return (
        row.title,
        f"{one['encode']['median']:.1f}",
        f"{one['encode']['p95']:.1f}",
        f"{base / one['encode']['median']:.2f}",
        f"{one['click']['median']:.1f}",
        f"{one['click']['p95']:.1f}",
        f"{one['both']['median']:.1f}",
        f"{one['everything_ms']:.0f}",
        f"{best}: {batches[best]:.1f}",
        f"{peak:.0f}",
        "" if share is None else f"{100 * share:.0f} %",
        "" if row.agreement is None else f"{row.agreement:.4f}",
    )


def _footnote(rows: Sequence[Row]) -> str:
    here = machine()
    threads = f"{here['cpu']}, {here['threads']} threads" + (f", {here['gpu']}" if here["gpu"] else "")
    return (
        f"milliseconds, medians and 95th percentiles; x: encode beside the first row; batch: the best size and "
        f"milliseconds a picture; mIoU of the masks with the first row's; {threads}, torch {here['torch']}"
    )


def check_data(data: str) -> None:
    """Check that there are pictures, before anything is started.

    Raises:
        InputError, ImageError: there are none.
    """
    from maskwright.workflows.pictures import find_pictures

    if not find_pictures([data]):
        raise InputError(f"no picture to measure on: {data}")


__all__ = ["Contender", "Row", "as_json", "as_text", "bench", "check_data", "contenders", "machine", "summary"]
