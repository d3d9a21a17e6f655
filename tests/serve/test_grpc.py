"""gRPC on a real port: the same answers, errors and limits as REST; streams, health, reflection."""

import asyncio
import dataclasses
import io
import json
import time
from contextlib import asynccontextmanager

import grpc
import grpc.aio
import numpy as np
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from PIL import Image as PillowImage

import maskwright as mw
from maskwright.core import BoxPrompt, Image, MaskPrompt, MaskRecord, PointPrompt, from_json
from maskwright.core.errors import SettingError
from maskwright.masks import decode, encode
from maskwright.predict.tracking import tracker_settings
from maskwright.serve.grpc_generated import maskwright_pb2 as pb
from maskwright.serve.grpc_generated import maskwright_pb2_grpc
from maskwright.serve.grpc_server import start_grpc, start_grpc_on
from maskwright.serve.grpc_values import mask_message, prompt_of
from maskwright.serve.tokens import add_token
from maskwright.serve.track_sessions import TrackSessions
from maskwright.serve.track_values import TrackLimits
from rest_service import picture, service_of

pytestmark = pytest.mark.anyio
SIZE_HW = (24, 32)
MUG = MaskPrompt(encode(np.pad(np.ones((8, 8), bool), ((8, 8), (4, 20)))))


@pytest.fixture
def anyio_backend():
    return "asyncio"


@asynccontextmanager
async def served(limits=None, **settings):
    """A server on a free port; gives its address and its service."""
    service = service_of(grpc_port=0, **settings)
    tracks = TrackSessions(service.settings, service.engine, service.meter, limits=limits)
    service = dataclasses.replace(service, tracks=tracks)
    server, port = await start_grpc_on(service)
    try:
        yield f"127.0.0.1:{port}", service
    finally:
        await server.stop(0)
        await put_away(service)


async def put_away(service):
    await service.tracks.drain(0)
    await service.jobs.drain(1)
    service.images.close()


@asynccontextmanager
async def stub_of(limits=None, options=(), **settings):
    async with (
        served(limits, **settings) as (address, service),
        grpc.aio.insecure_channel(address, options=options) as channel,
    ):
        yield maskwright_pb2_grpc.SegmentationStub(channel), service


def image(number):
    pixels = np.full((*SIZE_HW, 3), 60, np.uint8)
    pixels[8:16, 4 + number : 12 + number] = 200
    return Image(pixels)


def png(number):
    file = io.BytesIO()
    PillowImage.fromarray(image(number).pixels).save(file, "PNG")
    return pb.Image(encoded=file.getvalue())


def click(x=20.0, y=20.0, is_negative=False):
    return pb.Prompt(points=pb.PointPrompt(points=[pb.Point(x=x, y=y, is_negative=is_negative)]))


def mug():
    return pb.Prompt(mask=pb.MaskPrompt(rle=mask_message(MUG.rle, "rle").rle))


def opening(**options):
    return pb.TrackRequest(open=pb.TrackOpen(**options))


def frame(number, **said):
    return pb.TrackRequest(frame=pb.TrackFrame(image=png(number), **said))


def told(error):
    return dict(error.trailing_metadata())


async def until(is_true, within_s=3.0):
    end = time.monotonic() + within_s
    while not is_true():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


async def test_a_picture_and_prompts_give_what_predict_gives():
    async with stub_of() as (stub, service):
        content = picture()
        request = pb.SegmentRequest(
            image=pb.Image(encoded=content), prompts=[click(), click(40, 30)], num_masks=2, labels=["mug", ""]
        )
        answer = await stub.Segment(request)

        seen = mw.read_image(content)
        model = service.engine.model
        prompts = [PointPrompt([(20, 20)]), PointPrompt([(40, 30)])]
        expected = mw.to_records(mw.predict(model, mw.embed(model, seen), prompts, num_masks=2))
        assert (answer.image_digest, answer.height, answer.width) == (seen.digest, *seen.size_hw)
        assert [mask.prompt for mask in answer.masks] == [0, 0, 1, 1]
        assert [mask.mask.rle.counts.encode() for mask in answer.masks] == [one.rle.counts for one in expected]
        assert [mask.area for mask in answer.masks] == [one.area for one in expected]
        assert [mask.label for mask in answer.masks] == ["mug", "mug", "", ""]
        assert answer.masks[0].scores.predicted_iou == pytest.approx(expected[0].scores.predicted_iou)


