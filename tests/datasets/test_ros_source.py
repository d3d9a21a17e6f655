"""Logs of ROS and Foxglove, written by the libraries that own the formats."""

import base64
import builtins
import io
import json
import struct

import cv2
import numpy as np
import pytest
from mcap.writer import Writer as McapWriter
from mcap_ros2.writer import Writer as Ros2Writer
from rosbags.rosbag1 import Writer as Bag1Writer
from rosbags.rosbag2 import Writer as Bag2Writer
from rosbags.typesys import Stores, get_typestore

from maskwright.core.errors import ImageError, InputError
from maskwright.datasets import open_source
from maskwright.datasets.ros_messages import CompressedPicture, RawPicture, parser_for
from maskwright.datasets.ros_pictures import depth_m_from, rgb_from
from maskwright.datasets.wire_format import FIXED32, VARINT, tagged, varint_bytes
from robot_data import SIZE_HW, encoded, picture, png, shows

START = 1_700_000_000_000_000_000
HEADER = """
std_msgs/Header header
"""
HEADER_PARTS = """
================================================================================
MSG: std_msgs/Header
builtin_interfaces/Time stamp
string frame_id
================================================================================
MSG: builtin_interfaces/Time
int32 sec
uint32 nanosec
"""
FIELDS = "uint32 height\nuint32 width\nstring encoding\nuint8 is_bigendian\nuint32 step\nuint8[] data"
IMAGE = HEADER + FIELDS + HEADER_PARTS
COMPRESSED = HEADER + "string format\nuint8[] data" + HEADER_PARTS
COLOR, WRIST, DEPTH = "/cam/color/image_raw", "/wrist/image/compressed", "/cam/depth/image_rect_raw"


