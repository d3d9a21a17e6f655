"""Tracks over REST, server-sent events and web sockets, on a real socket."""

import asyncio
import base64
import contextlib
import dataclasses
import io
import json
import socket
import struct
from contextlib import asynccontextmanager

import httpx
import numpy as np
import pytest
import uvicorn
import websockets
from PIL import Image as PillowImage

import maskwright as mw
from maskwright.core import BoxPrompt, Image, MaskPrompt, from_json, to_json
from maskwright.core.rle import RLE
from maskwright.masks import decode, encode
from maskwright.predict.tracking import tracker_settings
from maskwright.serve.app import build_app
from maskwright.serve.tokens import add_token
from maskwright.serve.track_sessions import TrackSessions
from maskwright.serve.track_values import TrackLimits
from rest_service import service_of

pytestmark = pytest.mark.anyio
SIZE_HW = (24, 32)


@pytest.fixture
def anyio_backend():
    return "asyncio"


def image(number):
    pixels = np.full((*SIZE_HW, 3), 60, np.uint8)
    pixels[8:16, 4 + number : 12 + number] = 200
    return Image(pixels)


def png(number):
    file = io.BytesIO()
    PillowImage.fromarray(image(number).pixels).save(file, "PNG")
    return file.getvalue()


MUG = MaskPrompt(encode(np.pad(np.ones((8, 8), bool), ((8, 8), (4, 20)))))
MUG_JSON = to_json(MUG)


@asynccontextmanager
async def served(limits=None, **settings):
    """A server on a free port; gives its address and its service."""
    service = service_of(**settings)
    tracks = TrackSessions(service.settings, service.engine, service.meter, limits=limits)
    service = dataclasses.replace(service, tracks=tracks)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(build_app(service), log_config=None, ws_max_size=service.settings.max_body_bytes)
        server = uvicorn.Server(config)
        server.config.load()
        serving = asyncio.create_task(server.serve([listener]))
        try:
            while not server.started:
                await asyncio.sleep(0.01)
            yield f"127.0.0.1:{listener.getsockname()[1]}", service
        finally:
            server.should_exit = True
            await serving


@asynccontextmanager
async def client_of(limits=None, headers=None, **settings):
    async with (
        served(limits, **settings) as (address, service),
        httpx.AsyncClient(base_url=f"http://{address}", headers=headers, timeout=20) as client,
    ):
        yield client, service, address


async def opened(client, **options):
    answer = await client.post("/v1/tracks", json=options)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def show(client, session, number, **said):
    files = {"picture": ("frame.png", png(number), "image/png")}
    return await client.post(f"/v1/tracks/{session}/frames", files=files, data={"request": json.dumps(said)})


async def read_all(ws):
    found = []
    with contextlib.suppress(websockets.ConnectionClosed):
        while True:
            found.append(json.loads(await ws.recv()))
    return found


def message(header, picture=b""):
    written = json.dumps(header).encode()
    return struct.pack(">I", len(written)) + written + picture


async def test_a_session_from_opening_to_closing():
    async with client_of() as (client, service, _):
        opening = await client.post("/v1/tracks", json={"budget": "accurate"})
        session = opening.json()["id"]
        assert opening.headers["location"] == f"/v1/tracks/{session}"

        frames = [(await show(client, session, 0, prompts={"mug": MUG_JSON})).json()]
        bare = {"content-type": "image/png"}
        for number in (1, 2):
            answer = await client.post(f"/v1/tracks/{session}/frames", content=png(number), headers=bare)
            frames.append(answer.json())

        expected = list(
            mw.propagate(
                service.engine.model, [image(i) for i in range(3)], {"mug": MUG}, settings=tracker_settings("accurate")
            )
        )
        assert [frame["index"] for frame in frames] == [0, 1, 2]
        assert [frame["image_digest"] for frame in frames] == [one.image_digest for one in expected]
        for frame, one in zip(frames, expected, strict=True):
            (mask,) = frame["masks"]
            assert from_json(RLE, mask["rle"]) == one["mug"].rle
            assert (mask["source"], mask["state"]) == (one["mug"].source, one["mug"].state)
            assert mask["confidence"] == pytest.approx(one["mug"].confidence)
        told = (await client.get(f"/v1/tracks/{session}")).json()
        assert (told["tracks"], told["num_shown"], told["num_answered"], told["idle_s"]) == (["mug"], 3, 3, 120)
        assert [one["id"] for one in (await client.get("/v1/tracks")).json()["items"]] == [session]
        assert (await client.delete(f"/v1/tracks/{session}")).json()["num_answered"] == 3
        gone = await client.get(f"/v1/tracks/{session}")
        assert (gone.status_code, gone.json()["error"]["code"]) == (404, "unknown_job")


