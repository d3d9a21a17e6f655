import json

import h5py
import numpy as np
import pytest

from maskwright.core.errors import ImageError, InputError
from maskwright.datasets import open_source
from robot_data import SIZE_HW, encoded, picture, shows, write_video


def pictures(count, first=0, shift=0):
    return np.array([picture(first + number, shift) for number in range(count)], np.uint8).reshape(count, *SIZE_HW, 3)


def write_aloha(path, *, count=5, first=0, files=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file.attrs["task"] = "open the Käse"
        for camera, shift in (("cam_high", 0), ("cam_wrist", 50)):
            raw = pictures(count, first, shift)
            key = f"observations/images/{camera}"
            if files is None:
                file[key] = raw
                continue
            contents = [np.frombuffer(encoded(one, "JPEG"), np.uint8) for one in raw]
            if files == "padded":
                width = max(map(len, contents))
                file[key] = np.stack([np.pad(one, (0, width - len(one))) for one in contents])
            else:
                array = file.create_dataset(key, (count,), h5py.vlen_dtype(np.uint8))
                for number, one in enumerate(contents):
                    array[number] = one
        file["observations/depth/cam_high"] = np.full((count, *SIZE_HW), 1500, np.uint16)
        file["observations/qpos"] = np.zeros((count, 14))
    return path


@pytest.mark.parametrize("files", [None, "padded", "each its length"])
def test_an_aloha_file_is_an_episode_with_a_camera_for_each_array(tmp_path, files):
    source = open_source(write_aloha(tmp_path / "episode_3.hdf5", files=files))

    (episode,) = source.episodes
    assert (episode.key, episode.cameras, episode.num_frames) == ("episode_3", ("cam_high", "cam_wrist"), 5)
    assert episode.task == "open the Käse"
    for camera, shift in (("cam_high", 0), ("cam_wrist", 50)):
        frames = list(source.frames(episode, camera, start=1, stride=2))
        assert [one.ref.frame_index for one in frames] == [1, 3]
        assert all(shows(one.image.pixels, one.ref.frame_index, shift) for one in frames)
        assert [one.image.depth_m is None for one in frames] == [camera == "cam_wrist"] * 2
    assert frames[0].ref.timestamp_s is None
    depth_m = next(source.frames(episode, "cam_high")).image.depth_m
    assert depth_m[0, 0] == pytest.approx(1.5)


def write_robomimic(path, lengths=(3, 0, 2)):
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        data.attrs["env_args"] = json.dumps({"env_name": "Lift", "env_kwargs": {"control_freq": 20}})
        data.attrs["problem_info"] = json.dumps({"language_instruction": "lift the cube"})
        for number, length in zip((0, 2, 10), lengths, strict=True):
            for below in ("obs", "next_obs"):
                group = data.create_group(f"demo_{number}/{below}")
                group["agentview_image"] = pictures(length, 100 * number)
                group["agentview_depth"] = np.full((length, *SIZE_HW, 1), 0.75, np.float32)
                group["robot0_eye_in_hand_image"] = group["agentview_image"][:]
                group["object"] = np.zeros((length, 10))
    return path


def test_a_robomimic_file_has_an_episode_for_each_demo(tmp_path):
    source = open_source(write_robomimic(tmp_path / "lift.hdf5"))

    assert [(one.key, one.num_frames, one.fps, one.task) for one in source.episodes] == [
        ("demo_0", 3, 20, "lift the cube"),
        ("demo_2", 0, 20, "lift the cube"),
        ("demo_10", 2, 20, "lift the cube"),
    ]
    assert source.episodes[0].cameras == ("agentview", "robot0_eye_in_hand")
    frames = list(source.frames(source.episodes[2], "agentview"))
    assert [shows(one.image.pixels, 1000 + number) for number, one in enumerate(frames)] == [True, True]
    assert [one.ref.timestamp_s for one in frames] == [0, 0.05]
    assert frames[0].image.depth_m[0, 0] == 0.75
    assert list(source.frames(source.episodes[1], "agentview")) == []


def test_a_folder_of_files_is_read_and_the_broken_one_left_out(tmp_path, caplog):
    write_aloha(tmp_path / "set" / "episode_10.hdf5", first=10)
    write_aloha(tmp_path / "set" / "episode_2.hdf5", first=2)
    whole = (tmp_path / "set" / "episode_2.hdf5").read_bytes()
    (tmp_path / "set" / "episode_3.hdf5").write_bytes(whole[: len(whole) // 2])

    source = open_source(tmp_path / "set")

    assert [one.key for one in source.episodes] == ["episode_2", "episode_10"]
    assert shows(next(source.frames(source.episodes[1], "cam_high")).image.pixels, 10)
    assert "episode_3.hdf5" in caplog.text


def test_cameras_of_unequal_length_have_the_frames_of_the_shortest(tmp_path, caplog):
    path = write_aloha(tmp_path / "a.hdf5")
    with h5py.File(path, "a") as file:
        del file["observations/images/cam_wrist"]
        file["observations/images/cam_wrist"] = pictures(3)

    source = open_source(path)

    assert source.episodes[0].num_frames == 3
    assert "have 3, 5 frames" in caplog.text


def test_channels_may_come_first(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["obs/front"] = pictures(2).transpose(0, 3, 1, 2)
    source = open_source(tmp_path / "a.h5")

    assert shows(next(source.frames(source.episodes[0], "front")).image.pixels, 0)


def test_a_damaged_picture_is_named(tmp_path):
    path = write_aloha(tmp_path / "a.hdf5", files="padded")
    with h5py.File(path, "a") as file:
        file["observations/images/cam_high"][1] = 7
    source = open_source(path)
    frames = source.frames(source.episodes[0], "cam_high")
    next(frames)

    with pytest.raises(ImageError, match="frame 1 of /observations/images/cam_high: ") as caught:
        next(frames)

    assert str(caught.value).endswith(str(path))


@pytest.mark.parametrize(("content", "told"), [(b"nothing", "cannot be opened"), (None, "no episode with frames")])
def test_what_holds_no_frames_is_refused_in_a_line(tmp_path, content, told):
    path = tmp_path / "a.h5"
    if content is None:
        with h5py.File(path, "w") as file:
            file["observations/qpos"] = np.zeros((3, 2))
    else:
        path.write_bytes(content)

    with pytest.raises(InputError, match=told) as caught:
        open_source(path)

    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(str(path))


def test_states_beside_videos_do_not_hide_them(tmp_path):
    with h5py.File(tmp_path / "trajectory.h5", "w") as file:
        file["action"] = np.zeros((3, 2))
    write_video(tmp_path / "recordings" / "1.mp4", map(picture, range(3)))

    assert [one.key for one in open_source(tmp_path).episodes] == ["recordings/1"]
