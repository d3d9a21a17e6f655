"""A ROS 2 node around `mw.Perceiver`: pictures in, masks and what is known of each object out.

python examples/ros2_perceiver_node.py --object mug=105,148,131,184 --image /camera/image_raw [--depth /camera/depth]
python examples/ros2_perceiver_node.py --object mug=105,148,131,184 --image /camera/image_raw --bag IN OUT

Subscribes to sensor_msgs/Image, and publishes `perceiver/masks` (sensor_msgs/Image, mono8: 0, or the number of the
object whose mask can be used there, from 1 in the order of --object) and `perceiver/objects` (std_msgs/String: JSON
with status, age, box and reason of every object). Both carry the stamp of the picture that they are about.

The node needs `rclpy`, which comes with ROS 2. With --bag the same core reads the folder of a bag and writes another,
with `pip install 'maskwright[ros]'` alone: that is what the tests do, and no test here ran beside a real ROS.
"""

import argparse
import json
import sys
import time
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import maskwright as mw
from maskwright.core.errors import ImageError, MaskwrightError
from maskwright.datasets.ros_messages import RawPicture
from maskwright.datasets.ros_pictures import depth_m_from, is_depth, rgb_from
from maskwright.masks import decode
from maskwright.robot.geometry import centroid_xy, distance_m
from maskwright.robot.perceiver_values import PerceivedObject, PerceiverState

MASKS, OBJECTS = "perceiver/masks", "perceiver/objects"
NO_ROS = (
    "rclpy is not there: it comes with ROS 2. Source its setup.bash and run this with its Python, "
    "or try it on a bag, without ROS: --bag IN OUT"
)
_PAIR_NS = 17_000_000  # depth belongs to a picture within half a period at 30 Hz
_OTHER_CLOCK_NS = 60_000_000_000  # stamps that are further off are of another clock, and say nothing of lateness
_PEEK_S = 0.1


