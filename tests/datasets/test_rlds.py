"""RLDS data sets: those of others as frames, and ours with masks."""

import io
import json
import warnings

import numpy as np
import pytest
from PIL import Image as PillowImage

from maskwright.core.errors import ImageError, InputError
from maskwright.core.image import FrameRef, Image
from maskwright.datasets import open_source, rlds
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.loss_report import LossLog
from maskwright.masks import decode, encode
from maskwright.testing.adapter_contract import AdapterContract
from robot_data import SIZE_HW, TASKS, mask_of, picture, png, shows, write_rlds, write_tfrecord

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from tfrecord import example_pb2, reader


class TestRlds(AdapterContract):
    format_name = "rlds"


@pytest.fixture(scope="module", params=["jpeg", "png"])
def dataset(request, tmp_path_factory):
    return write_rlds(tmp_path_factory.mktemp("sets") / "kitchen" / "1.0.0", encoding=request.param)


def test_every_split_and_shard_is_an_episode_a_record(dataset):
    source = open_source(dataset)

    assert source.name == "kitchen"
    assert [(one.key, one.num_frames) for one in source.episodes] == [
        (f"{split}_{number:06d}", (4, 0, 3)[number % 3]) for split in ("train", "val") for number in range(6)
    ]
    assert source.episodes[0].task == TASKS[1]
    assert source.episodes[1].task is None
    assert {one.cameras for one in source.episodes} == {("image", "wrist_image")}


def test_every_step_is_the_frame_of_its_number(dataset):
    source = open_source(dataset)

    for number, episode in enumerate(source.episodes):
        for camera, shift in (("image", 0), ("wrist_image", 50)):
            frames = list(source.frames(episode, camera))
            assert [one.ref.frame_index for one in frames] == list(range(episode.num_frames))
            assert all(shows(one.image.pixels, 100 * number + one.ref.frame_index, shift) for one in frames)
    strided = source.frames(source.episodes[0], "image", start=1, stride=2)
    assert [one.ref.frame_index for one in strided] == [1, 3]


def test_float_depth_comes_with_its_camera(dataset):
    source = open_source(dataset)

    wrist = list(source.frames(source.episodes[0], "wrist_image"))

    assert [float(one.image.depth_m[5, 5]) for one in wrist] == [0.5, 1.5, 2.5, 3.5]
    assert next(source.frames(source.episodes[0], "image")).image.depth_m is None


@pytest.mark.parametrize("above", [0, 1, 2])
def test_a_data_set_is_found_by_its_version_its_name_and_its_folder(dataset, above):
    path = [dataset, *dataset.parents][above]

    assert len(open_source(path).episodes) == 12


def test_a_tfrecord_file_alone_is_enough(tmp_path):
    root = write_rlds(tmp_path / "set", described=False)

    source = open_source(root / "kitchen-val.tfrecord-00001-of-00002")

    assert [one.key for one in source.episodes] == ["val_000000", "val_000001", "val_000002"]
    assert source.episodes[0].cameras == ("image", "wrist_image")
    assert shows(next(source.frames(source.episodes[0], "image")).image.pixels, 900)


def test_missing_shards_leave_the_numbers_of_the_others(tmp_path, caplog):
    root = write_rlds(tmp_path / "set")
    (root / "kitchen-train.tfrecord-00000-of-00002").unlink()

    source = open_source(root)

    assert source.episodes[0].key == "train_000003"
    assert shows(next(source.frames(source.episodes[0], "image")).image.pixels, 300)
    assert "1 of the data set's files are missing" in caplog.text


def test_a_damaged_record_is_refused_when_it_is_read(tmp_path):
    root = write_rlds(tmp_path / "set", shards=1, splits=("train",))
    path = root / "kitchen-train.tfrecord-00000-of-00001"
    raw = bytearray(path.read_bytes())
    raw[raw.rindex(b"IDAT") + 8] ^= 255  # in the last picture: names stand elsewhere each time
    path.write_bytes(raw)
    source = open_source(root)

    assert len(list(source.frames(source.episodes[0], "image"))) == 4
    with pytest.raises(InputError, match="record 2 is damaged: its checksum"):
        next(source.frames(source.episodes[2], "image"))


def test_a_shard_that_was_cut_off_is_read_as_far_as_it_goes(tmp_path, caplog):
    root = write_rlds(tmp_path / "set", shards=1, splits=("train",))
    path = root / "kitchen-train.tfrecord-00000-of-00001"
    path.write_bytes(path.read_bytes()[:-50])

    source = open_source(root)

    assert len(source.episodes) == 2
    assert "cut off in record 2" in caplog.text


def test_one_unreadable_picture_is_named(tmp_path):
    path = tmp_path / "a.tfrecord"
    example = example_pb2.Example()
    pictures = example.features.feature["steps/observation/image"].bytes_list.value
    pictures.extend([png(picture(0)), png(picture(1))[:50]])
    with path.open("wb") as file:
        write_tfrecord(file, example.SerializeToString())
    source = open_source(path)
    frames = source.frames(source.episodes[0], "image")
    next(frames)

    with pytest.raises(ImageError, match="step 1 of image in all_000000: the picture is damaged") as caught:
        next(frames)

    assert str(caught.value).endswith(str(path))


def test_several_data_sets_are_not_guessed_between(tmp_path):
    write_rlds(tmp_path / "kitchen" / "1.0.0")
    write_rlds(tmp_path / "kitchen" / "2.0.0")

    with pytest.raises(InputError, match=r"got 2 \(1\.0\.0, 2\.0\.0\)\. Name one of them"):
        open_source(tmp_path / "kitchen")


