import random
from pathlib import Path

import pytest

from maskwright.core.errors import InputError, MaskwrightError
from maskwright.datasets import open_source
from maskwright.datasets.damage import first_line, told_as_damage
from robot_data import picture, write_lerobot, write_rlds, write_video


def test_what_libraries_raise_becomes_one_line_with_the_path_last():
    with pytest.raises(InputError) as caught, told_as_damage("the file", Path("a.bin")):
        raise RuntimeError("\n\nbad heap\nat 0x7f\n")

    assert str(caught.value) == "the file is damaged (bad heap). Get it again: a.bin"
    assert first_line(KeyError()) == "KeyError"


def test_our_own_errors_pass_as_they_are():
    with pytest.raises(InputError, match="^mine$"), told_as_damage("the file", Path("a.bin")):
        raise InputError("mine")


def change(raw, chance):
    """Cut a file, or put other bytes into it."""
    if chance.random() < 0.2:
        return raw[: chance.randrange(len(raw))]
    for _ in range(chance.choice([1, 3, 20])):
        raw[chance.randrange(len(raw))] = chance.choice([chance.randrange(256), *b'0"-[{'])
    return raw


def read_all(path):
    source = open_source(path)
    for episode in source.episodes[:3]:
        for camera in episode.cameras:
            for _ in source.frames(episode, camera, stride=2):
                pass


@pytest.mark.parametrize(
    "make",
    [
        lambda path: write_lerobot(path, version="v2.1", lengths=(3,), cameras=("front",), kind="image"),
        lambda path: write_lerobot(path, version="v3.0", lengths=(3,), cameras=("front",)),
        lambda path: write_rlds(path, lengths=(2,), shards=1, splits=("train",)),
        lambda path: write_video(path / "a.mp4", map(picture, range(9))).parent,
    ],
    ids=["lerobot v2.1", "lerobot v3.0", "rlds", "video"],
)
def test_random_damage_is_a_line_or_no_harm(tmp_path, make):
    root = make(tmp_path / "set")
    chance = random.Random(0)
    files = sorted(path for path in root.rglob("*") if path.is_file())

    messages = []
    for _ in range(25):
        path = chance.choice(files)
        whole = path.read_bytes()
        path.write_bytes(change(bytearray(whole), chance))
        try:
            read_all(root)
        except MaskwrightError as error:
            messages.append(str(error))
        path.write_bytes(whole)

    assert messages
    assert [one for one in messages if "\n" in one] == []
