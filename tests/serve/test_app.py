"""What every answer has in common: one error shape, ids, headers, logs without secrets, metrics with few names."""

import asyncio
import inspect
import json
import logging
import pkgutil
from importlib import import_module

import pytest

import maskwright.serve.routes
from maskwright.core.errors import StoreFull
from maskwright.serve.tokens import add_token
from rest_service import client_of, picture, service_of

ROUTES = [module.name for module in pkgutil.iter_modules(maskwright.serve.routes.__path__)]
CLICK_BODY = {"image": "0" * 64, "prompts": [{"kind": "PointPrompt", "points_xy": [[1, 2]]}]}


def in_client(work, service=None, **options):
    async def working():
        async with client_of(service or service_of(), **options) as client:
            return await work(client)

    return asyncio.run(working())


def get(path, service=None, **options):
    return in_client(lambda client: client.get(path, **options), service)


def failing_with(error):
    service = service_of()

    async def segment(image, segment, work):
        raise error

    async def work(client):
        digest = (await client.post("/v1/images", content=picture())).json()["digest"]
        return await client.post("/v1/segment", json={**CLICK_BODY, "image": digest})

    service.engine.segment = segment
    return in_client(work, service)


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "code"),
    [
        ("GET", "/nothing", {}, 404, "not_found"),
        ("GET", "/v1/images", {}, 405, "method_not_allowed"),
        ("GET", "/v1/images/abc", {}, 422, "request_error"),
        ("GET", f"/v1/images/{'0' * 64}", {}, 404, "unknown_image"),
        ("POST", "/v1/segment", {"json": CLICK_BODY}, 404, "unknown_image"),
        ("POST", "/v1/segment", {"content": b"x", "headers": {"Content-Type": "text/plain"}}, 422, "request_error"),
        ("POST", "/v1/images", {"content": b"x" * 2000}, 413, "too_large"),
    ],
)
def test_every_error_has_the_one_shape(method, path, options, status, code):
    answer = in_client(lambda client: client.request(method, path, **options), service_of(max_body_bytes=1000))

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert set(error) == {"code", "message", "request_id"}
    assert error["request_id"] == answer.headers["x-request-id"]
    assert error["message"].isprintable()


def test_an_error_that_has_a_class_says_what_it_is():
    answer = failing_with(StoreFull("no space is left: /data"))

    assert answer.status_code == 507
    assert answer.json()["error"]["code"] == "store_full"


def test_an_error_that_nobody_foresaw_is_told_in_the_log_only(caplog):
    answer = failing_with(ZeroDivisionError("secret of the inside"))

    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal_error"
    assert "secret" not in answer.text
    assert "ZeroDivisionError: secret of the inside" in caplog.text
    assert f"request {answer.headers['x-request-id']} failed" in caplog.text


def test_the_field_that_is_wrong_is_named_by_its_path():
    body = {**CLICK_BODY, "prompts": [{"kind": "CombinedPrompt", "parts": [{"kind": "BoxPrompt", "box_xyxy": [1, 2]}]}]}

    answer = in_client(lambda client: client.post("/v1/segment", json=body))

    assert answer.status_code == 422
    assert answer.json()["error"]["message"].startswith("prompts[0].parts[0].box_xyxy[2]: field required")


@pytest.mark.parametrize(("given", "is_taken"), [("robot-7.a_b", True), ("x" * 65, False), ("a b", False), ("", False)])
def test_a_request_keeps_the_id_that_it_came_with_if_it_is_one(given, is_taken):
    answer = get("/v1/version", headers={"X-Request-Id": given})

    assert (answer.headers["x-request-id"] == given) is is_taken
    assert len(answer.headers["x-request-id"]) > 0


def test_answers_tell_browsers_what_not_to_do():
    for path in ("/v1/version", "/docs", "/nothing"):
        headers = get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_the_page_of_the_api_loads_nothing_from_anywhere():
    page = get("/docs").text

    assert "/v1/segment" in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")


def test_the_access_log_has_the_route_and_the_client_and_nothing_else_of_the_request(tmp_path, caplog):
    secret = add_token(tmp_path / "t.jsonl", "anna", "annotate")
    caplog.set_level(logging.INFO, "maskwright.access")

    answer = get(
        f"/v1/images/{'0' * 64}?note=private",
        service_of(token_file=tmp_path / "t.jsonl"),
        headers={"Authorization": f"Bearer {secret}", "X-Request-Id": "r-1"},
    )

    (record,) = [one for one in caplog.records if one.name == "maskwright.access"]
    line = json.loads(record.getMessage())
    ms = line.pop("ms")
    assert answer.status_code == 404
    assert ms > 0
    assert line == {
        "method": "GET",
        "route": "/v1/images/{digest}",
        "status": 404,
        "bytes": len(answer.content),
        "client": "anna",
        "request_id": "r-1",
    }
    assert secret not in caplog.text
    assert "private" not in caplog.text