async def test_a_picture_is_sent_once_and_named_from_then_on():
    async with stub_of() as (stub, _):
        sent = await stub.Segment(pb.SegmentRequest(image=pb.Image(encoded=picture()), prompts=[click()]))
        named = await stub.Segment(pb.SegmentRequest(image=pb.Image(digest=sent.image_digest), prompts=[click()]))
        raw = pb.RawImage(height=SIZE_HW[0], width=SIZE_HW[1], rgb=image(0).pixels.tobytes())
        pixels = await stub.Segment(pb.SegmentRequest(image=pb.Image(raw=raw), prompts=[click()]))
        again = await stub.Segment(pb.SegmentRequest(image=pb.Image(digest=image(0).digest), prompts=[click()]))

        assert named.masks[0].mask == sent.masks[0].mask
        assert pixels.image_digest == again.image_digest == image(0).digest


async def test_masks_have_the_form_that_was_asked_for():
    async with stub_of() as (stub, _):
        request = pb.SegmentRequest(image=pb.Image(encoded=picture()), prompts=[click()], with_record=True)
        as_rle = (await stub.Segment(request)).masks[0]
        request.form = pb.MASK_FORM_PNG
        as_png = (await stub.Segment(request)).masks[0]
        request.form = pb.MASK_FORM_POLYGONS
        as_polygons = (await stub.Segment(request)).masks[0]

        record = from_json(MaskRecord, json.loads(as_rle.record_json))
        assert record.rle.counts.decode() == as_rle.mask.rle.counts
        with PillowImage.open(io.BytesIO(as_png.mask.png)) as drawn:
            assert np.array_equal(np.array(drawn), decode(record.rle))
        assert len(as_polygons.mask.polygons.islands[0].exterior.xy) >= 6


@pytest.mark.parametrize(
    ("message", "prompt"),
    [
        (click(1, 2, is_negative=True), PointPrompt([(1, 2)], [0])),
        (pb.Prompt(box=pb.BoxPrompt(box=pb.Box(x1=1, y1=2, x2=3, y2=4))), BoxPrompt((1, 2, 3, 4))),
        (mug(), MUG),
        (pb.Prompt(text=pb.TextPrompt(text="mug")), mw.TextPrompt("mug")),
        (
            pb.Prompt(combined=pb.CombinedPrompt(parts=[click(1, 2), mug()])),
            mw.CombinedPrompt([PointPrompt([(1, 2)]), MUG]),
        ),
    ],
    ids=["points", "box", "mask", "text", "combined"],
)
async def test_prompts_are_read(message, prompt):
    assert prompt_of(message, "prompts[0]") == prompt


