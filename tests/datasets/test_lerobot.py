"""LeRobot data sets with masks: made of frames, or added to a data set that exists."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image as PillowImage

from maskwright.core.errors import InputError, SettingError
from maskwright.core.image import FrameRef, Image
from maskwright.datasets import lerobot, open_source
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.loss_report import LossLog
from maskwright.masks import decode
from maskwright.testing.adapter_contract import AdapterContract, plain_frame
from robot_data import SIZE_HW, TASKS, mask_of, picture, shows, write_lerobot

FRONT = "annotation.masks.front"


class TestLeRobot(AdapterContract):
    format_name = "lerobot"


def frame_of(episode, camera, number, *, size_hw=SIZE_HW, num_masks=2, open_image=True, time_s=None):
    """A frame with a square for each mask, at a place that only this frame has."""
    masks = []
    for at in range(num_masks):
        dense = np.zeros(size_hw, bool)
        dense[number : number + 5, 10 * at : 10 * at + 5] = True
        masks.append(mask_of(dense, label=f"thing {at}", track=f"{camera} {at}"))
    shift = 50 if camera == "wrist" else 0
    return LabelledFrame(
        name=f"{episode}-{camera}-{number}",
        size_hw=size_hw,
        masks=tuple(masks),
        ref=FrameRef(dataset="any", episode=episode, camera=camera, frame_index=number, timestamp_s=time_s),
        open_image=(lambda: Image(picture(number, shift, size_hw))) if open_image else None,
    )


def write(frames, out, **options):
    log = LossLog()
    lerobot.write(frames, out, log=log, **options)
    return log.report()


def read(path):
    log = LossLog()
    return list(lerobot.read(path, log=log)), log.report()


@pytest.mark.parametrize(("old", "new"), [("v2.1", "v2.1"), ("v2.0", "v3.0"), ("v2.1", "v3.0"), ("v3.0", "v3.0")])
@pytest.mark.parametrize("kind", ["video", "image"])
def test_masks_are_added_to_a_data_set_that_stays_what_it_was(tmp_path, old, new, kind):
    source = write_lerobot(tmp_path / "stacking", version=old, kind=kind)
    frames = [frame_of("episode_000002", "wrist", 4), frame_of("episode_000000", "front", 1), frame_of("0", "front", 6)]

    told = write(frames, tmp_path / "out", source=source, version=new)
    back, heard = read(tmp_path / "out")

    assert (told.num_frames, told.num_masks, told.is_lossless) == (3, 6, True)
    assert (heard.num_frames, heard.num_masks, heard.is_lossless) == (3, 6, True)
    assert {frame.name: frame.masks for frame in back} == {frame.name: frame.masks for frame in frames}
    assert all(shows(one.open_image().pixels, one.ref.frame_index) for one in back if one.ref.camera == "front")
    before, after = open_source(source), open_source(tmp_path / "out")
    assert after.meta.info["codebase_version"] == new
    assert (before.episodes, before.robot) == (after.episodes, after.robot)
    for episode in before.episodes:
        for camera in episode.cameras:
            pairs = zip(before.frames(episode, camera), after.frames(episode, camera), strict=True)
            assert all(old.image.digest == new.image.digest for old, new in pairs)


def test_the_rows_of_the_source_are_kept_and_a_column_of_text_added(tmp_path):
    source = write_lerobot(tmp_path / "stacking")
    write([frame_of("episode_000000", "front", 3)], tmp_path / "out", source=source)

    rows = pq.read_table(tmp_path / "out" / "data" / "chunk-000" / "file-000.parquet")
    before = pq.read_table(source / "data" / "chunk-000" / "file-000.parquet")

    assert rows.drop_columns([FRONT]).equals(before)
    texts = rows.column(FRONT).to_pylist()
    assert [at for at, text in enumerate(texts) if text] == [3]
    cell = json.loads(texts[3])
    assert cell["size"] == list(SIZE_HW)
    assert [(one["id"], one["track"], one["label"], one["source"], one["state"]) for one in cell["objects"]] == [
        (1, "front 0", "thing 0", "human", "proposed"),
        (2, "front 1", "thing 1", "human", "proposed"),
    ]


def test_id_maps_lie_beside_the_rows_and_the_metadata_says_where(tmp_path):
    source = write_lerobot(tmp_path / "stacking")
    frame = frame_of("episode_000002", "front", 3)
    write([frame], tmp_path / "out", source=source)

    about = json.loads((tmp_path / "out" / "meta" / "info.json").read_text())["maskwright"]
    path = about["id_map_path"].format(camera="front", episode_index=2, frame_index=3)
    with PillowImage.open(tmp_path / "out" / path) as opened:
        assert opened.mode == "I;16"
        ids = np.array(opened)

    assert about["cameras"] == {"front": {"masks_key": FRONT, "num_frames": 1, "labels": ["thing 0", "thing 1"]}}
    for number, one in enumerate(frame.masks, 1):
        assert ((ids == number) == decode(one.record.rle)).all()


def test_a_frame_without_objects_is_told_from_one_that_nobody_looked_at(tmp_path):
    source = write_lerobot(tmp_path / "stacking")
    write([frame_of("episode_000000", "front", 2, num_masks=0)], tmp_path / "out", source=source)

    back, _ = read(tmp_path / "out")

    assert [(one.ref.frame_index, one.masks) for one in back] == [(2, ())]


def test_frames_that_are_not_of_the_source_are_left_out_and_told(tmp_path):
    source = write_lerobot(tmp_path / "stacking")
    good = frame_of("episode_000000", "front", 1)
    frames = [
        good,
        replace(good, name="twice"),
        replace(good, name="loose", ref=None),
        frame_of("episode_000009", "front", 0),
        frame_of("episode_000000", "left", 0),
        frame_of("episode_000000", "front", 7),
        frame_of("episode_000000", "front", 2, size_hw=(30, 40)),
    ]

    told = write(frames, tmp_path / "out", source=source)

    assert told.num_frames == 1
    assert [one.reason for one in told.skipped] == [
        "it is a second one for frame 1 of front in episode_000000",
        "it does not say which frame of the source it is",
        "the source has no episode 'episode_000009'",
        "the source has no camera 'left'",
        "the source has no frame 7 in episode_000000, which has 7",
        "its masks have the size (30, 40) (h, w), the source's frames (48, 64)",
    ]


def test_masks_can_be_written_again_over_those_that_a_source_has(tmp_path):
    first = write_lerobot(tmp_path / "stacking")
    write([frame_of("episode_000000", "front", 1)], tmp_path / "once", source=first)
    write([frame_of("episode_000000", "front", 2)], tmp_path / "twice", source=tmp_path / "once")

    back, _ = read(tmp_path / "twice")

    assert [one.ref.frame_index for one in back] == [2]


def test_earlier_masks_of_other_cameras_are_not_in_the_copy_and_told(tmp_path):
    first = write_lerobot(tmp_path / "stacking")
    both = [frame_of("episode_000000", camera, 1) for camera in ("front", "wrist")]
    write(both, tmp_path / "once", source=first)

    told = write(both[:1], tmp_path / "twice", source=tmp_path / "once")

    assert [(one.what, one.count, one.example) for one in told.losses] == [
        ("columns of masks that the data set had of cameras which are not written", 1, "annotation.masks.wrist")
    ]
    assert {one.ref.camera for one in read(tmp_path / "twice")[0]} == {"front"}
    (rows,) = (tmp_path / "twice" / "data").rglob("*.parquet")
    schema, info = pq.read_schema(rows), json.loads((tmp_path / "twice" / "meta" / "info.json").read_text())
    hub = json.loads(schema.metadata[b"huggingface"])["info"]["features"] if schema.metadata else {}
    for names in (schema.names, info["features"], hub or [FRONT]):
        assert [name for name in names if name.startswith("annotation.masks.")] == [FRONT]


def test_a_video_is_linked_and_not_written_anew(tmp_path):
    source = write_lerobot(tmp_path / "stacking")
    write([], tmp_path / "out", source=source)

    name = "videos/observation.images.front/chunk-000/file-000.mp4"
    assert (tmp_path / "out" / name).samefile(source / name)


def test_v3_sources_do_not_become_v2(tmp_path):
    source = write_lerobot(tmp_path / "stacking")

    with pytest.raises(SettingError, match="cannot be written as v2.1"):
        write([], tmp_path / "out", source=source, version="v2.1")

    assert not (tmp_path / "out").exists()


def robot_frames():
    """Two cameras and two episodes, camera after camera as annotation goes, every other frame of 20 a second."""
    return [
        frame_of(episode, camera, number, time_s=number / 20)
        for episode, count in (("pick 1", 7), ("置く", 5))
        for camera in ("front", "/wrist/image_raw")
        for number in range(0, count, 2)
    ]


@pytest.mark.parametrize("version", ["v3.0", "v2.1"])
@pytest.mark.parametrize("pictures", ["image", "video"])
def test_frames_alone_become_a_data_set(tmp_path, version, pictures):
    frames = robot_frames()
    told = write(frames, tmp_path / "out", version=version, pictures=pictures)

    source = open_source(tmp_path / "out")
    back, _ = read(tmp_path / "out")

    lost = [one.what for one in told.losses]
    assert lost == (["exact pixels of pictures, which are written as video"] if pictures == "video" else [])
    assert [(one.num_frames, one.cameras, one.fps) for one in source.episodes] == [
        (4, ("front", "wrist_image_raw"), 10),
        (3, ("front", "wrist_image_raw"), 10),
    ]
    assert {one.name: (one.masks, one.ref) for one in back} == {one.name: (one.masks, one.ref) for one in frames}
    assert all(shows(one.open_image().pixels, one.ref.frame_index) for one in back)
    rows = list(source.frames(source.episodes[0], "front"))
    assert [shows(one.image.pixels, 2 * number) for number, one in enumerate(rows)] == [True] * 4


def test_the_layout_is_lerobots(tmp_path):
    write(robot_frames(), tmp_path / "out", pictures="video")

    meta = tmp_path / "out" / "meta"
    info = json.loads((meta / "info.json").read_text())
    tasks = pd.read_parquet(meta / "tasks.parquet")
    episodes = pd.read_parquet(meta / "episodes")
    file = pq.ParquetFile(tmp_path / "out" / "data" / "chunk-000" / "file-000.parquet")
    rows = file.read().to_pandas()
    stats = json.loads((meta / "stats.json").read_text())

    assert (tasks.index.name, list(tasks.index), list(tasks["task_index"])) == ("task", ["no task"], [0])
    assert (info["total_episodes"], info["total_frames"], info["total_tasks"]) == (2, 7, 1)
    assert file.num_row_groups == 2
    assert list(rows["index"]) == list(range(7))
    assert list(rows["frame_index"]) == [0, 1, 2, 3, 0, 1, 2]
    assert rows["timestamp"].dtype == np.float32
    assert list(episodes["dataset_from_index"]) == [0, 4]
    assert list(episodes["dataset_to_index"]) == [4, 7]
    assert list(episodes["videos/observation.images.front/file_index"]) == [0, 1]
    told = json.loads(file.schema_arrow.metadata[b"huggingface"])["info"]["features"]
    assert set(told) == set(rows.columns) == {key for key, one in info["features"].items() if one["dtype"] != "video"}
    assert told[FRONT] == {"dtype": "string", "_type": "Value"}
    assert not any(key.startswith(("observation", "action")) for key in rows.columns)
    assert np.shape(stats["observation.images.front"]["mean"]) == (3, 1, 1)
    assert stats["index"] == {"min": [0], "max": [6], "mean": [3], "std": [2], "count": [7]}


def test_statistics_of_a_v2_source_are_joined(tmp_path):
    source = write_lerobot(tmp_path / "stacking", version="v2.1", lengths=(2, 3))
    lines = [
        {"min": [0], "max": [1], "mean": [0.5], "std": [0.5], "count": [2]},
        {"min": [0], "max": [2], "mean": [1.0], "std": [float(np.std([0, 1, 2]))], "count": [3]},
    ]
    text = [json.dumps({"episode_index": at, "stats": {"frame_index": one}}) for at, one in enumerate(lines)]
    (source / "meta" / "episodes_stats.jsonl").write_text("\n".join(text))

    write([], tmp_path / "out", source=source)
    stats = json.loads((tmp_path / "out" / "meta" / "stats.json").read_text())["frame_index"]

    values = np.array([0, 1, 0, 1, 2])
    assert stats["mean"] == pytest.approx([values.mean()])
    assert stats["std"] == pytest.approx([values.std()])
    assert (stats["min"], stats["max"], stats["count"]) == ([0], [2], [5])
    assert list(pd.read_parquet(tmp_path / "out" / "meta" / "tasks.parquet").index) == list(TASKS)


def test_masks_of_others_are_imported_and_damaged_ones_left_out(tmp_path):
    source = write_lerobot(tmp_path / "stacking")
    write([frame_of("episode_000000", "front", number) for number in range(4)], tmp_path / "out", source=source)
    path = tmp_path / "out" / "data" / "chunk-000" / "file-000.parquet"
    rows = pq.read_table(path).to_pandas()
    good = {"rle": json.loads(rows[FRONT][0])["objects"][0]["rle"], "label": "mug", "track": 7, "score": 0.5}
    texts = [
        json.dumps({"size": SIZE_HW, "objects": [good | {"state": "accepted"}, {"rle": "!!"}, {"label": "no mask"}]}),
        "{nothing",
        json.dumps({"size": [0, 4]}),
        "[1]",
    ]
    rows.loc[:3, FRONT] = texts
    rows.to_parquet(path)

    (frame,), told = read(tmp_path / "out")

    (mask,) = frame.masks
    assert (mask.record.label, mask.record.track, mask.status) == ("mug", "7", "accepted")
    assert mask.record.scores.predicted_iou == 0.5
    assert (mask.record.provenance.method, mask.record.provenance.source) == ("imported", "out (lerobot)")
    assert frame.ref == FrameRef(
        dataset="out", episode="episode_000000", camera="front", frame_index=0, timestamp_s=0.0
    )
    assert frame.name == "episode_000000/front/frame_000000.png"
    assert len(told.skipped) == 5


def test_a_data_set_without_masks_is_refused_as_masks(tmp_path):
    source = write_lerobot(tmp_path / "stacking")

    with pytest.raises(InputError, match="has no masks"):
        read(source)


def test_pictures_of_several_sizes_are_told_as_columns_and_refused_as_video(tmp_path):
    frames = [frame_of("e", "front", 0), frame_of("e", "front", 1, size_hw=(30, 40))]

    told = write(frames, tmp_path / "columns")

    assert [one.what for one in told.losses] == ["one size for all pictures of a camera, which LeRobot's batches need"]
    with pytest.raises(SettingError, match="pictures of one size"):
        write(frames, tmp_path / "video", pictures="video")
    with pytest.raises(SettingError, match="needs every picture"):
        write([frames[0], frame_of("e", "front", 1, open_image=False)], tmp_path / "video", pictures="video")
    with pytest.raises(SettingError, match="even height and width"):
        write([frame_of("e", "front", 0, size_hw=(47, 64))], tmp_path / "video", pictures="video")


def test_another_version_is_refused(tmp_path):
    with pytest.raises(SettingError, match="written as v3.0 or v2.1; got 'v4'"):
        write([plain_frame()], tmp_path / "out", version="v4")
