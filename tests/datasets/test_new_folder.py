"""Folders and files that appear whole or not at all, and names that stay inside them."""

import multiprocessing
import os
import signal
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.core.errors import SettingError
from maskwright.datasets import new_folder as module
from maskwright.datasets.new_folder import OutputNames, new_file, new_folder, without_suffix, write_file


def test_a_folder_appears_when_it_is_whole(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"

    with new_folder(out) as folder:
        write_file(folder / "a" / "b.txt", "x")
        assert not out.exists()

    assert (out / "a" / "b.txt").read_text() == "x"
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_an_empty_folder_may_be_written_into(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()

    with new_folder(tmp_path / "out") as folder:
        write_file(folder / "a.txt", b"x")

    assert (tmp_path / "out" / "a.txt").is_file()


@pytest.mark.parametrize("make", [lambda path: path.write_text("x"), lambda path: (path / "a").mkdir(parents=True)])
def test_what_exists_is_refused(tmp_path: Path, make: Any) -> None:
    make(tmp_path / "out")

    with pytest.raises(SettingError, match="must be new or empty"), new_folder(tmp_path / "out"):
        pass


def _stop(opened: Any, path: Path, error: type[BaseException]) -> None:
    with opened(path) as part:
        write_file(part / "a.txt" if opened is new_folder else part, "x")
        raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit])
def test_whatever_stops_the_writing_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    for opened, name in ((new_folder, "out"), (new_file, "out.zip")):
        with pytest.raises(error):
            _stop(opened, tmp_path / name, error)

    assert list(tmp_path.iterdir()) == []


def _write_until_killed(opened: Any, out: Path) -> None:
    with opened(out) as part:
        write_file(part / "a.txt" if opened is new_folder else part, "x")
        write_file(part.with_name(f"{part.name}.staged"), "x")
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(("opened", "name"), [(new_folder, "出力" * 20), (new_file, "[out].zip")])
def test_what_a_killed_writer_left_goes_when_the_next_one_writes(tmp_path: Path, opened: Any, name: str) -> None:
    out = tmp_path / name
    (tmp_path / f".{name}.part").write_text("somebody else's")
    process = multiprocessing.get_context("spawn").Process(target=_write_until_killed, args=(opened, out))
    process.start()
    process.join()
    assert len(list(tmp_path.iterdir())) == 4  # with its staged file and its lock

    with opened(out) as part:
        write_file(part / "b.txt" if opened is new_folder else part, "x")

    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, f".{name}.part"])


def test_what_a_living_writer_has_stays(tmp_path: Path) -> None:
    with new_folder(tmp_path / "out") as folder:
        write_file(folder / "a.txt", "x")
        with pytest.raises(KeyboardInterrupt):
            _stop(new_folder, tmp_path / "out", KeyboardInterrupt)

    assert (tmp_path / "out" / "a.txt").read_text() == "x"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_many_files_are_synced_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(module, "_MANY_FILES", 2)
    monkeypatch.setattr(os, "sync", lambda: calls.append(1))

    with new_folder(tmp_path / "out") as folder:
        for i in range(3):
            write_file(folder / f"{i}.txt", "x")

    assert calls == [1]


def test_a_place_that_cannot_be_written_is_said_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")

    with (
        pytest.raises(SettingError, match="the results cannot be written") as caught,
        new_folder(tmp_path / "file" / "out"),
    ):
        pass

    assert "\n" not in str(caught.value)


@given(names=st.lists(st.text(max_size=20) | st.sampled_from(["a.png", "A.PNG", "a.jpg", "../a", "/", "a/../b"])))
def test_names_stay_inside_are_unique_and_can_be_written(names: list[str]) -> None:
    claim = OutputNames().claim

    paths = [claim(name) for name in names]

    assert not any(path.is_absolute() or ".." in path.parts for path in paths)
    stems = [str(without_suffix(path)).casefold() for path in paths]
    assert len(set(stems)) == len(stems)
    for path in paths:
        assert all(len(part.encode()) < 255 and not part.startswith(".") and "\0" not in part for part in path.parts)


def test_a_plain_name_is_kept() -> None:
    names = OutputNames()

    assert names.claim("run 1/ü.jpg") == PurePosixPath("run 1/ü.jpg")
    assert names.claim("run 1/ü.png") == PurePosixPath("run 1/ü_2.png")
    assert names.claim("a.b.c") == PurePosixPath("a.b.c")
