import asyncio
import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.core.errors import NotSignedIn, SettingError, TooManyRequests
from maskwright.serve.guard import Guard, is_loopback
from maskwright.serve.settings import ServeSettings
from maskwright.serve.tokens import add_token
from rest_service import AT_HOME, client_of, service_of

PAGE = "https://labels.example"


@pytest.fixture
def tokens(tmp_path):
    path = tmp_path / "tokens.jsonl"
    return path, {scope: add_token(path, f"{scope}er", scope) for scope in ("read", "annotate", "admin")}


def bearer(secret):
    return {"Authorization": f"Bearer {secret}"}


def ask(service, method, path, **options):
    async def asking():
        async with client_of(service, base_url=options.pop("base_url", AT_HOME)) as client:
            return await client.request(method, path, **options)

    return asyncio.run(asking())


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "labels.example", "127.evil.example"])
def test_a_host_that_others_reach_needs_tokens_and_the_message_says_how(host):
    with pytest.raises(SettingError, match="needs tokens. Make one with maskwright tokens add FILE --name NAME"):
        Guard(ServeSettings(host=host))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.9.9.9", "[::1]", "LocalHost"])
def test_loopback_needs_none(host):
    guard = Guard(ServeSettings(host=host))

    assert not guard.needs_tokens
    assert guard.admit(None, "r").scope == "admin"


@given(st.text(max_size=30))
def test_whatever_is_said_about_a_host_it_is_loopback_or_not(text):
    assert is_loopback(text) in (True, False)


def test_tools_that_know_no_bearers_may_send_a_token_in_other_ways(tokens):
    guard = Guard(ServeSettings(token_file=tokens[0]))
    secret = tokens[1]["read"]
    basic = base64.b64encode(f"anybody:{secret}".encode()).decode()

    for told in (f"Token {secret}", f"bearer  {secret}", f"Basic {basic}"):
        assert guard.admit(told, "r").name == "reader"


@pytest.mark.parametrize("given", ["Basic", "Basic ?", "Basic OnJlYWRlcg==", "Basic //8=", "Digest abc"])
def test_what_is_no_token_in_other_ways_is_none(tokens, given):
    with pytest.raises(NotSignedIn):
        Guard(ServeSettings(token_file=tokens[0])).admit(given, "r")


@pytest.mark.parametrize("given", [None, "", "Bearer", "Bearer ", "Basic abc", "Bearer mw_nonsense", "mw_nonsense"])
def test_without_a_token_that_is_known_nobody_comes_in(tokens, given):
    guard = Guard(ServeSettings(host="0.0.0.0", token_file=tokens[0]))

    with pytest.raises(NotSignedIn):
        guard.admit(given, "r")


def test_a_bucket_empties_refills_and_is_ones_own(tokens):
    path, secrets = tokens
    now = [0.0]
    guard = Guard(ServeSettings(token_file=path, rate_per_s=2, burst=3), clock=lambda: now[0])
    for _ in range(3):
        guard.admit(f"bearer {secrets['read']}", "r")

    with pytest.raises(TooManyRequests, match="reader asks faster than 2 times a second") as refused:
        guard.admit(f"Bearer {secrets['read']}", "r")

    assert refused.value.retry_after_s == pytest.approx(0.5)
    assert guard.admit(f"Bearer {secrets['admin']}", "r").name == "adminer"
    now[0] += 0.5
    assert guard.admit(f"Bearer {secrets['read']}", "r").name == "reader"


def test_scopes_hold_those_before_them(tokens):
    def begin(scope):
        job = {"kind": "export", "format": "coco"}
        service = service_of(token_file=tokens[0])
        return ask(service, "POST", "/v1/jobs", json=job, headers=bearer(tokens[1][scope]))

    assert begin("read").json()["error"]["message"] == "this needs a token with the scope annotate, got one with read"
    assert [begin(scope).status_code for scope in ("read", "annotate", "admin")] == [403, 404, 404]  # it has no store
    service = service_of(token_file=tokens[0])
    answer = ask(service, "GET", "/v1/caller", headers=bearer(tokens[1]["annotate"]))
    assert answer.json() == {"name": "annotateer", "scope": "annotate", "store": None}


