"""Uploads that are broken, or mean harm: a 4xx in one line, and memory that stays where it was."""

import io
import json
import struct
import tracemalloc
import zlib
from contextlib import ExitStack

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage
from PIL import PngImagePlugin
from starlette.testclient import TestClient

from maskwright.serve.app import build_app
from maskwright.serve.limits import BodyLimit
from maskwright.serve.meter import Meter
from rest_service import AT_HOME, click, picture, service_of

MOST_BYTES = 400_000
FORMS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "PPM")


@pytest.fixture(scope="module")
def client():
    with ExitStack() as stack:
        app = build_app(service_of(max_body_bytes=MOST_BYTES, max_pixels=1_000_000))
        yield stack.enter_context(TestClient(app, base_url=AT_HOME, raise_server_exceptions=True))


def send(client, content, kind="image/png"):
    return client.post("/v1/images", content=content, headers={"Content-Type": kind})


def png_of_size(width, height, *, data=b""):
    """A PNG that says it is so large, with little in it."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def text_bomb():
    """A PNG whose comment unpacks to 50 MB."""
    comment = PngImagePlugin.PngInfo()
    comment.add_text("Comment", "A" * 50_000_000, zip=True)
    file = io.BytesIO()
    PillowImage.new("RGB", (8, 8)).save(file, "PNG", pnginfo=comment)
    return file.getvalue()


def frames_bomb():
    """A GIF of 2,000 frames."""
    file = io.BytesIO()
    frames = [PillowImage.new("RGB", (16, 16), (i % 251, i % 7, 9)) for i in range(2000)]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    return file.getvalue()


BOMBS = {
    "a size of 2^31": lambda: png_of_size(2**31 - 1, 2**31 - 1),
    "a size of 40,000": lambda: png_of_size(40_000, 40_000, data=zlib.compress(b"\0" * 10_000_000)),
    "no pixels": lambda: png_of_size(0, 0),
    "a comment": text_bomb,
    "frames": frames_bomb,
    "nested svg": lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "postscript": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n(/etc/passwd) run\n",
    "pdf": lambda: b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n",
    "a page": lambda: b"<html><script>alert(1)</script></html>",
    "a pickle": lambda: b"\x80\x04\x95cposix\nsystem\n(S'true'\ntR.",
    "nothing": lambda: b"",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_bombs_are_refused_and_cost_no_memory(client, bomb):
    content = bomb()
    tracemalloc.start()

    answer = send(client, content)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert answer.status_code in (413, 422)
    assert answer.json()["error"]["message"].isprintable()
    assert "/etc" not in answer.text
    assert peak < 20_000_000


@pytest.mark.parametrize("form", FORMS)
def test_a_picture_that_is_cut_off_anywhere_is_told_as_such(client, form):
    whole = picture(form=form)
    for share in (0.001, 0.01, 0.1, 0.3, 0.6, 0.9):
        answer = send(client, whole[: max(1, int(share * len(whole)))])
        assert answer.status_code in (201, 422)  # some formats lose nothing with their end
        if share < 0.9:
            assert answer.json()["error"]["code"] == "image_error"


@given(st.binary(max_size=200), st.sampled_from(FORMS), st.integers(0, 10_000), st.binary(min_size=1, max_size=20))
@settings(max_examples=120)
def test_bytes_that_somebody_changed_never_break_the_server(client, noise, form, place, change):
    whole = bytearray(picture(height=12, width=16, form=form))
    at = place % len(whole)
    whole[at : at + len(change)] = change

    for content in (bytes(whole), bytes(whole) + noise, noise):
        assert send(client, content).status_code in (201, 413, 422)


def test_a_polyglot_gives_back_its_pixels_and_not_its_script(client):
    script = b"<script>alert(document.domain)</script>"

    sent = send(client, picture() + script + b"PK\x03\x04")
    answer = client.get(f"/v1/images/{sent.json()['digest']}/picture")

    assert sent.status_code == 201
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert script not in answer.content


@pytest.mark.parametrize("kind", ["text/html", "application/json", "multipart/mixed", "video/mp4", "a" * 500])
def test_what_does_not_even_say_that_it_is_a_picture_is_not_read(client, kind):
    answer = send(client, picture(), kind)

    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "request_error"


def test_a_body_that_says_it_is_too_long_is_refused_before_it_comes(client):
    answer = client.post("/v1/images", content=picture(), headers={"Content-Length": str(MOST_BYTES + 1)})

    assert answer.status_code == 413
    assert answer.headers["connection"] == "close"
    assert answer.json()["error"]["message"] == "a request's body may have 400,000 bytes at most"


@pytest.mark.parametrize("path", ["/v1/images", "/v1/segment", "/v1/everything"])
@pytest.mark.parametrize("kind", ["image/png", "application/json", "multipart/form-data; boundary=x"])
def test_a_body_without_end_is_cut_off_at_the_limit(client, path, kind):
    num_sent = 0

    def endless():
        nonlocal num_sent
        yield b'--x\r\nContent-Disposition: form-data; name="picture"; filename="a"\r\n\r\n'
        while num_sent < 100 * MOST_BYTES:
            num_sent += 10_000
            yield b"a" * 10_000

    answer = client.post(path, content=endless(), headers={"Content-Type": kind})

    assert answer.status_code in (413, 422)
    assert answer.json()["error"]["code"] in ("too_large", "request_error")


MULTIPART = {"Content-Type": "multipart/form-data; boundary=x"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"--x",
        b"--x--\r\n",
        b"not a form at all",
        b"--x\r\nContent-Disposition: form-data; name=picture\r\n\r\nno file\r\n--x--\r\n",
        b'--x\r\nContent-Disposition: form-data; name="picture"; filename="../../etc/passwd"\r\n\r\nx\r\n--x--\r\n',
        b"--x\r\n" + b"A: b\r\n" * 5000 + b"\r\n--x--\r\n",
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 3000 + b"--x--\r\n",
        b'--x\r\nContent-Disposition: form-data; name="picture"; filename="a"\r\n\r\nx\r\n' * 50 + b"--x--\r\n",
        b"\xff" * 1000,
    ],
)
@pytest.mark.parametrize("path", ["/v1/images", "/v1/segment", "/v1/everything"])
def test_forms_that_are_none_are_refused(client, path, content):
    answer = client.post(path, content=content, headers=MULTIPART)

    assert 400 <= answer.status_code < 500
    assert set(answer.json()["error"]) == {"code", "message", "request_id"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"image":' * 10_000,
        b'{"prompts":[{"kind":"PointPrompt","points_xy":[[1e999,NaN]]}]}',
        b'{"prompts":[{"kind":"PointPrompt","points_xy":[[1' + b"0" * 5000 + b",1]]}]}",
        json.dumps({"image": "0" * 64, "prompts": [{"kind": "TextPrompt", "text": "\ud800"}]}).encode(),
        json.dumps({"image": "0" * 64, "prompts": [click()], "deadline_ms": 10**30}).encode(),
    ],
)
@pytest.mark.parametrize("path", ["/v1/segment", "/v1/everything"])
def test_json_that_is_none_is_refused(client, path, content):
    answer = client.post(path, content=content, headers={"Content-Type": "application/json"})

    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "request_error"


def test_bodies_of_many_uploads_have_a_bound_together():
    limit = BodyLimit(None, 1000, Meter())
    for _ in range(8):
        limit.count(0, 1000)

    with pytest.raises(Exception, match="too many uploads at a time"):
        limit.count(0, 1)
    limit._in_memory -= 1000
    limit.count(0, 1000)


def test_masks_of_noise_come_back_in_every_format(client):
    pixels = np.random.default_rng(1).integers(0, 256, (90, 90, 3), dtype=np.uint8)
    file = io.BytesIO()
    PillowImage.fromarray(pixels).save(file, "PNG")
    digest = send(client, file.getvalue()).json()["digest"]

    for form in ("rle", "png", "polygons"):
        asked = {"image": digest, "prompts": [click()], "format": form, "num_masks": 3}
        assert client.post("/v1/segment", json=asked).status_code == 200
