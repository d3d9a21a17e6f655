from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.core import Frame, FrameRef, Image
from maskwright.core.errors import ImageError
from maskwright.datasets.frame_source import Episode
from maskwright.workflows.annotate_plan import Footage, Stretch
from maskwright.workflows.frame_names import FrameNames
from maskwright.workflows.stages import DecodedFrame, SkippedFrames, decode_frames

EPISODE = Episode(key="e", cameras=("c",), num_frames=200)


class Damaged:
    """A source that stops at damaged frames, and has no picture at all for some."""

    name, robot, episodes = "damaged", None, (EPISODE,)

    def __init__(self, damaged, absent=(), says="frame {} is damaged"):
        self.damaged, self.absent, self.says, self.num_opened = set(damaged), set(absent), says, 0

    def frames(self, episode, camera, *, start=0, stop=None, stride=1):
        self.num_opened += 1
        for number in range(start, episode.num_frames if stop is None else stop, stride):
            if number in self.damaged:
                raise ImageError(self.says.format(number))
            if number not in self.absent:
                image = Image(np.full((2, 2, 3), number, np.uint8))
                yield Frame(image=image, ref=FrameRef(dataset="d", episode="e", camera="c", frame_index=number))


def decode(source, numbers, tmp_path):
    footage = Footage(path=tmp_path, source=source, names=FrameNames(source, tmp_path))
    items = list(decode_frames(footage, [Stretch(episode=EPISODE, camera="c", numbers=numbers)]))
    decoded = [item.frame.ref.frame_index for item in items if isinstance(item, DecodedFrame)]
    return decoded, [item for item in items if isinstance(item, SkippedFrames)]


@given(damaged=st.sets(st.integers(0, 39)), wanted=st.sets(st.integers(0, 39), min_size=1).map(sorted))
def test_single_damaged_frames_cost_nothing_but_themselves(damaged, wanted, tmp_path_factory):
    alone = set(damaged)
    for before, number in pairwise(wanted):
        if before in alone:
            alone.discard(number)  # of frames that are wanted, no two in a row are damaged

    decoded, skipped = decode(Damaged(alone), wanted, tmp_path_factory.getbasetemp())

    assert decoded == [number for number in wanted if number not in alone]
    assert sum(one.num_frames for one in skipped) == len(alone.intersection(wanted))


@pytest.mark.parametrize(("first", "last"), [(0, 0), (10, 10), (10, 57), (0, 150), (180, 199), (0, 199)])
def test_a_damaged_stretch_is_one_item_and_few_looks(tmp_path, first, last):
    source = Damaged(range(first, last + 1))

    decoded, skipped = decode(source, range(200), tmp_path)

    assert decoded == [number for number in range(200) if not first <= number <= last]
    (one,) = skipped
    assert one.num_frames == last - first + 1
    assert one.reason == f"frame {first} is damaged"
    assert source.num_opened < 20


def test_frames_that_a_camera_never_took_are_not_missed(tmp_path):
    decoded, skipped = decode(Damaged([100], absent=range(1, 200, 2)), range(200), tmp_path)

    assert decoded == [number for number in range(0, 200, 2) if number != 100]
    assert [one.name for one in skipped] == ["e/c/frame_000100.png"]
