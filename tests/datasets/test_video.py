import itertools

import numpy as np
import pytest

from maskwright.core.errors import ImageError, InputError, SettingError
from maskwright.datasets import open_source
from maskwright.datasets.video_frames import decode_frames, gray_from_frame
from maskwright.datasets.video_index import index_video
from robot_data import colour, picture, shows, write_video

NUM = 40


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("video") / "pick.mp4", map(picture, range(NUM)))


def numbers_and_frames(source, **which):
    episode = source.episodes[0]
    return [(one.ref.frame_index, one) for one in source.frames(episode, episode.cameras[0], **which)]


def test_a_video_knows_its_frames_before_it_decodes_any(video):
    source = open_source(video)

    (episode,) = source.episodes
    assert (source.name, source.robot) == ("pick.mp4", None)
    assert (episode.key, episode.cameras, episode.num_frames, episode.fps) == ("pick", ("video",), NUM, 10)


def test_every_frame_has_its_number_its_time_and_its_colours(video):
    frames = numbers_and_frames(open_source(video))

    assert [number for number, _ in frames] == list(range(NUM))
    assert all(shows(frame.image.pixels, number) for number, frame in frames)
    assert [frame.ref.timestamp_s for _, frame in frames] == pytest.approx([i / 10 for i in range(NUM)])


def gather(into, frames):
    for frame in frames:
        into.append(frame)


@pytest.mark.parametrize(
    "which", [{"start": 5, "stop": 9}, {"stride": 3}, {"start": 17, "stride": 11}, {"start": 39}, {"stop": 0}]
)
def test_a_stride_gives_the_frames_that_decoding_all_would(video, which):
    frames = numbers_and_frames(open_source(video), **which)

    assert [number for number, _ in frames] == list(
        itertools.islice(range(NUM), which.get("start", 0), which.get("stop"), which.get("stride", 1))
    )
    assert all(shows(frame.image.pixels, number) for number, frame in frames)


@pytest.mark.parametrize("name", ["a.mkv", "a.avi", "a.ts", "a.h264", "a.webm"])
def test_containers_agree_on_frame_numbers(tmp_path, name):
    codec = {"a.avi": "mjpeg", "a.webm": "libvpx-vp9"}.get(name, "libx264")
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = write_video(tmp_path / name, map(picture, range(20)), codec=codec, pix_fmt=pix_fmt)

    source = open_source(path)

    assert source.episodes[0].num_frames == 20
    for stride in (1, 9):
        frames = numbers_and_frames(source, stride=stride)
        assert [number for number, _ in frames] == list(range(0, 20, stride))
        assert all(shows(frame.image.pixels, number) for number, frame in frames)


def test_a_variable_frame_rate_keeps_its_times(tmp_path):
    times = [0.0, 0.04, 0.08, 0.5, 0.54, 2.0]
    path = write_video(tmp_path / "phone.mp4", map(picture, range(6)), times=times, bf="0")

    frames = numbers_and_frames(open_source(path))

    assert [frame.ref.timestamp_s for _, frame in frames] == pytest.approx(times, abs=1e-3)
    assert all(shows(frame.image.pixels, number) for number, frame in frames)


def test_a_rotated_video_stands_upright(tmp_path):
    lying = np.zeros((48, 64, 3), np.uint8)
    lying[:10] = 255  # the bar on top is on the left once turned a quarter counter-clockwise
    path = write_video(tmp_path / "phone.mp4", [lying] * 3, rotation=90)

    _, frame = numbers_and_frames(open_source(path))[0]

    assert frame.image.size_hw == (64, 48)
    assert frame.image.pixels[:, :6].mean() > 240
    assert frame.image.pixels[:, 20:].mean() < 15


@pytest.mark.parametrize(
    ("pix_fmt", "size_hw"), [("yuvj420p", (48, 64)), ("yuv444p", (47, 63)), ("yuv420p10le", (48, 64))]
)
def test_colours_survive_full_range_odd_sizes_and_ten_bits(tmp_path, pix_fmt, size_hw):
    path = write_video(tmp_path / "a.mp4", [picture(i, size_hw=size_hw) for i in range(4)], pix_fmt=pix_fmt)

    frames = numbers_and_frames(open_source(path))

    assert all(frame.image.size_hw == size_hw and shows(frame.image.pixels, number) for number, frame in frames)


@pytest.mark.parametrize("kind", ["mp4", "mkv"])
def test_a_truncated_video_gives_the_frames_it_has_and_then_says_so(tmp_path, kind):
    noise = np.random.default_rng(0).integers(0, 255, (30, 48, 64, 3), np.uint8)
    whole = write_video(tmp_path / f"whole.{kind}", noise, faststart=kind == "mp4").read_bytes()
    path = tmp_path / f"cut.{kind}"
    path.write_bytes(whole[: len(whole) * 6 // 10])

    source = open_source(path)
    given = []
    with pytest.raises(ImageError, match=r"ends after frame \d+, expected 30 frames; it was cut off") as caught:
        gather(given, source.frames(source.episodes[0], "video"))

    assert source.episodes[0].num_frames == 30
    assert 10 < len(given) < 20
    assert [frame.ref.frame_index for frame in given] == list(range(len(given)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("times", [None, [0, 0.1, 0.2, 0.3, 5.0], [2.0, 2.1, 2.2, 9.0, 9.1]])
def test_a_whole_mkv_is_whole_at_any_rate_and_from_any_beginning(tmp_path, times):
    path = write_video(tmp_path / "whole.mkv", map(picture, range(5)), times=times)

    index = index_video(path)

    assert (index.num_frames, index.num_promised) == (5, 5)


def test_a_video_without_its_index_is_refused_in_one_line(tmp_path):
    whole = write_video(tmp_path / "whole.mp4", map(picture, range(9))).read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(whole[: len(whole) // 2])

    with pytest.raises(ImageError, match="cannot be opened .* cut off") as caught:
        open_source(path)

    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(str(path))


def test_a_folder_of_videos_has_an_episode_each_and_leaves_out_the_broken_one(tmp_path, caplog):
    for name in ("b/two.mp4", "a.mp4", "schön 起.mp4"):
        write_video(tmp_path / name, map(picture, range(3)))
    (tmp_path / "broken.mp4").write_bytes(b"nothing")

    source = open_source(tmp_path)

    assert [one.key for one in source.episodes] == ["a", "b/two", "schön 起"]
    assert all(len(list(source.frames(one, "video"))) == 3 for one in source.episodes)
    assert "broken.mp4" in caplog.text


def test_depth_codes_of_twelve_bits_come_back_exactly(tmp_path):
    codes = [np.full((48, 64), 100 * i + 1, np.uint16) for i in range(5)]
    path = write_video(tmp_path / "depth.mkv", codes, codec="ffv1", pix_fmt="gray16le")

    decoded = [gray_from_frame(frame) for _, frame in decode_frames(index_video(path), range(5))]

    assert all((one == code).all() for one, code in zip(decoded, codes, strict=True))


def test_what_does_not_exist_is_refused(video):
    source = open_source(video)

    with pytest.raises(InputError, match="there is no camera 'left'"):
        next(source.frames(source.episodes[0], "left"))
    with pytest.raises(SettingError, match="stride must be at least 1, got 0"):
        next(source.frames(source.episodes[0], "video", stride=0))


def test_colours_are_told_apart():
    assert len({colour(i) for i in range(NUM)}) == NUM