def header(stamp_ns):
    return {"stamp": {"sec": stamp_ns // 10**9, "nanosec": stamp_ns % 10**9}, "frame_id": "camera_käse"}


def image(stamp_ns, pixels, encoding, padding=0):
    height, width = pixels.shape[:2]
    raw = pixels.reshape(height, -1).view(np.uint8)
    rows = np.pad(raw, ((0, 0), (0, padding)))
    size = {"height": height, "width": width, "step": rows.shape[1]}
    return {"header": header(stamp_ns), **size, "encoding": encoding, "is_bigendian": 0, "data": rows.tobytes()}


def compressed(stamp_ns, content, kind):
    return {"header": header(stamp_ns), "format": kind, "data": content}


def write_mcap(path, *, count=6, period_ns=100_000_000):
    """A colour camera of 10 Hz with depth, and a wrist camera of 5 Hz that is a little late."""
    with path.open("wb") as file:
        writer = Ros2Writer(file)
        types = {
            name: writer.register_msgdef(f"sensor_msgs/msg/{name}", text)
            for name, text in (("Image", IMAGE), ("CompressedImage", COMPRESSED))
        }
        other = writer.register_msgdef("std_msgs/msg/String", "string data")
        for number in range(count):
            stamp = START + number * period_ns
            now = {"log_time": stamp + 5_000_000, "publish_time": stamp}
            writer.write_message("/chatter", other, {"data": "hello"}, **now)
            writer.write_message(COLOR, types["Image"], image(stamp, picture(number), "rgb8", padding=7), **now)
            depth = np.full(SIZE_HW, 1000 + number, np.uint16)
            writer.write_message(DEPTH, types["Image"], image(stamp + 1_000_000, depth, "16UC1"), **now)
            if number % 2 == 0:
                content = encoded(picture(number, 50), "JPEG")
                late = compressed(stamp + 20_000_000, content, "rgb8; jpeg compressed bgr8")
                now = {"log_time": stamp + 30_000_000, "publish_time": stamp}
                writer.write_message(WRIST, types["CompressedImage"], late, **now)
        writer.finish()
    return path


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return write_mcap(tmp_path_factory.mktemp("logs") / "run 1.mcap")


def numbers(frames):
    return [one.ref.frame_index for one in frames]


def test_each_topic_of_pictures_is_a_camera_and_the_fastest_the_clock(log):
    source = open_source(log)

    (episode,) = source.episodes
    assert (source.name, episode.key, episode.num_frames, episode.fps) == ("run 1.mcap", "run 1", 6, 10)
    assert episode.cameras == (COLOR, WRIST)


@pytest.mark.parametrize("which", [{}, {"start": 2}, {"start": 1, "stop": 5, "stride": 2}])
def test_frames_have_their_colours_their_depth_and_their_times(log, which):
    source = open_source(log)
    wanted = list(range(6))[which.get("start", 0) : which.get("stop") : which.get("stride", 1)]

    frames = list(source.frames(source.episodes[0], COLOR, **which))

    assert numbers(frames) == wanted
    assert all(shows(one.image.pixels, one.ref.frame_index) for one in frames)
    assert [float(one.image.depth_m[0, 0]) for one in frames] == pytest.approx([1 + i / 1000 for i in wanted])
    assert [one.ref.timestamp_s for one in frames] == pytest.approx([i / 10 for i in wanted])


def test_the_log_knows_when_frames_were_taken_unless_its_clock_is_a_simulators(log, monkeypatch):
    source = open_source(log)
    (last,) = source.frames(source.episodes[0], COLOR, start=5)

    assert source.captured_at(last.ref).timestamp() == pytest.approx(START / 1e9 + 0.5, abs=1e-5)
    monkeypatch.setattr("maskwright.datasets.ros_source._FIRST_CALENDAR_NS", START * 2)
    assert source.captured_at(last.ref) is None


def test_a_slower_camera_has_pictures_in_some_frames_only(log):
    source = open_source(log)

    frames = list(source.frames(source.episodes[0], WRIST))

    assert numbers(frames) == [0, 2, 4]
    assert all(shows(one.image.pixels, one.ref.frame_index, 50) for one in frames)
    assert numbers(source.frames(source.episodes[0], WRIST, start=1, stride=3)) == [4]


def test_a_log_that_was_cut_off_is_read_as_far_as_it_goes(log, tmp_path, caplog):
    with (tmp_path / "small chunks.mcap").open("wb") as file:
        writer = McapWriter(file, chunk_size=20_000)
        writer.start()
        schema = writer.register_schema("foxglove.CompressedImage", "jsonschema", b"{}")
        channel = writer.register_channel("/cam", "json", schema)
        for number in range(30):
            stamp = START + number * 50_000_000
            data = base64.b64encode(png(np.random.default_rng(number).integers(0, 255, (40, 40, 3), np.uint8)))
            told = {"timestamp": {"sec": stamp // 10**9, "nsec": stamp % 10**9}, "format": "png", "data": data.decode()}
            writer.add_message(channel, stamp, json.dumps(told).encode(), stamp)
        writer.finish()
    whole = (tmp_path / "small chunks.mcap").read_bytes()
    path = tmp_path / "cut.mcap"
    path.write_bytes(whole[: len(whole) // 2])

    source = open_source(path)

    (episode,) = source.episodes
    assert 5 < episode.num_frames < 25
    assert numbers(source.frames(episode, "/cam", start=3)) == list(range(3, episode.num_frames))
    assert "cut off and is read as far as it goes" in caplog.text


def proto_stamp(stamp_ns):
    return (
        bytes([1 << 3 | VARINT])
        + varint_bytes(stamp_ns // 10**9)
        + bytes([2 << 3 | VARINT])
        + varint_bytes(stamp_ns % 10**9)
    )


def fixed32(field, value):
    return bytes([field << 3 | FIXED32]) + struct.pack("<I", value)


def test_foxgloves_protobuf_pictures_are_read(tmp_path):
    with (tmp_path / "a.mcap").open("wb") as file:
        writer = McapWriter(file)
        writer.start()
        schemas = {
            name: writer.register_schema(f"foxglove.{name}", "protobuf", b"")
            for name in ("RawImage", "CompressedImage")
        }
        raw = writer.register_channel("/raw", "protobuf", schemas["RawImage"])
        small = writer.register_channel("/small", "protobuf", schemas["CompressedImage"])
        for number in range(3):
            stamp = START + number * 10**8
            height, width = SIZE_HW
            pixels = picture(number)[:, :, ::-1].tobytes()
            message = tagged(1, proto_stamp(stamp)) + fixed32(2, width) + fixed32(3, height)
            message += tagged(4, b"bgr8") + fixed32(5, width * 3) + tagged(6, pixels)
            writer.add_message(raw, stamp, message, stamp)
            message = tagged(1, proto_stamp(stamp)) + tagged(2, encoded(picture(number), "PNG")) + tagged(3, b"png")
            writer.add_message(small, stamp, message, stamp)
        writer.finish()

    source = open_source(tmp_path / "a.mcap")

    for camera in ("/raw", "/small"):
        frames = list(source.frames(source.episodes[0], camera))
        assert [shows(one.image.pixels, number) for number, one in enumerate(frames)] == [True] * 3
        assert [one.ref.timestamp_s for one in frames] == pytest.approx([0, 0.1, 0.2])


def write_bag(path, version, count=4):
    types = get_typestore(Stores.ROS1_NOETIC if version == 1 else Stores.ROS2_HUMBLE)
    message_type = "sensor_msgs/msg/Image"
    writer = Bag1Writer(path) if version == 1 else Bag2Writer(path, version=9)
    classes = types.types
    with writer:
        connection = writer.add_connection(COLOR, message_type, typestore=types)
        for number in range(count):
            stamp = START + number * 10**8
            time = classes["builtin_interfaces/msg/Time"](sec=stamp // 10**9, nanosec=stamp % 10**9)
            words = {"seq": number} if version == 1 else {}
            about = classes["std_msgs/msg/Header"](stamp=time, frame_id="camera", **words)
            height, width = SIZE_HW
            message = classes[message_type](
                header=about,
                height=height,
                width=width,
                encoding="rgb8",
                is_bigendian=0,
                step=3 * width,
                data=picture(number).reshape(-1),
            )
            content = (
                types.serialize_ros1(message, message_type)
                if version == 1
                else types.serialize_cdr(message, message_type)
            )
            writer.write(connection, stamp, content)
    return path


@pytest.mark.parametrize("version", [1, 2])
def test_bags_of_both_ros_are_read(tmp_path, version):
    path = write_bag(tmp_path / ("run.bag" if version == 1 else "run"), version)

    source = open_source(path)
    (episode,) = source.episodes
    frames = list(source.frames(episode, COLOR, start=1))

    assert (episode.key, episode.num_frames, episode.fps) == ("run", 4, 10)
    assert numbers(frames) == [1, 2, 3]
    assert all(shows(one.image.pixels, one.ref.frame_index) for one in frames)
    assert len(open_source(tmp_path).episodes) == 1


def test_a_folder_of_logs_leaves_the_broken_one_out(tmp_path, caplog):
    write_mcap(tmp_path / "b.mcap", count=2)
    write_bag(tmp_path / "a.bag", 1)
    write_bag(tmp_path / "c", 2)
    (tmp_path / "d.mcap").write_bytes(b"nothing")

    source = open_source(tmp_path)

    assert sorted(one.key for one in source.episodes) == ["a", "b", "c"]
    assert "d.mcap" in caplog.text


def test_clocks_that_do_not_agree_with_the_log_are_not_believed(tmp_path):
    with (tmp_path / "a.mcap").open("wb") as file:
        writer = Ros2Writer(file)
        kind = writer.register_msgdef("sensor_msgs/msg/Image", IMAGE)
        for number in range(3):
            writer.write_message(COLOR, kind, image(0, picture(number), "rgb8"), log_time=START + number * 10**9)
        writer.finish()

    source = open_source(tmp_path / "a.mcap")

    assert [one.ref.timestamp_s for one in source.frames(source.episodes[0], COLOR)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("rgb8", lambda rgb: rgb),
        ("bgr8", lambda rgb: rgb[:, :, ::-1]),
        ("rgba8", lambda rgb: np.dstack([rgb, np.full(rgb.shape[:2], 9, np.uint8)])),
        ("bgra8", lambda rgb: np.dstack([rgb[:, :, ::-1], np.full(rgb.shape[:2], 9, np.uint8)])),
        ("yuv422_yuy2", lambda rgb: cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_YUY2)),
        ("yuv422", lambda rgb: cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_UYVY)),
        ("bayer_rggb8", lambda rgb: mosaic(rgb, (0, 1, 1, 2))),
        ("bayer_bggr8", lambda rgb: mosaic(rgb, (2, 1, 1, 0))),
        ("bayer_gbrg8", lambda rgb: mosaic(rgb, (1, 2, 0, 1))),
        ("bayer_grbg8", lambda rgb: mosaic(rgb, (1, 0, 2, 1))),
    ],
)
@pytest.mark.parametrize("padding", [0, 5])
def test_encodings_give_the_colours_that_they_hold(encoding, pack, padding):
    rows = np.ascontiguousarray(pack(picture(3))).reshape(SIZE_HW[0], -1)
    padded = np.pad(rows, ((0, 0), (0, padding)))
    height, width = SIZE_HW
    raw = RawPicture(
        stamp_ns=0,
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=False,
        step=padded.shape[1],
        data=padded.tobytes(),
    )

    assert shows(rgb_from(raw, "here"), 3)


def mosaic(rgb, channels):
    """Keep one channel a pixel, in the order of a 2 x 2 block."""
    block = np.array(channels).reshape(2, 2)
    y, x = np.indices(rgb.shape[:2])
    return rgb[y, x, block[y % 2, x % 2]]


def raw_of(values, encoding, *, is_bigendian=False):
    height, width = values.shape
    data = values.tobytes()
    size = {"height": height, "width": width, "step": len(data) // height}
    return RawPicture(stamp_ns=0, encoding=encoding, is_bigendian=is_bigendian, data=data, **size)


def test_depth_is_in_metres_whatever_it_is_packed_in():
    millimetres = np.array([[0, 1500], [2500, 65535]], np.uint16)
    wanted = np.array([[np.nan, 1.5], [2.5, 65.535]], np.float32)
    packed_png = encoded(millimetres, "PNG")
    metres = np.array([[0.5, np.nan], [2.0, 0.0]], np.float32)
    a, b = 100.0, -1.0
    codes = np.where(np.nan_to_num(metres) > 0, np.rint(a / np.where(metres > 0, metres, 1) + b), 0).astype(np.uint16)

    def unpack(kind, content):
        return depth_m_from(CompressedPicture(stamp_ns=0, format=kind, data=content), "here")

    for got in (
        depth_m_from(raw_of(millimetres, "16UC1"), "here"),
        depth_m_from(raw_of(millimetres.astype(">u2"), "16UC1", is_bigendian=True), "here"),
        unpack("16UC1; compressedDepth png", struct.pack("<iff", 0, 0, 0) + packed_png),
        unpack("16UC1; png compressed ", packed_png),
    ):
        np.testing.assert_allclose(got, wanted, rtol=1e-6)
    inverse = unpack("32FC1; compressedDepth png", struct.pack("<iff", 0, a, b) + encoded(codes, "PNG"))
    np.testing.assert_allclose(inverse, np.array([[0.5, np.nan], [2.0, np.nan]]), rtol=0.02)
    np.testing.assert_array_equal(
        depth_m_from(raw_of(metres, "32FC1"), "here"), np.array([[0.5, np.nan], [2.0, np.nan]], np.float32)
    )


def test_damaged_and_unknown_pictures_are_refused_in_a_line():
    short = raw_of(np.zeros((4, 4), np.uint8), "rgb8")
    odd = raw_of(np.zeros((4, 4), np.uint8), "16SC3")
    broken = CompressedPicture(stamp_ns=0, format="jpeg", data=b"\xff\xd8\xff nothing")
    rvl = CompressedPicture(stamp_ns=0, format="16UC1; compressedDepth rvl", data=bytes(40))

    with pytest.raises(ImageError, match="4 x 4 rgb8 pixels need 48 bytes, got 16: here"):
        rgb_from(short, "here")
    with pytest.raises(ImageError, match="the image encoding '16SC3' is not known"):
        rgb_from(odd, "here")
    with pytest.raises(ImageError, match="damaged.*: here$"):
        rgb_from(broken, "here")
    with pytest.raises(ImageError, match="depth must be packed as PNG, got '16UC1; compressedDepth rvl': here"):
        depth_m_from(rvl, "here")


def test_messages_of_other_byte_orders_are_read():
    parse = parser_for("sensor_msgs/msg/CompressedImage", "cdr")
    big = b"\0\0\0\0" + struct.pack(">II", 5, 7) + struct.pack(">I", 2) + b"c\0" + b"\0\0"
    big += struct.pack(">I", 5) + b"jpeg\0" + b"\0\0\0" + struct.pack(">I", 3) + b"abc"

    assert parse(big) == CompressedPicture(stamp_ns=5_000_000_007, format="jpeg", data=memoryview(b"abc"))


def test_a_log_without_pictures_is_refused(tmp_path):
    path = tmp_path / "a.mcap"
    with path.open("wb") as file:
        writer = Ros2Writer(file)
        writer.write_message("/chatter", writer.register_msgdef("std_msgs/msg/String", "string data"), {"data": "a"})
        writer.finish()

    with pytest.raises(InputError, match="the log has no pictures"):
        open_source(path)


@pytest.mark.parametrize(("name", "library"), [("a.mcap", "mcap"), ("a.bag", "rosbags")])
def test_without_the_library_the_way_to_it_is_told(tmp_path, monkeypatch, name, library):
    (tmp_path / name).write_bytes(b"")
    ordinary = builtins.__import__

    def without(module, *rest):
        if module.partition(".")[0] == library:
            raise ImportError(module)
        return ordinary(module, *rest)

    monkeypatch.setattr(builtins, "__import__", without)

    with pytest.raises(InputError, match=r"pip install 'maskwright\[ros\]'"):
        open_source(tmp_path / name)


@pytest.mark.parametrize("name", ["a.mcap", "a.bag"])
def test_what_is_no_log_is_refused_in_a_line(tmp_path, name):
    (tmp_path / name).write_bytes(io.BytesIO(b"nothing of the kind").getvalue())

    with pytest.raises(InputError) as caught:
        open_source(tmp_path / name)

    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(str(tmp_path / name))
