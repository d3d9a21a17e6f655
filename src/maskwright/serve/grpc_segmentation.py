"""The service of proto/: `Segment`, `SegmentStream`, `Track`, `Models`, `Version`, over the same engine as REST."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import anyio

from maskwright import __version__
from maskwright.core import Image
from maskwright.core.errors import Cancelled, DeadlinePassed, MaskwrightError, RequestError, ServerStopping
from maskwright.serve.grpc_exchange import Exchange
from maskwright.serve.grpc_generated import maskwright_pb2 as pb
from maskwright.serve.grpc_generated import maskwright_pb2_grpc
from maskwright.serve.grpc_values import (
    form_of,
    problem_message,
    prompt_of,
    segment_of,
    segmented,
    track_options_of,
    tracked,
)
from maskwright.serve.in_turn import cancelled, in_turn
from maskwright.serve.service import Service
from maskwright.serve.track_pictures import raw_image
from maskwright.serve.track_stream import stream
from maskwright.serve.track_values import ShownFrame
from maskwright.serve.values import Caller, Work

# Requests of one stream that are worked on, or wait for the answers before them to be read.
_MOST_AT_ONCE = 16
_CLOSED = "the client has closed the stream of the track session"


class Segmentation(maskwright_pb2_grpc.SegmentationServicer):
    """Answers calls; each runs on the event loop and leaves what takes time to threads and to the engine."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._threads = anyio.CapacityLimiter(4)  # writing masks as pictures and polygons
        self._last = asyncio.Event()

    def finish(self) -> None:
        """Read no more requests from streams, so that they end when those before have their answers."""
        self._last.set()

    async def Segment(self, request: pb.SegmentRequest, context: Any) -> pb.SegmentResponse:  # noqa: N802
        """Answer prompts on one picture."""
        exchange = Exchange(self._service, context, "Segment")
        async with exchange as caller:
            return await self._segment(request, caller, exchange.deadline())

    async def SegmentStream(self, request_iterator: Any, context: Any) -> None:  # noqa: N802
        """Answer many requests, several at a time, in their order."""
        exchange = Exchange(self._service, context, "SegmentStream")
        answering = in_turn(self._begun(aiter(request_iterator), exchange), _MOST_AT_ONCE)
        async with exchange, self._counted("stream"), aclosing(answering) as answers:
            async for answer in answers:
                await _write(context, answer, self._service.settings.track_idle_s)

    async def Track(self, request_iterator: Any, context: Any) -> None:  # noqa: N802
        """Follow objects through the frames of a stream; the session is gone when the call ends, however it does."""
        async with Exchange(self._service, context, "Track") as caller:
            requests = aiter(request_iterator)
            opening = _opening(await anext(requests, None))
            form = form_of(opening.form)
            session = await self._service.tracks.open(track_options_of(opening), caller)
            try:
                limits = session.limits
                opened = pb.TrackOpened(id=session.id, idle_s=limits.idle_s, most_frames=limits.most_frames)
                await _write(context, pb.TrackResponse(opened=opened), limits.idle_s)
                async with aclosing(stream(session, self._frames(requests))) as results:
                    async for result in results:
                        answer = await anyio.to_thread.run_sync(tracked, result, form, limiter=self._threads)
                        await _write(context, answer, limits.idle_s)
            finally:
                with anyio.CancelScope(shield=True):
                    await session.close(Cancelled(_CLOSED))

    async def Models(self, request: pb.ModelsRequest, context: Any) -> pb.ModelsResponse:  # noqa: N802
        """List what is served."""
        async with Exchange(self._service, context, "Models"):
            names = self._service.engine.status().models
            return pb.ModelsResponse(models=[pb.Model(name=name, is_default=not i) for i, name in enumerate(names)])

    async def Version(self, request: pb.VersionRequest, context: Any) -> pb.VersionResponse:  # noqa: N802
        """Say what answers."""
        async with Exchange(self._service, context, "Version", scope=None):
            return pb.VersionResponse(version=__version__, api="v1")

    async def _segment(self, request: pb.SegmentRequest, caller: Caller, deadline: float) -> pb.SegmentResponse:
        asked = segment_of(request, self._service.settings.max_prompts)
        form_of(request.form)
        image = await self._image(request.image)
        if request.image.HasField("raw"):  # so that the next request can name it
            await anyio.to_thread.run_sync(self._service.images.add_image, image, limiter=self._threads)
        work = Work(client=caller.name, priority="click", deadline=deadline, model=request.model or None)
        records = await self._service.engine.segment(image, asked, work)
        return await anyio.to_thread.run_sync(
            segmented, request, records, image.digest, image.size_hw, limiter=self._threads
        )

    async def _begun(
        self, requests: Any, exchange: Exchange
    ) -> AsyncGenerator["asyncio.Future[pb.SegmentResponse]", None]:
        stopping = asyncio.create_task(self._last.wait())
        coming: asyncio.Task[pb.SegmentRequest | None] | None = None
        try:
            while True:
                coming = asyncio.create_task(_next(requests))
                await asyncio.wait({coming, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not coming.done():
                    raise ServerStopping("the server is stopping. Send the rest when it runs")
                request = await coming
                if request is None:
                    return
                yield asyncio.create_task(self._segment_or_problem(request, exchange))
        finally:
            await cancelled(coming, stopping)

    async def _segment_or_problem(self, request: pb.SegmentRequest, exchange: Exchange) -> pb.SegmentResponse:
        try:
            return await self._segment(request, exchange.admit(), exchange.deadline())
        except MaskwrightError as error:
            return pb.SegmentResponse(id=request.id, problem=problem_message(error))

    async def _frames(self, requests: Any) -> AsyncGenerator[ShownFrame, None]:
        async for request in requests:
            if request.WhichOneof("message") != "frame":
                raise RequestError("after the first message of a track stream each one is a frame")
            yield await self._shown(request.frame)

    async def _shown(self, frame: pb.TrackFrame) -> ShownFrame:
        try:
            prompts = {track: prompt_of(one, f"prompts[{track!r}]") for track, one in frame.prompts.items()}
            shown = ShownFrame(picture=frame.image.encoded, prompts=prompts, forget=tuple(frame.forget))
            if frame.image.WhichOneof("source") == "encoded":
                return shown  # decoded when its turn comes
            return replace(shown, picture=await self._image(frame.image))
        except MaskwrightError as error:
            return ShownFrame(picture=error)

    async def _image(self, message: pb.Image) -> Image:
        match message.WhichOneof("source"):
            case "encoded":
                return await self._service.images.add(message.encoded)
            case "raw":
                raw = message.raw
                return raw_image(raw.rgb, raw.height, raw.width, self._service.settings.max_pixels)
            case "digest":
                return await self._service.images.get(message.digest)
            case _:
                raise RequestError("image must be encoded, raw or a digest; got none")

    @contextlib.asynccontextmanager
    async def _counted(self, kind: str) -> AsyncGenerator[None, None]:
        sessions = self._service.meter.sessions.labels(kind)
        sessions.inc()
        try:
            yield
        finally:
            sessions.dec()


async def _next(requests: Any) -> Any:
    return await anext(requests, None)


def _opening(first: pb.TrackRequest | None) -> pb.TrackOpen:
    if first is None or first.WhichOneof("message") != "open":
        raise RequestError("the first message of a track stream opens it: TrackRequest(open=TrackOpen())")
    return first.open


async def _write(context: Any, message: Any, within_s: float) -> None:
    """Send a message; a client that does not read for so long that a session would end is not waited for."""
    try:
        async with asyncio.timeout(within_s):
            await context.write(message)
    except TimeoutError:
        raise DeadlinePassed(f"the client has not read what it was sent for {within_s:g} seconds") from None


__all__ = ["Segmentation"]
