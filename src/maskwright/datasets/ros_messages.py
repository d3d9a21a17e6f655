"""Image messages of ROS 1, ROS 2 and Foxglove, taken apart by hand: no ROS, no generated code.

Knows the bytes of a message. What an encoding means in colours or metres is in `ros_pictures`.
Layouts: sensor_msgs/Image and CompressedImage; foxglove.RawImage and CompressedImage (docs.foxglove.dev/docs/schemas).
"""

import base64
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from maskwright.datasets.wire_format import BYTES, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class RawPicture:
    """Pixels as a driver wrote them: rows of `step` bytes in a named encoding."""

    stamp_ns: int
    height: int
    width: int
    encoding: str
    is_bigendian: bool
    step: int
    data: bytes | memoryview


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressedPicture:
    """A picture file, with ROS's words about what is in it ("jpeg", "16UC1; compressedDepth png")."""

    stamp_ns: int
    format: str
    data: bytes | memoryview


RosPicture = RawPicture | CompressedPicture
Parser = Callable[[bytes], RosPicture]


def parser_for(message_type: str, encoding: str) -> Parser | None:
    """Give what takes messages of a type apart, None for types that are no picture.

    `message_type` is as in a log ("sensor_msgs/msg/Image"); `encoding` is cdr, ros1, protobuf or json.
    """
    return _PARSERS.get((message_type.replace("/msg/", "/"), encoding))


class _Reader:
    """Reads the fields of a message one after the other: CDR (aligned, with its own byte order) or ROS 1."""

    def __init__(self, content: bytes, *, is_ros1: bool) -> None:
        self._content = memoryview(content)
        self._is_ros1 = is_ros1
        self._at = 0 if is_ros1 else 4
        self._order = "<" if is_ros1 or content[1] & 1 else ">"

    def uint32(self) -> int:
        if not self._is_ros1:
            self._at += -(self._at - 4) % 4  # counted from behind the four bytes of encapsulation
        (value,) = struct.unpack_from(self._order + "I", self._content, self._at)
        self._at += 4
        return value

    def uint8(self) -> int:
        self._at += 1
        return self._content[self._at - 1]

    def content(self) -> memoryview:
        length = self.uint32()
        if self._at + length > len(self._content):
            raise ValueError("the message is cut off")
        self._at += length
        return self._content[self._at - length : self._at]

    def text(self) -> str:
        return bytes(self.content()).rstrip(b"\0").decode(errors="replace")

    def header(self) -> int:
        if self._is_ros1:
            self.uint32()  # seq
        stamp_ns = self.uint32() * 1_000_000_000 + self.uint32()
        self.text()  # frame_id
        return stamp_ns


def _image(content: bytes, *, is_ros1: bool) -> RawPicture:
    reader = _Reader(content, is_ros1=is_ros1)
    return RawPicture(
        stamp_ns=reader.header(),
        height=reader.uint32(),
        width=reader.uint32(),
        encoding=reader.text(),
        is_bigendian=bool(reader.uint8()),
        step=reader.uint32(),
        data=reader.content(),
    )


def _compressed_image(content: bytes, *, is_ros1: bool) -> CompressedPicture:
    reader = _Reader(content, is_ros1=is_ros1)
    return CompressedPicture(stamp_ns=reader.header(), format=reader.text(), data=reader.content())


def _foxglove_compressed_ros2(content: bytes) -> CompressedPicture:
    reader = _Reader(content, is_ros1=False)
    stamp_ns = reader.header()
    data = reader.content()
    return CompressedPicture(stamp_ns=stamp_ns, format=reader.text(), data=data)


def _foxglove_compressed(content: bytes) -> CompressedPicture:
    parts = {number: value for number, _, value in fields(content)}
    return CompressedPicture(
        stamp_ns=_proto_stamp(parts.get(1)), format=_proto_text(parts.get(3)), data=parts.get(2, memoryview(b""))
    )


def _foxglove_raw(content: bytes) -> RawPicture:
    parts = {number: value for number, _, value in fields(content)}
    return RawPicture(
        stamp_ns=_proto_stamp(parts.get(1)),
        width=_proto_int(parts.get(2)),
        height=_proto_int(parts.get(3)),
        encoding=_proto_text(parts.get(4)),
        step=_proto_int(parts.get(5)),
        is_bigendian=False,
        data=parts.get(6, memoryview(b"")),
    )


def _foxglove_compressed_json(content: bytes) -> CompressedPicture:
    told = json.loads(content)
    return CompressedPicture(
        stamp_ns=_json_stamp(told), format=str(told.get("format", "")), data=base64.b64decode(told["data"])
    )


def _foxglove_raw_json(content: bytes) -> RawPicture:
    told = json.loads(content)
    return RawPicture(
        stamp_ns=_json_stamp(told),
        width=int(told["width"]),
        height=int(told["height"]),
        encoding=str(told["encoding"]),
        step=int(told["step"]),
        is_bigendian=False,
        data=base64.b64decode(told["data"]),
    )


def _proto_stamp(content: memoryview | None) -> int:
    parts = {number: value for number, wire, value in fields(content or b"") if wire != BYTES}
    return _proto_int(parts.get(1)) * 1_000_000_000 + _proto_int(parts.get(2))


def _proto_int(content: memoryview | None) -> int:
    return int.from_bytes(content or b"", "little")


def _proto_text(content: memoryview | None) -> str:
    return bytes(content or b"").decode(errors="replace")


def _json_stamp(told: dict[str, Any]) -> int:
    stamp = told.get("timestamp") or {}
    return int(stamp.get("sec", 0)) * 1_000_000_000 + int(stamp.get("nsec", 0))


_PARSERS: dict[tuple[str, str], Parser] = {
    ("sensor_msgs/Image", "cdr"): lambda content: _image(content, is_ros1=False),
    ("sensor_msgs/Image", "ros1"): lambda content: _image(content, is_ros1=True),
    ("sensor_msgs/CompressedImage", "cdr"): lambda content: _compressed_image(content, is_ros1=False),
    ("sensor_msgs/CompressedImage", "ros1"): lambda content: _compressed_image(content, is_ros1=True),
    ("foxglove_msgs/CompressedImage", "cdr"): _foxglove_compressed_ros2,
    ("foxglove.CompressedImage", "protobuf"): _foxglove_compressed,
    ("foxglove.CompressedImage", "json"): _foxglove_compressed_json,
    ("foxglove.RawImage", "protobuf"): _foxglove_raw,
    ("foxglove.RawImage", "json"): _foxglove_raw_json,
}

__all__ = ["CompressedPicture", "Parser", "RawPicture", "RosPicture", "parser_for"]
