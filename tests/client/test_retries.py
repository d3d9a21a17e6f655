"""When a request is sent again and when not, against a server that misbehaves on purpose."""

import time

import pytest

from client_server import CLICK, DROP, HANG, answer, error, misbehaving
from maskwright.client import Client
from maskwright.client import asking as asking_module
from maskwright.core import MaskRecord, ResolvedRecord, from_json, to_json
from maskwright.core.errors import (
    DeadlinePassed,
    MaskwrightError,
    NotSignedIn,
    ServerStopping,
    ServerUnreachable,
    StoreBusy,
    TooManyRequests,
    UnknownJob,
)
from maskwright.testing.store_values import make_record, make_ref

VERSION = answer(200, {"name": "maskwright", "version": "9", "api": "v1"})
EDITED = answer(201, {"moment": 1, "items": [], "etags": {}})
MASKS = answer(200, {"image_digest": "0" * 64, "size_hw": [1, 1], "masks": []})
DIGEST = "0" * 64


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    monkeypatch.setattr(asking_module, "_FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(asking_module, "_LONGEST_PAUSE_S", 0.02)


def test_what_is_refused_for_now_is_sent_again_when_told(monkeypatch):
    pauses = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    script = [
        error(429, "too_many_requests", retry_after=2),
        error(503, "server_stopping", retry_after=1),
        error(503, "store_busy"),
        EDITED,
    ]
    with misbehaving(*script) as (address, asked), Client(address, token="t") as client:
        client.accept("a", if_match="*")

    assert 2 <= pauses[0] <= 2.5
    assert 1 <= pauses[1] <= 1.25
    assert 0 < pauses[2] < 0.1
    assert len({one.headers["idempotency-key"] for one in asked}) == 1
    assert len({one.headers["x-request-id"] for one in asked}) == 1
    assert len({one.body for one in asked}) == 1
    assert {one.headers["authorization"] for one in asked} == {"Bearer t"}


def test_each_call_has_a_key_of_its_own():
    with misbehaving(EDITED) as (address, asked), Client(address) as client:
        client.accept("a", if_match="*")
        client.accept("a", if_match="*")

    assert asked[0].headers["idempotency-key"] != asked[1].headers["idempotency-key"]
    assert "authorization" not in asked[0].headers


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (error(429, "too_many_requests"), TooManyRequests),
        (error(503, "server_stopping"), ServerStopping),
        (error(503, "store_busy"), StoreBusy),
        (DROP, ServerUnreachable),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nCUT", ServerUnreachable),
        (answer(502, b"<html>bad gateway</html>"), ServerUnreachable),
    ],
)
def test_after_so_many_tries_it_gives_up(refusal, kind):
    with misbehaving(refusal) as (address, asked), Client(address, retries=2) as client, pytest.raises(kind) as found:
        client.version()

    assert len(asked) == 3
    assert found.value.__notes__ == [f"request {asked[0].headers['x-request-id']}"]


@pytest.mark.parametrize("refusal", [DROP, answer(502, b"<html>bad gateway</html>"), error(503, "server_stopping")])
def test_what_does_no_harm_is_sent_again_after_a_broken_connection(refusal):
    with misbehaving(refusal, refusal, VERSION) as (address, asked), Client(address) as client:
        assert client.version().version == "9"
    with misbehaving(refusal, MASKS) as (address, asked), Client(address) as client:
        assert client.segment(DIGEST, [CLICK]) == []

    assert len(asked) == 2


def test_nothing_waits_longer_than_the_timeout():
    refusal = error(429, "too_many_requests", retry_after=60)
    with misbehaving(refusal) as (address, asked), Client(address, timeout_s=5) as client:
        began = time.monotonic()
        with pytest.raises(TooManyRequests, match="no") as found:
            client.version()

    assert time.monotonic() - began < 2
    assert len(asked) == 1
    assert found.value.retry_after_s == 60


