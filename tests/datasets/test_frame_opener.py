"""Single frames of a source, in order and out of it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from maskwright.core.errors import ImageError
from maskwright.datasets import open_source
from maskwright.datasets.frame_opener import FrameOpener


def opener_of(folder: Path, num_pictures: int) -> FrameOpener:
    folder.mkdir()
    for number in range(num_pictures):
        PillowImage.fromarray(np.full((8, 9, 3), 10 * number, np.uint8)).save(folder / f"{number}.png")
    source = open_source(folder)
    (episode,) = source.episodes
    return FrameOpener(source, episode, episode.cameras[0])


def test_frames_are_given_in_any_order(tmp_path: Path) -> None:
    opener = opener_of(tmp_path / "pictures", 4)

    for number in (0, 1, 3, 2, 2, 0):
        assert opener.opener(number)().pixels[0, 0, 0] == 10 * number


def test_a_frame_that_cannot_be_read_costs_no_other(tmp_path: Path) -> None:
    opener = opener_of(tmp_path / "pictures", 4)
    (tmp_path / "pictures" / "1.png").write_bytes(b"")

    assert opener.read(0).pixels[0, 0, 0] == 0
    for _ in range(2):
        with pytest.raises(ImageError, match="empty"):
            opener.read(1)
    assert [opener.read(number).pixels[0, 0, 0] for number in (2, 3)] == [20, 30]


def test_a_frame_beyond_the_last_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="there is no frame 4"):
        opener_of(tmp_path / "pictures", 4).read(4)
