import sys
from pathlib import Path

import numpy as np
import pytest

from maskwright.core.errors import InputError
from maskwright.train.robot_scenes import chosen, main
from maskwright.train.scene_folder import read_scene_folder
from maskwright.train.tabletop.catalogues import held_out
from maskwright.train.tabletop.simulator import load_simulator


def _render(root: Path, *arguments: str) -> int:
    return main(["--out", str(root), "--seed", "3", "--size", "96x72", *arguments])


def test_a_folder_is_filled_and_a_second_call_goes_on_where_the_first_stopped(tmp_path: Path, simulator) -> None:
    assert _render(tmp_path / "parts", "--count", "1") == 0
    assert len(read_scene_folder(tmp_path / "parts")) == 1

    assert _render(tmp_path / "parts", "--count", "3") == 0
    assert _render(tmp_path / "whole", "--count", "3") == 0

    parts, whole = read_scene_folder(tmp_path / "parts"), read_scene_folder(tmp_path / "whole")
    assert parts.objects == whole.objects
    assert [np.array_equal(a.masks, b.masks) for a, b in zip(parts, whole, strict=True)] == [True] * 3
    assert parts[0].image.shape == (72, 96, 3)
    assert parts.made_by["seed"] == 3


def test_two_processes_make_the_scenes_of_one(tmp_path: Path, simulator) -> None:
    assert _render(tmp_path / "one", "--count", "4") == 0
    assert _render(tmp_path / "two", "--count", "4", "--workers", "2") == 0

    one, two = read_scene_folder(tmp_path / "one"), read_scene_folder(tmp_path / "two")
    assert one.objects == two.objects
    assert all(np.array_equal(a.masks, b.masks) for a, b in zip(one, two, strict=True))


def test_held_out_assets_are_not_drawn_for_training_and_are_half_of_what_is_held_out() -> None:
    keys = [f"thing{i}" for i in range(200)]
    apart = held_out(keys)

    training, unseen = (chosen(keys, split, str) for split in ("train", "held-out"))

    assert not apart & set(training)
    assert 0.35 < sum(key in apart for key in unseen) / len(unseen) < 0.65
    assert chosen(keys, "all", str) == keys


def test_wrong_wishes_are_told_in_one_line(tmp_path: Path, simulator, capsys: pytest.CaptureFixture[str]) -> None:
    assert _render(tmp_path, "--count", "1", "--size", "big") == 2
    assert 'expected --size as width x height of 32 to 4096 pixels, like 640x480, got "big"' in capsys.readouterr().err

    assert _render(tmp_path, "--count", "1", "--assets", str(tmp_path / "none")) == 2
    assert "there is no such folder of assets" in capsys.readouterr().err

    listing = tmp_path / "list.tsv"
    listing.write_text("photo\tme\tCC0\n")
    assert _render(tmp_path, "--count", "1", "--textures", str(listing)) == 2
    assert "line 1 has 3 columns, expected kind, source, licence, path" in capsys.readouterr().err


def test_without_the_simulator_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mujoco", None)

    with pytest.raises(InputError, match=r"not installed\. Install it: pip install 'maskwright\[scenes\]'"):
        load_simulator()