@pytest.mark.parametrize(
    ("request_", "status", "code", "words"),
    [
        ({}, "INVALID_ARGUMENT", "request_error", "image must be encoded, raw or a digest"),
        ({"image": pb.Image(encoded=b"no picture")}, "INVALID_ARGUMENT", "image_error", "not a picture"),
        ({"image": pb.Image(digest="0" * 64)}, "NOT_FOUND", "unknown_image", "Send it again"),
        ({"image": pb.Image(raw=pb.RawImage(height=9, width=9, rgb=b"1"))}, "INVALID_ARGUMENT", "image_error", "raw"),
        ({"image": pb.Image(raw=pb.RawImage(height=0, width=9))}, "INVALID_ARGUMENT", "image_error", "raw pixels"),
        ({"prompts": [pb.Prompt()]}, "INVALID_ARGUMENT", "request_error", "prompts[0] must be points, a box"),
        ({"prompts": [click(900, 900)]}, "INVALID_ARGUMENT", "prompt_outside_image", "point 900,900 lies outside"),
        ({"prompts": [click(float("nan"), 1)]}, "INVALID_ARGUMENT", "prompt_error", "finite"),
        ({"prompts": [mug()]}, "INVALID_ARGUMENT", "prompt_error", "a mask prompt must have the image's size"),
        (
            {"prompts": [pb.Prompt(mask=pb.MaskPrompt(rle=pb.Rle(height=9, width=9, counts="x~")))]},
            "INVALID_ARGUMENT",
            "mask_error",
            "counts",
        ),
        (
            {"prompts": [pb.Prompt(text=pb.TextPrompt(text="mug"))]},
            "INVALID_ARGUMENT",
            "unsupported_prompt",
            "test-sam takes points",
        ),
        ({"prompts": [click()] * 5}, "RESOURCE_EXHAUSTED", "too_large", "a request may have 4 prompts, got 5"),
        ({"num_masks": 17}, "INVALID_ARGUMENT", "request_error", "num_masks must be at most 16, got 17"),
        ({"num_masks": 4}, "INVALID_ARGUMENT", "setting_error", "num_masks must be 1 to 3"),
        ({"form": 9}, "INVALID_ARGUMENT", "request_error", "form must be RLE, PNG or POLYGONS, got 9"),
        ({"cleanup": "polish"}, "INVALID_ARGUMENT", "setting_error", "polish"),
        ({"model": "huge"}, "NOT_FOUND", "unknown_model", "huge"),
    ],
)
async def test_what_is_wrong_has_a_status_a_code_and_one_line(request_, status, code, words):
    async with stub_of(max_prompts=4) as (stub, _):
        asked = {"image": pb.Image(encoded=picture()), "prompts": [click()], **request_}
        if not request_:
            del asked["image"]

        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Segment(pb.SegmentRequest(**asked), metadata=(("x-request-id", "mine-1"),))

    assert caught.value.code().name == status
    assert told(caught.value)["maskwright-code"] == code
    assert told(caught.value)["x-request-id"] == "mine-1"
    assert words in caught.value.details()
    assert "\n" not in caught.value.details()


async def test_what_nobody_foresaw_stays_in_the_log(caplog):
    async with stub_of() as (stub, service):

        async def broken(image, segment, work):
            raise RuntimeError("a secret")

        service.engine.segment = broken
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Segment(pb.SegmentRequest(image=pb.Image(encoded=picture()), prompts=[click()]))

    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in caught.value.details()
    assert "a secret" in caplog.text


async def test_a_stream_of_requests_is_answered_in_order_and_survives_a_wrong_one():
    async with stub_of() as (stub, service):
        pictures = [pb.Image(encoded=picture(seed=seed)) for seed in range(4)]

        async def requests():
            for i in range(12):
                yield pb.SegmentRequest(id=str(i), image=pictures[i % 4], prompts=[click()] if i != 5 else [])

        answers = [answer async for answer in stub.SegmentStream(requests())]

        assert [answer.id for answer in answers] == [str(i) for i in range(12)]
        assert [i for i, answer in enumerate(answers) if answer.HasField("problem")] == [5]
        assert answers[5].problem.code == "prompt_error"
        assert answers[0].masks[0].mask == answers[4].masks[0].mask
        assert 'maskwright_sessions{kind="stream"} 0.0' in service.meter.text().decode()


async def test_a_stream_works_on_several_requests_at_a_time():
    async with stub_of() as (stub, service):
        service.engine.gate.clear()
        call = stub.SegmentStream()
        for _ in range(5):
            await call.write(pb.SegmentRequest(image=pb.Image(encoded=picture()), prompts=[click()]))

        await until(lambda: service.engine.num_running == 5)
        service.engine.gate.set()
        await call.done_writing()

        assert len([answer async for answer in call]) == 5


async def test_a_track_is_what_propagate_gives():
    async with stub_of() as (stub, service):
        stream = stub.Track(iter([opening(budget="accurate"), frame(0, prompts={"mug": mug()}), frame(1), frame(2)]))

        answers = [answer async for answer in stream]

        model, frames = service.engine.model, [image(i) for i in range(3)]
        expected = list(mw.propagate(model, frames, {"mug": MUG}, settings=tracker_settings("accurate")))
        assert answers[0].opened.idle_s == 120
        assert [answer.frame.index for answer in answers[1:]] == [0, 1, 2]
        for answer, one in zip(answers[1:], expected, strict=True):
            (mask,) = answer.frame.masks
            assert answer.frame.image_digest == one.image_digest
            assert mask.mask.rle.counts.encode() == one["mug"].rle.counts
            assert pb.TrackSource.Name(mask.source) == f"TRACK_SOURCE_{one['mug'].source.upper()}"
            assert pb.TrackState.Name(mask.state) == f"TRACK_STATE_{one['mug'].state.upper()}"
            assert mask.confidence == pytest.approx(one["mug"].confidence)
        assert len(service.tracks) == 0


