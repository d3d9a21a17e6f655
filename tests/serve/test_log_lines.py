"""The server's log: JSON lines with the request's id, and no token whoever writes it."""

import asyncio
import io
import json
import logging

import pytest

from maskwright.serve.log_lines import logging_to
from maskwright.serve.tokens import add_token
from rest_service import client_of, picture, service_of


@pytest.fixture
def written():
    """What is logged, as objects, once the test asks."""
    stream = io.StringIO()
    with logging_to(stream):
        yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_says_when_how_bad_who_and_what(written):
    logging.getLogger("maskwright.serve.run").warning("a thing of %d parts: %s", 2, "é\nü")

    (line,) = written()
    assert line["at"].endswith("+00:00")
    assert {key: line[key] for key in ("level", "log", "message")} == {
        "level": "warning",
        "log": "maskwright.serve.run",
        "message": "a thing of 2 parts: é\nü",
    }


def test_libraries_are_heard_from_warnings_on_and_we_from_info_on(written):
    logging.getLogger("httpx").info("a request")
    logging.getLogger("maskwright.serve").debug("a detail")
    logging.getLogger("maskwright.serve").info("a fact")
    logging.getLogger("uvicorn.error").warning("odd")

    assert [line["message"] for line in written()] == ["a fact", "odd"]


def test_what_goes_wrong_in_a_request_has_its_id_and_its_traceback(written, monkeypatch):
    service = service_of()

    def broken(content):
        logging.getLogger("maskwright.serve.image_shelf").warning("about to break")
        raise ZeroDivisionError("inside")

    monkeypatch.setattr(service.images, "_read", broken)

    async def asking():
        async with client_of(service) as client:
            return await client.post("/v1/images", content=picture(), headers={"X-Request-Id": "robot-7"})

    answer = asyncio.run(asking())

    assert answer.status_code == 500
    odd, error, access = [line for line in written() if line["log"].startswith("maskwright")]
    assert [odd["request_id"], error["request_id"], access["request_id"]] == ["robot-7"] * 3
    assert error["level"] == "error"
    assert error["error"].endswith("ZeroDivisionError: inside")
    assert (access["route"], access["status"]) == ("/v1/images", 500)
    assert access["at"] >= error["at"]


def test_a_token_is_crossed_out_whoever_logs_it(written, tmp_path):
    secret = add_token(tmp_path / "tokens.jsonl", "anna", "read")

    logging.getLogger("somebody").error("the header was Bearer %s", secret)

    (line,) = written()
    assert line["message"] == "the header was Bearer mw_..."


def test_afterwards_logging_is_as_it_was():
    before = list(logging.getLogger().handlers), logging.getLogger("maskwright").level

    with logging_to(io.StringIO()):
        pass

    assert (list(logging.getLogger().handlers), logging.getLogger("maskwright").level) == before
