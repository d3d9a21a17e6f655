"""`maskwright review` and sign-in links: the real process, its page, what it is told to be, and its end."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import httpx
import pytest

from maskwright.cli import review as verb
from maskwright.cli.__main__ import run
from maskwright.core import Accept
from maskwright.serve.settings import ServeSettings
from maskwright.store import create_store, open_store
from maskwright.testing.store_values import make_record, make_ref

COMMAND = [sys.executable, "-m", "maskwright.cli", "review"]


@pytest.fixture
def record(tmp_path):
    made = make_record(make_ref(0))
    with create_store(tmp_path / "masks") as store:
        store.put([made])
    return made


@contextmanager
def reviewing(folder, *words):
    """The process, once it has said where it is; the value is it and what it said."""
    environ = {**os.environ, "MASKWRIGHT_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    words = [*COMMAND, "masks", "--model", "test-sam", *words]
    process = subprocess.Popen(words, cwd=folder, env=environ, stderr=subprocess.PIPE, text=True)
    lines = []
    reader = threading.Thread(target=lambda: lines.extend(process.stderr))
    reader.start()
    try:
        until = time.monotonic() + 60
        while "Ctrl+C" not in "".join(lines):
            assert process.poll() is None, lines
            assert time.monotonic() < until, lines
            time.sleep(0.02)
        yield process, lines
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(30)
        reader.join()
        process.stderr.close()


def test_one_process_serves_pages_store_and_model_and_signs_with_the_name_it_was_given(tmp_path, record):
    with reviewing(tmp_path, "--no-browser", "--actor", "Anna B.") as (process, lines):
        told = "".join(lines)
        address = re.search(r"review of masks: (http://127\.0\.0\.1:\d+)", told)[1]
        assert "decisions are signed Anna B." in told
        with httpx.Client(base_url=address, timeout=30) as client:
            page = client.get("/")
            script = client.get(re.search(r"src=\"\.(/[^\"]+)\"", page.text)[1])
            assert (page.status_code, script.status_code) == (200, 200)
            caller = client.get("/v1/caller").json()
            assert (caller["name"], caller["scope"]) == ("Anna B.", "admin")
            assert client.get("/v1/models").json()["served"] == ["test-sam"]
            body = {"events": [{"record_id": record.id, "action": {"kind": "Accept"}}]}
            assert client.post("/v1/events", json=body, headers={"If-Match": "*"}).status_code == 201
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0

    assert "access" not in "".join(lines)  # what is only told would bury the address
    with open_store(tmp_path / "masks") as store:
        (event,) = store.events()
        assert (event.actor, event.action, event.record_id) == ("Anna B.", Accept(), record.id)
        assert store.record(record.id).verified_by == "Anna B."


def test_a_port_that_is_taken_is_passed_over_unless_it_was_asked_for(tmp_path, record, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        listener = run_module()._free_listener(ServeSettings(port=port, more_ports=20))
        assert listener.getsockname()[1] > port
        listener.close()
        assert run(["review", str(tmp_path / "masks"), "--port", str(port), "--no-browser"]) == 1
    assert f"another program listens there already. Take another --port): 127.0.0.1:{port}" in capsys.readouterr().err


def run_module():
    from maskwright.serve import run

    return run


def test_where_there_is_no_store_it_says_how_to_make_one(tmp_path, capsys):
    assert run(["review", str(tmp_path / "nothing")]) == 1

    told = capsys.readouterr().err
    assert told.startswith(
        "error: there is no mask store here. Make one of your recordings, maskwright annotate VIDEO --ev"
    )
    assert f"maskwright demo: {tmp_path / 'nothing'}" in told


def test_beyond_this_machine_it_takes_tokens(tmp_path, record, capsys):
    assert run(["review", str(tmp_path / "masks"), "--host", "0.0.0.0"]) == 1

    assert "needs tokens" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--actor", "anna", "--token-file", "t"], "--actor is for one person; with --token-file the names are the"),
        (["--actor", " "], "--actor is 1 to 64 printable characters, got ' '"),
        (["--actor", "a\nb"], "--actor is 1 to 64 printable characters"),
    ],
)
def test_a_name_that_cannot_be_one_is_refused(tmp_path, record, capsys, words, told):
    assert run(["review", str(tmp_path / "masks"), *words]) == 2

    assert told in capsys.readouterr().err


def test_a_person_without_a_name_on_this_system_is_local(monkeypatch):
    def nobody():
        raise OSError("no user")

    monkeypatch.setattr("getpass.getuser", nobody)

    assert verb._name_of(None, None) == "local"


def test_a_browser_is_opened_where_there_is_a_screen_and_never_in_the_terminal(monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)

    verb._open("http://127.0.0.1:1")
    monkeypatch.setenv("DISPLAY", ":0")
    verb._open("http://127.0.0.1:2")

    until = time.monotonic() + 5
    while not opened and time.monotonic() < until:
        time.sleep(0.01)
    assert opened == ["http://127.0.0.1:2"]


def test_a_link_signs_its_owner_in_and_keeps_the_token_behind_the_sharp(tmp_path, capsys):
    file = tmp_path / "tokens.jsonl"
    assert run(["tokens", "link", str(file), "--name", "anna", "--url", "https://masks.example"]) == 0

    told = capsys.readouterr()
    page, _, secret = told.out.strip().partition("#token=")
    assert page == "https://masks.example/"
    assert secret.startswith("mw_")
    assert secret not in file.read_text()
    assert (json.loads(file.read_text())["name"], json.loads(file.read_text())["scope"]) == ("anna", "annotate")
    assert "this link signs in anna (annotate); it cannot be shown again" in told.err


@pytest.mark.parametrize("url", ["masks.example", "ftp://masks.example", "https://masks.example/#a", "https://"])
def test_an_address_that_no_browser_opens_makes_no_token(tmp_path, capsys, url):
    assert run(["tokens", "link", str(tmp_path / "t"), "--name", "anna", "--url", url]) == 2

    assert f"--url is as https://masks.example; got {url!r}" in capsys.readouterr().err
    assert not (tmp_path / "t").exists()


def test_with_tokens_the_greeting_says_how_people_come_in(tmp_path):
    asked = ServeSettings(store=tmp_path, token_file=tmp_path / "tokens.jsonl")

    told = verb._greeting(asked, "http://10.0.0.5:8470")

    assert f"maskwright tokens link {tmp_path / 'tokens.jsonl'} --name NAME --url http://10.0.0.5:8470" in told