async def test_a_track_goes_on_after_frames_that_cannot_be_used():
    async with stub_of() as (stub, _):
        requests = [
            opening(form=pb.MASK_FORM_PNG),
            frame(0, prompts={"mug": mug(), "cup": mug()}),
            pb.TrackRequest(frame=pb.TrackFrame(image=pb.Image(encoded=b"broken"))),
            pb.TrackRequest(frame=pb.TrackFrame()),
            frame(1, prompts={"cup": pb.Prompt()}),
            pb.TrackRequest(frame=pb.TrackFrame(image=pb.Image(digest="0" * 64))),
            frame(2, forget=["cup"]),
        ]

        answers = [answer.frame async for answer in stub.Track(iter(requests))][1:]

        assert [answer.index for answer in answers] == [0, 1, 2, 3, 4, 5]
        codes = ["", "image_error", "request_error", "request_error", "unknown_image", ""]
        assert [answer.problem.code for answer in answers] == codes
        assert [mask.track for mask in answers[5].masks] == ["mug"]
        assert answers[5].masks[0].mask.WhichOneof("form") == "png"


async def test_a_track_begins_with_its_opening():
    async with stub_of() as (stub, service):
        for requests, words in (
            ([frame(0)], "the first message of a track stream opens it"),
            ([], "the first message of a track stream opens it"),
            ([opening(), opening()], "after the first message of a track stream each one is a frame"),
            ([opening(budget="quick")], "a budget is default, fast, accurate"),
        ):
            with pytest.raises(grpc.aio.AioRpcError, match=words):
                [answer async for answer in stub.Track(iter(requests))]
        assert len(service.tracks) == 0


async def test_a_track_that_is_cancelled_half_way_is_gone():
    async with stub_of() as (stub, service):
        call = stub.Track()
        await call.write(opening())
        await call.write(frame(0))
        await call.read()
        await call.read()
        service.engine.gate.clear()
        await call.write(frame(1))
        await until(lambda: service.engine.num_running == 1)

        call.cancel()

        await until(lambda: len(service.tracks) == 0 and service.engine.num_running == 0)
        assert service.engine.num_cancelled == 1


async def test_a_client_that_vanishes_takes_its_work_with_it():
    async with served() as (address, service):
        service.engine.gate.clear()
        channel = grpc.aio.insecure_channel(address)
        stub = maskwright_pb2_grpc.SegmentationStub(channel)
        request = pb.SegmentRequest(image=pb.Image(encoded=picture()), prompts=[click()])
        asking = asyncio.ensure_future(stub.Segment(request))
        call = stub.Track()
        await call.write(opening())
        await call.write(frame(0))
        await until(lambda: service.engine.num_running == 2)

        await channel.close()

        await until(lambda: service.engine.num_running == 0 and len(service.tracks) == 0)
        with pytest.raises(asyncio.CancelledError):
            await asking


async def test_an_idle_track_ends_and_says_so():
    async with stub_of(TrackLimits(idle_s=0.1)) as (stub, service):
        call = stub.Track()
        await call.write(opening())
        await call.write(frame(0))

        with pytest.raises(grpc.aio.AioRpcError, match=r"no frame came for 0\.1 seconds") as caught:
            [answer async for answer in call]

        assert caught.value.code() is grpc.StatusCode.CANCELLED
        assert len(service.tracks) == 0