async def test_masks_come_as_png_and_polygons_too():
    async with client_of() as (client, _, _):
        session = await opened(client)

        drawn = (await show(client, session, 0, prompts={"mug": MUG_JSON}, format="png")).json()["masks"][0]
        traced = (await show(client, session, 0, prompts={"mug": MUG_JSON}, format="polygons")).json()["masks"][0]

        with PillowImage.open(io.BytesIO(base64.b64decode(drawn["png"]))) as picture:
            assert np.array_equal(np.array(picture), decode(MUG.rle))
        assert traced["polygons"] == [{"exterior": [[4, 8], [12, 8], [12, 16], [4, 16]], "holes": []}]


async def test_a_picture_that_the_server_has_is_named_by_its_digest_and_pixels_may_be_raw():
    async with client_of() as (client, _, _):
        session = await opened(client)
        digest = (await client.post("/v1/images", content=png(0), headers={"content-type": "image/png"})).json()[
            "digest"
        ]

        named = await client.post(f"/v1/tracks/{session}/frames", json={"image": digest, "prompts": {"mug": MUG_JSON}})
        raw = await client.post(
            f"/v1/tracks/{session}/frames",
            files={"picture": image(1).pixels.tobytes()},
            data={"request": json.dumps({"raw_hw": SIZE_HW})},
        )

        assert named.json()["image_digest"] == digest
        assert raw.json()["image_digest"] == image(1).digest


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"content": b"no picture", "headers": {"content-type": "image/png"}}, 422, "image_error"),
        ({"content": b"", "headers": {"content-type": "image/png"}}, 422, "request_error"),
        ({"content": b"x", "headers": {"content-type": "video/mp4"}}, 422, "request_error"),
        ({"json": {"prompts": {}}}, 422, "request_error"),
        ({"json": {"image": "0" * 64}}, 404, "unknown_image"),
        ({"json": {"image": "0" * 64, "prompts": {"": MUG_JSON}}}, 422, "request_error"),
        ({"json": {"image": "0" * 64, "prompts": {"mug": {"kind": "BoxPrompt", "box_xyxy": [1, 1, 1, 1]}}}}, 404, None),
        ({"data": {"request": "{"}, "files": {"picture": png(0)}}, 422, "request_error"),
        ({"data": {"request": '{"raw_hw": [9, 9]}'}, "files": {"picture": b"123"}}, 422, "image_error"),
        ({"data": {"request": "{}"}}, 422, "request_error"),
    ],
)
async def test_a_frame_that_cannot_be_used_is_an_error_and_the_session_goes_on(body, status, code):
    async with client_of() as (client, _, _):
        session = await opened(client)

        answer = await client.post(f"/v1/tracks/{session}/frames", **body)

        assert answer.status_code == status, answer.text
        assert code in (None, answer.json()["error"]["code"])
        assert (await show(client, session, 0)).status_code == 200


async def test_tracks_are_forgotten_by_name():
    async with client_of() as (client, _, _):
        session = await opened(client)
        await show(client, session, 0, prompts={"mug": MUG_JSON, "a/b": MUG_JSON, "c": MUG_JSON})

        answers = [(await client.delete(f"/v1/tracks/{session}/objects/{name}")).status_code for name in ("mug", "no")]
        frame = (await show(client, session, 1, forget=["c"])).json()

        assert answers == [204, 404]
        assert [mask["track"] for mask in frame["masks"]] == ["a/b"]


