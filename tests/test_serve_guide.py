"""docs/guides/serve.md: its commands run against a server process, and its tables say what the code does."""

import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

import maskwright as mw
from maskwright.cli.__main__ import run
from maskwright.serve.app import build_app
from maskwright.serve.meter import STAGES, Meter
from maskwright.serve.problems import _STATUSES, code_of
from maskwright.serve.settings import ServeSettings
from maskwright.serve.tokens import add_token
from maskwright.serve.values import SCOPES
from rest_service import listening, service_of

PAGE = Path(__file__).parent.parent / "docs" / "guides" / "serve.md"
TEXT = PAGE.read_text()
COMMANDS = re.findall(r"^```sh\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
MIB = 1 << 20


@contextmanager
def served(folder):
    """A server process as the page begins it; its address."""
    environ = {**os.environ, "MASKWRIGHT_CACHE": str(folder / "cache")}
    words = ["serve", "demo/masks", "--token-file", "tokens.jsonl", "--model", "tiny", "--port", "0"]
    with (folder / "log").open("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "maskwright.cli", *words], cwd=folder, stderr=log, env=environ
        )
        try:
            while not (found := re.search(r"http://\S+:\d+", (folder / "log").read_text())):
                assert process.poll() is None, (folder / "log").read_text()
                try:
                    process.wait(0.05)
                except subprocess.TimeoutExpired:
                    continue
            yield found[0]
        finally:
            process.terminate()
            assert process.wait(60) == 0


def test_the_commands_of_the_page_run_one_after_the_other(tmp_path, monkeypatch):
    missing = [name for name in ("bash", "curl", "jq") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"the page's examples need {', '.join(missing)}, which this machine does not have")
    monkeypatch.chdir(tmp_path)
    assert run(["demo", "-o", "demo"]) == 0
    tokens = {"TOKEN": add_token(tmp_path / "tokens.jsonl", "anna", "annotate")}
    tokens["ADMIN"] = add_token(tmp_path / "tokens.jsonl", "root", "admin")
    shutil.copy(mw.example_path(), "photo.jpg")

    marked = "\n".join(f"echo '--- {i}'\n{block}" for i, block in enumerate(COMMANDS))
    with served(tmp_path) as address:
        script = ["bash", "-euo", "pipefail", "-c", marked]
        environ = {**os.environ, **tokens, "URL": address}
        done = subprocess.run(script, capture_output=True, text=True, env=environ, timeout=120)

    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    told = [part.split("\n", 1)[1] for part in done.stdout.split("--- ")[1:]]
    assert len(told) == len(COMMANDS) == 12
    assert '"state":"ready"' in told[0]
    assert '"name":"anna"' in told[0]
    assert re.search(r"^true\nmug \d{4,} \[.*\nlemon \d{3,} \[", told[1], re.MULTILINE)
    assert [int(line) > 0 for line in told[2].split()] == [True, True, True]
    assert (tmp_path / "frame.png").stat().st_size > 1000
    assert "hand" in (tmp_path / "record.json").read_text() or "gripper" in (tmp_path / "record.json").read_text()
    assert "event: review" in told[5]
    assert re.search(r'\["[a-z]+",\d+\]', told[6])
    assert (tmp_path / "export.zip").read_bytes()[:2] == b"PK"
    assert told[8].strip() == "visible"
    assert 'maskwright_requests_total{route="/v1/segment",status="200"}' in told[9]
    assert told[10].startswith('["brushlabels",["mug"],0.')
    height, width, area = map(int, re.findall(r"\d+", told[11]))
    assert (height, width) == mw.read_image("photo.jpg").size_hw
    assert 1000 < area < height * width / 2
    logged = (tmp_path / "log").read_text()
    assert logged.count('"maskwright.access"') > 20
    assert not any(token in logged for token in tokens.values())


def rows(heading, column=0):
    """The cells of a column of the table under a heading."""
    section = TEXT.split(f"\n{heading}\n", 1)[1].split("\n## ", 1)[0]
    return [line.split("|")[1 + column] for line in section.splitlines() if line.startswith("| ") and "---" not in line]


def test_every_error_is_in_the_table_with_its_status():
    lines = zip(rows("## When it says no"), rows("## When it says no", 1), strict=True)
    table = {(status.strip(), code) for status, codes in lines for code in re.findall(r"`(\w+)`", codes)}

    for kind, status, _ in _STATUSES:
        assert (str(status), code_of(kind)) in table, kind


def test_every_metric_and_stage_is_in_the_page():
    names = re.findall(rb"^# TYPE (maskwright_\w+) ", Meter().text(), re.MULTILINE)
    described = " ".join(rows("## Metrics"))

    assert len(names) >= 9
    for name in names:
        assert f"`{name.decode()}`" in described or f"`{name.decode()}_total`" in described
    table = TEXT.split("## Metrics", 1)[1]
    assert all(f"`{stage}`" in table for stage in STAGES)


def test_what_can_be_refused_is_in_the_page():
    source = Path(mw.__file__).parent / "serve"
    whys = {
        why
        for path in source.rglob("*.py")
        for line in path.read_text().splitlines()
        if "refused.labels(" in line
        for why in re.findall(r'"(\w+)"', line)
    }

    assert whys >= {"rate", "token", "body"}
    assert [why for why in whys if f"`{why}`" not in TEXT] == []


def test_every_family_of_routes_is_in_the_page():
    with listening(build_app(service_of())) as address:
        import httpx

        paths = httpx.get(f"{address}/openapi.json", timeout=60).json()["paths"]

    families = {"/".join(path.split("/")[: 3 if path.startswith("/v1/") else 2]) for path in paths}
    assert len(families) >= 15
    assert [family for family in families if family not in TEXT] == []


def test_limits_are_those_of_the_settings():
    limits = " ".join(line for line in TEXT.split("## Limits", 1)[1].splitlines() if line.startswith("| "))
    told = ServeSettings()

    for number in (
        f"{told.max_body_bytes // MIB} MiB",
        f"{told.max_pixels:,} pixels",
        f"| {told.max_prompts} |",
        f"{told.rate_per_s:g} a second on average, {told.burst} at once",
        f"| {told.max_connections} |",
        f"{told.max_queued}, of one client {told.max_queued_per_client}",
        f"{told.deadline_s:g} seconds",
        f"{told.image_memory_bytes // MIB} MiB of pixels, {told.image_disk_bytes // MIB} MiB of files",
        f"{told.embedding_memory_bytes // MIB} MiB in memory",
        f"{told.max_tracks} at a time, {told.max_track_frames:,} frames each, two minutes",
    ):
        assert number in limits, number
    assert told.track_idle_s == 120
    assert f"finished for {told.drain_s:g} seconds" in TEXT


def test_scopes_and_options_are_those_there_are():
    reference = (PAGE.parent.parent / "reference.md").read_text()
    serve = reference.split("### `maskwright serve`", 1)[-1]
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", re.sub(r"^```.*?^```$", "", TEXT, flags=re.M | re.S)))

    assert [row.strip(" `") for row in rows("## Tokens")][1:] == list(SCOPES)
    assert {one for one in options if f"`{one}`" not in serve} == {"--profile", "--rm", "--no-deps"}  # docker compose's
