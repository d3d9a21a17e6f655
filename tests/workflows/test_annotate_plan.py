from itertools import pairwise
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.core.errors import SettingError
from maskwright.datasets.frame_source import Episode
from maskwright.workflows.annotate_plan import NEAR, Selection, _parts, stride_of

EPISODES = [Episode(key=f"episode_{at}", cameras=("front", "wrist"), num_frames=10 * at) for at in range(4)]
SOURCE = SimpleNamespace(name="data", episodes=EPISODES)


@pytest.mark.parametrize(
    ("wanted", "keys"),
    [
        (None, [0, 1, 2, 3]),
        (("episode_2", "0"), [0, 2]),
        (("1-3", "2"), [1, 2, 3]),
    ],
)
def test_episodes_are_named_counted_or_ranges(wanted, keys):
    chosen = Selection(episodes=wanted, cameras=("wrist",)).recordings(SOURCE)

    assert [(episode.key, camera) for episode, camera in chosen] == [(f"episode_{at}", "wrist") for at in keys]


@pytest.mark.parametrize("name", ["episode_9", "4", "2-9", "3-1", ""])
def test_an_episode_that_is_not_there_is_told_with_the_nearest(name):
    with pytest.raises(SettingError, match=r"there is no episode .*or a position from 0 to 3"):
        Selection(episodes=(name,)).recordings(SOURCE)


def test_a_camera_that_is_not_there_is_told_with_the_nearest():
    with pytest.raises(SettingError, match="no camera is called 'rist'; there are wrist"):
        Selection(cameras=("rist",)).recordings(SOURCE)


@pytest.mark.parametrize("bounds", [{"start": 5, "stop": 5}, {"start": -1}, {"stride": 0}])
def test_bounds_that_leave_nothing_are_refused(bounds):
    with pytest.raises(SettingError):
        Selection(**bounds)


@given(st.sets(st.integers(0, 2_000)).map(sorted))
def test_parts_are_all_frames_in_order_and_decode_over_no_wide_gap(numbers):
    parts = list(_parts(numbers))

    assert [number for part in parts for number in part] == numbers
    for part in parts:
        gaps = [after - before for before, after in pairwise(part)]
        assert not gaps or len(set(gaps)) == 1 or max(gaps) <= NEAR
        assert all((number - part[0]) % stride_of(part) == 0 for number in part)


@given(st.integers(0, 50), st.integers(1, 200), st.integers(3, 100))
def test_a_stride_is_one_part(start, stride, count):
    numbers = range(start, start + stride * count, stride)

    assert list(_parts(numbers)) == [numbers]