async def test_options_and_limits_are_told_in_the_shape_of_all_errors():
    async with client_of(max_tracks=1) as (client, _, _):
        wrong = await client.post("/v1/tracks", json={"budget": "quick"})
        unknown = await client.post("/v1/tracks", json={"model": "huge"})
        strange = await client.post("/v1/tracks", json={"bugdet": "fast"})
        await opened(client)
        full = await client.post("/v1/tracks")

        assert [one.status_code for one in (wrong, unknown, strange, full)] == [422, 404, 422, 429]
        assert [one.json()["error"]["code"] for one in (wrong, unknown, full)] == [
            "setting_error",
            "unknown_model",
            "too_many_requests",
        ]
        assert int(full.headers["retry-after"]) >= 1


async def events_of(answer, until):
    found = []
    event = {}
    async for line in answer.aiter_lines():
        key, _, value = line.partition(": ")
        if line:
            event[key] = value
        elif "event" in event:
            found.append(event)
            event = {}
            if until(found):
                break
        else:
            event = {}
    return found


async def test_results_are_followed_as_events_and_resumed_where_they_were_left():
    async with client_of() as (client, _, _):
        session = await opened(client)
        for number in range(3):
            await show(client, session, number, prompts={} if number else {"mug": MUG_JSON})
        await client.post(f"/v1/tracks/{session}/frames", content=b"broken", headers={"content-type": "image/png"})

        async with client.stream("GET", f"/v1/tracks/{session}/results") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            first = await events_of(answer, lambda found: len(found) == 2)
        resumed_after = {"last-event-id": first[-1]["id"]}
        async with client.stream("GET", f"/v1/tracks/{session}/results", headers=resumed_after) as answer:
            closing = asyncio.create_task(client.delete(f"/v1/tracks/{session}"))
            second = await events_of(answer, lambda found: found[-1]["event"] == "end")
            await closing

        assert [(one["event"], one["id"]) for one in first] == [("frame", "0"), ("frame", "1")]
        assert [one["event"] for one in second] == ["frame", "frame", "end"]
        skipped = json.loads(second[1]["data"])
        assert (skipped["index"], skipped["error"]["code"]) == (3, "image_error")
        assert json.loads(second[2]["data"]) == {"code": "cancelled", "message": "the track session was closed"}


async def test_who_comes_back_too_late_is_told_what_is_lost():
    async with client_of(TrackLimits(most_kept=2)) as (client, _, _):
        session = await opened(client)
        for number in range(5):
            await show(client, session, number)

        async with client.stream("GET", f"/v1/tracks/{session}/results", headers={"last-event-id": "0"}) as answer:
            found = await events_of(answer, lambda found: len(found) == 3)
        strange = await client.get(f"/v1/tracks/{session}/results", headers={"last-event-id": "x"})

        assert [(one["event"], one["id"]) for one in found] == [("lost", "2"), ("frame", "3"), ("frame", "4")]
        assert json.loads(found[0]["data"]) == {"first": 1, "last": 2}
        assert strange.status_code == 422


async def test_a_web_socket_carries_frames_in_and_results_out():
    async with client_of() as (client, service, address):
        session = await opened(client, budget="accurate")
        url = f"ws://{address}/v1/tracks/{session}/stream"

        async with websockets.connect(url) as ws:
            await ws.send(message({"prompts": {"mug": MUG_JSON}}, png(0)))
            await ws.send(message({}, b"broken"))
            await ws.send(message({"raw_hw": SIZE_HW}, image(1).pixels.tobytes()))
            await ws.send(json.dumps({"image": "0" * 64}))
            await ws.send(message({"is_last": True, "format": "rle"}, png(2)))
            frames = await read_all(ws)

        assert ws.close_code == 1000
        assert [frame["index"] for frame in frames] == [0, 1, 2, 3, 4]
        assert [frame["error"] and frame["error"]["code"] for frame in frames] == [
            None,
            "image_error",
            None,
            "unknown_image",
            None,
        ]
        expected = list(
            mw.propagate(
                service.engine.model, [image(i) for i in range(3)], {"mug": MUG}, settings=tracker_settings("accurate")
            )
        )
        told = [from_json(RLE, frames[i]["masks"][0]["rle"]) for i in (0, 2, 4)]
        assert told == [one["mug"].rle for one in expected]
        assert (await client.get(f"/v1/tracks/{session}")).status_code == 404


