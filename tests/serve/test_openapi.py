"""Requests made from the OpenAPI document, good and bad: nothing breaks, and each answer is as the document says."""

import copy
from contextlib import ExitStack

import httpx
import hypothesis
import jsonschema_rs
import pytest
import schemathesis

from maskwright.serve.app import build_app
from maskwright.serve.engine import LocalEngine
from maskwright.store import create_store
from maskwright.testing.store_values import make_record, make_ref
from rest_service import listening, picture, service_of

STREAM = "text/event-stream"  # of which there is no end to wait for
# A deadline may pass, and where nothing can be written the server says so; all else above 499 is a bug.
ALLOWED = (504, 507)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    records = [make_record(make_ref(index)) for index in range(3)]
    with create_store(folder / "masks") as store:
        store.put(records)
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("MASKWRIGHT_CACHE", str(folder / "cache"))
        app = build_app(service_of(LocalEngine, store=folder / "masks", deadline_s=2.0, max_pixels=100_000))
        address = stack.enter_context(listening(app))
        digest = httpx.post(f"{address}/v1/images", content=picture(12, 16)).json()["digest"]
        yield app, address, {"digest": digest, "record_id": records[0].id}


def test_no_request_that_the_document_leads_to_breaks_the_server(server):
    app, address, known = server
    document = app.openapi()
    schema = schemathesis.openapi.from_dict(copy.deepcopy(document))

    labels = []
    for found in schema.get_all_operations():
        operation = found.ok()
        if STREAM not in str(document["paths"][operation.path][operation.method]["responses"]):
            ask(operation, address, known, document)
            labels.append(operation.label)

    assert len(labels) >= 30
    assert httpx.get(f"{address}/v1/health/ready").json()["state"] == "ready"


def ask(operation, address, known, document):
    """Make requests of one operation, as the document describes them and not quite so."""
    modes = [operation.as_strategy(generation_mode=mode) for mode in schemathesis.GenerationMode]

    @hypothesis.given(hypothesis.strategies.one_of(modes))
    @hypothesis.settings(
        max_examples=8,
        deadline=None,
        database=None,
        phases=[hypothesis.Phase.generate],  # making a failure smaller takes minutes
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    def answers(case):
        name_what_is_there(case, known)
        answer = case.call(base_url=address, timeout=20)
        told = f"{case.as_curl_command()}\n{answer.status_code} {answer.text}"
        assert answer.status_code < 500 or answer.status_code in ALLOWED, told
        check_answer(document, operation, answer, told)

    answers()


def check_answer(document, operation, answer, told):
    """The document names the status, and the body is as it says there."""
    if answer.status_code in (404, 405):  # a path that was made up need not be one of this operation any more
        return
    named = document["paths"][operation.path][operation.method]["responses"]
    assert str(answer.status_code) in named, told
    content = named[str(answer.status_code)].get("content", {})
    kind = answer.headers.get("content-type", [""])[0].partition(";")[0]
    if kind == "application/json" and operation.method != "head":
        schema = {**content[kind]["schema"], "components": document["components"]}
        jsonschema_rs.validate(schema, answer.json())
    else:
        assert not answer.content or kind in content, told


def name_what_is_there(case, known):
    """Half of the requests are about what the server knows, so that they get further than 404."""
    if len(str(case.body)) % 2:
        return
    for name in known.keys() & set(case.path_parameters or {}):
        case.path_parameters[name] = known[name]
    if isinstance(case.body, dict) and "image" in case.body:
        case.body |= {"image": known["digest"], "frame": None}
