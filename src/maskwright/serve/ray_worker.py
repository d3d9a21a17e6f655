"""One of the models behind a `RayEngine`: a Ray Serve replica with a `LocalEngine` of its own.

Requests about one picture go to the replica that has its embedding: to Ray Serve a picture's digest is the id of a
multiplexed model, and its router prefers replicas that say they hold it.
"""

import time
from dataclasses import replace
from typing import Any

from ray import serve

from maskwright.core import Image, MaskRecord
from maskwright.predict import EverythingSettings
from maskwright.serve.engine import LocalEngine
from maskwright.serve.engine_protocol import EngineStatus
from maskwright.serve.meter import Meter
from maskwright.serve.settings import ServeSettings
from maskwright.serve.values import Segment, Work

# Pictures that a replica is known for; the embeddings of others may still be there, but nobody is sent for them.
_KNOWN_FOR = 512
_DRAIN_S = 5.0


class RayWorker:
    """Answers like an `Engine`. Deadlines come as seconds that are left, since clocks of machines differ."""

    async def __init__(self, settings: ServeSettings) -> None:
        self._engine = LocalEngine(settings, Meter())
        await self._engine.start()

    async def embed(self, image: Any, payload: None, work: Work, left_s: float | None) -> bool:
        """Encode an image unless its embedding is there."""
        return await self._engine.embed(await self._seen(image), _until(work, left_s))

    async def segment(self, image: Any, segment: Segment, work: Work, left_s: float | None) -> list[MaskRecord]:
        """Answer prompts."""
        return await self._engine.segment(await self._seen(image), segment, _until(work, left_s))

    async def everything(
        self, image: Any, settings: EverythingSettings, work: Work, left_s: float | None
    ) -> list[MaskRecord]:
        """Find every mask in an image."""
        return await self._engine.everything(await self._seen(image), settings, _until(work, left_s))

    async def status(self) -> EngineStatus:
        """Tell what it is at."""
        return self._engine.status()

    def check_health(self) -> None:
        """Let Ray Serve replace a replica that cannot work."""
        if not self._engine.status().is_ready:
            raise RuntimeError("the engine is not ready")

    async def __del__(self) -> None:
        """Let the lanes go, which Ray Serve asks for when it takes a replica down."""
        await self._engine.drain(_DRAIN_S)

    @serve.multiplexed(max_num_models_per_replica=_KNOWN_FOR)
    async def _known_for(self, digest: str) -> str:
        return digest

    async def _seen(self, image: list[Any]) -> Image:
        """Take a picture from the object store, where machines have it once, and be known for it."""
        known_for: Any = self._known_for  # of a type that the decorator hides
        await known_for(serve.get_multiplexed_model_id())
        return await image[0]


def _until(work: Work, left_s: float | None) -> Work:
    return work if left_s is None else replace(work, deadline=time.monotonic() + left_s)


__all__ = ["RayWorker"]