async def test_a_client_that_does_not_read_is_not_waited_for():
    noise = np.random.default_rng(0).random((150, 400)) < 0.5
    dots = pb.Prompt(mask=pb.MaskPrompt(rle=mask_message(encode(noise), "rle").rle))
    pixels = pb.Image(raw=pb.RawImage(height=150, width=400, rgb=bytes(150 * 400 * 3)))
    narrow = (("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 4096))  # little lies between the two
    async with stub_of(TrackLimits(idle_s=0.4), narrow) as (stub, service):
        call = stub.Track()
        await call.write(opening())
        num_sent = 0
        for _ in range(400):
            try:
                async with asyncio.timeout(0.3):
                    await call.write(pb.TrackRequest(frame=pb.TrackFrame(image=pixels, prompts={"dots": dots})))
            except (TimeoutError, asyncio.CancelledError, grpc.aio.AioRpcError, asyncio.InvalidStateError):
                break
            num_sent += 1

        await until(lambda: len(service.tracks) == 0)
        assert num_sent < 400


async def test_the_clients_deadline_is_the_works():
    async with stub_of() as (stub, service):
        request = pb.SegmentRequest(image=pb.Image(encoded=picture()), prompts=[click()])
        before = time.monotonic()
        await stub.Segment(request, timeout=5)
        assert before < service.engine.works[-1].deadline < before + 5.5
        service.engine.gate.clear()

        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Segment(request, timeout=0.2)

        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await until(lambda: service.engine.num_running == 0)


async def test_messages_are_as_large_as_bodies_may_be():
    async with stub_of(max_body_bytes=6 << 20, options=[("grpc.max_send_message_length", -1)]) as (stub, _):
        pixels = np.random.default_rng(0).integers(0, 255, (1200, 1500, 3), dtype=np.uint8)
        large = pb.Image(raw=pb.RawImage(height=1200, width=1500, rgb=pixels.tobytes()))
        answer = await stub.Segment(pb.SegmentRequest(image=large, prompts=[click()]))
        assert (answer.height, answer.width) == (1200, 1500)

        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Segment(pb.SegmentRequest(image=pb.Image(encoded=b"0" * (8 << 20)), prompts=[click()]))

        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_tokens_are_those_of_rest(tmp_path):
    file = tmp_path / "tokens"
    secret = add_token(file, "anna", "read")
    async with stub_of(token_file=file, burst=2, rate_per_s=0.01) as (stub, service):
        request = pb.SegmentRequest(image=pb.Image(encoded=picture()), prompts=[click()])

        codes = []
        for metadata in (
            (),
            (("authorization", "Bearer wrong"),),
            (("authorization", f"Bearer {secret}"),),
            (("authorization", f"Bearer {secret}"),),
            (("authorization", f"Bearer {secret}"),),
        ):
            try:
                await stub.Segment(request, metadata=metadata)
                codes.append("OK")
            except grpc.aio.AioRpcError as error:
                codes.append(error.code().name)
                last = error
        assert codes == ["UNAUTHENTICATED", "UNAUTHENTICATED", "OK", "OK", "RESOURCE_EXHAUSTED"]
        assert told(last)["maskwright-code"] == "too_many_requests"
        assert int(told(last)["retry-after"]) >= 1
        assert service.engine.works[-1].client == "anna"
        assert (await stub.Version(pb.VersionRequest())).api == "v1"


async def test_requests_of_a_stream_count_as_requests(tmp_path):
    file = tmp_path / "tokens"
    metadata = (("authorization", f"Bearer {add_token(file, 'anna', 'read')}"),)
    async with stub_of(token_file=file, burst=3, rate_per_s=0.01) as (stub, _):
        request = pb.SegmentRequest(image=pb.Image(encoded=picture()), prompts=[click()])

        answers = [answer async for answer in stub.SegmentStream(iter([request] * 4), metadata=metadata)]

        assert [answer.problem.code for answer in answers] == ["", "", "too_many_requests", "too_many_requests"]
        assert answers[2].problem.status == "RESOURCE_EXHAUSTED"
        assert answers[2].problem.retry_after_s > 0


async def test_models_and_version_and_metrics():
    async with stub_of() as (stub, service):
        models = (await stub.Models(pb.ModelsRequest())).models
        version = await stub.Version(pb.VersionRequest())

        assert [(model.name, model.is_default) for model in models] == [("test-sam", True)]
        assert version.version == mw.__version__
        assert 'maskwright_requests_total{route="grpc/Models",status="OK"} 1.0' in service.meter.text().decode()


async def test_health_follows_the_engine():
    async with served() as (address, service), grpc.aio.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        watching = stub.Watch(health_pb2.HealthCheckRequest(service="maskwright.v1.Segmentation"))
        states = [(await watching.read()).status]

        service.engine.is_ready = False
        states.append((await watching.read()).status)
        service.engine.is_ready = True
        states.append((await watching.read()).status)
        service.engine.is_draining = True
        states.append((await watching.read()).status)
        watching.cancel()

        serving, not_serving = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
        assert states == [serving, not_serving, serving, not_serving]
        assert (await stub.Check(health_pb2.HealthCheckRequest())).status == not_serving
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Check(health_pb2.HealthCheckRequest(service="other"))
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_a_client_that_knows_only_reflection_makes_a_call():
    async with served() as (address, _), grpc.aio.insecure_channel(address) as channel:
        reflection = reflection_pb2_grpc.ServerReflectionStub(channel)

        async def ask(**question):
            call = reflection.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(**question)]))
            return await call.read()

        listed = await ask(list_services="")
        names = {one.name for one in listed.list_services_response.service}
        found = await ask(file_containing_symbol="maskwright.v1.Segmentation")
        pool = descriptor_pool.DescriptorPool()
        for content in found.file_descriptor_response.file_descriptor_proto:
            pool.Add(descriptor_pb2.FileDescriptorProto.FromString(content))
        method = pool.FindServiceByName("maskwright.v1.Segmentation").methods_by_name["Segment"]
        request_type = message_factory.GetMessageClass(method.input_type)
        answer_type = message_factory.GetMessageClass(method.output_type)
        call = channel.unary_unary(
            "/maskwright.v1.Segmentation/Segment",
            request_serializer=request_type.SerializeToString,
            response_deserializer=answer_type.FromString,
        )
        answer = await call(
            request_type(image={"encoded": picture()}, prompts=[{"points": {"points": [{"x": 20, "y": 20}]}}])
        )

        assert {"maskwright.v1.Segmentation", "grpc.health.v1.Health"} <= names
        assert answer.masks[0].mask.rle.height == 48


