"""The ROS 2 example: its core on messages of `rosbags`, a bag through it, and the node beside a stand-in for rclpy."""

import importlib.util
import json
import sys
import types
from array import array
from pathlib import Path

import numpy as np
import pytest
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import Writer
from rosbags.typesys import Stores, get_typestore

from maskwright.core.errors import ImageError
from maskwright.masks import decode
from maskwright.robot.perceiver import Perceiver
from maskwright.robot.perceiver_values import PerceiverSettings
from maskwright.robot.perceiver_worker import LaggedWorker
from sliding_scene import SIZE_HW, Clock, Oracle, picture, truth

PATH = Path(__file__).parent.parent / "examples" / "ros2_perceiver_node.py"
TYPES = get_typestore(Stores.ROS2_HUMBLE)
BEGIN_NS = 1_700_000_000_000_000_000
PERIOD_NS = 33_333_333


@pytest.fixture(scope="module")
def node():
    spec = importlib.util.spec_from_file_location("ros2_perceiver_node", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def stamp_ns(number):
    return BEGIN_NS + number * PERIOD_NS


def message(number, pixels=None, encoding="rgb8", *, at_ns=None):
    pixels = picture(number) if pixels is None else pixels
    sec, nanosec = divmod(stamp_ns(number) if at_ns is None else at_ns, 1_000_000_000)
    types_of = TYPES.types
    stamp = types_of["builtin_interfaces/msg/Time"](sec=sec, nanosec=nanosec)
    content = np.frombuffer(np.ascontiguousarray(pixels).tobytes(), np.uint8)
    return types_of["sensor_msgs/msg/Image"](
        header=types_of["std_msgs/msg/Header"](stamp=stamp, frame_id="wrist"),
        height=pixels.shape[0], width=pixels.shape[1], encoding=encoding, is_bigendian=0,
        step=len(content) // pixels.shape[0], data=content,
    )  # fmt: skip


def depth_message(number, depth_mm):
    return message(number, depth_mm, "16UC1")


def make_core(node, *, lag=1, clock=None, **settings):
    settings = PerceiverSettings(**{"flow_side": 160, "budget_ms": 1000, **settings})
    perceiver = Perceiver(worker=LaggedWorker(Oracle(), lag=lag), settings=settings, clock=clock or Clock())
    perceiver.add("mug", mask=truth("mug", 0))
    perceiver.add("cup", box=(10, 70, 40, 100))
    return node.Core(perceiver)


def run(core, numbers, late_ns=0):
    return [core.on_image(message(n), stamp_ns(n) + late_ns) for n in numbers]


def said(node, answer):
    return json.loads(node.objects_message(answer, node.bag_messages()).data)


def numbers_of(node, answer):
    drawn = node.mask_message(answer, node.bag_messages())
    assert (drawn.encoding, drawn.step, drawn.height, drawn.width) == ("mono8", SIZE_HW[1], *SIZE_HW)
    return drawn.data.reshape(drawn.height, drawn.width)


def test_masks_are_numbers_of_objects_with_the_stamp_of_their_picture(node):
    answer = run(make_core(node), range(4))[-1]

    drawn, objects = numbers_of(node, answer), said(node, answer)

    state = answer.state
    assert np.array_equal(drawn == 1, decode(state["mug"].rle) & ~decode(state["cup"].rle))
    assert np.array_equal(drawn == 2, decode(state["cup"].rle))
    assert objects["stamp"]["sec"] * 1_000_000_000 + objects["stamp"]["nanosec"] == stamp_ns(3)
    assert [one["status"] for one in objects["objects"]] == ["fresh", "fresh"]
    assert objects["objects"][0]["box_xyxy"] == list(state["mug"].box_xyxy)
    assert objects["notices"] == {}


@pytest.mark.parametrize(("encoding", "order"), [("rgb8", [0, 1, 2]), ("bgr8", [2, 1, 0])])
def test_pixels_arrive_as_they_were_sent(node, encoding, order):
    raw = node.picture_of(message(3, picture(3)[:, :, order], encoding))

    assert np.array_equal(node.rgb_from(raw, "here"), picture(3))
    assert raw.stamp_ns == stamp_ns(3)


def test_an_array_of_ros_is_taken_as_well(node):
    sent = message(3)
    sent.data = array("B", sent.data.tobytes())

    assert np.array_equal(node.rgb_from(node.picture_of(sent), "here"), picture(3))


def test_a_picture_that_comes_late_has_no_fresh_mask(node):
    core = make_core(node, stale_ms=600)
    late = run(core, range(4), late_ns=700_000_000)[-1]

    objects = said(node, late)

    assert late.state["mug"].status == "fresh"
    assert {one["status"] for one in objects["objects"]} == {"stale"}
    assert objects["objects"][0]["why"] == "the picture came 700 ms late"
    assert objects["objects"][0]["age_ms"] > 700
    assert "box_xyxy" not in objects["objects"][0]
    assert not numbers_of(node, late).any()


def test_a_stale_mask_is_not_drawn(node):
    core = make_core(node, lag=1000, fresh_ms=100, stale_ms=200)

    last = run(core, range(9))[-1]

    assert last.state["mug"].status == "stale"
    assert decode(last.state["mug"].rle).any()
    assert not numbers_of(node, last).any()


def test_a_camera_that_stalls_is_told_between_two_pictures(node):
    clock = Clock()
    core = make_core(node, clock=clock)
    assert core.on_timer() is None
    for number in range(4):
        run(core, [number])
        clock.now_s += 1 / 30

    clock.now_s += 3
    objects = said(node, core.on_timer())

    assert "camera_stalled" in objects["notices"]
    assert {one["status"] for one in objects["objects"]} == {"stale"}


def test_stamps_of_another_clock_are_told_and_not_taken_for_lateness(node):
    answer = make_core(node).on_image(message(0, at_ns=5_000_000_000), stamp_ns(0))

    objects = said(node, answer)

    assert objects["late_ms"] is None
    assert "another clock" in objects["notices"]["other_clock"]
    assert objects["objects"][0]["status"] == "fresh"


def test_depth_of_the_same_moment_gives_distance(node):
    core = make_core(node)
    for number in range(3):
        core.on_depth(depth_message(number, np.full(SIZE_HW, 750, np.uint16)))
        near = core.on_image(message(number), stamp_ns(number))
    later = core.on_image(message(3), stamp_ns(3))

    assert said(node, near)["objects"][0]["distance_m"] == 0.75
    assert "distance_m" not in said(node, later)["objects"][0]


def test_depth_of_another_size_is_refused_and_masks_go_on(node):
    core = make_core(node)
    core.on_depth(depth_message(0, np.full((60, 80), 750, np.uint16)))

    objects = said(node, core.on_image(message(0), stamp_ns(0)))

    assert objects["notices"]["depth_refused"].startswith("it has 80 x 60 pixels, the picture 160 x 120")
    assert objects["objects"][0]["status"] == "fresh"


def test_what_is_no_picture_is_an_error_of_one_line(node):
    with pytest.raises(ImageError, match="image encoding 'rgb16' is not known"):
        make_core(node).on_image(message(0, encoding="rgb16"), stamp_ns(0))


def write_bag(path, numbers):
    with Writer(path, version=9) as writer:
        topic = writer.add_connection("/camera", "sensor_msgs/msg/Image", typestore=TYPES)
        for number in numbers:
            content = TYPES.serialize_cdr(message(number), "sensor_msgs/msg/Image")
            writer.write(topic, stamp_ns(number) + 2_000_000, content)
    return path


def test_a_bag_goes_through_the_core_into_another_bag(node, tmp_path):
    bag = write_bag(tmp_path / "in", range(5))

    answers = list(node.replay(make_core(node), bag, tmp_path / "out", "/camera", None, speed=0))

    with AnyReader([tmp_path / "out"], default_typestore=TYPES) as reader:
        written = [(one.topic, reader.deserialize(content, one.msgtype)) for one, _, content in reader.messages()]
    drawn = [made for topic, made in written if topic == "/perceiver/masks"]
    told = [json.loads(made.data) for topic, made in written if topic == "/perceiver/objects"]
    assert len(answers) == len(drawn) == len(told) == 5
    assert drawn[4].header.stamp.nanosec == message(4).header.stamp.nanosec
    assert set(np.unique(drawn[4].data)) == {0, 1, 2}
    assert told[4]["late_ms"] == 2.0


def test_the_command_replays_a_bag_with_a_model(node, tmp_path, capsys):
    bag = write_bag(tmp_path / "in", range(2))

    node.main(["--object", "mug=10,20,40,50", "--image", "/camera", "--model", "test-sam", "--speed", "0",
               "--bag", str(bag), str(tmp_path / "out")])  # fmt: skip

    assert capsys.readouterr().out.splitlines()[0] == "0 mug: waiting"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--image", "/other", "--bag", "in", "out"], "the bag has no topic /other; it has /camera"),
        (["--bag", "missing", "out"], "there is no bag: missing"),
        ([], "rclpy is not there: it comes with ROS 2"),
        (["--object", "mug"], "argument --object: invalid named_box value: 'mug'"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(node, arguments, says, tmp_path, monkeypatch, capsys):
    write_bag(tmp_path / "in", range(1))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "rclpy", None)

    with pytest.raises(SystemExit) as left:
        node.main(["--object", "mug=10,20,40,50", "--model", "test-sam", *arguments])

    assert says in f"{left.value} {capsys.readouterr().err}"


class RosMessage:
    """What rosidl's classes do: keywords, and bytes only as an array."""

    def __init__(self, **fields):
        assert not isinstance(fields.get("data"), bytes | np.ndarray)
        self.__dict__.update(fields)


class RosNode:
    """A node that gives its subscribers some pictures when it is spun, and keeps what is published."""

    def __init__(self):
        self.published, self.callbacks, self.timers, self.warned = [], {}, [], []

    def create_publisher(self, kind, topic, qos):
        def publish(made):
            assert isinstance(made, kind)
            self.published.append((topic, made))

        return types.SimpleNamespace(publish=publish)

    def create_subscription(self, kind, topic, callback, qos):
        self.callbacks[topic] = callback

    def create_timer(self, period_s, callback):
        self.timers.append(callback)

    def get_clock(self):
        return types.SimpleNamespace(now=lambda: types.SimpleNamespace(nanoseconds=stamp_ns(0)))

    def get_logger(self):
        return types.SimpleNamespace(warning=lambda text, throttle_duration_sec: self.warned.append(text))

    def destroy_node(self):
        self.callbacks.clear()


def test_the_node_subscribes_publishes_and_goes_on_after_a_broken_picture(node, monkeypatch):
    made = RosNode()

    def spin(_):
        for number in range(3):
            made.callbacks["/depth"](depth_message(number, np.full(SIZE_HW, 750, np.uint16)))
            made.callbacks["/camera"](message(number))
        made.callbacks["/camera"](message(3, encoding="rgb16"))
        made.timers[0]()
        raise KeyboardInterrupt

    image, string = type("Image", (RosMessage,), {}), type("String", (RosMessage,), {})
    nothing = {"init": lambda args: None, "try_shutdown": lambda: None}
    rclpy = types.SimpleNamespace(create_node=lambda name: made, spin=spin, **nothing)
    for name, module in {
        "rclpy": rclpy, "rclpy.qos": types.SimpleNamespace(qos_profile_sensor_data=5),
        "sensor_msgs": types.SimpleNamespace(), "sensor_msgs.msg": types.SimpleNamespace(Image=image),
        "std_msgs": types.SimpleNamespace(), "std_msgs.msg": types.SimpleNamespace(String=string),
    }.items():  # fmt: skip
        monkeypatch.setitem(sys.modules, name, module)

    node.spin(make_core(node), "/camera", "/depth", [])

    assert [topic for topic, _ in made.published] == ["perceiver/masks", "perceiver/objects"] * 3
    assert json.loads(made.published[-1][1].data)["objects"][0]["distance_m"] == 0.75
    assert "image encoding 'rgb16' is not known" in made.warned[0]
