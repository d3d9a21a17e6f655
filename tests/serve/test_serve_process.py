"""The real thing: `maskwright serve` in a process of its own, from its first line to its exit code."""

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

from maskwright.cli.__main__ import run
from maskwright.serve.tokens import add_token
from rest_service import click, picture

COMMAND = [sys.executable, "-m", "maskwright.cli", "serve", "--model", "test-sam", "--port", "0"]


class Process:
    def __init__(self, folder, *words):
        environ = {**os.environ, "MASKWRIGHT_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
        self.running = subprocess.Popen([*COMMAND, *words], cwd=folder, env=environ, stderr=subprocess.PIPE, text=True)
        self.lines = []
        self.reader = threading.Thread(target=lambda: self.lines.extend(self.running.stderr))
        self.reader.start()

    def greeting(self):
        """The two lines that say where it is."""
        until = time.monotonic() + 60
        while "Ctrl+C" not in "".join(self.lines):
            assert self.running.poll() is None, self.lines
            assert time.monotonic() < until, self.lines
            time.sleep(0.02)
        return "".join(self.lines)

    @property
    def address(self):
        return re.search(r"http://\S+:\d+", self.greeting())[0]

    @property
    def num_resident_bytes(self):
        with open(f"/proc/{self.running.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def end(self, number=signal.SIGTERM):
        self.running.send_signal(number)
        code = self.running.wait(30)
        self.reader.join()
        self.running.stderr.close()
        return code

    def logged(self):
        return [json.loads(line) for line in self.lines if '"maskwright.access"' in line]


@contextmanager
def serving(folder, *words):
    process = Process(folder, *words)
    try:
        yield process
    finally:
        if process.running.poll() is None:
            process.running.kill()
            process.end()


def connection(address):
    host, port = address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def flood(address, head, piece):
    """Send without end, until the door is closed; say how much went through."""
    num_sent = 0
    with connection(address) as opened:
        opened.sendall(head)
        try:
            while num_sent < 300_000_000:
                opened.sendall(piece)
                num_sent += len(piece)
        except OSError:
            pass
    return num_sent


def test_it_answers_sends_floods_away_with_its_memory_as_it_was_and_ends_with_zero(tmp_path):
    with (
        serving(tmp_path, "--max-upload", "8") as process,
        httpx.Client(base_url=process.address, timeout=60) as client,
    ):
        assert "no token is needed" in process.greeting()
        assert client.get("/v1/health/ready").json() == {"state": "ready", "models": ["test-sam"], "devices": ["cpu"]}
        digest = client.post("/v1/images", content=picture()).json()["digest"]
        asked = {"image": digest, "prompts": [click()]}
        assert client.post("/v1/segment", json=asked).status_code == 200

        before = process.num_resident_bytes
        headers = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nX-A: "
        body = b"POST /v1/images HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert flood(process.address, headers, b"a" * 10_000) < 100_000_000
        assert flood(process.address, body, b"2710\r\n" + b"a" * 10_000 + b"\r\n") < 100_000_000
        with connection(process.address) as opened:
            opened.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc no HTTP\r\n\r\n")
            assert b'"code": "request_error"' in opened.recv(1000)

        assert client.post("/v1/segment", json=asked).status_code == 200
        assert process.num_resident_bytes - before < 60_000_000
        assert process.end(signal.SIGINT) == 0
        assert [one["status"] for one in process.logged() if one["route"] == "/v1/segment"] == [200, 200]


def test_asked_twice_it_ends_at_once_without_a_traceback_though_somebody_is_still_sending(tmp_path):
    with serving(tmp_path) as process, connection(process.address) as opened:
        opened.sendall(b"POST /v1/images HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n")
        time.sleep(0.5)
        process.running.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert process.running.poll() is None

        began = time.monotonic()
        assert process.end(signal.SIGINT) == 0
        assert time.monotonic() - began < 17  # 20 s are allowed for what was begun
        assert "Traceback" not in "".join(process.lines)


def test_with_tokens_it_may_listen_everywhere_and_finishes_what_was_begun_when_it_is_to_stop(tmp_path):
    secret = add_token(tmp_path / "tokens.jsonl", "anna", "read")
    bearer = {"Authorization": f"Bearer {secret}"}
    with serving(tmp_path, "--host", "0.0.0.0", "--token-file", "tokens.jsonl") as process:
        address = process.address.replace("0.0.0.0", "127.0.0.1")
        with httpx.Client(base_url=address, timeout=60) as client:
            assert "tokens: tokens.jsonl" in process.greeting()
            assert client.get("/v1/models").status_code == 401
            digest = client.post("/v1/images", content=picture(300, 400), headers=bearer).json()["digest"]
            answers = []

            def ask():
                changes = {"points_per_side": 16, "pred_iou_thresh": 0, "stability_score_thresh": 0}
                asked = {"image": digest, "settings": changes}
                answers.append(httpx.post(f"{address}/v1/everything", json=asked, headers=bearer, timeout=60))

            asking = threading.Thread(target=ask)
            asking.start()
            time.sleep(0.2)
            process.running.send_signal(signal.SIGTERM)
            states = []
            try:
                while "draining" not in states:
                    states.append(client.get("/v1/health/ready").json()["state"])
            finally:
                asking.join()

        assert process.running.wait(30) == 0
        process.end()
        assert answers[0].status_code == 200
        assert {one["client"] for one in process.logged()} == {None, "anna", "anyone"}
        assert secret not in "".join(process.lines)


@pytest.fixture
def taken():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield str(listener.getsockname()[1])


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--port", "TAKEN"], 1, "another program listens there already. Take another --port): 127.0.0.1:"),
        (["--host", "203.0.113.7", "--port", "0"], 1, "can be reached from elsewhere and needs tokens"),
        (
            ["--token-file", "missing.jsonl", "--port", "0"],
            1,
            "there is no token file. Make one: maskwright tokens add",
        ),
        (["--token-file", "bad.jsonl", "--port", "0"], 1, "line 1 is not a token"),
        (["missing-store", "--port", "0"], 1, "missing-store"),
        (["--model", "sam9", "--port", "0"], 1, "sam9"),
        (["--origin", "labels.example", "--port", "0"], 2, "--origin is one page's scheme, host and port"),
        (["--port", "99999"], 2, "less than or equal to 65535"),
    ],
)
def test_what_cannot_be_served_is_one_line(tmp_path, monkeypatch, capsys, taken, words, code, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.jsonl").write_text("{}\n")
    words = [taken if word == "TAKEN" else word for word in words]

    assert run(["serve", *([] if "--model" in words else ["--model", "test-sam"]), *words]) == code

    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
