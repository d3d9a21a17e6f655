import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from maskwright.core.errors import ImageError, InputError
from maskwright.datasets import open_source
from maskwright.datasets.depth import DepthCodes
from maskwright.datasets.lerobot_meta import read_meta, read_tasks
from robot_data import TASKS, picture, shows, write_lerobot, write_video

VERSIONS = ["v2.0", "v2.1", "v3.0"]


def keep(into, frames):
    for frame in frames:
        into.append(frame)


@pytest.fixture(scope="module", params=[(version, kind) for version in VERSIONS for kind in ("video", "image")])
def dataset(request, tmp_path_factory):
    version, kind = request.param
    return write_lerobot(tmp_path_factory.mktemp("sets") / "stacking", version=version, kind=kind)


def test_a_data_set_knows_its_episodes_cameras_and_tasks(dataset):
    source = open_source(dataset)

    assert (source.name, source.robot) == ("stacking", "so100")
    assert [(one.key, one.num_frames, one.task) for one in source.episodes] == [
        ("episode_000000", 7, TASKS[0]),
        ("episode_000001", 0, TASKS[1]),
        ("episode_000002", 5, TASKS[0]),
    ]
    assert all(one.cameras == ("front", "wrist") and one.fps == 10 for one in source.episodes)
    assert read_tasks(read_meta(dataset)) == dict(enumerate(TASKS))


@pytest.mark.parametrize("which", [{}, {"start": 1, "stride": 2}, {"stop": 3}, {"start": 4}])
def test_every_frame_is_that_of_its_row_though_episodes_share_files(dataset, which):
    source = open_source(dataset)

    for number, episode in enumerate(source.episodes):
        for camera, shift in (("front", 0), ("wrist", 50)):
            frames = list(source.frames(episode, camera, **which))
            wanted = range(episode.num_frames)[which.get("start", 0) : which.get("stop") : which.get("stride", 1)]
            assert [one.ref.frame_index for one in frames] == list(wanted)
            assert all(shows(one.image.pixels, 100 * number + one.ref.frame_index, shift) for one in frames)
            assert [one.ref.timestamp_s for one in frames] == pytest.approx([i / 10 for i in wanted])
            assert {(one.ref.dataset, one.ref.episode, one.ref.camera) for one in frames} <= {
                ("stacking", episode.key, camera)
            }


def test_depth_comes_with_the_camera_it_is_named_after(tmp_path):
    source = open_source(write_lerobot(tmp_path / "set", depth=True))

    front = list(source.frames(source.episodes[0], "front"))
    wrist = next(source.frames(source.episodes[0], "wrist"))

    assert source.episodes[0].cameras == ("front", "wrist")
    assert [float(one.image.depth_m[0, 0]) for one in front] == pytest.approx([1 + i / 1000 for i in range(7)])
    assert wrist.image.depth_m is None


def test_depth_codes_undo_lerobots_formula():
    depth_m = np.linspace(0.02, 9.9, 50).reshape(5, 10)
    low, high = np.log(0.01 + 3.5), np.log(10 + 3.5)
    codes = np.rint(4095 * (np.log(depth_m + 3.5) - low) / (high - low)).astype(np.uint16)

    decoded = DepthCodes().decode(codes)

    assert np.abs(decoded - depth_m).max() < 0.005
    assert np.isnan(DepthCodes().decode(np.zeros((1, 1), np.uint16))).all()


def test_a_depth_video_of_codes_is_read(tmp_path):
    root = write_lerobot(tmp_path / "set", lengths=(4,), cameras=("front",), depth=True)
    info_path = root / "meta" / "info.json"
    info = json.loads(info_path.read_text())
    info["features"]["observation.images.front_depth"] |= {
        "dtype": "video",
        "info": {"is_depth_map": True, "video.depth_min": 0.5, "video.depth_max": 4.5, "video.use_log": False},
    }
    info["video_path"] = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mkv"
    info_path.write_text(json.dumps(info))
    key = "observation.images.front_depth"
    episodes = root / "meta" / "episodes" / "chunk-000" / "file-000.parquet"
    table = pq.read_table(episodes)
    for name, value in [("chunk_index", 0), ("file_index", 0), ("from_timestamp", 0.0)]:
        table = table.append_column(f"videos/{key}/{name}", pa.array([value]))
    pq.write_table(table, episodes)
    codes = [np.full((48, 64), 1000 * i, np.uint16) for i in range(4)]
    write_video(root / "videos" / key / "chunk-000" / "file-000.mkv", codes, codec="ffv1", pix_fmt="gray16le")
    colours = root / "videos" / "observation.images.front" / "chunk-000"
    shutil.move(colours / "file-000.mp4", colours / "file-000.mkv")

    source = open_source(root)
    depths = [float(one.image.depth_m[0, 0]) for one in source.frames(source.episodes[0], "front")]

    assert np.isnan(depths[0])
    assert depths[1:] == pytest.approx([0.5 + 4 * 1000 * i / 4095 for i in range(1, 4)])


