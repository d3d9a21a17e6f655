"""What `maskwright doctor` finds: versions, devices, weights, the allocator, a real prediction with known truth."""

import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from maskwright.core.errors import MaskwrightError
from maskwright.core.settings import CACHE, MODEL, SETTINGS, WEIGHTS

Level = Literal["ok", "advice", "problem"]

PACKAGES = (
    "torch",
    "numpy",
    "numba",
    "opencv-python-headless",
    "pillow",
    "rlemasklib",
    "safetensors",
    "shapely",
    "typer",
)
# A click on the mug of the example, and how much of it a model in working order finds.
_CLICK_XY = (235.0, 290.0)
_LEAST_IOU = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    what: str
    level: Level
    says: str


def diagnose() -> Iterator[Finding]:
    """Look at everything in turn; a check that fails is a finding, never an exception."""
    checks: tuple[tuple[str, Callable[[], Iterator[Finding]]], ...] = (
        ("versions", _versions),
        ("settings", _settings),
        ("devices", _devices),
        ("memory", _allocator),
        ("backends", _backends),
        ("folders", _folders),
        ("models", _weights),
        ("self-test", _self_test),
    )
    for name, check in checks:
        try:
            yield from check()
        except MaskwrightError as error:
            yield Finding(what=name, level="problem", says=str(error))
        except Exception as error:  # a broken installation fails in ways that cannot be listed
            yield Finding(what=name, level="problem", says=f"{type(error).__name__}: {error}")


def _versions() -> Iterator[Finding]:
    from maskwright import __version__

    yield _ok("maskwright", f"{__version__}, Python {platform.python_version()}, {platform.platform()}")
    for package in PACKAGES:
        try:
            yield _ok(package, version(package))
        except PackageNotFoundError:
            yield Finding(what=package, level="problem", says=f"not installed. Run: pip install {package}")


def _settings() -> Iterator[Finding]:
    for setting in SETTINGS:
        value = setting.get()
        if os.environ.get(setting.env, "").strip():
            yield _ok(setting.env, str(value))


def _devices() -> Iterator[Finding]:
    import torch

    from maskwright.nn.fused_attention import HAS_TRITON

    yield _ok("cpu", f"{os.cpu_count()} cores, torch uses {torch.get_num_threads()} threads")
    if torch.cuda.is_available():
        for i in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(i)
            yield _ok(f"cuda:{i}", f"{properties.name}, {properties.total_memory / 1e9:.0f} GB")
        if not HAS_TRITON:
            says = "Triton is not here: ViT encoders take several times as long on the GPU. Run: pip install triton"
            yield Finding(what="attention", level="advice", says=says)
    elif torch.version.cuda is not None:
        yield Finding(what="gpu", level="advice", says="torch was built for CUDA but sees no GPU; the CPU is used")
    else:
        yield _ok("gpu", "none; the CPU is used")


def _allocator() -> Iterator[Finding]:
    """Say how to keep glibc from giving every large buffer back to the kernel, which costs page faults."""
    preloaded = os.environ.get("LD_PRELOAD", "")
    if platform.system() != "Linux" or any(name in preloaded for name in ("tcmalloc", "jemalloc")):
        yield _ok("allocator", preloaded or "the system's")
        return
    wanted = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")
    if all(os.environ.get(name) for name in wanted):
        yield _ok("allocator", "glibc, set to keep large buffers")
        return
    advice = " ".join(f"{name}=4294967296" for name in wanted)
    yield Finding(what="allocator", level="advice", says=f"large models on CPU run a little faster with {advice}")


def _backends() -> Iterator[Finding]:
    """Say what runs models fastest here, and in what batches (docs/guides/fast.md has the measurements)."""
    import torch

    from maskwright.models.backends.choose import installed

    if torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory
        batch = max(1, min(16, int(memory / 4e9)))  # 4 GB a picture holds ViT-H
        yield _ok(
            "batches", f"up to {batch} pictures on the GPU; measure: maskwright bench --backend all --device cuda"
        )
        return
    yield _ok("batches", "1 picture at a time: on a processor batches save nothing")
    here = installed()
    if "onnx" in here:
        says = f"{', '.join(here)} are here; --backend onnx, or auto, is faster than torch on a processor"
        yield _ok(
            "backends", f"{says}; maskwright models quantize, where VNNI is: {'yes' if _has_vnni() else 'not here'}"
        )
    else:
        says = "onnxruntime encodes with tiny in 0.6 of the time of torch. Run: pip install 'maskwright[export]'"
        yield Finding(what="backends", level="advice", says=says)


def _has_vnni() -> bool:
    """Whether the processor multiplies 8-bit integers in one step, as far as Linux tells."""
    told = Path("/proc/cpuinfo")
    return told.exists() and "vnni" in told.read_text()


def _folders() -> Iterator[Finding]:
    for name, folder in (("weights folder", WEIGHTS.get()), ("cache folder", CACHE.get())):
        existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
        if existing.is_dir() and os.access(existing, os.W_OK):
            yield _ok(name, str(folder))
        else:
            yield Finding(what=name, level="problem", says=f"cannot be written. Set another one: {folder}")


def _weights() -> Iterator[Finding]:
    from maskwright.models import has_weights, list_models

    here = [card.name for card in list_models() if has_weights(card)]
    absent = [card.name for card in list_models() if not has_weights(card) and not card.packaged]
    yield _ok("models here", ", ".join(here))
    if absent:
        yield _ok("models to pull", ", ".join(absent))


def _self_test() -> Iterator[Finding]:
    from maskwright.core import PointPrompt
    from maskwright.datasets import read_image
    from maskwright.masks import from_coco, iou_matrix
    from maskwright.models import load_model
    from maskwright.predict import embed, predict, to_records
    from maskwright.workflows.pictures import example_path

    started = time.perf_counter()
    name = MODEL.get()
    model = load_model(name)
    image = read_image(example_path())
    loaded = time.perf_counter()
    (record,) = to_records(predict(model, embed(model, image), [PointPrompt([_CLICK_XY])]))
    done = time.perf_counter()
    truth = from_coco(json.loads(example_path().with_suffix(".json").read_text())["mug"])
    iou = float(iou_matrix([record.rle], [truth])[0, 0])
    says = f"{name} loaded in {loaded - started:.1f} s, answered in {done - loaded:.1f} s, IoU {iou:.2f} with the truth"
    if iou < _LEAST_IOU:
        yield Finding(what="self-test", level="problem", says=f"{says}; expected at least {_LEAST_IOU}")
    else:
        yield _ok("self-test", says)


def _ok(what: str, says: str) -> Finding:
    return Finding(what=what, level="ok", says=says)


__all__ = ["Finding", "Level", "diagnose"]
