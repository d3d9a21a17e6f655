"""Pictures, clicks and everything over REST, on the real engine: answers are those of `predict`."""

import asyncio
import base64
import io
import json
from contextlib import ExitStack

import numpy as np
import pytest
from PIL import Image as PillowImage
from starlette.testclient import TestClient

import maskwright as mw
from annotate_data import EVERYTHING, write_pictures
from maskwright.core import MaskRecord, from_json
from maskwright.masks import Island, Polygons, encode, fill, to_coco
from maskwright.models import load_model
from maskwright.serve.app import build_app
from maskwright.serve.engine import LocalEngine
from maskwright.serve.routes import everything
from maskwright.workflows.annotate import annotate
from maskwright.workflows.annotate_plan import Footage
from rest_service import AT_HOME, click, client_of, picture, service_of


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("MASKWRIGHT_CACHE", str(tmp_path_factory.mktemp("cache")))
        app = build_app(service_of(LocalEngine, max_prompts=8, max_pixels=20_000))
        opened = stack.enter_context(TestClient(app, base_url=AT_HOME))
        opened.portal.call(lambda: asyncio.wait_for(asyncio.shield(app.state.starting), 60))
        yield opened


@pytest.fixture(scope="module")
def digest(client):
    return client.post("/v1/images", content=picture(), headers={"Content-Type": "image/png"}).json()["digest"]


@pytest.fixture(scope="module")
def image():
    return mw.read_image(picture())


def segment(client, **asked):
    return client.post("/v1/segment", json=asked)


def told(answer):
    return answer.json()["error"]["code"], answer.json()["error"]["message"]


def test_a_picture_is_named_by_what_it_shows(client, image):
    first = client.post("/v1/images", content=picture(), headers={"Content-Type": "image/png"})
    as_form = client.post("/v1/images", files={"picture": ("photo.png", picture(), "image/png")})
    as_bmp = client.post("/v1/images", content=picture(form="BMP"), headers={"Content-Type": "image/bmp"})

    assert first.status_code == 201
    assert first.headers["location"] == f"/v1/images/{image.digest}"
    assert first.json()["size_hw"] == [48, 64]
    assert first.json()["digest"] == as_form.json()["digest"] == as_bmp.json()["digest"] == image.digest


def test_what_is_known_need_not_be_sent_again(client, digest):
    assert client.head(f"/v1/images/{digest}").status_code == 200
    assert client.head(f"/v1/images/{'0' * 64}").status_code == 404
    assert client.get(f"/v1/images/{digest}").json()["digest"] == digest


def test_the_picture_comes_back_with_the_same_pixels_and_nothing_else_of_the_file(client):
    file = io.BytesIO()
    exif = PillowImage.Exif()
    exif[0x010E] = "my garden"
    PillowImage.open(io.BytesIO(picture(seed=3))).save(file, "JPEG", exif=exif)
    sent = client.post("/v1/images", content=file.getvalue(), headers={"Content-Type": "image/jpeg"}).json()

    answer = client.get(f"/v1/images/{sent['digest']}/picture")

    assert answer.headers["content-type"] == "image/png"
    assert "immutable" in answer.headers["cache-control"]
    assert mw.read_image(answer.content).digest == sent["digest"]
    assert b"garden" not in answer.content


def test_encoding_ahead_is_told(client):
    sent = client.post("/v1/images", content=picture(seed=4)).json()
    assert sent["is_embedded"] is False

    assert client.post(f"/v1/images/{sent['digest']}/embedding").json()["is_embedded"] is True
    assert client.get(f"/v1/images/{sent['digest']}").json()["is_embedded"] is True
    assert client.post("/v1/images?embed=true", content=picture(seed=5)).json()["is_embedded"] is True


def test_a_click_is_answered_as_predict_answers_it(client, digest, image):
    model = load_model("test-sam")
    batch = mw.predict(model, mw.embed(model, image), [mw.PointPrompt([(20, 20)])])
    (expected,) = mw.to_records(batch)

    answer = segment(client, image=digest, prompts=[click(20, 20)])

    (mask,) = answer.json()["masks"]
    record = from_json(MaskRecord, mask["record"])
    assert record.rle == expected.rle
    assert record.scores.predicted_iou == pytest.approx(expected.scores.predicted_iou, abs=1e-5)
    assert record.provenance.prompt == mw.PointPrompt([(20, 20)])
    assert (mask["prompt"], mask["png"], mask["polygons"]) == (0, None, None)


def test_all_formats_hold_the_same_pixels(client, digest):
    answers = {
        form: segment(client, image=digest, prompts=[click()], format=form) for form in ("rle", "png", "polygons")
    }

    masks = {form: answer.json()["masks"][0] for form, answer in answers.items()}
    rle = from_json(MaskRecord, masks["rle"]["record"]).rle
    drawn = PillowImage.open(io.BytesIO(base64.b64decode(masks["png"]["png"])))
    islands = [
        Island(np.array(one["exterior"]), tuple(map(np.array, one["holes"]))) for one in masks["polygons"]["polygons"]
    ]
    assert drawn.mode == "1"
    assert encode(np.array(drawn)) == rle
    assert fill(Polygons((48, 64), tuple(islands))) == rle


