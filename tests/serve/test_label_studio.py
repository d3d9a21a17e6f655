"""Label Studio's ML backend protocol: bodies as it sends them, masks of its smart tools, and where pictures are."""

import asyncio
import base64

import numpy as np
import pytest

from maskwright.datasets.brush_rle import decode_brush
from maskwright.masks import decode, encode, fill, iou
from maskwright.masks.polygons import Island, Polygons
from maskwright.serve.remote_pictures import API_KEY
from maskwright.serve.tokens import add_token
from tool_tasks import (
    BOX,
    ON_MUG,
    ON_TABLE,
    FakeSite,
    box,
    example,
    example_base64,
    mask_by_rest,
    points,
    tool_client,
)

PROJECT = "7.1764079200"
CONFIG = """<View>
  <!-- as SAM's example has it -->
  <Image name="image" value="$image" zoom="true"/>
  <BrushLabels name="tag" toName="image"><Label value="mug"/><Label value="lemon"/></BrushLabels>
  <KeyPointLabels name="tag2" toName="image" smart="true"><Label value="mug"/></KeyPointLabels>
  <RectangleLabels name="tag3" toName="image" smart="true"><Label value="mug"/></RectangleLabels>
</View>"""
POLYGONS = CONFIG.replace("BrushLabels", "PolygonLabels")


def percent(xy):
    height, width = example()[1]
    return {"x": 100 * xy[0] / width, "y": 100 * xy[1] / height}


def drawn(kind, value, **changes):
    """A region of a smart tool as Label Studio sends it."""
    height, width = example()[1]
    return {
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": {**value, "labels": ["mug"], kind: ["mug"]},
        "id": "fBWv1t0S2L",
        "from_name": "tag2",
        "to_name": "image",
        "type": kind,
        "origin": "manual",
        **changes,
    }


def keypoint(xy, *, is_positive=True):
    value = {**percent(xy), "width": 0.3189792663476874}
    return drawn("keypointlabels", value, is_positive=is_positive)


def rectangle(xyxy):
    corner, end = percent(xyxy[:2]), percent(xyxy[2:])
    value = {**corner, "width": end["x"] - corner["x"], "height": end["y"] - corner["y"], "rotation": 0}
    return drawn("rectanglelabels", value)


def asked(*regions, picture=None, config=CONFIG, **changes):
    """POST /predict's body."""
    address = picture or f"data:image/jpeg;base64,{example_base64()}"
    context = {"result": list(regions)} if regions else None
    return {
        "tasks": [{"id": 3, "data": {"image": address}, "meta": {}, "annotations": [], "predictions": []}],
        "model_version": None,
        "project": PROJECT,
        "label_config": config,
        "params": {"login": None, "password": None, "context": context},
        **changes,
    }


def predict(*bodies, **settings):
    async def asking():
        async with tool_client(**settings) as client:
            return [await client.post("/label-studio/predict", json=body) for body in bodies]

    return asyncio.run(asking())


@pytest.mark.parametrize(
    ("regions", "prompts"),
    [
        ([keypoint(ON_MUG)], [points(ON_MUG, labels=[1])]),
        ([rectangle(BOX)], [box(BOX)]),
        (
            [rectangle((0, 0, 9, 9)), rectangle(BOX), keypoint(ON_MUG), keypoint(ON_TABLE, is_positive=False)],
            [box(BOX), points(ON_MUG, ON_TABLE, labels=[1, 0])],
        ),
    ],
    ids=["click", "rectangle", "all together"],
)
def test_what_a_smart_tool_draws_has_the_mask_that_rest_gives(regions, prompts):
    async def asking():
        async with tool_client() as client:
            answer = await client.post("/label-studio/predict", json=asked(*regions))
            return answer, await mask_by_rest(client, *prompts)

    answer, expected = asyncio.run(asking())

    assert answer.status_code == 200
    (prediction,) = answer.json()["results"]
    (region,) = prediction["result"]
    height, width = example()[1]
    assert (region["from_name"], region["to_name"], region["type"]) == ("tag", "image", "brushlabels")
    assert (region["original_width"], region["original_height"], region["image_rotation"]) == (width, height, 0)
    assert (region["value"]["format"], region["value"]["brushlabels"]) == ("rle", ["mug"])
    assert np.array_equal(decode(decode_brush(region["value"]["rle"], (height, width))), expected)
    assert 0.5 < prediction["score"] == region["score"] <= 1.1
    assert prediction["model_version"] == answer.json()["model_version"]


