import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from maskwright.core.errors import InputError, RecordError
from maskwright.datasets.mask_files import palette_png
from maskwright.evaluate import MissedFrame, SequenceFrame, open_sequences
from maskwright.masks import area

FRAMES = 4


def values(index: int, number: int = 1) -> np.ndarray:
    canvas = np.zeros((24, 32), np.uint8)
    canvas[4:12, 2 + index : 12 + index] = number
    return canvas


def fill(pictures: Path, masks: Path, drawn: Mapping[int, np.ndarray] | None = None) -> None:
    pictures.mkdir(parents=True)
    masks.mkdir(parents=True)
    drawn = {index: values(index) for index in range(FRAMES)} if drawn is None else drawn
    for index in range(FRAMES):
        PillowImage.new("RGB", (32, 24), (90, 60, 30)).save(pictures / f"{index:05d}.jpg")
        if index in drawn:
            (masks / f"{index:05d}.png").write_bytes(palette_png(drawn[index]))


def test_davis_is_read_sequence_by_sequence(tmp_path: Path) -> None:
    for name in ("bear", "camel"):
        fill(tmp_path / "JPEGImages/480p" / name, tmp_path / "Annotations/480p" / name)

    found = open_sequences(tmp_path)

    assert [(one.name, one.num_frames) for one in found] == [("bear", FRAMES), ("camel", FRAMES)]
    frames = [frame for frame in found[0].read(1, 3) if isinstance(frame, SequenceFrame)]
    assert [frame.index for frame in frames] == [1, 2]
    assert frames[0].truth is not None
    assert {key: area(rle) for key, rle in frames[0].truth.items()} == {"1": 80}


def test_images_with_masks_are_one_sequence_and_folders_of_these_are_several(tmp_path: Path) -> None:
    fill(tmp_path / "dog/images", tmp_path / "dog/masks")
    fill(tmp_path / "cat/images", tmp_path / "cat/masks")

    assert [one.name for one in open_sequences(tmp_path / "dog")] == ["dog"]
    assert [one.name for one in open_sequences(tmp_path)] == ["cat", "dog"]


def test_folders_below_images_and_masks_are_sequences_too(tmp_path: Path) -> None:
    fill(tmp_path / "images/a", tmp_path / "masks/a")
    fill(tmp_path / "images/b", tmp_path / "masks/b")

    assert [one.name for one in open_sequences(tmp_path)] == ["a", "b"]


def test_masks_of_0_and_255_are_of_object_1(tmp_path: Path) -> None:
    fill(tmp_path / "images", tmp_path / "masks", {i: values(i, 255) for i in range(FRAMES)})

    (sequence,) = open_sequences(tmp_path)

    (first, *_) = (frame for frame in sequence.read(0, None) if isinstance(frame, SequenceFrame))
    assert first.truth is not None
    assert list(first.truth) == ["1"]


def test_frames_without_a_mask_file_have_no_truth_and_empty_masks_say_that_nothing_is_there(tmp_path: Path) -> None:
    fill(tmp_path / "images", tmp_path / "masks", {0: values(0), 2: values(2) * 0})

    (sequence,) = open_sequences(tmp_path)

    truths = [frame.truth for frame in sequence.read(0, None) if isinstance(frame, SequenceFrame)]
    assert [None if truth is None else len(truth) for truth in truths] == [1, None, 0, None]


def test_an_episode_says_its_rate_and_what_its_objects_are(tmp_path: Path) -> None:
    fill(tmp_path / "images", tmp_path / "masks")
    (tmp_path / "episode.json").write_text(json.dumps({"fps": 30, "objects": {"1": "red mug"}}))

    (sequence,) = open_sequences(tmp_path)

    assert sequence.fps == 30
    assert sequence.labels == {"1": "red mug"}


def test_a_frame_that_cannot_be_read_is_given_as_missed(tmp_path: Path) -> None:
    fill(tmp_path / "images", tmp_path / "masks")
    (tmp_path / "images/00001.jpg").write_bytes(b"\xff\xd8 cut off")
    (tmp_path / "masks/00002.png").write_bytes(b"\x89PNG cut off")

    frames = list(open_sequences(tmp_path)[0].read(0, None))

    missed = {frame.index: str(frame.error) for frame in frames if isinstance(frame, MissedFrame)}
    assert set(missed) == {1, 2}
    assert "00001.jpg" in missed[1]
    assert "the mask is damaged" in missed[2]


def test_masks_of_another_size_than_their_pictures_are_refused(tmp_path: Path) -> None:
    fill(tmp_path / "images", tmp_path / "masks", {0: values(0)[:20]})

    (sequence,) = open_sequences(tmp_path)

    with pytest.raises(InputError, match=r"the mask is \(20, 32\), its picture \(24, 32\); both must agree: .*00000"):
        list(sequence.read(0, None))


def test_what_is_no_video_with_masks_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such folder: .*nowhere"):
        open_sequences(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no video with masks here; expected images with masks"):
        open_sequences(tmp_path)

    fill(tmp_path / "bare/images", tmp_path / "bare/masks", {})
    with pytest.raises(InputError, match="the sequence bare lacks pictures or masks: no picture in the folder"):
        open_sequences(tmp_path)

    (tmp_path / "bare/masks/other.png").write_bytes(palette_png(values(0)))
    with pytest.raises(InputError, match=r"no mask of the sequence bare has the name of a frame, like 00000\.png"):
        open_sequences(tmp_path)

    (tmp_path / "bare/masks/00000.png").write_bytes(palette_png(values(0)))
    (tmp_path / "bare/episode.json").write_text("{")
    with pytest.raises(RecordError, match=r"episode\.json cannot be read"):
        open_sequences(tmp_path)
