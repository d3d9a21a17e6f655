"""The programs of docs/guides/serve_streams.md, against a server process; one goes on where the one before ended."""

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import json_format

from maskwright.serve.grpc_generated import maskwright_pb2 as pb

PAGE = Path(__file__).parent.parent.parent / "docs" / "guides" / "serve_streams.md"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def ports(tmp_path, monkeypatch):
    """Ports of a server process as the page begins it, on REST and gRPC."""
    monkeypatch.setenv("MASKWRIGHT_CACHE", str(tmp_path / "cache"))
    rest, rpc = free_port(), free_port()
    words = ["serve", "--model", "tiny", "--port", str(rest), "--grpc-port", str(rpc)]
    command = [sys.executable, "-m", "maskwright.cli", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            for line in process.stdout:
                if "serves tiny" in line:
                    break
            else:
                pytest.fail("the server ended before it began")
            yield rest, rpc
        finally:
            process.terminate()
            process.communicate(timeout=20)


def test_the_programs_of_the_page_run(ports, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    programs = re.findall(r"^```py\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    names = {"__name__": "documentation"}

    for program in programs:
        moved = program.replace("127.0.0.1:8080", f"127.0.0.1:{ports[0]}").replace(
            "127.0.0.1:8081", f"127.0.0.1:{ports[1]}"
        )
        exec(compile(moved, "documentation", "exec"), names)

    told = capsys.readouterr().out.splitlines()
    assert len(programs) == 3
    assert told[0] == "mug keyframe"
    assert told[4] == "[0, 1, 2, 3]"
    assert [line.split()[:2] for line in told[5:9]] == [[str(i), "TRACK_STATE_VISIBLE"] for i in range(4)]
    assert told[9] == "1 3"


def test_the_message_for_grpcurl_is_one():
    (written,) = re.findall(r'^\{"image".*\}$', PAGE.read_text(), re.MULTILINE)

    request = json_format.Parse(written.replace("$(base64 -w0 frame0.png)", "AAAA"), pb.SegmentRequest())

    assert request.form == pb.MASK_FORM_POLYGONS
    assert request.prompts[0].points.points[0].x == 117