def frame_of(camera, number, *, size_hw=SIZE_HW):
    squares = [np.zeros(size_hw, bool) for _ in range(2)]
    squares[0][2:20, 2:20] = True
    squares[1][10:30, 10 + number : 30] = True  # over the first
    return LabelledFrame(
        name=f"{camera}-{number}",
        size_hw=size_hw,
        masks=tuple(mask_of(one, label="杯子", track=str(at)) for at, one in enumerate(squares)),
        ref=FrameRef(dataset="any", episode="pick", camera=camera, frame_index=number),
        open_image=lambda: Image(picture(number, size_hw=size_hw)),
    )


def write(frames, out, **options):
    log = LossLog()
    rlds.write(frames, out, log=log, **options)
    return log.report()


def test_another_reader_finds_id_maps_that_agree_with_the_texts(tmp_path):
    frames = [frame_of(camera, number) for camera in ("front", "wrist") for number in (0, 5)]
    write(frames, tmp_path / "Mugs on 桌")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = tmp_path / "Mugs on 桌" / "mugs_on-train.tfrecord-00000-of-00001"
        (record,) = [example_pb2.Example.FromString(bytes(one)) for one in reader.tfrecord_iterator(str(path))]
    feature = record.features.feature

    assert list(feature["steps/is_first"].int64_list.value) == [1, 0]
    assert list(feature["steps/is_last"].int64_list.value) == [0, 1]
    for step, frame in enumerate(frames[:2]):
        with PillowImage.open(io.BytesIO(feature["steps/observation/front_mask"].bytes_list.value[step])) as opened:
            assert opened.mode == "I;16"
            ids = np.array(opened)
        first, second = (decode(one.record.rle) for one in frame.masks)
        assert (ids == np.where(second, 2, first)).all()
        told = json.loads(feature["steps/mask_rle"].bytes_list.value[step])
        assert sorted(told) == ["front", "wrist"]
        assert [one["label"] for one in told["front"]["objects"]] == ["杯子", "杯子"]
        with PillowImage.open(io.BytesIO(feature["steps/observation/front"].bytes_list.value[step])) as opened:
            assert (np.array(opened) == frame.open_image().pixels).all()


def test_the_description_is_that_of_tfds(tmp_path):
    told = write([frame_of("front", 0), frame_of("front", 1)], tmp_path / "mugs", pictures="jpeg")

    info = json.loads((tmp_path / "mugs" / "dataset_info.json").read_text())
    features = json.loads((tmp_path / "mugs" / "features.json").read_text())["featuresDict"]["features"]
    step = features["steps"]["sequence"]["feature"]["featuresDict"]["features"]

    assert (info["name"], info["fileFormat"], info["splits"][0]["shardLengths"]) == ("mugs", "tfrecord", ["1"])
    assert step["observation"]["featuresDict"]["features"]["front_mask"]["image"] == {
        "shape": {"dimensions": ["48", "64", "1"]},
        "dtype": "uint16",
        "encodingFormat": "png",
    }
    assert step["observation"]["featuresDict"]["features"]["front"]["image"]["encodingFormat"] == "jpeg"
    assert [one.what for one in told.losses] == ["exact pixels of pictures, which are written as JPEG"]


def test_sizes_that_differ_are_any_size(tmp_path):
    write([frame_of("front", 0), frame_of("front", 1, size_hw=(40, 50))], tmp_path / "mugs")

    assert '"-1"' in (tmp_path / "mugs" / "features.json").read_text()
    source = open_source(tmp_path / "mugs")
    assert [one.image.size_hw for one in source.frames(source.episodes[0], "front")] == [SIZE_HW, (40, 50)]


def test_a_camera_without_a_frame_in_a_step_has_no_masks_there(tmp_path):
    frames = [frame_of("front", 0), frame_of("front", 1), frame_of("wrist", 1)]
    write(frames, tmp_path / "mugs")

    back = list(rlds.read(tmp_path / "mugs", log=LossLog()))

    assert sorted(one.name for one in back) == sorted(one.name for one in frames)
    assert open_source(tmp_path / "mugs").episodes[0].num_frames == 2


def test_id_maps_of_others_are_masks_without_labels(tmp_path):
    ids = np.zeros(SIZE_HW, np.uint16)
    ids[:10], ids[20:30] = 3, 700
    example = example_pb2.Example()
    feature = example.features.feature
    feature["steps/observation/image"].bytes_list.value.append(png(picture(0)))
    feature["steps/observation/image_mask"].bytes_list.value.append(png(ids))
    path = tmp_path / "theirs-train.tfrecord"
    with path.open("wb") as file:
        write_tfrecord(file, example.SerializeToString())

    (frame,) = rlds.read(path, log=LossLog())

    assert {one.record.track: one.record.rle for one in frame.masks} == {
        "3": encode(ids == 3),
        "700": encode(ids == 700),
    }
    assert {one.record.provenance.method for one in frame.masks} == {"imported"}
    assert shows(frame.open_image().pixels, 0)


def test_a_damaged_episode_is_left_out_and_told(tmp_path):
    frames = [frame_of("front", 0)]
    write(frames, tmp_path / "mugs")
    (path,) = (tmp_path / "mugs").glob("*.tfrecord*")
    raw = bytearray(path.read_bytes())
    raw[raw.rindex(b"IDAT") + 8] ^= 255  # in the last picture: names stand elsewhere each time
    path.write_bytes(raw)
    log = LossLog()

    assert list(rlds.read(tmp_path / "mugs", log=log)) == []
    assert [(one.item, "checksum" in one.reason) for one in log.report().skipped] == [("train_000000", True)]
