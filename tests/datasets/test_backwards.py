"""Frames in reverse: the same as forwards, with a bounded number of bytes at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage

from maskwright.core.errors import ImageError
from maskwright.datasets import open_source
from maskwright.datasets.backwards import backwards, frames_backwards
from robot_data import picture, write_video


@given(
    st.lists(st.integers(0, 99), unique=True).map(sorted),
    st.lists(st.integers(0, 50), min_size=100, max_size=100),
    st.integers(1, 400),
)
def test_it_is_the_reverse_and_memory_is_bounded(numbers, sizes, most_bytes):
    held = []

    def read(part):
        held.append(sum(sizes[number] for number in part))
        return list(part)

    found = list(backwards(read, numbers, size_of=lambda number: sizes[number], most_bytes=most_bytes))

    assert found == numbers[::-1]
    assert all(num_bytes <= max(most_bytes * 50, 4 * 50) for num_bytes in held)


def test_parts_grow_to_what_memory_allows_and_no_more():
    parts = []

    def read(part):
        parts.append(len(part))
        return part

    list(backwards(read, range(100), size_of=lambda number: 10, most_bytes=200))

    assert parts == [4, 20, 20, 20, 20, 16]


@pytest.mark.parametrize(("start", "stop"), [(0, None), (3, 17), (5, 6), (8, 8), (15, 99)])
def test_frames_of_a_video_come_from_the_last_to_the_first(tmp_path, start, stop):
    source = open_source(write_video(tmp_path / "a.mp4", [picture(number) for number in range(20)]))
    (episode,) = source.episodes

    found = list(frames_backwards(source, episode, "video", start=start, stop=stop, most_bytes=1))

    expected = list(source.frames(episode, "video", start=start, stop=stop))[::-1]
    assert [one.ref for one in found] == [one.ref for one in expected]
    assert [one.image.digest for one in found] == [one.image.digest for one in expected]


def test_damage_is_told_when_it_is_met(tmp_path):
    for number in range(6):
        PillowImage.new("RGB", (4, 4), (number, 0, 0)).save(tmp_path / f"{number}.png")
    (tmp_path / "1.png").write_bytes(b"no picture")
    source = open_source(tmp_path)
    (episode,) = source.episodes
    stream = frames_backwards(source, episode, episode.cameras[0])

    assert [next(stream).ref.frame_index for _ in range(4)] == [5, 4, 3, 2]
    with pytest.raises(ImageError, match=r"1\.png"):
        next(stream)