async def test_stopping_lets_calls_end():
    service = service_of(grpc_port=0)
    server, port = await start_grpc_on(service)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = maskwright_pb2_grpc.SegmentationStub(channel)
        service.engine.gate.clear()
        request = pb.SegmentRequest(image=pb.Image(encoded=picture()), prompts=[click()])
        asking = asyncio.ensure_future(stub.Segment(request))
        await until(lambda: service.engine.num_running == 1)

        stopping = asyncio.create_task(server.stop(5))
        await asyncio.sleep(0.05)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Version(pb.VersionRequest())
        service.engine.gate.set()

        assert len((await asking).masks) == 1
        await stopping
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    await put_away(service)


async def test_streams_end_when_the_server_drains_and_what_was_begun_is_answered():
    async with stub_of() as (stub, service):
        service.engine.gate.clear()
        requests, tracks = stub.SegmentStream(), stub.Track()
        await requests.write(pb.SegmentRequest(image=pb.Image(encoded=picture()), prompts=[click()]))
        await tracks.write(opening())
        await tracks.write(frame(0))
        await until(lambda: service.engine.num_running == 2)

        draining = asyncio.create_task(service.tracks.drain(5))
        await asyncio.sleep(0.05)
        service.engine.gate.set()

        assert len((await requests.read()).masks) == 1
        assert [(await tracks.read()).WhichOneof("message") for _ in range(2)] == ["opened", "frame"]
        for call in (requests, tracks):
            with pytest.raises(grpc.aio.AioRpcError, match="the server is stopping") as caught:
                await call.read()
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        await draining


async def test_a_port_that_is_taken_is_told():
    async with served() as (address, service):
        port = int(address.rpartition(":")[2])
        second = dataclasses.replace(service, settings=dataclasses.replace(service.settings, grpc_port=port))

        with pytest.raises(SettingError, match="the gRPC port cannot be had; is another server there?"):
            await start_grpc(second)


async def test_a_missing_library_is_told(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "grpc_health.v1", None)
    service = service_of(grpc_port=0)

    with pytest.raises(SettingError, match=r"pip install 'maskwright\[grpc\]'"):
        await start_grpc(service)
    await put_away(service)