def test_silence_is_an_error_and_repeated_only_with_a_key():
    with misbehaving(HANG) as (address, asked), Client(address, timeout_s=0.2) as client:
        with pytest.raises(ServerUnreachable, match=r"nothing in 0\.2 seconds"):
            client.version()
        assert len(asked) == 1
    with misbehaving(HANG, EDITED) as (address, asked), Client(address, timeout_s=0.2) as client:
        client.accept("a", if_match="*")
        assert len(asked) == 2


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [(error(401, "not_signed_in"), NotSignedIn), (error(504, "deadline_passed"), DeadlinePassed)],
)
def test_what_stays_refused_is_not_asked_again(refusal, kind):
    with misbehaving(refusal) as (address, asked), Client(address) as client, pytest.raises(kind):
        client.segment(DIGEST, [CLICK])

    assert len(asked) == 1


def test_nobody_there_is_one_line_with_the_address_last():
    with misbehaving(VERSION) as (address, _):
        pass
    with Client(address, retries=1) as client:
        with pytest.raises(ServerUnreachable) as found:
            client.models()
        assert str(found.value).endswith(f"Is the server running? {address}")
        assert "\n" not in str(found.value)
        assert not client.ready()
        with pytest.raises(ServerUnreachable):
            client.wait_until_ready(timeout_s=0.1)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (answer(200, b"<html>hello</html>"), "the answer cannot be read"),
        (answer(200, {"name": "maskwright", "version": "9", "api": "v1", "new": 1}), "unknown field new"),
        (answer(200, [1]), "the answer cannot be read"),
        (answer(404, b"<html>not found</html>"), r"not the answer of a maskwright server \(status 404\)"),
        (answer(200, b"{" * 5000), "the answer cannot be read"),
        (answer(307, b"", location="https://elsewhere.example/v1"), "which leads to https://elsewhere.example"),
    ],
)
def test_what_another_program_answers_is_an_error_in_one_line(said, told):
    with (
        misbehaving(said) as (address, asked),
        Client(address, token="secret") as client,
        pytest.raises(ServerUnreachable, match=told) as found,
    ):
        client.version()

    assert len(asked) == 1
    assert "\n" not in str(found.value)
    assert str(found.value).endswith(address)


def test_a_bug_of_the_server_names_the_request():
    said = error(500, "internal_error", "something went wrong inside the server; its log has the request's id")
    with (
        misbehaving(said) as (address, _),
        Client(address) as client,
        pytest.raises(MaskwrightError, match="its log has the request's id, r1"),
    ):
        client.version()


def test_a_write_that_may_not_be_repeated_is_not():
    """A frame of a track has no key: what became of it is asked, which this server does not know."""
    opened = answer(201, info())
    with (
        misbehaving(opened, DROP, error(404, "unknown_job")) as (address, asked),
        Client(address) as client,
        client.open_track() as session,
        pytest.raises(UnknownJob),
    ):
        session.step(DIGEST)

    paths = [(one.method, one.path) for one in asked]
    assert paths[:3] == [("POST", "/v1/tracks"), ("POST", "/v1/tracks/s/frames"), ("GET", "/v1/tracks/s")]
    assert ("POST", "/v1/tracks/s/frames") not in paths[2:]


def info():
    counts = {"num_shown": 0, "num_answered": 0, "num_skipped": 0, "first_kept": 0}
    return {"id": "s", "budget": "default", "find_new": 0, "model": None, "tracks": []} | counts | {
        "idle_s": 120.0, "ends_in_s": 120.0,
    }  # fmt: skip


def test_large_answers_are_read_too():
    items = [{**to_json(ResolvedRecord(record=make_record(make_ref(number)))), "etag": "0-0"} for number in range(200)]
    with misbehaving(answer(200, {"items": items, "next_cursor": None})) as (address, _), Client(address) as client:
        found = list(client.records())

    assert [one.record for one in found] == [from_json(MaskRecord, one["record"]) for one in items]
