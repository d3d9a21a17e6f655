"""Every error that a server can send becomes the same class again, with the same words."""

import json

import pytest

import maskwright as mw
from maskwright.client.answers import error_in
from maskwright.client.link import make_link
from maskwright.client.steps import Answer
from maskwright.core import errors
from maskwright.core.error_codes import code_of, error_of
from maskwright.core.errors import RequestError, ServeError, SettingError
from maskwright.serve.answers import error_answer

LINK = make_link("http://127.0.0.1:8080", 30, 3)


@pytest.mark.parametrize("name", errors.__all__)
def test_an_error_goes_over_the_wire_and_comes_back(name):
    there = getattr(errors, name)("expected a cup, got a plate: tab\tle")

    written = error_answer(there, "r1")
    here = error_in(LINK, Answer(status=written.status_code, headers=written.headers, content=written.body))

    assert type(here) is type(there)
    assert str(here) == str(there)
    assert getattr(here, "retry_after_s", None) == getattr(there, "retry_after_s", None)


def test_an_error_of_a_newer_server_is_still_one():
    body = json.dumps({"error": {"code": "too_bright", "message": "dim it", "request_id": "r"}}).encode()

    found = error_in(LINK, Answer(status=422, headers={}, content=body))

    assert type(found) is ServeError
    assert str(found) == "dim it"


def test_codes_are_of_one_class_each():
    codes = [code_of(getattr(errors, name)) for name in errors.__all__]

    assert len(set(codes)) == len(codes)
    assert all(type(error_of(code, "x")).__name__ == name for code, name in zip(codes, errors.__all__, strict=True))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"url": "127.0.0.1:8080"}, "looks like http://127.0.0.1:8080"),
        ({"url": "ftp://host"}, "looks like http://127.0.0.1:8080"),
        ({"url": "http://"}, "looks like http://127.0.0.1:8080"),
        ({"url": "http://host?x=1"}, "looks like http://127.0.0.1:8080"),
        ({"url": "http://host:99999"}, "looks like http://127.0.0.1:8080"),
        ({"url": "http://host:port"}, "looks like http://127.0.0.1:8080"),
        ({"url": "http://[::1"}, "looks like http://127.0.0.1:8080"),
        ({"url": "http://my host"}, "looks like http://127.0.0.1:8080"),
        ({"url": "http://host", "token": "secret\n"}, "a token has no spaces"),
        ({"url": "http://host", "token": "secret\u2014"}, "a token has no spaces"),
        ({"url": "http://ann:secret@host"}, r"Client\(url, token=...\)"),
        ({"url": "http://host", "timeout_s": 0}, "timeout_s must be above 0"),
        ({"url": "http://host", "retries": -1}, "retries must be 0 or more"),
    ],
)
@pytest.mark.parametrize("kind", [mw.Client, mw.AsyncClient])
def test_a_client_that_cannot_be_is_an_error(kind, arguments, told):
    with pytest.raises(SettingError, match=told) as found:
        kind(**arguments)
    assert "secret" not in str(found.value)


def test_a_client_that_is_closed_says_so():
    client = mw.Client("http://127.0.0.1:8080")
    client.close()

    with pytest.raises(SettingError, match="this client is closed"):
        client.version()
    with pytest.raises(SettingError, match="this client is closed"):
        next(client.follow())


@pytest.mark.parametrize("value", [float("nan"), object()])
def test_what_json_cannot_hold_is_an_error(value):
    with mw.Client("http://127.0.0.1:8080") as client, pytest.raises(RequestError, match="cannot be written as JSON"):
        client.count(min_stability=value)


def test_a_token_is_not_shown():
    with mw.Client("http://127.0.0.1:8080/", token="mw_secret") as client:
        assert repr(client) == "Client('http://127.0.0.1:8080')"
        assert "secret" not in repr(vars(client))
