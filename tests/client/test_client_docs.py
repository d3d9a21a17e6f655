"""The programs of docs/guides/client.md, against the real server; one goes on where the one before ended."""

import re
from pathlib import Path

import pytest

import maskwright as mw
from client_server import make_image, png_of

PAGE = Path(__file__).parent.parent.parent / "docs" / "guides" / "client.md"


def test_the_guide_runs(served, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.png").write_bytes(png_of(make_image(600)))
    programs = re.findall(r"^```py\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    space = {"__name__": "documentation", "mw": mw}

    for program in programs:
        here = program.replace("http://127.0.0.1:8080", served.address).replace("mw_...", served.tokens["annotate"])
        exec(compile(here, PAGE.name, "exec"), space)

    space["client"].close()
    assert len(programs) > 6
    assert (tmp_path / "lemons.zip").exists()


@pytest.mark.parametrize("name", sorted(name for name in vars(mw.Client) if not name.startswith("_")))
def test_every_method_is_in_the_guide(name):
    assert f"`{name}" in PAGE.read_text() or name == "close"
