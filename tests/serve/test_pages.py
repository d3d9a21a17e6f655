"""The review application over HTTP: which paths, which headers, and nothing beside the built files."""

import gzip
import re
from pathlib import Path

import pytest

from maskwright.serve.pages import POLICY, VIEWS, Pages
from maskwright.serve.tokens import add_token
from maskwright.store import create_store
from rest_service import client_of, service_of
from store_rest import run

STATIC = Path(__file__).parents[2] / "src" / "maskwright" / "ui" / "static"


@pytest.fixture
def path(tmp_path):
    create_store(tmp_path / "masks").close()
    return tmp_path / "masks"


def asked(requests, **settings):
    """Ask a server; each request is a method, a path and headers."""

    async def ask():
        async with client_of(service_of(**settings)) as client:
            return [await client.request(method, path, headers=headers) for method, path, headers in requests]

    return run(ask())


def get(path, **headers):
    return "GET", path, headers


def asset():
    """The path of the built script."""
    return re.search(r"src=\"\.(/assets/[^\"]+\.js)\"", (STATIC / "index.html").read_text())[1]


def test_a_server_with_a_store_has_the_application_under_each_of_its_views(path):
    answers = asked([get(view) for view in VIEWS], store=path)

    for answer in answers:
        assert answer.status_code == 200
        assert answer.content == (STATIC / "index.html").read_bytes()
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"


def test_views_are_one_step_deep_so_that_relative_names_of_scripts_lead_somewhere():
    assert all(re.fullmatch(r"/[a-z]*", view) for view in VIEWS)


def test_scripts_are_kept_for_ever_and_packed_for_who_takes_that(path):
    plain, packed, refused = asked(
        [
            get(asset(), **{"Accept-Encoding": "identity"}),
            get(asset(), **{"Accept-Encoding": "br, gzip"}),
            get(asset(), **{"Accept-Encoding": "gzip;q=0"}),
        ],
        store=path,
    )

    assert plain.content == packed.content == refused.content == (STATIC / asset()[1:]).read_bytes()
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(packed.content)
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in refused.headers
    assert plain.headers["etag"] != packed.headers["etag"]
    assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"
    assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert plain.headers["content-type"].startswith("text/javascript")


def test_what_a_browser_has_is_not_sent_again(path):
    (first,) = asked([get("/")], store=path)
    same, other = asked(
        [get("/", **{"If-None-Match": first.headers["etag"]}), get("/", **{"If-None-Match": '"another"'})], store=path
    )

    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", first.headers["etag"])
    assert same.headers["content-security-policy"] == POLICY
    assert other.status_code == 200


def test_head_gives_the_headers_alone_and_other_methods_are_told_so(path):
    whole, head, wrong = asked([get("/"), ("HEAD", "/", {}), ("POST", "/", {})], store=path)

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == whole.headers["content-length"]
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize(
    "wanted",
    [
        "/v1/nothing",
        "/v1",
        "/nothing",
        "/index.html",
        "/stamp.json",
        "/assets/",
        "/assets/nothing.js",
        "/assets/../index.html",
        "/assets/..%2f..%2f..%2fserve%2fapp.py",
        "/%2e%2e/%2e%2e/pyproject.toml",
        "//etc/passwd",
        "/assets/%00",
        "/review/deeper",
    ],
)
def test_other_paths_are_answered_as_ever(path, wanted):
    (answer,) = asked([get(wanted)], store=path)

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


def test_a_server_without_a_store_has_no_pages():
    (answer,) = asked([get("/")])

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_pages_need_no_token_and_all_that_they_ask_for_does(path, tmp_path):
    add_token(tmp_path / "tokens.jsonl", "anna", "annotate")
    page, script, frames, pages = asked(
        [get("/"), get(asset()), get("/v1/frames"), get("/nothing")], store=path, token_file=tmp_path / "tokens.jsonl"
    )

    assert (page.status_code, script.status_code) == (200, 200)
    assert (frames.status_code, pages.status_code) == (401, 401)


def test_pages_are_one_route_in_metrics(path):
    metrics = asked([get("/"), get(asset()), get("/metrics")], store=path)[-1].text

    assert 'maskwright_requests_total{route="/{page}",status="200"} 2.0' in metrics


def test_only_files_of_known_kinds_are_served_and_none_where_nothing_was_built(tmp_path):
    (tmp_path / "built" / "assets").mkdir(parents=True)
    for name in ("index.html", "assets/a.js", "assets/a.map", "secret", "stamp.json"):
        (tmp_path / "built" / name).write_text("content " * 100)

    pages = Pages(tmp_path / "built")

    assert pages.paths == {*VIEWS, "/assets/a.js"}
    assert gzip.decompress(pages.files["/assets/a.js"].packed) == pages.files["/assets/a.js"].content
    assert Pages(tmp_path / "nothing").routes() == []
