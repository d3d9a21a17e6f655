from pathlib import Path

import av
import numpy as np
import pytest

from maskwright.core.errors import ImageError, InputError
from maskwright.datasets import open_source
from robot_data import picture, png, shows, write_video


def draw(path, number=0, mode=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(picture(number) if mode is None else mode))
    return path


def test_a_folder_of_pictures_has_an_episode_for_each_folder_in_a_persons_order(tmp_path):
    for number, name in enumerate(["f2.png", "f10.png", "b/1.png", "a/käse 起司.png", ".hidden/1.png"]):
        draw(tmp_path / "shots" / name, number)

    source = open_source(tmp_path / "shots")

    assert source.name == "shots"
    assert [(one.key, one.num_frames, one.fps) for one in source.episodes] == [
        ("shots", 2, None),
        ("a", 1, None),
        ("b", 1, None),
    ]
    frames = list(source.frames(source.episodes[0], "image"))
    assert [shows(one.image.pixels, number) for number, one in enumerate(frames)] == [True, True]
    assert frames[1].ref.frame_index == 1
    assert frames[1].ref.timestamp_s is None
    assert [path.name for path in source.paths["shots"]] == ["f2.png", "f10.png"]


def test_a_folder_within_that_has_the_folders_own_name_keeps_it(tmp_path):
    draw(tmp_path / "shots" / "1.png")
    draw(tmp_path / "shots" / "shots" / "1.png")

    assert [one.key for one in open_source(tmp_path / "shots").episodes] == [".", "shots"]


def test_one_picture_is_one_frame(tmp_path):
    source = open_source(draw(tmp_path / "a" / "one.png", 3))

    (episode,) = source.episodes
    (frame,) = source.frames(episode, "image")
    assert (episode.key, source.name) == ("a", "one.png")
    assert shows(frame.image.pixels, 3)


def test_strides_go_over_pictures(tmp_path):
    for number in range(7):
        draw(tmp_path / f"{number}.png", number)
    source = open_source(tmp_path)

    frames = list(source.frames(source.episodes[0], "image", start=1, stop=6, stride=2))

    assert [one.ref.frame_index for one in frames] == [1, 3, 5]
    assert all(shows(one.image.pixels, one.ref.frame_index) for one in frames)


@pytest.mark.parametrize(
    ("colour_name", "depth_name"),
    [
        ("s/0.color.png", "s/0.depth.png"),
        ("s/rgb_7.png", "s/depth_7.png"),
        ("s/rgb/0.png", "s/depth/0.png"),
        ("images/0.png", "depth/0.png"),
    ],
)
def test_a_depth_picture_beside_a_colour_one_is_its_depth(tmp_path, colour_name, depth_name):
    draw(tmp_path / colour_name)
    draw(tmp_path / depth_name, mode=np.array([[0, 1500] * 32] * 48, np.uint16))

    (episode,) = open_source(tmp_path).episodes
    (frame,) = open_source(tmp_path).frames(episode, "image")

    assert np.isnan(frame.image.depth_m[0, 0])
    assert frame.image.depth_m[0, 1] == pytest.approx(1.5)


def test_depth_drawn_in_colours_is_no_depth(tmp_path, caplog):
    draw(tmp_path / "0.color.png")
    draw(tmp_path / "0.depth.png")
    source = open_source(tmp_path)

    (frame,) = source.frames(source.episodes[0], "image")

    assert frame.image.depth_m is None
    assert "one channel" in caplog.text


def test_labels_beside_pictures_are_no_pictures(tmp_path, caplog):
    for name in ("dog/images/0.png", "dog/masks/0.png", "JPEGImages/480p/cat/0.png", "Annotations/480p/cat/0.png"):
        draw(tmp_path / name)
    draw(tmp_path / "alone" / "masks" / "0.png")

    keys = [one.key for one in open_source(tmp_path).episodes]

    assert keys == ["alone/masks", "dog/images", "JPEGImages/480p/cat"]
    assert "left out as labels" in caplog.text


REAL = Path(__file__).parents[3] / "shared" / "realdata"


@pytest.mark.skipif(not REAL.is_dir(), reason="the real recordings are not on this machine")
def test_real_recordings_are_read():
    video = open_source(REAL / "robot" / "roboengine" / "video_original.mp4")
    sequences = open_source(REAL / "video")

    (episode,) = video.episodes
    frames = list(video.frames(episode, "video", start=3, stride=100))

    assert (episode.num_frames, episode.fps) == (219, 30)
    assert [(one.ref.frame_index, one.image.size_hw) for one in frames] == [
        (3, (544, 960)),
        (103, (544, 960)),
        (203, (544, 960)),
    ]
    with av.open(str(REAL / "robot" / "roboengine" / "video_original.mp4")) as container:
        theirs = [one.to_ndarray(format="rgb24") for one in container.decode(video=0)]
    for one in frames:
        assert np.abs(one.image.pixels.astype(int) - theirs[one.ref.frame_index]).mean() < 2
    assert [(one.key, one.num_frames) for one in sequences.episodes] == [("dog/images", 60), ("libby/images", 49)]


def test_videos_go_before_the_pictures_beside_them(tmp_path):
    draw(tmp_path / "cover.png")
    write_video(tmp_path / "a.mp4", map(picture, range(3)))

    assert [one.cameras for one in open_source(tmp_path).episodes] == [("video",)]


def test_what_was_looked_for_is_told(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")

    with pytest.raises(InputError, match="nothing here that frames can be read from; looked for a LeRobot data set"):
        open_source(tmp_path)
    with pytest.raises(InputError, match="there is no such file or folder"):
        open_source(tmp_path / "missing")


def test_a_damaged_picture_is_named(tmp_path):
    path = draw(tmp_path / "1.png")
    path.write_bytes(path.read_bytes()[:50])
    source = open_source(tmp_path)

    with pytest.raises(ImageError, match="damaged") as caught:
        next(source.frames(source.episodes[0], "image"))

    assert str(caught.value).endswith(str(path))