def test_metrics_count_by_the_template_of_the_route():
    async def work(client):
        for i in range(3):
            await client.get(f"/v1/images/{str(i) * 64}")
            await client.get(f"/strange/{i}")
        return await client.get("/metrics")

    answer = in_client(work)

    assert 'maskwright_requests_total{route="/v1/images/{digest}",status="404"} 3.0' in answer.text
    assert 'maskwright_requests_total{route="unmatched",status="404"} 3.0' in answer.text
    assert "strange" not in answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")


def test_readiness_follows_the_engine_and_life_does_not():
    async def work(client):
        app = client._transport.app
        service.engine.is_ready = False
        before = await client.get("/v1/health/ready")
        service.engine.is_ready = True
        ready = await client.get("/v1/health/ready")
        app.state.is_draining = True
        after = await client.get("/v1/health/ready"), await client.get("/v1/health/live")
        return before, ready, *after

    service = service_of()
    before, ready, draining, live = in_client(work, service)

    assert (before.status_code, before.json()["state"]) == (503, "starting")
    assert (ready.status_code, ready.json()["state"]) == (200, "ready")
    assert (draining.status_code, draining.json()["state"]) == (503, "draining")
    assert draining.headers["retry-after"] == "1"
    assert live.status_code == 200


def test_one_more_than_may_be_answered_at_a_time_is_sent_away_and_health_never_is():
    async def work(client):
        digest = (await client.post("/v1/images", content=picture())).json()["digest"]
        service.engine.gate.clear()
        slow = [asyncio.create_task(client.post("/v1/segment", json={**CLICK_BODY, "image": digest})) for _ in range(2)]
        await asyncio.sleep(0.1)
        refused, health = await client.get("/v1/models"), await client.get("/v1/health/live")
        service.engine.gate.set()
        return refused, health, await asyncio.gather(*slow), await client.get("/v1/models")

    service = service_of(max_connections=2)
    refused, health, slow, later = in_client(work, service)

    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "too_many_requests"
    assert health.status_code == 200
    assert [one.status_code for one in slow] == [200, 200]
    assert later.status_code == 200


def test_a_client_that_goes_is_not_worked_for_any_longer():
    async def exchange(app, digest):
        body = json.dumps({**CLICK_BODY, "image": digest}).encode()
        messages = [{"type": "http.request", "body": body, "more_body": False}]
        is_gone, sent = asyncio.Event(), []

        async def receive():
            if messages:
                return messages.pop(0)
            await is_gone.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)

        headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
        scope = {"type": "http", "method": "POST", "path": "/v1/segment", "raw_path": b"/v1/segment"}
        scope |= {"headers": headers, "query_string": b"", "scheme": "http", "http_version": "1.1", "root_path": ""}
        task = asyncio.create_task(app(scope, receive, send))
        await asyncio.sleep(0.1)
        is_gone.set()
        await asyncio.wait_for(task, 2)

    async def work(client):
        digest = (await client.post("/v1/images", content=picture())).json()["digest"]
        service.engine.gate.clear()
        await exchange(client._transport.app, digest)

    service = service_of()
    in_client(work, service)

    assert service.engine.num_cancelled == 1
    assert service.engine.num_running == 0


def test_no_dependency_of_a_route_takes_a_thread_to_be_computed():
    def calls(dependant):
        yield from (one.call for one in dependant.dependencies)
        for one in dependant.dependencies:
            yield from calls(one)

    routers = [router for name in ROUTES if (router := import_module(f"maskwright.serve.routes.{name}").router)]
    found = {call for router in routers for route in router.routes for call in calls(route.dependant)}

    assert len(found) >= 5
    assert [call for call in found if not any(map(inspect.iscoroutinefunction, (call, call.__call__)))] == []


def test_operations_have_ids_summaries_and_documented_errors():
    document = get("/openapi.json").json()

    operations = [one for path in document["paths"].values() for one in path.values()]
    ids = [one["operationId"] for one in operations]
    assert len(set(ids)) == len(ids) >= 12
    for one in operations:
        assert one["summary"]
        for status in ("401", "403", "422", "429", "503"):
            assert status in one["responses"]
    text = json.dumps(document)
    assert "HTTPValidationError" not in text
    for reference in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert reference in document["components"]["schemas"]