def test_candidates_stand_with_their_prompt_best_first(client, digest):
    answer = segment(client, image=digest, prompts=[click(9, 9), click(30, 30)], num_masks=3, labels=["cup", None])

    masks = answer.json()["masks"]
    scores = [mask["record"]["scores"]["predicted_iou"] for mask in masks]
    assert [mask["prompt"] for mask in masks] == [0, 0, 0, 1, 1, 1]
    assert [mask["record"]["label"] for mask in masks] == ["cup"] * 3 + [None] * 3
    assert scores[:3] == sorted(scores[:3], reverse=True)


def test_all_kinds_of_prompts_go(client, digest):
    mask = np.zeros((48, 64), bool)
    mask[10:30, 10:40] = True
    coco = to_coco(encode(mask))
    rough = {"kind": "MaskPrompt", "rle": {"size_hw": coco["size"], "counts": coco["counts"]}}
    box = {"kind": "BoxPrompt", "box_xyxy": [5, 5, 40, 40]}
    correction = {"kind": "PointPrompt", "points_xy": [[12, 12], [50, 40]], "labels": [1, 0]}

    answer = segment(
        client,
        image=digest,
        prompts=[rough, box, {"kind": "CombinedPrompt", "parts": [rough, correction]}],
        refine_steps=1,
    )

    kinds = [mask["record"]["provenance"]["prompt"]["kind"] for mask in answer.json()["masks"]]
    assert kinds == ["MaskPrompt", "BoxPrompt", "CombinedPrompt"]
    assert segment(client, image=digest, prompts=[box], closer=True).status_code == 200


def test_cleanup_is_done_and_recorded(client, digest):
    steps = [{"name": "fill_holes", "parameters": {"max_area": 9}}, {"name": "keep_largest", "parameters": {}}]

    answer = segment(client, image=digest, prompts=[click()], cleanup=steps)

    recorded = answer.json()["masks"][0]["record"]["provenance"]["steps"]
    assert [one["name"] for one in recorded] == ["fill_holes", "keep_largest"]


def test_one_request_can_bring_its_picture(client):
    form = {"request": json.dumps({"prompts": [click()]})}
    answer = client.post("/v1/segment", files={"picture": ("a.png", picture(seed=7), "image/png")}, data=form)

    assert answer.status_code == 200
    again = segment(client, image=answer.json()["image_digest"], prompts=[click()])
    assert again.json()["masks"][0]["record"]["rle"] == answer.json()["masks"][0]["record"]["rle"]


def test_everything_takes_a_preset_and_changes(client, digest):
    changes = {"points_per_side": 3, "pred_iou_thresh": 0, "stability_score_thresh": 0, "box_nms_thresh": 1}

    answer = client.post(
        "/v1/everything", json={"image": digest, "preset": "fast", "settings": changes, "format": "png"}
    )

    assert answer.status_code == 200
    assert answer.json()["masks"]
    assert all(mask["prompt"] is None and mask["png"] for mask in answer.json()["masks"])


def test_everything_in_a_box_has_its_points_and_most_of_its_pixels_there(client, digest, monkeypatch):
    changes = {"points_per_side": 3, "pred_iou_thresh": 0, "stability_score_thresh": 0, "box_nms_thresh": 1}
    asked = {"image": digest, "settings": changes}

    within = client.post("/v1/everything", json={**asked, "within": [-5, 10, 40.5, 400]})
    monkeypatch.setattr(everything, "mostly_within", lambda records, box: records)
    answer = client.post("/v1/everything", json={**asked, "within": [-5, 10, 40.5, 400]})

    assert within.status_code == answer.status_code == 200
    assert len(within.json()["masks"]) < len(answer.json()["masks"])  # random weights draw all over the picture
    points = [mask["record"]["provenance"]["prompt"]["points_xy"][0] for mask in answer.json()["masks"]]
    assert points
    assert all(0 < x < 41 and 10 < y < 48 for x, y in points)
    for within, code in (([80, 0, 90, 9], "prompt_outside_image"), ([9, 9, 3, 3], "prompt_error")):
        refused = client.post("/v1/everything", json={**asked, "within": within})
        assert (refused.status_code, refused.json()["error"]["code"]) == (422, code)