def test_polygons_are_in_percent_and_lie_on_the_mask():
    async def asking():
        async with tool_client() as client:
            body = asked(keypoint(ON_MUG), config=POLYGONS)
            answer = await client.post("/label-studio/predict", json=body)
            return answer, await mask_by_rest(client, points(ON_MUG, labels=[1]))

    answer, expected = asyncio.run(asking())

    regions = answer.json()["results"][0]["result"]
    height, width = example()[1]
    assert {one["type"] for one in regions} == {"polygonlabels"}
    assert len({one["id"] for one in regions}) == len(regions)
    rings = [np.array(one["value"]["points"]) * (width / 100, height / 100) for one in regions]
    assert all(one["value"]["polygonlabels"] == ["mug"] and one["value"]["closed"] for one in regions)
    drawing = fill(Polygons((height, width), tuple(Island(ring) for ring in rings)))
    assert iou(drawing, encode(expected)) > 0.97


def test_where_nothing_is_drawn_there_is_nothing_to_answer():
    tasks = [{"id": i, "data": {"image": "/data/upload/1/x.jpg"}} for i in range(3)]

    answers = predict(asked(), asked(tasks=tasks), asked(params=None), asked(params={"context": {}}))

    assert [(one.status_code, one.json()["results"]) for one in answers] == [(200, [])] * 4


def test_a_region_without_a_label_stays_without():
    region = keypoint(ON_MUG)
    region = {**region, "type": "keypoint", "value": percent(ON_MUG)}

    (answer,) = predict(asked(region, config=CONFIG.replace("BrushLabels", "Brush")))

    value = answer.json()["results"][0]["result"][0]
    assert value["type"] == "brush"
    assert set(value["value"]) == {"format", "rle"}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (asked(keypoint(ON_MUG), config="<View>"), "label_config is not XML"),
        (asked(keypoint(ON_MUG), config="<View><Text name='t' value='$t'/></View>"), "has no BrushLabels"),
        (asked(keypoint(ON_MUG), config="<!DOCTYPE a [<!ENTITY b 'c'>]>" + CONFIG), "without declarations"),
        (asked(keypoint(ON_MUG), config=CONFIG.replace("$image", "$photo")), "has no picture in 'photo'"),
        (asked(keypoint(ON_MUG), label_config=None), "label_config"),
        (asked(keypoint(ON_MUG), picture="data:image/png,abc"), "base64"),
        (asked(keypoint(ON_MUG), picture="data:image/png;base64,aGVsbG8="), "not a picture"),
        (asked(drawn("ellipselabels", percent(ON_MUG))), "expected what smart keypoints and rectangles draw"),
        (asked({**rectangle(BOX), "image_rotation": 90}), "turned"),
        (asked(keypoint(ON_MUG), tasks=[]), "got 0 tasks"),
        (asked({"type": "keypointlabels", "value": {}}), "params.context.result[0].value.x: field required"),
    ],
)
def test_what_cannot_be_read_is_said(body, told):
    (answer,) = predict(body)

    assert answer.status_code == 422
    assert told in answer.json()["error"]["message"]


def test_a_project_connects_and_its_events_are_taken_and_left_alone():
    async def asking():
        async with tool_client() as client:
            health = [await client.get(f"/label-studio{path}") for path in ("/health", "")]
            setup = await client.post(
                "/label-studio/setup",
                json={"project": PROJECT, "schema": CONFIG, "hostname": "http://ls:8080", "access_token": "secret"},
            )
            event = {"action": "ANNOTATION_CREATED", "project": {"id": 7}, "annotation": {"id": 1}}
            return health, setup, await client.post("/label-studio/webhook", json=event)

    health, setup, event = asyncio.run(asking())

    assert [one.json()["status"] for one in health] == ["UP", "UP"]
    assert setup.json()["model_version"].endswith("test-sam")
    assert (event.status_code, event.json()["status"]) == (200, "ok")


def test_the_token_comes_as_the_password_of_basic_auth(tmp_path):
    secret = add_token(tmp_path / "tokens.jsonl", "labels", "read")

    async def asking():
        async with tool_client(token_file=tmp_path / "tokens.jsonl") as client:
            path = "/label-studio/health"
            ways = [{"auth": ("maskwright", secret)}, {"headers": {"Authorization": f"Token {secret}"}}]
            wrong = [{}, {"auth": (secret, "")}, {"headers": {"Authorization": "Basic !"}}]
            return [(await client.get(path, **one)).status_code for one in [*ways, *wrong]]

    assert asyncio.run(asking()) == [200, 200, 401, 401, 401]


@pytest.fixture
def studio():
    with FakeSite().open() as site:
        site.pages["/data/upload/1/photo.jpg"] = 200, {"Content-Type": "image/jpeg"}, example()[0]
        yield site


@pytest.fixture
def bucket():
    with FakeSite().open() as site:
        site.pages["/photo.jpg?X-Signature=1"] = 200, {}, example()[0]
        yield site


UPLOADED = "/data/upload/1/photo.jpg"


