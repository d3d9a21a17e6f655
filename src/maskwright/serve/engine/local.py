"""`LocalEngine`: the engine in this process. From an `await` to pieces of the scheduler, and back.

A request takes a seat, gets the features of its image (from memory, from disk, or by one encoding that it shares with
all who ask at once), and then its own answer. What waits for a lane waits as an `await`; nothing here blocks the loop.
"""

import asyncio
import contextlib
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

import torch

from maskwright.core import Image, MaskRecord, settings
from maskwright.core.errors import ServerStopping, SettingError, TooManyRequests
from maskwright.models import Model
from maskwright.models.frame import ModelFrame
from maskwright.models.loading import find_device
from maskwright.models.protocol import Features
from maskwright.predict import EmbeddingKey, EverythingSettings, ImageEmbedding, look_closer
from maskwright.predict.embedding import embedding_key, model_ref
from maskwright.predict.everything import everything
from maskwright.serve.engine.answers import Answer, Calling, Encoding, Segmenting, fail_piece
from maskwright.serve.engine.flights import Flights
from maskwright.serve.engine.kept import KeptEmbeddings
from maskwright.serve.engine.labour import Labour, answers_to, drawn
from maskwright.serve.engine.lanes import Lane, Lanes, num_cores, too_late
from maskwright.serve.engine.models import Load, ServedModels, load
from maskwright.serve.engine.pieces import PRIORITIES, Kind, Piece, Seat
from maskwright.serve.engine.scheduler import Scheduler
from maskwright.serve.engine_protocol import EngineStatus
from maskwright.serve.meter import Meter
from maskwright.serve.settings import ServeSettings
from maskwright.serve.values import Segment, Work
from maskwright.workflows.predict_files import cleaned

T = TypeVar("T")

_DRAIN_STEP_S = 0.02
_DIGEST_PIXELS = 1 << 20  # beyond this, the digest is computed aside: a megapixel takes 2 ms