@pytest.mark.parametrize(
    ("asked", "status", "code", "says"),
    [
        ({"prompts": [click()]}, 422, "request_error", "either image (a digest) or frame (of the store)"),
        ({"image": None, "frame": None, "prompts": [click()]}, 422, "request_error", "either image"),
        ({"image": "ABC", "prompts": [click()]}, 422, "request_error", "image: string should match pattern"),
        ({"image": "0" * 64, "prompts": [click()]}, 404, "unknown_image", "Send it again"),
        ({"prompts": []}, 422, "request_error", "prompts: list should have at least 1 item"),
        ({"prompts": [click(640, 1)]}, 422, "prompt_outside_image", "lies outside the image of 64x48"),
        ({"prompts": [{"kind": "BoxPrompt", "box_xyxy": [9, 9, 3, 3]}]}, 422, "prompt_error", "x1 < x2"),
        ({"prompts": [{"kind": "PointPrompt", "points_xy": [["1", 2]]}]}, 422, "request_error", "points_xy[0][0]"),
        ({"prompts": [{"kind": "Circle"}]}, 422, "request_error", "prompts[0]"),
        ({"prompts": [{"kind": "TextPrompt", "text": "a cup"}]}, 422, "unsupported_prompt", "text"),
        ({"prompts": [click()] * 9}, 413, "too_large", "may have 8 prompts, got 9"),
        ({"prompts": [click()], "model": "sam9"}, 404, "unknown_model", "sam9"),
        ({"prompts": [click()], "num_masks": 9}, 422, "setting_error", "num_masks must be 1 to"),
        ({"prompts": [click()], "labels": ["a", "b"]}, 422, "setting_error", "one label for each"),
        ({"prompts": [click()], "cleanup": [{"name": "shrink", "parameters": {}}]}, 422, "setting_error", "'shrink'"),
        ({"prompts": [click()], "colour": 1}, 422, "request_error", "colour: extra inputs are not permitted"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(client, digest, asked, status, code, says):
    needs_none = "image" in asked or (code == "request_error" and "either" in says)
    answer = segment(client, **(asked if needs_none else {"image": digest, **asked}))

    assert (answer.status_code, told(answer)[0]) == (status, code)
    assert says in told(answer)[1]


@pytest.mark.parametrize(
    ("size_hw", "counts", "says"),
    [
        ([4, 4], "0", "a mask prompt must have the image's size 48x64"),
        ([65535, 65535], "0", "a mask prompt must have the image's size 48x64"),
        ([48, 64], "0", "runs"),
        ([48, 64], "oooooooooooooooooooo0", "at most 7 characters a run"),
        ([48, 64], "P", "cut off within one"),
        ([48, 64], "ooooooO", ""),
    ],
)
def test_run_lengths_from_outside_are_checked_before_anything_reads_them(client, digest, size_hw, counts, says):
    prompt = {"kind": "MaskPrompt", "rle": {"kind": "RLE", "size_hw": size_hw, "counts": counts}}

    answer = segment(client, image=digest, prompts=[prompt])

    assert answer.status_code == 422
    assert says in told(answer)[1]


def test_a_frame_of_the_store_is_named_by_its_place_and_decoded_once(tmp_path):
    write_pictures(tmp_path / "pictures", range(2))
    annotate(load_model("test-sam"), Footage.open(tmp_path / "pictures"), EVERYTHING, tmp_path / "masks")

    async def look():
        service = service_of(store=tmp_path / "masks")
        async with client_of(service) as client:
            item = (await client.get("/v1/frames")).json()["items"][0]
            frame = item["ref"]
            asked = {"frame": frame, "prompts": [click(9, 9)]}
            first = await client.post("/v1/segment", json={**asked, "frame": item["id"]})
            (tmp_path / "pictures").rename(tmp_path / "elsewhere")
            return (
                frame,
                first,
                await client.post("/v1/segment", json=asked),
                await client.post("/v1/segment", json={**asked, "frame": {**frame, "frame_index": 77}}),
            )

    frame, first, again, missing = asyncio.run(look())

    assert first.status_code == again.status_code == 200
    assert first.json()["masks"][0]["record"]["frame"] == frame
    assert (missing.status_code, told(missing)[0]) == (404, "unknown_image")


def test_a_long_request_is_answered_as_a_short_one_is(client, digest):
    points = [[20 + i / 1e6, 20] for i in range(900)]
    prompts = [{"kind": "PointPrompt", "points_xy": points}] * 6

    answer = segment(client, image=digest, prompts=prompts)

    assert len(json.dumps(prompts)) > 64 << 10
    assert len(answer.json()["masks"]) == 6


def test_without_a_store_there_are_no_frames(client):
    frame = {"dataset": "a", "episode": "b", "camera": "c", "frame_index": 0}

    answer = segment(client, frame=frame, prompts=[click()])

    assert (answer.status_code, told(answer)[0]) == (403, "not_allowed")
    assert "has no store" in told(answer)[1]


def test_a_deadline_that_passes_is_told(client):
    digest = client.post("/v1/images", content=picture(seed=11)).json()["digest"]
    changes = {"points_per_side": 64, "crop_n_layers": 2, "pred_iou_thresh": 0, "stability_score_thresh": 0}

    answer = client.post("/v1/everything", json={"image": digest, "settings": changes, "deadline_ms": 1})

    assert (answer.status_code, told(answer)[0]) == (504, "deadline_passed")


def test_models_that_are_served_stand_first(client):
    answer = client.get("/v1/models").json()

    assert answer["served"] == ["test-sam"]
    assert [one["name"] for one in answer["registered"] if one["is_served"]] == ["test-sam"]