@dataclass(frozen=True, kw_only=True)
class Messages:
    """The classes of messages, of ROS or of `rosbags`, and what each wants bytes as."""

    image: Any
    string: Any
    octets: Callable[[bytes], Any]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What is known after a picture, or between two.

    `late_ms` is how old the picture was when it came here, None where its stamp is of another clock. `trouble` is what
    the Perceiver does not see: words by kind.
    """

    state: PerceiverState
    header: Any
    late_ms: float | None
    stale_ms: float
    trouble: dict[str, str]

    def status(self, one: PerceivedObject) -> tuple[str, str]:
        """Say how an object is now, not when the picture was taken: what was fresh may have come too late."""
        if one.can_be_used and self.late_ms and (one.age_ms or 0.0) + self.late_ms > self.stale_ms:
            return "stale", f"the picture came {self.late_ms:.0f} ms late"
        return one.status, one.why

    def can_be_used(self, one: PerceivedObject) -> bool:
        """Whether a mask may be relied upon now."""
        return one.can_be_used and self.status(one)[0] != "stale"


class Core:
    """All of the node but ROS: messages in, answers out. Used from one thread."""

    def __init__(self, perceiver: mw.Perceiver) -> None:
        self._perceiver = perceiver
        self._depth: RawPicture | None = None
        self._header: Any = None
        self._late_ms: float | None = None
        self._trouble: dict[str, str] = {}

    def on_depth(self, message: Any) -> None:
        """Keep the newest depth for the picture that it belongs to."""
        self._depth = picture_of(message)

    def on_image(self, message: Any, now_ns: int) -> Answer:
        """Take a picture; `now_ns` is the clock's time, by which lateness is told.

        Raises:
            ImageError: its bytes are no picture.
        """
        self._trouble = {}
        picture = picture_of(message)
        pixels = rgb_from(picture, "the image topic")
        image = mw.Image(pixels, self._depth_for(picture))
        state = self._perceiver.step(image, at_s=picture.stamp_ns / 1e9)
        self._header, self._late_ms = message.header, self._lateness_ms(now_ns - picture.stamp_ns)
        return self._answer(state)

    def on_timer(self) -> Answer | None:
        """Say what is known between two pictures: a camera that stalls makes masks stale, too."""
        return None if self._header is None else self._answer(self._perceiver.peek())

    def _answer(self, state: PerceiverState) -> Answer:
        return Answer(
            state=state,
            header=self._header,
            late_ms=self._late_ms,
            stale_ms=self._perceiver.settings.stale_ms,
            trouble=dict(self._trouble),
        )

    def _lateness_ms(self, late_ns: int) -> float | None:
        if abs(late_ns) > _OTHER_CLOCK_NS:
            self._trouble["other_clock"] = "the pictures' stamps are of another clock: how late they come is not known"
            return None
        return max(0.0, late_ns / 1e6)

    def _depth_for(self, picture: RawPicture) -> np.ndarray | None:
        """Decode the depth of a picture; masks go on without one that does not fit."""
        depth = self._depth
        if depth is None or abs(depth.stamp_ns - picture.stamp_ns) > _PAIR_NS:
            return None
        if (depth.height, depth.width) != (picture.height, picture.width):
            got = f"it has {depth.width} x {depth.height} pixels, the picture {picture.width} x {picture.height}"
            self._trouble["depth_refused"] = f"{got}; subscribe to depth that is aligned to it"
            return None
        try:
            return depth_m_from(depth, "the depth topic") if is_depth(depth, "depth") else None
        except ImageError as error:
            self._trouble["depth_refused"] = str(error)
            return None


def picture_of(message: Any) -> RawPicture:
    """Take a sensor_msgs/Image, of ROS or of `rosbags`, for what `maskwright` decodes."""
    stamp = message.header.stamp
    return RawPicture(
        stamp_ns=stamp.sec * 1_000_000_000 + stamp.nanosec,
        height=message.height,
        width=message.width,
        encoding=message.encoding,
        is_bigendian=bool(message.is_bigendian),
        step=message.step,
        data=memoryview(message.data).cast("B"),
    )


def mask_message(answer: Answer, messages: Messages) -> Any:
    """Draw the masks that can be used now, each as its number; a stale one is not drawn."""
    height, width = answer.state.size_hw
    numbers = np.zeros((height, width), np.uint8)
    for number, one in enumerate(answer.state.objects, start=1):
        if answer.can_be_used(one):
            numbers[decode(one.rle)] = number
    return messages.image(
        header=answer.header,
        height=height,
        width=width,
        encoding="mono8",
        is_bigendian=0,
        step=width,
        data=messages.octets(numbers.tobytes()),
    )


def objects_message(answer: Answer, messages: Messages) -> Any:
    """Say in JSON what is known of every object."""
    stamp, state = answer.header.stamp, answer.state
    said = {
        "stamp": {"sec": stamp.sec, "nanosec": stamp.nanosec},
        "late_ms": None if answer.late_ms is None else round(answer.late_ms, 1),
        "over_budget": state.over_budget,
        "objects": [_told(number, one, answer) for number, one in enumerate(state.objects, start=1)],
        "notices": {notice.kind: notice.text for notice in state.notices} | answer.trouble,
    }
    return messages.string(data=json.dumps(said))


def _told(number: int, one: PerceivedObject, answer: Answer) -> dict[str, Any]:
    status, why = answer.status(one)
    facts: dict[str, Any] = {"number": number, "name": one.name, "status": status, "why": why}
    if one.age_ms is not None:
        facts["age_ms"] = round(one.age_ms + (answer.late_ms or 0.0), 1)
    if answer.can_be_used(one):
        depth_m = answer.state.depth_m
        away = None if depth_m is None else distance_m(one.rle, depth_m)
        facts |= {"confidence": round(one.confidence, 3), "box_xyxy": one.box_xyxy, "centroid_xy": centroid_xy(one.rle)}
        facts |= {} if away is None else {"distance_m": round(away.metres, 3)}
    return facts


def bag_messages() -> Messages:
    """The classes of `rosbags`, which needs no ROS."""
    types = _bag_types().types
    return Messages(
        image=types["sensor_msgs/msg/Image"],
        string=types["std_msgs/msg/String"],
        octets=lambda content: np.frombuffer(content, np.uint8),
    )


def replay(core: Core, bag: Path, out: Path, image: str, depth: str | None, *, speed: float = 1.0) -> Iterator[Answer]:
    """Give a bag's messages to the core as they came, and write what it answers to another bag.

    They come at `speed` times the recording's own, 0 as fast as they can be read.
    """
    from rosbags.highlevel import AnyReader
    from rosbags.rosbag2 import Writer

    types, messages = _bag_types(), bag_messages()
    with AnyReader([bag], default_typestore=types) as reader, Writer(out, version=9) as writer:
        wanted = [one for one in reader.connections if one.topic in (image, depth)]
        if image not in {one.topic for one in wanted}:
            sys.exit(f"the bag has no topic {image}; it has {', '.join(sorted(reader.topics))}: {bag}")
        kinds = {MASKS: "sensor_msgs/msg/Image", OBJECTS: "std_msgs/msg/String"}
        topics = {name: writer.add_connection(f"/{name}", kind, typestore=types) for name, kind in kinds.items()}
        began, first_ns = time.monotonic(), reader.start_time
        for connection, at_ns, content in reader.messages(wanted):
            if speed:
                time.sleep(max(0.0, began + (at_ns - first_ns) / 1e9 / speed - time.monotonic()))
            message = reader.deserialize(content, connection.msgtype)
            if connection.topic == depth:
                core.on_depth(message)
                continue
            answer = core.on_image(message, at_ns)
            for name, made in ((MASKS, mask_message(answer, messages)), (OBJECTS, objects_message(answer, messages))):
                writer.write(topics[name], at_ns, types.serialize_cdr(made, kinds[name]))
            yield answer


def _bag_types() -> Any:
    from rosbags.typesys import Stores, get_typestore

    return get_typestore(Stores.ROS2_HUMBLE)


def check_ros() -> None:
    """End with a line that says what to do where ROS is not there."""
    try:
        import rclpy  # noqa: F401
    except ImportError:
        sys.exit(NO_ROS)


def spin(core: Core, image: str, depth: str | None, arguments: Sequence[str]) -> None:
    """Be a node until Ctrl+C."""
    import rclpy
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import Image
    from std_msgs.msg import String

    messages = Messages(image=Image, string=String, octets=lambda content: array("B", content))
    rclpy.init(args=list(arguments))
    node = rclpy.create_node("perceiver")
    masks = node.create_publisher(Image, MASKS, qos_profile_sensor_data)
    objects = node.create_publisher(String, OBJECTS, 10)

    def on_image(message: Any) -> None:
        try:
            answer = core.on_image(message, node.get_clock().now().nanoseconds)
        except MaskwrightError as error:
            node.get_logger().warning(str(error), throttle_duration_sec=5.0)
            return
        masks.publish(mask_message(answer, messages))
        objects.publish(objects_message(answer, messages))

    def on_timer() -> None:
        answer = core.on_timer()
        if answer is not None and any(notice.kind == "camera_stalled" for notice in answer.state.notices):
            objects.publish(objects_message(answer, messages))

    node.create_subscription(Image, image, on_image, qos_profile_sensor_data)
    if depth is not None:
        node.create_subscription(Image, depth, core.on_depth, qos_profile_sensor_data)
    node.create_timer(_PEEK_S, on_timer)
    try:
        rclpy.spin(node)
    except KeyboardInterrupt:
        pass
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


def main(arguments: Sequence[str]) -> None:
    """Read the command line, and be a node or replay a bag."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--object", action="append", required=True, type=named_box, metavar="NAME=X1,Y1,X2,Y2")
    parser.add_argument("--image", default="/camera/image_raw", help="topic of pictures")
    parser.add_argument("--depth", help="topic of depth, aligned to the pictures")
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--bag", nargs=2, type=Path, metavar=("IN", "OUT"), help="replay a bag instead of being a node")
    parser.add_argument("--speed", type=float, default=1.0, help="of the bag; 0 is as fast as it can be read")
    given, of_ros = parser.parse_known_args(arguments)
    if given.bag is not None and not given.bag[0].exists():
        parser.error(f"there is no bag: {given.bag[0]}")
    if given.bag is None:
        check_ros()
    with started(given.model, dict(given.object), waits=given.bag is not None) as core:
        if given.bag is None:
            spin(core, given.image, given.depth, of_ros)
            return
        for answer in replay(core, *given.bag, given.image, given.depth, speed=given.speed):
            print(answer.state.frame, *(f"{one.name}: {answer.status(one)[0]}" for one in answer.state.objects))


def named_box(text: str) -> tuple[str, list[float]]:
    """Read NAME=X1,Y1,X2,Y2."""
    name, _, corners = text.partition("=")
    box = [float(value) for value in corners.split(",")]
    if not name or len(box) != 4:
        raise ValueError(text)
    return name, box


@contextmanager
def started(model: str, boxes: Mapping[str, Sequence[float]], *, waits: bool) -> Iterator[Core]:
    """Begin to look for objects, which are said of the first picture."""
    with mw.Perceiver(model) as perceiver:
        for name, box in boxes.items():
            perceiver.add(name, box=box)
        if waits:
            perceiver.wait_until_ready()
        yield Core(perceiver)


if __name__ == "__main__":
    main(sys.argv[1:])
