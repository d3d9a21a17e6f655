"""What tests of the engine share: a model that can be watched and held up, small pictures, an engine for a while."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import torch

from maskwright.core import Image, PointPrompt
from maskwright.models import Model, load_model
from maskwright.models.protocol import Features
from maskwright.serve.engine import LocalEngine
from maskwright.serve.engine.lanes import Lane
from maskwright.serve.engine.polite import PoliteModel
from maskwright.serve.meter import Meter
from maskwright.serve.settings import ServeSettings
from maskwright.serve.values import Priority, Segment, Work


@cache
def plain_model() -> Model:
    return load_model("test-sam")


@dataclass
class Watch:
    """What a watched model did. Clear `may_encode` to hold encodings up; `fault` is raised by the next step."""

    num_encoded: int = 0
    num_steps: int = 0
    may_encode: threading.Event = field(default_factory=threading.Event)
    is_encoding: threading.Event = field(default_factory=threading.Event)
    fault: BaseException | None = None

    def __post_init__(self) -> None:
        self.may_encode.set()

    @contextmanager
    def step(self, _kind: str, _weight: int) -> Iterator[None]:
        self.num_steps += 1
        if (fault := self.fault) is not None:
            self.fault = None
            raise fault
        yield


class WatchedModel(PoliteModel):
    """test-sam under watch."""

    def __init__(self, watch: Watch) -> None:
        super().__init__(plain_model(), watch.step)
        self._watch = watch

    def encode(self, pixels: torch.Tensor) -> Features:
        self._watch.is_encoding.set()
        assert self._watch.may_encode.wait(20)
        self._watch.num_encoded += len(pixels)
        return super().encode(pixels)


@dataclass
class Running:
    """An engine with its model's watch and its meter."""

    engine: LocalEngine
    watch: Watch
    meter: Meter

    def num_queued(self) -> int:
        return sum(self.engine.status().num_queued.values())

    def count(self, name: str, **labels: str) -> float:
        return self.meter.registry.get_sample_value(name, labels) or 0.0


@asynccontextmanager
async def running(
    *,
    num_lanes: int = 1,
    max_batch: int = 1,
    max_threads: int = 1,
    devices: Sequence[str] = ("cpu",),
    settings: ServeSettings | None = None,
) -> AsyncIterator[Running]:
    settings = settings or ServeSettings(models=("test-sam",))
    watch, meter = Watch(), Meter()
    lanes = [
        Lane(
            index=i,
            device=torch.device(devices[i % len(devices)]),
            max_batch=max_batch,
            max_threads=1 if i else max_threads,
        )
        for i in range(num_lanes)
    ]
    engine = LocalEngine(settings, meter, load=lambda *_: WatchedModel(watch), lanes=lanes)
    await engine.start()
    watch.num_encoded = watch.num_steps = 0
    watch.is_encoding.clear()
    try:
        yield Running(engine, watch, meter)
    finally:
        watch.may_encode.set()
        await engine.drain(2.0)


def picture(seed: int = 0, size_hw: tuple[int, int] = (96, 128)) -> Image:
    return Image(np.random.default_rng(seed).integers(0, 255, (*size_hw, 3), dtype=np.uint8))


def click(x: float = 40.0, y: float = 30.0, **more: object) -> Segment:
    return Segment(prompts=(PointPrompt([(x, y)]),), **more)


def by(client: str = "ann", priority: Priority = "click", **more: object) -> Work:
    return Work(client=client, priority=priority, **more)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that happens in another thread."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.002)
