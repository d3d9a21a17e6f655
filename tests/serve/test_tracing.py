"""Spans of requests and stages, into OpenTelemetry's exporter for tests; and that nothing happens where nobody asks."""

import asyncio
import json
import logging
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from maskwright.core.errors import SettingError
from maskwright.serve.engine import LocalEngine
from maskwright.serve.meter import Meter
from maskwright.serve.tracing import Tracing, start_tracing
from maskwright.store import create_store
from rest_service import click, client_of, picture, service_of

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def spans():
    return InMemorySpanExporter()


@pytest.fixture
def traced(spans, tmp_path, monkeypatch):
    """A service whose requests are traced."""
    monkeypatch.setenv("MASKWRIGHT_CACHE", str(tmp_path / "cache"))
    create_store(tmp_path / "masks").close()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    service = service_of(LocalEngine, store=tmp_path / "masks")
    service.meter.tracing = Tracing(provider)
    return service


def run(service, work):
    async def running():
        async with client_of(service) as client:
            return await work(client)

    return asyncio.run(running())


def by_name(spans):
    return {span.name: span for span in spans.get_finished_spans()}


async def one_click(client, **headers):
    digest = (await client.post("/v1/images", content=picture())).json()["digest"]
    asked = {"image": digest, "prompts": [click()]}
    return await client.post("/v1/segment", json=asked, headers=headers)


def test_a_click_is_a_span_with_its_stages_under_the_callers(traced, spans, caplog):
    caplog.set_level(logging.INFO, "maskwright.access")

    answer = run(traced, lambda client: one_click(client, traceparent=CALLER))

    found = by_name(spans)
    request, upload = found["POST /v1/segment"], found["upload"]
    assert request.kind.name == "SERVER"
    assert f"{request.context.trace_id:032x}" == CALLER.split("-")[1]
    assert f"{request.parent.span_id:016x}" == CALLER.split("-")[2]
    assert request.attributes["http.response.status_code"] == 200
    assert request.attributes["maskwright.request_id"] == answer.headers["x-request-id"]
    for stage in ("queue", "encode", "decode", "draw"):
        assert found[stage].parent.span_id == request.context.span_id
        assert request.start_time - 5_000_000 <= found[stage].start_time <= found[stage].end_time
        assert found[stage].attributes["maskwright.batch_size"] == 1
    assert upload.parent.span_id == found["POST /v1/images"].context.span_id
    logged = [json.loads(record.message) for record in caplog.records if record.name == "maskwright.access"]
    assert logged[-1]["trace_id"] == CALLER.split("-")[1]


def test_what_is_saved_and_what_fails_is_seen(traced, spans, monkeypatch):
    async def work(client):
        mask = (await one_click(client)).json()["masks"][0]["record"]
        record = {"rle": mask["rle"], "image_digest": mask["image_digest"]}
        made = {"provenance": {"method": "human_drawn"}}
        await client.post("/v1/records", json={"records": [{**record, **made}]})

        async def broken(digest):
            raise ZeroDivisionError

        monkeypatch.setattr(traced.images, "get", broken)
        await client.get(f"/v1/images/{'0' * 64}")

    run(traced, work)

    found = by_name(spans)
    assert found["store"].parent.span_id == found["POST /v1/records"].context.span_id
    assert not found["GET /v1/images/{digest}"].status.is_ok
    assert found["POST /v1/records"].status.is_ok


def test_spans_say_nothing_of_pictures_tokens_or_queries(traced, spans):
    headers = {"Authorization": "Bearer mw_secret"}

    run(traced, lambda client: client.get("/v1/version?token=mw_secret", headers=headers))

    assert "secret" not in "".join(span.to_json() for span in spans.get_finished_spans())


def test_nothing_is_traced_unless_somebody_asks():
    assert start_tracing({}) is None
    assert start_tracing({"MASKWRIGHT_TRACING": "0", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}) is None
    assert Meter().tracing is None


def test_what_asks_for_tracing_is_a_claim():
    with pytest.raises(SettingError, match="MASKWRIGHT_TRACING must be 1, 0 or auto, got 'maybe'"):
        start_tracing({"MASKWRIGHT_TRACING": "maybe"})


WITHOUT = """
import sys
sys.modules["opentelemetry.sdk"] = None
from maskwright.serve.tracing import start_tracing
print(start_tracing({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}))
try:
    start_tracing({"MASKWRIGHT_TRACING": "1"})
except Exception as error:
    print(error)
"""


def test_without_opentelemetry_who_asks_is_told_how_to_have_it():
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True)

    assert done.stdout == "None\nMASKWRIGHT_TRACING needs OpenTelemetry: pip install 'maskwright[tracing]'\n"
    assert "requests are not traced: OpenTelemetry is not installed" in done.stderr


def test_spans_arrive_at_a_collector(monkeypatch):
    arrived = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            arrived.append((self.path, self.headers.get("Content-Encoding"), body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *words):
            pass

    collector = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=collector.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.server_port}")
        tracing = start_tracing()
        span = tracing.begin("GET", {})
        tracing.stage("decode", 0.01, [span, None], together=3)
        tracing.end(span, "GET /v1/version", {"http.route": "/v1/version"}, failed=False)
        tracing.close()
    finally:
        collector.shutdown()
        collector.server_close()
        thread.join()

    path, encoding, body = arrived[0]
    assert (path, encoding) == ("/v1/traces", None)
    resource = ExportTraceServiceRequest.FromString(body).resource_spans[0]
    names = [span.name for scope in resource.scope_spans for span in scope.spans]
    assert sorted(names) == ["GET /v1/version", "decode"]
    assert ("service.name", "maskwright") in [(one.key, one.value.string_value) for one in resource.resource.attributes]
