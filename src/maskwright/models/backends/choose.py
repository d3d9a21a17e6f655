"""`auto`: the fastest backend for one model on this machine, by measurement, remembered in the cache folder.

What is fastest depends on the processor, the number of threads and the versions of the libraries, so all of these name
the entry; after an update it is measured again. What is measured is one encoding and one click.
"""

import contextlib
import importlib.metadata
import json
import logging
import os
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from maskwright.core import settings
from maskwright.core.errors import MaskwrightError
from maskwright.models.backends.writing import new_file
from maskwright.models.protocol import FramePrompts, Model

_log = logging.getLogger(__name__)
CANDIDATES = ("torch", "onnx", "openvino")
_PACKAGES = {"torch": "torch", "onnx": "onnxruntime", "openvino": "openvino"}
_ROUNDS = 3
Load = Callable[[str], Model]


def fastest_backend(name: str, sha256: str, device: torch.device, load: Load) -> str:
    """Say which backend is fastest for a model: as remembered, or by measuring those that are installed.

    `load` loads the model by a backend. On a GPU PyTorch is taken: exported models go through the CPU there.
    """
    if device.type != "cpu":
        return "torch"
    key, remembered = _key(name, sha256), _read()
    if key in remembered:
        return min(remembered[key], key=lambda backend: remembered[key][backend])
    _log.info("measuring what runs %s fastest here, once", name)
    seconds = measure(load)
    _log.info("%s: %s", name, ", ".join(f"{backend} {1000 * took:.0f} ms" for backend, took in seconds.items()))
    _remember(key, seconds)
    return min(seconds, key=lambda backend: seconds[backend])


def installed() -> tuple[str, ...]:
    """The candidates whose packages are here."""
    return tuple(backend for backend in CANDIDATES if _version(_PACKAGES[backend]))


def measure(load: Load) -> Mapping[str, float]:
    """Seconds of an encoding and a click by each backend, in turns, the least of some rounds."""
    models: dict[str, Model] = {}
    for backend in installed():
        try:
            models[backend] = load(backend)
        except MaskwrightError as error:
            _log.info("%s is left out: %s", backend, error)
    best = dict.fromkeys(models, float("inf"))
    for _ in range(_ROUNDS):
        for backend, model in models.items():
            begun = time.perf_counter()
            _work(model)
            best[backend] = min(best[backend], time.perf_counter() - begun)
    return best


@torch.no_grad()
def _work(model: Model) -> None:
    side = model.frame.side
    features = model.encode(torch.zeros(1, 3, side, side, device=model.device))
    click = FramePrompts(points=torch.tensor([[[side / 2, side / 2], [0.0, 0.0]]]), labels=torch.tensor([[1, -1]]))
    model.decode(features, click, multimask=True)


def _key(name: str, sha256: str) -> str:
    versions = [f"{package} {_version(package)}" for package in ("maskwright", *_PACKAGES.values())]
    machine = [platform.machine(), _processor(), f"{torch.get_num_threads()} threads"]
    return " | ".join((name, sha256[:16], *machine, *versions))


def _processor() -> str:
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or f"{os.cpu_count()} cores"


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _path() -> Path:
    return settings.CACHE.get() / "backends.json"


def _read() -> dict[str, dict[str, float]]:
    """What was measured before; a file that cannot be read is measured anew."""
    try:
        found = json.loads(_path().read_text(encoding="utf-8"))
        return {
            key: {backend: float(took) for backend, took in one.items() if backend in CANDIDATES}
            for key, one in found.items()
            if one
        }
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _remember(key: str, seconds: Mapping[str, float]) -> None:
    """Keep a measurement; a folder that cannot be written is measured in every time."""
    try:
        with new_file(_path()) as part:
            part.write_text(json.dumps(_read() | {key: dict(seconds)}, indent=1) + "\n", encoding="utf-8")
    except MaskwrightError as error:
        _log.warning("which backend is fastest cannot be remembered: %s", error)


__all__ = ["CANDIDATES", "fastest_backend", "installed", "measure"]