class LocalEngine:
    """Runs models in this process, on the cores or on the GPUs. Implements `Engine`.

    All its methods are called on one event loop. `load` and `lanes` are for tests and benchmarks.
    """

    def __init__(
        self, settings: ServeSettings, meter: Meter, *, load: Load = load, lanes: Sequence[Lane] | None = None
    ) -> None:
        self._settings = settings
        self._meter = meter
        self._given_lanes = lanes
        self._models = ServedModels(settings.models, precision=_precision(settings), load=_by_backend(settings, load))
        self._labour = Labour(self._models, meter, lets_by=settings.max_batch > 1)
        self._lanes: Lanes | None = None
        self._kept: KeptEmbeddings | None = None
        # Features, and whether they were on disk.
        self._flights: Flights[EmbeddingKey, tuple[Features, bool]] = Flights()
        # For whom each flight is most urgent, and the encoding that it waits for once that is queued.
        self._most_urgent: dict[EmbeddingKey, Work] = {}
        self._encodings: dict[EmbeddingKey, Piece] = {}
        self._is_ready = False
        self._is_draining = False
        self._num_asked = 0
        self._hits, self._misses = (meter.cache.labels("embedding", found) for found in ("hit", "miss"))

    async def start(self) -> None:
        """Load models and begin.

        Raises:
            ModelError, SettingError: a model cannot be loaded, or there is no such device.
        """
        lanes = self._given_lanes or make_lanes(self._settings)
        scheduler = Scheduler(
            num_lanes=len(lanes),
            max_seats=self._settings.max_queued,
            max_seats_per_client=self._settings.max_queued_per_client,
        )
        self._kept = KeptEmbeddings(
            memory_bytes=self._settings.embedding_memory_bytes,
            directory=settings.CACHE.get() / "embeddings",
            disk_bytes=settings.CACHE_BYTES.get(),
        )
        self._lanes = Lanes(
            lanes,
            scheduler,
            labour=self._labour,
            fail=fail_piece,
            meter=self._meter,
            may_be_narrow=self._settings.max_batch > 1,
        )
        # The lanes load: no other thread may have torch's threads.
        await asyncio.to_thread(self._lanes.start, lambda lane: self._models.load_onto(lane.device))
        self._is_ready = not self._is_draining

    async def embed(self, image: Image, work: Work) -> bool:
        """Encode an image unless its embedding is there; say whether it was."""
        lanes, name = self._open(work)
        dropped: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        seat = Seat(client=work.client, priority=work.priority, dropped=lambda: dropped.set_result(None))
        async with self._seated(lanes, seat), _until(work.deadline, self._meter):
            if not lanes.has(seat):
                return False
            getting = asyncio.ensure_future(self._features(lanes, image, name, work))
            try:
                await asyncio.wait({getting, dropped}, return_when=asyncio.FIRST_COMPLETED)
                return getting.done() and getting.result()[1]
            finally:
                dropped.cancel()
                getting.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await getting

    async def segment(self, image: Image, segment: Segment, work: Work) -> list[MaskRecord]:
        """Answer prompts, `num_masks` records for each, best first."""
        check_segment(segment)
        lanes, name = self._open(work)
        seat = Seat(client=work.client, priority=work.priority)
        async with self._seated(lanes, seat), _until(work.deadline, self._meter):
            features, _ = await self._features(lanes, image, name, work)
            embedding = self._embedding(image, name, features)
            if segment.closer:
                function = partial(closer, image=image, embedding=embedding, segment=segment)
                calling = Calling(function, Answer[list[MaskRecord]].here())
                piece = self._piece("call", name, work, calling, seat=seat, digest=image.digest)
                return await self._do(lanes, piece, calling.answer)
            segmenting = Segmenting(embedding, segment, Answer[list[MaskRecord]].here())
            piece = self._piece("segment", name, work, segmenting, seat=seat, digest=image.digest)
            return await self._do(lanes, piece, segmenting.answer)

    async def everything(self, image: Image, settings: EverythingSettings, work: Work) -> list[MaskRecord]:
        """Find every mask in an image, as bulk: clicks go before it."""
        lanes, name = self._open(work)
        if work.priority == "click":
            work = replace(work, priority="bulk")
        seat = Seat(client=work.client, priority=work.priority)
        async with self._seated(lanes, seat), _until(work.deadline, self._meter):
            features, _ = await self._features(lanes, image, name, work)
            embedding = self._embedding(image, name, features)
            function = partial(everything, image=image, settings=settings, embedding=embedding)
            calling = Calling(function, Answer[list[MaskRecord]].here(), "everything")
            piece = self._piece("call", name, work, calling, seat=seat, digest=image.digest)
            return await self._do(lanes, piece, calling.answer)

    async def run(self, function: Callable[[Model], T], work: Work) -> T:
        """Run a function over a model where there is room for it. The model lets clicks by between its steps.

        When this returns or raises, the function has ended, or never began. Where there are several GPUs, what one
        client runs stays on one, so that tensors kept between runs are where they are needed.
        """
        lanes, name = self._open(work)
        calling: Calling[T] = Calling(function, Answer[T].here())
        seat = Seat(client=work.client, priority=work.priority)
        async with self._seated(lanes, seat):
            piece = self._piece("call", name, work, calling, seat=seat, digest=work.client)
            with _too_late_to_begin(lanes, piece, calling.answer):
                return await self._do(lanes, piece, calling.answer, waits_for_end=True)

    def is_embedded(self, image: Image, model: str | None = None) -> bool:
        """Whether a click on an image waits for no encoder: its embedding is in memory."""
        lanes, kept = self._lanes, self._kept
        if lanes is None or kept is None or not self._is_ready:
            return False
        key = embedding_key(self._models.any_copy(self._models.resolve(model)), image.digest)
        return kept.at_hand(key, self._device_of(lanes, image.digest)) is not None

    def status(self) -> EngineStatus:
        """Tell what it is at."""
        lanes = self._lanes
        return EngineStatus(
            is_ready=self._is_ready and not self._is_draining,
            is_draining=self._is_draining,
            models=self._models.names,
            devices=() if lanes is None else tuple(dict.fromkeys(str(lane.device) for lane in lanes.lanes)),
            num_queued={} if lanes is None else {str(name): number for name, number in lanes.num_queued.items()},
            num_running=0 if lanes is None else lanes.num_running,
        )

    async def drain(self, timeout_s: float) -> None:
        """Take nothing new, finish what is queued as long as there is time, fail the rest with `ServerStopping`."""
        self._is_draining = True
        until = time.monotonic() + timeout_s
        while self._num_asked and time.monotonic() < until:
            await asyncio.sleep(_DRAIN_STEP_S)
        if self._lanes is not None:
            stopped = ServerStopping("the server stopped before this was done. Ask again when it runs")
            for piece in self._lanes.close():
                fail_piece(piece, stopped)
            for piece in await asyncio.to_thread(self._lanes.stop):
                fail_piece(piece, stopped)
        if self._kept is not None:
            await asyncio.to_thread(self._kept.close)

    def _open(self, work: Work) -> tuple[Lanes, str]:
        if self._lanes is None or not self._is_ready or self._is_draining:
            why = "is stopping" if self._is_draining else "has not loaded its models yet"
            raise ServerStopping(f"the server {why}. Ask again in a moment")
        return self._lanes, self._models.resolve(work.model)

    @contextlib.asynccontextmanager
    async def _seated(self, lanes: Lanes, seat: Seat) -> AsyncIterator[None]:
        """Have a seat for the time of a request. What is ahead of need may get none, or lose it, if it can be dropped.

        Raises:
            TooManyRequests: there is none.
        """
        try:
            if not lanes.sit(seat) and seat.dropped is None:
                raise TooManyRequests("there is no room for what is not needed yet. Ask when it is")
        except TooManyRequests:
            self._meter.refused.labels("queue_full").inc()
            raise
        self._num_asked += 1
        try:
            yield
        finally:
            self._num_asked -= 1
            lanes.leave(seat)

    async def _features(self, lanes: Lanes, image: Image, name: str, work: Work) -> tuple[Features, bool]:
        """Features of an image, and whether they were there."""
        if image.size_hw[0] * image.size_hw[1] > _DIGEST_PIXELS:
            await asyncio.to_thread(lambda: image.digest)
        key = embedding_key(self._models.any_copy(name), image.digest)
        assert self._kept is not None
        if (found := self._kept.at_hand(key, self._device_of(lanes, image.digest))) is not None:
            self._hits.inc()
            return found, True
        is_first = not self._flights.is_under_way(key)
        self._hurry(lanes, key, work, is_first=is_first)
        features, was_there = await self._flights.join(key, lambda: self._encode(lanes, image, key, name))
        (self._misses if is_first and not was_there else self._hits).inc()
        return features, was_there

    def _hurry(self, lanes: Lanes, key: EmbeddingKey, work: Work, *, is_first: bool) -> None:
        """Let a flight be as urgent as the most urgent of those who wait for it."""
        if is_first:
            self._most_urgent[key] = work
        elif PRIORITIES.index(work.priority) < PRIORITIES.index(self._most_urgent[key].priority):
            self._most_urgent[key] = work
            if (piece := self._encodings.get(key)) is not None:
                self._encodings[key] = lanes.promote(piece, priority=work.priority, client=work.client)

    async def _encode(self, lanes: Lanes, image: Image, key: EmbeddingKey, name: str) -> tuple[Features, bool]:
        """Find features on disk, or encode. It has no deadline of its own: who waits for it has."""
        kept = self._kept
        assert kept is not None
        found = await kept.find(key, self._device_of(lanes, image.digest))
        if found is not None:
            return found, True
        encoding = Encoding(image, Answer[ImageEmbedding].here(), lambda made: kept.keep(key, made.features))
        work = replace(self._most_urgent[key], deadline=None)
        piece = self._encodings[key] = self._piece("encode", name, work, encoding, digest=image.digest)
        try:
            embedding = await self._do(lanes, piece, encoding.answer)
        finally:
            # Nobody withdraws a piece by an older name of it: promoted pieces share the ticket, not the place.
            lanes.withdraw(self._encodings.pop(key))
        return embedding.features, False

    async def _do(self, lanes: Lanes, piece: Piece, answer: Answer[T], *, waits_for_end: bool = False) -> T:
        """Let a lane do a piece; where nobody waits any more, see that it is not done in vain."""
        lanes.put(piece)
        try:
            return await asyncio.shield(answer.future)
        except asyncio.CancelledError:
            if not lanes.withdraw(piece) and waits_for_end:
                await asyncio.wait({answer.future})
            if answer.future.done() and not answer.future.cancelled():
                answer.future.exception()
            answer.future.cancel()
            raise

    def _piece(
        self, kind: Kind, name: str, work: Work, content: object, *, digest: str, seat: Seat | None = None
    ) -> Piece:
        assert self._lanes is not None
        return Piece(
            kind=kind,
            model=name,
            client=work.client,
            priority=work.priority,
            deadline=work.deadline,
            lane=self._lane_of(self._lanes, digest),
            seat=seat,
            content=content,
        )

    def _lane_of(self, lanes: Lanes, name: str) -> int | None:
        """The lane that has what belongs to a name; None where all lanes share one memory."""
        if len(lanes.lanes) == 1 or lanes.lanes[0].device == lanes.lanes[1].device:
            return None
        return zlib.crc32(name.encode()) % len(lanes.lanes)

    def _device_of(self, lanes: Lanes, digest: str) -> torch.device:
        return lanes.lanes[self._lane_of(lanes, digest) or 0].device

    def _embedding(self, image: Image, name: str, features: Features) -> ImageEmbedding:
        model = self._models.any_copy(name)
        frame = ModelFrame.of(image.size_hw, model.frame)
        return ImageEmbedding(features=features, frame=frame, image_digest=image.digest, model=model_ref(model))