@pytest.mark.parametrize("sent", [b"\0", message({})[:5], b"\xff\xff\xff\xff", message({"promts": {}}, b"x"), "{"])
async def test_a_message_that_is_none_ends_the_socket_with_why(sent):
    async with client_of() as (client, service, address):
        session = await opened(client)

        async with websockets.connect(f"ws://{address}/v1/tracks/{session}/stream") as ws:
            await ws.send(message({}, png(0)))
            await ws.send(sent)
            answers = await read_all(ws)

        assert answers[0]["index"] == 0
        assert answers[1]["error"]["code"] in ("request_error", "too_large")
        assert ws.close_code == 1008
        assert len(service.tracks) == 0


async def test_a_client_that_vanishes_frees_its_session_unless_it_is_kept():
    async with client_of() as (client, service, address):
        service.engine.gate.clear()
        sessions = [await opened(client) for _ in range(2)]
        for session, keep in zip(sessions, ("false", "true"), strict=True):
            ws = await websockets.connect(f"ws://{address}/v1/tracks/{session}/stream?keep={keep}")
            await ws.send(message({}, png(0)))
            await asyncio.sleep(0.05)
            ws.transport.abort()

        for _ in range(100):
            if len(service.tracks) == 1:
                break
            await asyncio.sleep(0.02)
        service.engine.gate.set()

        assert [one["id"] for one in (await client.get("/v1/tracks")).json()["items"]] == [sessions[1]]


async def test_a_socket_that_is_idle_ends_with_its_session():
    async with client_of(TrackLimits(idle_s=0.1)) as (client, service, address):
        session = await opened(client)

        async with websockets.connect(f"ws://{address}/v1/tracks/{session}/stream") as ws:
            await ws.send(message({}, png(0)))
            answers = await read_all(ws)

        assert "no frame came for 0.1 seconds" in answers[-1]["error"]["message"]
        assert len(service.tracks) == 0


async def test_tokens_open_sessions_that_others_do_not_see(tmp_path):
    file = tmp_path / "tokens"
    anna, bert = (add_token(file, name, "read") for name in ("anna", "bert"))
    async with client_of(headers={"authorization": f"Bearer {anna}"}, token_file=file) as (client, _, address):
        session = await opened(client)
        url = f"ws://{address}/v1/tracks/{session}/stream"

        other = await client.get(f"/v1/tracks/{session}", headers={"authorization": f"Bearer {bert}"})
        with pytest.raises(websockets.InvalidStatus) as nobody:
            await websockets.connect(url)
        with pytest.raises(websockets.InvalidStatus) as stranger:
            await websockets.connect(url, additional_headers={"authorization": f"Bearer {bert}"})
        async with websockets.connect(url, subprotocols=["maskwright.v1", f"bearer.{anna}"]) as ws:
            await ws.send(message({"is_last": True}, png(0)))
            frames = await read_all(ws)

        assert other.status_code == 404
        assert nobody.value.response.status_code == 401
        assert stranger.value.response.status_code == 404
        assert json.loads(stranger.value.response.body)["error"]["code"] == "unknown_job"
        assert ws.subprotocol == "maskwright.v1"
        assert [frame["index"] for frame in frames] == [0]


async def test_the_description_has_what_is_sent_and_answered():
    async with client_of() as (client, _, _):
        document = (await client.get("/openapi.json")).json()

        schemas = document["components"]["schemas"]
        assert {
            "TrackSessionIn",
            "TrackOut",
            "TrackFrameIn",
            "TrackFrameOut",
            "TrackStreamIn",
            "TrackedMaskOut",
        } <= schemas.keys()
        operations = {
            operation["operationId"]
            for path, of_path in document["paths"].items()
            if path.startswith("/v1/tracks")
            for operation in of_path.values()
        }
        assert operations == {
            "open_track",
            "list_tracks",
            "get_track",
            "close_track",
            "forget_track",
            "show_frame",
            "follow_track",
        }


async def test_a_prompt_about_nothing_is_told_with_its_frame():
    async with client_of() as (client, _, _):
        session = await opened(client)

        answer = await show(client, session, 0, prompts={"mug": to_json(BoxPrompt((500, 500, 600, 600)))})

        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "prompt_outside_image")
        assert (await client.get(f"/v1/tracks/{session}")).json()["num_skipped"] == 1