def test_what_collects_figures_may_do_nothing_else(tokens):
    service = service_of(token_file=tokens[0])

    assert ask(service, "GET", "/metrics").status_code == 401
    assert ask(service, "GET", "/metrics", headers=bearer(tokens[1]["read"])).text.startswith("# HELP")


def test_a_stranger_gets_health_version_and_the_description_and_nothing_else(tokens):
    for path in ("/v1/health/live", "/v1/health/ready", "/v1/version", "/openapi.json", "/docs"):
        assert ask(service_of(token_file=tokens[0]), "GET", path).status_code == 200
    for path in ("/v1/models", "/metrics", "/v1/images/" + "0" * 64, "/nothing", "/v1/health/live/", "//v1/models"):
        answer = ask(service_of(token_file=tokens[0]), "GET", path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["error"]["code"] == "not_signed_in"


def test_who_asks_too_fast_is_told_when_to_come_back(tokens):
    async def asking():
        async with client_of(service_of(token_file=tokens[0], rate_per_s=0.5, burst=2)) as client:
            return [await client.get("/v1/caller", headers=bearer(tokens[1]["read"])) for _ in range(3)]

    first, second, third = asyncio.run(asking())

    assert (first.status_code, second.status_code, third.status_code) == (200, 200, 429)
    assert 1 <= int(third.headers["retry-after"]) <= 2
    assert third.json()["error"]["code"] == "too_many_requests"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8080", "192.168.0.1:8080", "localhost.evil"])
def test_an_open_server_answers_to_the_names_of_this_machine_only(host):
    answer = ask(service_of(), "GET", "/v1/models", headers={"Host": host})

    assert answer.status_code == 403
    assert "answers to localhost and 127.0.0.1 only" in answer.json()["error"]["message"]


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1:9", "[::1]:8080", "[::1]", "LOCALHOST"])
def test_it_does_answer_to_those(host):
    assert ask(service_of(), "GET", "/v1/models", headers={"Host": host}).status_code == 200


def test_with_tokens_a_proxy_may_call_it_what_it_likes(tokens):
    headers = {"Host": PAGE, **bearer(tokens[1]["read"])}

    assert ask(service_of(token_file=tokens[0]), "GET", "/v1/models", headers=headers).status_code == 200


@pytest.mark.parametrize("origin", [PAGE, "null", "http://127.0.0.1:9999", "http://localhost:8080", "http://[broken"])
def test_pages_of_other_origins_cannot_even_post_to_an_open_server(origin):
    answer = ask(service_of(), "POST", "/v1/images", content=b"x", headers={"Origin": origin})

    assert answer.status_code == 403
    assert "Start it with --origin ORIGIN" in answer.json()["error"]["message"]
    assert "access-control-allow-origin" not in answer.headers


def test_its_own_pages_may(tmp_path):
    assert ask(service_of(), "GET", "/v1/models", headers={"Origin": AT_HOME}).status_code == 200


def test_an_origin_that_was_named_may_call_and_read_errors_too():
    service = service_of(origins=(PAGE,))
    preflight = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}

    before = ask(service, "OPTIONS", "/v1/segment", headers=preflight)
    answer = ask(service, "GET", "/nothing", headers={"Origin": PAGE})

    assert before.status_code == 204
    assert "Idempotency-Key" in before.headers["access-control-allow-headers"]
    for one in (before, answer):
        assert one.headers["access-control-allow-origin"] == PAGE
        assert "Origin" in one.headers["vary"]
        assert "access-control-allow-credentials" not in one.headers
    assert answer.status_code == 404


@pytest.mark.parametrize("with_tokens", [False, True])
def test_an_origin_that_was_not_named_may_not(tokens, with_tokens):
    service = service_of(origins=(PAGE,), token_file=tokens[0] if with_tokens else None)
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}

    answer = ask(service, "OPTIONS", "/v1/segment", headers=headers)

    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
    assert ask(service_of(), "OPTIONS", "/v1/segment", headers=headers).status_code == 403