def test_an_uploaded_picture_is_fetched_once_with_label_studios_token(studio, monkeypatch):
    monkeypatch.setenv(API_KEY, "legacy-key")
    bodies = [asked(keypoint(ON_MUG), picture=one) for one in (UPLOADED, UPLOADED, studio.url + UPLOADED)]

    answers = predict(*bodies, label_studio_url=studio.url)

    assert [one.status_code for one in answers] == [200, 200, 200]
    assert (
        answers[0].json()["results"][0]["result"][0]["value"] == answers[2].json()["results"][0]["result"][0]["value"]
    )
    assert studio.asked == [(UPLOADED, "Token legacy-key")]


def test_a_personal_access_token_is_exchanged_first(studio, monkeypatch):
    monkeypatch.setenv(API_KEY, "a.b.c")
    studio.pages["/api/token/refresh"] = 200, {}, b'{"access": "short"}'

    (answer,) = predict(asked(keypoint(ON_MUG), picture=UPLOADED), label_studio_url=studio.url)

    assert answer.status_code == 200
    assert studio.asked == [("/api/token/refresh", None), (UPLOADED, "Bearer short")]


def test_a_redirect_is_followed_to_hosts_that_are_allowed_and_the_token_stays_behind(studio, bucket, monkeypatch):
    monkeypatch.setenv(API_KEY, "legacy-key")
    studio.pages["/tasks/3/resolve/"] = 303, {"Location": f"{bucket.url}/photo.jpg?X-Signature=1"}, b""
    body = asked(keypoint(ON_MUG), picture="/tasks/3/resolve/")

    (refused,) = predict(body, label_studio_url=studio.url)
    (answer,) = predict(body, label_studio_url=studio.url, picture_hosts=(bucket.host,))

    assert refused.status_code == 403
    assert f"--picture-host {bucket.host}" in refused.json()["error"]["message"]
    assert answer.status_code == 200
    assert bucket.asked == [("/photo.jpg?X-Signature=1", None)]


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("{bucket}/photo.jpg", 403),
        ("http://169.254.169.254/latest/meta-data", 403),
        ("http://localhost:{port}/photo.jpg", 403),
        ("http://{studio_host}@{bucket_host}/photo.jpg", 422),
        ("//{bucket_host}/photo.jpg", 422),
        ("http://[::1", 422),
        ("http://{studio_host}.evil.example/a", 422),
        ("file:///etc/passwd", 422),
        ("ftp://{bucket_host}/a", 422),
        ("s3://bucket/key", 422),
        ("photo.jpg", 422),
        ("", 422),
    ],
)
def test_a_server_is_no_way_to_hosts_that_nobody_named(studio, bucket, address, status):
    port = bucket.host.partition(":")[2]
    address = address.format(bucket=bucket.url, studio_host=studio.host, bucket_host=bucket.host, port=port)
    body = asked(keypoint(ON_MUG))
    body["tasks"][0]["data"]["image"] = address

    (answer,) = predict(body, label_studio_url=studio.url)

    assert answer.status_code == status
    assert bucket.asked == []


def test_without_being_told_where_label_studio_is_its_pictures_are_not_to_be_had():
    (answer,) = predict(asked(keypoint(ON_MUG), picture=UPLOADED))

    assert answer.status_code == 403
    assert "--label-studio-url URL" in answer.json()["error"]["message"]


def test_what_a_host_answers_is_bounded_and_told(studio, monkeypatch):
    monkeypatch.delenv(API_KEY, raising=False)
    studio.pages["/large"] = 200, {}, bytes(300_000)
    studio.pages["/round"] = 302, {"Location": "/round"}, b""
    studio.pages["/page"] = 200, {}, b"<html>sign in</html>"
    with FakeSite().open() as gone:
        dead = gone.host
    paths = ["/large", "/round", "/page", "/missing", f"http://{dead}/photo.jpg"]
    bodies = [asked(keypoint(ON_MUG), picture=one) for one in paths]

    answers = predict(*bodies, label_studio_url=studio.url, picture_hosts=(dead,), max_body_bytes=200_000)

    errors = [(one.status_code, one.json()["error"]["code"]) for one in answers]
    assert errors == [
        (413, "too_large"),
        (422, "request_error"),
        (422, "image_error"),
        (404, "unknown_image"),
        (502, "server_unreachable"),
    ]


def test_a_body_may_be_as_long_as_an_upload_and_no_longer():
    body = asked(keypoint(ON_MUG), picture=f"data:image/png;base64,{base64.b64encode(bytes(9_000_000)).decode()}")

    (long,) = predict(body)
    (longer,) = predict(body, max_body_bytes=1 << 20)

    assert (long.status_code, long.json()["error"]["code"]) == (422, "image_error")
    assert longer.status_code == 413
