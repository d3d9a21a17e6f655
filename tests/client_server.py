"""Servers for tests of the client: a real one in a process of its own, one that misbehaves, one that loses answers."""

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress

import numpy as np
from PIL import Image as PillowImage

import maskwright as mw

# Of the store that the real server has.
NUM_PICTURES, NUM_ANNOTATED = 6, 5
CLICK = mw.PointPrompt([(20, 20)])
COMMAND = [sys.executable, "-m", "maskwright.cli", "serve", "--model", "test-sam", "--rate", "100000"]


def make_image(seed, height=48, width=64):
    return mw.Image(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def png_of(image):
    file = io.BytesIO()
    PillowImage.fromarray(image.pixels).save(file, "PNG")
    return file.getvalue()


def lasting_port():
    """A port that nobody else is given while its socket is open, so that a server can come back to it."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a server that does the same may listen there
    held.bind(("127.0.0.1", 0))
    return held.getsockname()[1], held


class RealServer:
    """`maskwright serve` in a process; `kill` and `start` make a new one at the same address."""

    def __init__(self, folder, *words):
        self._folder, self._words = folder, words
        self.port, self._held_port = lasting_port()
        self.start()

    def start(self):
        environ = {**os.environ, "MASKWRIGHT_CACHE": str(self._folder / "cache"), "OMP_NUM_THREADS": "1"}
        self._log = (self._folder / "server.log").open("ab+")
        begin = self._log.seek(0, os.SEEK_END)
        words = [*COMMAND, "--port", str(self.port), *self._words]
        self.process = subprocess.Popen(words, cwd=self._folder, env=environ, stderr=subprocess.PIPE)
        self.address = self._greeted()
        self._log.seek(begin)
        self._reader = threading.Thread(target=self._keep, args=[self.process.stderr, self._log])
        self._reader.start()

    def _greeted(self):
        told = b""
        for line in self.process.stderr:
            told += line
            if found := re.search(rb"http://\S+:\d+", line):
                return found[0].decode()
        raise AssertionError(f"the server did not start ({self.process.wait(30)}): {told.decode()}")

    def _keep(self, pipe, log):
        for line in pipe:
            log.write(line)
        log.close()
        pipe.close()

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        self.process.wait(30)
        self._reader.join()

    def close(self):
        self.kill()
        self._held_port.close()


class Asked:
    """A request as it came."""

    def __init__(self, head, body):
        first, *lines = head.decode("latin-1").split("\r\n")
        self.method, self.path, _ = first.split(" ")
        self.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        self.body = body


def read_request(connection):
    content = b""
    while b"\r\n\r\n" not in content:
        more = connection.recv(65536)
        if not more:
            return None
        content += more
    head, _, body = content.partition(b"\r\n\r\n")
    asked = Asked(head, body)
    length = int(asked.headers.get("content-length", 0))
    while len(asked.body) < length:
        asked.body += connection.recv(65536)
    return asked


def answer(status, content, **headers):
    """An answer as it goes over the wire."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    lines = [f"HTTP/1.1 {status} Whatever", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def error(status, code, message="no", **headers):
    return answer(status, {"error": {"code": code, "message": message, "request_id": "r1"}}, **headers)


DROP = b""  # closes the connection without a word
HANG = None  # says nothing until the client goes


@contextmanager
def misbehaving(*script):
    """A server that gives these answers, one after the other, whatever it is asked; then those of the last one."""
    asked, left = [], list(script)

    def talk(connection):
        with connection, suppress(OSError):
            while (request := read_request(connection)) is not None:
                asked.append(request)
                said = left.pop(0) if len(left) > 1 else left[0]
                if said is HANG:
                    connection.recv(1)
                    return
                connection.sendall(said)
                if said == DROP or b"content-length" not in said or said.endswith(b"CUT"):
                    return

    with listening(talk) as port:
        yield f"http://127.0.0.1:{port}", asked


@contextmanager
def between(port):
    """A proxy to a port. While `losing` is set, an answer gets lost: the function is called in its place."""
    state = {"losing": None}

    def talk(connection):
        with connection, suppress(OSError), socket.create_connection(("127.0.0.1", port)) as server:
            while (request := read_request(connection)) is not None:
                lines = [f"{request.method} {request.path} HTTP/1.1"]
                lines += [f"{name}: {value}" for name, value in request.headers.items()]
                server.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + request.body)
                content = server.recv(1 << 20)
                if not content:
                    return
                if state["losing"] is not None and request.method == "POST":
                    losing, state["losing"] = state["losing"], None
                    losing(request)
                    return
                connection.sendall(content)
                length = re.search(rb"(?i)content-length: (\d+)", content)
                left = int(length[1]) - len(content.partition(b"\r\n\r\n")[2]) if length else float("inf")
                while left > 0:
                    content = server.recv(1 << 20)
                    if not content:
                        return
                    connection.sendall(content)
                    left -= len(content)

    with listening(talk) as own:
        yield f"http://127.0.0.1:{own}", state


@contextmanager
def listening(talk):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        threads = []

        def accept():
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    connection.settimeout(20)
                    threads.append(threading.Thread(target=talk, args=[connection], daemon=True))
                    threads[-1].start()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    accepting.join(5)
    for thread in threads:
        thread.join(5)
