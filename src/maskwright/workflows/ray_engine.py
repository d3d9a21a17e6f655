"""`RayEngine`: the stages of `annotate` on Ray Data: tasks decode, actors that hold the model find masks.

This process writes the store, so that what is said of kills and of going on holds here too. Frames travel as pickled
bytes; the source is opened by path where a task runs, so every machine must see it there.
"""

import logging
import os
import pickle
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from maskwright.core.errors import ModelError, SettingError
from maskwright.core.provenance import ModelRef
from maskwright.models import Model
from maskwright.predict.embedding import model_ref
from maskwright.workflows.annotate_plan import Footage, Stretch
from maskwright.workflows.annotate_recipe import Recipe
from maskwright.workflows.stages import MaskedFrame, SkippedFrames, clean_masks, decode_frames, find_masks

FRAMES_A_TASK = 16
_BATCH, _MOST_BLOCKS = 8, 1_000
_DECODE_CPUS, _MODEL_CPUS = 0.25, 0.75  # so that on few cores decoding is not kept out by models


@dataclass(frozen=True, slots=True, kw_only=True)
class RayEngine:
    """`model` is what actors load by `name_or_path`, `device`, `precision` and `backend`; `ref` is what it must be.

    `address` None starts a cluster on this machine, or takes that of RAY_ADDRESS. `num_workers` None is one copy of the
    model a GPU, or one for two cores where there is none.

    Raises:
        SettingError: Ray is not installed.
    """

    model: str
    ref: ModelRef
    device: str = "auto"
    precision: str = "auto"
    backend: str = "default"
    address: str | None = None
    num_workers: int | None = None
    name: str = field(default="ray", init=False)

    def __post_init__(self) -> None:
        if find_spec("ray") is None:
            raise SettingError("--engine ray needs Ray: pip install 'maskwright[ray]'")

    @classmethod
    def of(
        cls,
        model: Model,
        name_or_path: str,
        *,
        device: str = "auto",
        precision: str = "auto",
        backend: str = "default",
        address: str | None = None,
        num_workers: int | None = None,
    ) -> "RayEngine":
        """Make one for a model that is loaded here, to be loaded there by the same name."""
        return cls(
            model=name_or_path,
            ref=model_ref(model),
            device=device,
            precision=precision,
            backend=backend,
            address=address,
            num_workers=num_workers,
        )

    def __call__(
        self, footage: Footage, stretches: Sequence[Stretch], recipe: Recipe, origin: str
    ) -> Generator[MaskedFrame | SkippedFrames, None, None]:
        """Run the stages; closing the iterator stops them."""
        ray = connected(self.address)
        resources = ray.cluster_resources()
        uses_gpu = self.device != "cpu" and resources.get("GPU", 0) >= 1
        usual = int(resources.get("GPU", 0)) if uses_gpu else int(resources.get("CPU", 2)) // 2
        num_workers = self.num_workers or max(1, usual)
        rows = [{"item": pickle.dumps((footage.path.resolve(), part))} for part in _tasks(stretches)]
        blocks = ray.data.from_items(rows, override_num_blocks=min(len(rows), _MOST_BLOCKS))
        frames = blocks.flat_map(_decode, num_cpus=_DECODE_CPUS)
        found = frames.map_batches(
            _MaskFinder,
            fn_constructor_kwargs={"engine": self, "recipe": recipe, "origin": origin, "num_workers": num_workers},
            batch_size=_BATCH,
            concurrency=num_workers,
            num_cpus=_MODEL_CPUS,
            num_gpus=1 if uses_gpu else 0,
        )
        for row in found.iter_rows():
            yield pickle.loads(row["item"])


class _MaskFinder:
    """An actor: holds the model, turns decoded frames into frames with masks."""

    def __init__(self, engine: RayEngine, recipe: Recipe, origin: str, num_workers: int) -> None:
        import torch

        from maskwright.models import load_model

        torch.set_num_threads(max(1, (os.cpu_count() or 1) // num_workers))
        self._model = load_model(engine.model, device=engine.device, precision=engine.precision, backend=engine.backend)
        if model_ref(self._model) != engine.ref:
            raise ModelError(f"a worker has another {engine.model} than this machine. Give all the same checkpoint.")
        self._recipe, self._origin = recipe, origin

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[bytes]]:
        items = [pickle.loads(item) for item in batch["item"]]
        found = find_masks(self._model, items, self._recipe, batch_size=_BATCH, origin=self._origin)
        cleaned = (clean_masks(one, self._recipe) if isinstance(one, MaskedFrame) else one for one in found)
        return {"item": [pickle.dumps(one) for one in cleaned]}


def _decode(row: dict[str, Any]) -> list[dict[str, bytes]]:
    path, stretch = pickle.loads(row["item"])
    return [{"item": pickle.dumps(item)} for item in decode_frames(_opened(path), [stretch])]


@lru_cache(maxsize=4)
def _opened(path: Path) -> Footage:
    return Footage.open(path)


def _tasks(stretches: Sequence[Stretch]) -> Iterator[Stretch]:
    """Cut stretches into what one task decodes."""
    for stretch in stretches:
        for start in range(0, len(stretch.numbers), FRAMES_A_TASK):
            part = stretch.numbers[start : start + FRAMES_A_TASK]
            yield Stretch(episode=stretch.episode, camera=stretch.camera, numbers=part)


def connected(address: str | None) -> Any:
    """Be connected to a cluster, quietly; one that is begun here is kept for the next source, and ends with us."""
    import ray
    import ray.data

    if not ray.is_initialized():
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # else its C++ side writes to our stderr
        dashboard = False if address is None else None  # of a cluster that is there one may not say
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, include_dashboard=dashboard)
        except (ConnectionError, ValueError) as error:
            raise SettingError(f"no Ray cluster answers there ({error}): {address or 'this machine'}") from error
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return ray


__all__ = ["FRAMES_A_TASK", "RayEngine", "connected"]
