"""`RayEngine`: models on the machines of a Ray cluster, behind the same application.

REST, gRPC, tokens, the store, jobs and tracks stay in this process, which also has a model of its own for what keeps
state between calls (`run`: tracks and jobs). Embeddings, clicks and everything-mode go to replicas of a Ray Serve
deployment, which Ray places, restarts and counts; its HTTP proxy is not used. Pictures travel once, through Ray's
object store.
"""

import asyncio
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from typing import Any, TypeVar

from maskwright.core import Image, MaskRecord
from maskwright.core.errors import MaskwrightError, ServerStopping, SettingError, TooManyRequests
from maskwright.models import Model
from maskwright.predict import EverythingSettings
from maskwright.serve.engine import LocalEngine
from maskwright.serve.engine_protocol import EngineStatus
from maskwright.serve.meter import Meter
from maskwright.serve.settings import ServeSettings
from maskwright.serve.values import Segment, Work
from maskwright.workflows.ray_engine import connected

T = TypeVar("T")

_CPUS_A_WORKER = 2


class RayEngine:
    """Implements `Engine` with replicas of `RayWorker`. Making one connects to the cluster, or begins one.

    Raises:
        SettingError: Ray Serve is not installed, or there is no cluster at the address.
    """

    def __init__(self, settings: ServeSettings, meter: Meter) -> None:
        if find_spec("ray") is None or find_spec("ray.serve") is None:
            raise SettingError("--engine ray needs Ray Serve: pip install 'maskwright[ray]'")
        # Ray wants the main thread: a process that connected on another took 25 s to end.
        self._ray = connected(settings.ray_address)
        self._settings = settings
        self._meter = meter
        self._own = LocalEngine(settings, meter)
        self._pictures = _Pictures(settings.image_memory_bytes)
        self._name = f"maskwright-{settings.port}"
        self._handle: Any = None
        self._num_workers = 0

    async def start(self) -> None:
        """Load this process's model and begin the replicas.

        Raises:
            ModelError, SettingError: a model cannot be loaded, here or there.
        """
        await self._own.start()
        self._handle = await asyncio.to_thread(self._deploy)

    async def embed(self, image: Image, work: Work) -> bool:
        """Encode an image on a replica, unless one has its embedding; say whether it had."""
        return await self._ask("embed", image, None, work)

    async def segment(self, image: Image, segment: Segment, work: Work) -> list[MaskRecord]:
        """Answer prompts on the replica that knows the image."""
        return await self._ask("segment", image, segment, work)

    async def everything(self, image: Image, settings: EverythingSettings, work: Work) -> list[MaskRecord]:
        """Find every mask in an image, on a replica."""
        return await self._ask("everything", image, settings, work)

    async def run(self, function: Callable[[Model], T], work: Work) -> T:
        """Run a function over this process's own model."""
        return await self._own.run(function, work)

    def is_embedded(self, image: Image, model: str | None = None) -> bool:
        """Whether this process knows the image's embedding; it does not ask the replicas."""
        return self._own.is_embedded(image, model)

    def status(self) -> EngineStatus:
        """Tell what this process is at, and how many replicas there are."""
        own = self._own.status()
        devices = tuple(f"ray worker {number + 1}" for number in range(self._num_workers))
        return replace(own, is_ready=own.is_ready and self._handle is not None, devices=(*own.devices, *devices))

    async def drain(self, timeout_s: float) -> None:
        """Finish what was begun, then take the replicas down."""
        until = time.monotonic() + timeout_s
        await self._own.drain(timeout_s)
        if self._handle is not None:
            self._handle = None
            await asyncio.to_thread(_take_down, self._name, max(1.0, until - time.monotonic()))

    async def _ask(self, method: str, image: Image, payload: Any, work: Work) -> Any:
        if self._handle is None or self._own.status().is_draining:
            raise ServerStopping("the server is starting or stopping. Ask again in a moment")
        left_s = None if work.deadline is None else max(0.0, work.deadline - time.monotonic())
        reference = await asyncio.to_thread(self._pictures.put, image)
        handle = self._handle.options(method_name=method, multiplexed_model_id=image.digest)
        with self._meter.timed("remote"):
            response = handle.remote([reference], payload, replace(work, deadline=None), left_s)
            try:
                return await response
            except asyncio.CancelledError:
                response.cancel()
                raise
            except Exception as error:
                raise _told(error) from error

    def _deploy(self) -> Any:
        from ray import serve

        from maskwright.serve.ray_worker import RayWorker

        settings = self._settings
        logging.getLogger("ray.serve").setLevel(logging.ERROR)
        resources = self._ray.cluster_resources()
        num_gpus = int(resources.get("GPU", 0)) if settings.device != "cpu" else 0
        usual = num_gpus or int(resources.get("CPU", _CPUS_A_WORKER)) // _CPUS_A_WORKER
        self._num_workers = settings.ray_workers or max(1, usual)
        needs = {"num_cpus": 1, "num_gpus": 1} if num_gpus else {"num_cpus": 1}
        serve.start(proxy_location="Disabled")
        deployment: Any = serve.deployment(
            RayWorker,
            num_replicas=self._num_workers,
            ray_actor_options=needs,
            max_ongoing_requests=settings.max_queued,
            max_queued_requests=settings.max_queued,
            graceful_shutdown_timeout_s=settings.drain_s,
            logging_config={"log_level": "ERROR", "enable_access_log": False},
        )
        # What is a path or an address of this machine means nothing on another.
        there = replace(settings, store=None, token_file=None, grpc_port=None)
        return serve.run(deployment.bind(there), name=self._name, route_prefix=None)


class _Pictures:
    """References to pictures in Ray's object store, the latest that were asked about; letting one go frees it."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes, self._used_bytes = max_bytes, 0
        self._kept: OrderedDict[str, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, image: Image) -> Any:
        """Give the reference of a picture, which is sent if it was not."""
        import ray

        with self._lock:
            if image.digest in self._kept:
                self._kept.move_to_end(image.digest)
                return self._kept[image.digest][0]
            reference, size = ray.put(image), image.pixels.nbytes
            self._kept[image.digest] = reference, size
            self._used_bytes += size
            while self._used_bytes > self._max_bytes and len(self._kept) > 1:
                _, (_, dropped) = self._kept.popitem(last=False)
                self._used_bytes -= dropped
            return reference


def _take_down(name: str, timeout_s: float) -> None:
    from ray import serve

    stopping = threading.Thread(target=serve.delete, args=(name,), daemon=True)
    stopping.start()
    stopping.join(timeout_s)


def _told(error: Exception) -> Exception:
    """What an error of Ray means to a client: the replica's own, or that it had no room, or that it died."""
    from ray.exceptions import RayActorError, RayTaskError
    from ray.serve.exceptions import BackPressureError

    cause = error.cause if isinstance(error, RayTaskError) else error
    if isinstance(cause, MaskwrightError):
        return cause
    if isinstance(error, BackPressureError):
        return TooManyRequests("the workers have no room for more. Come back in a moment")
    if isinstance(error, RayActorError):
        return ServerStopping("the worker that did this died, and another takes its place. Ask again")
    return error


__all__ = ["RayEngine"]