@contextlib.asynccontextmanager
async def _until(deadline: float | None, meter: Meter) -> AsyncIterator[None]:
    """Cancel what is inside when a deadline passes, and say so.

    Raises:
        DeadlinePassed: it did.
    """
    at = None if deadline is None else asyncio.get_running_loop().time() + deadline - time.monotonic()
    limit = asyncio.timeout_at(at)
    try:
        async with limit:
            yield
    except TimeoutError as error:
        if not limit.expired():
            raise
        meter.refused.labels("deadline").inc()
        raise too_late() from error


@contextlib.contextmanager
def _too_late_to_begin(lanes: Lanes, piece: Piece, answer: Answer[T]) -> Iterator[None]:
    """Fail a piece that has not begun by its deadline; one that has begun looks at the clock itself."""

    def refuse() -> None:
        if lanes.remove(piece):
            answer.fail(too_late())

    if piece.deadline is None:
        yield
        return
    timer = asyncio.get_running_loop().call_later(piece.deadline - time.monotonic(), refuse)
    try:
        yield
    finally:
        timer.cancel()


def closer(model: Model, image: Image, embedding: ImageEmbedding, segment: Segment) -> list[MaskRecord]:
    """Answer prompts, look at small objects from near, and clean up what came of it."""
    (batch,) = answers_to(model, [(embedding, segment)])
    records = drawn(batch, replace(segment, cleanup=()))
    return [cleaned(record, segment.cleanup) for record in look_closer(model, image, records, embedding=embedding)]