def test_a_camera_of_half_the_rate_gives_its_frames_twice(tmp_path):
    root = write_lerobot(tmp_path / "set", lengths=(8,), cameras=("front",))
    write_video(
        root / "videos" / "observation.images.front" / "chunk-000" / "file-000.mp4", map(picture, range(4)), fps=5
    )
    source = open_source(root)

    frames = list(source.frames(source.episodes[0], "front"))

    assert [one.ref.frame_index for one in frames] == list(range(8))
    assert all(
        shows(one.image.pixels, number // 2) or shows(one.image.pixels, (number + 1) // 2)
        for number, one in enumerate(frames)
    )


def test_a_video_of_another_recording_is_refused(tmp_path):
    root = write_lerobot(tmp_path / "set", lengths=(8,), cameras=("front",))
    video = root / "videos" / "observation.images.front" / "chunk-000" / "file-000.mp4"
    write_video(video, map(picture, range(4)))
    source = open_source(root)

    with pytest.raises(ImageError, match=r"no frame at 0\.400 s; its 4 frames reach from 0\.000 to 0\.300 s"):
        next(source.frames(source.episodes[0], "front"))


def test_a_missing_video_is_named_and_the_other_camera_still_read(tmp_path):
    root = write_lerobot(tmp_path / "set")
    video = root / "videos" / "observation.images.wrist" / "chunk-000" / "file-000.mp4"
    video.unlink()
    source = open_source(root)

    with pytest.raises(ImageError, match="the data set's file is missing") as caught:
        next(source.frames(source.episodes[0], "wrist"))

    assert str(caught.value).endswith(str(video))
    assert len(list(source.frames(source.episodes[0], "front"))) == 7


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_missing_rows_are_named(tmp_path, version):
    root = write_lerobot(tmp_path / "set", version=version)
    shutil.rmtree(root / "data")
    source = open_source(root)

    with pytest.raises(InputError, match=r"file is missing: .*parquet$"):
        next(source.frames(source.episodes[0], "front"))


def test_fewer_rows_than_promised_are_refused(tmp_path):
    root = write_lerobot(tmp_path / "set", version="v2.1")
    path = root / "data" / "chunk-000" / "episode_000000.parquet"
    pq.write_table(pq.read_table(path).slice(0, 3), path)
    source = open_source(root)

    with pytest.raises(InputError, match="episode_000000 has 3 rows, expected 7"):
        next(source.frames(source.episodes[0], "front"))


def test_one_damaged_picture_is_named_after_those_before_it(tmp_path):
    root = write_lerobot(tmp_path / "set", version="v2.1", kind="image", lengths=(5,), cameras=("front",))
    path = root / "data" / "chunk-000" / "episode_000000.parquet"
    table = pq.read_table(path)
    key = "observation.images.front"
    cells = table.column(key).to_pylist()
    cells[3]["bytes"] = cells[3]["bytes"][:40]
    at = table.schema.get_field_index(key)
    pq.write_table(table.set_column(at, key, pa.array(cells, table.schema.field(key).type)), path)
    source, given = open_source(root), []

    with pytest.raises(ImageError, match="damaged") as caught:
        keep(given, source.frames(source.episodes[0], "front"))

    assert [one.ref.frame_index for one in given] == [0, 1, 2]
    assert str(caught.value).startswith("frame 3 of episode_000000: ")
    assert str(caught.value).endswith(f": {path}")


@pytest.mark.parametrize("version", ["v1.6", "v4.0", None])
def test_another_version_is_refused(tmp_path, version):
    root = write_lerobot(tmp_path / "set")
    path = root / "meta" / "info.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"codebase_version": version}))

    with pytest.raises(InputError, match=r"expected a LeRobot data set of codebase_version v2\.0, v2\.1 or v3\.0"):
        open_source(root)


@pytest.mark.parametrize("name", ["meta/info.json", "meta/episodes.jsonl"])
def test_damaged_metadata_is_one_line(tmp_path, name):
    root = write_lerobot(tmp_path / "set", version="v2.1")
    (root / name).write_text("{nothing")

    with pytest.raises(InputError, match="not JSON") as caught:
        open_source(root)

    assert str(caught.value).endswith(str(root / name))
    assert "\n" not in str(caught.value)


def test_a_data_set_without_cameras_is_refused(tmp_path):
    root = write_lerobot(tmp_path / "set", cameras=(), kind="image")

    with pytest.raises(InputError, match="no camera"):
        open_source(root)