def check_segment(segment: Segment) -> None:
    """Check what does not depend on the image or the model.

    Raises:
        SettingError: it cannot be done whatever they are.
    """
    if segment.refine_steps < 0:
        raise SettingError(f"refine_steps must not be negative, got {segment.refine_steps}")
    if segment.closer and segment.num_masks > 1:
        told = f"a closer look gives one mask for each object, got num_masks={segment.num_masks}"
        raise SettingError(f"{told}. Leave one out.")
    if segment.labels is not None and len(segment.labels) != len(segment.prompts):
        told = f"expected one label for each of {len(segment.prompts)} prompts, got {len(segment.labels)}"
        raise SettingError(told)


def make_lanes(settings_: ServeSettings) -> list[Lane]:
    """Decide the lanes: one for each GPU, or one for each core. With batching off there is one, which has everything.

    Raises:
        SettingError: there is no such device.
    """
    place = find_device(settings_.device or settings.DEVICE.get())
    is_single = settings_.max_batch == 1
    if place.type == "cpu":
        num_threads = num_cores()
        count = 1 if is_single else num_threads
        return [Lane(index=i, device=place, max_threads=num_threads if i == 0 else 1) for i in range(count)]
    devices = [place]
    if place.type == "cuda" and place.index is None:
        devices = [torch.device("cuda", i) for i in range(torch.cuda.device_count())]
    devices = devices[:1] if is_single else devices
    return [Lane(index=i, device=device, max_batch=settings_.max_batch) for i, device in enumerate(devices)]


def _by_backend(settings_: ServeSettings, load_: Load) -> Load:
    """Let the way in which models are loaded know the backend, unless it is somebody's own."""
    return partial(load, backend=settings_.backend or settings.BACKEND.get()) if load_ is load else load_


def _precision(settings_: ServeSettings) -> str:
    return settings_.precision or settings.PRECISION.get()


__all__ = ["LocalEngine", "check_segment", "closer", "make_lanes"]
