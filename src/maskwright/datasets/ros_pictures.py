"""What ROS's image encodings mean: colours as RGB, depth as metres.

A compressed picture is decoded as the file says; only depth's own packings (`compressedDepth`) need more.
Encodings: ros/common_msgs `image_encodings.h`; depth: ros-perception `compressed_depth_image_transport`.
"""

import struct

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from maskwright.core.errors import ImageError
from maskwright.datasets.depth import metres_from, read_depth
from maskwright.datasets.images import read_image
from maskwright.datasets.ros_messages import CompressedPicture, RawPicture, RosPicture

_DEPTH = {"16UC1": "u2", "mono16": "u2", "32FC1": "f4"}
_HEADER = struct.Struct("<iff")  # format, and two numbers of the inverse depth that 32-bit depth is packed as

# Bytes a pixel, and cv2's conversion; None is RGB already.
_COLOURS: dict[str, tuple[int, int | None]] = {
    "rgb8": (3, None),
    "bgr8": (3, cv2.COLOR_BGR2RGB),
    "8UC3": (3, cv2.COLOR_BGR2RGB),
    "rgba8": (4, cv2.COLOR_RGBA2RGB),
    "bgra8": (4, cv2.COLOR_BGRA2RGB),
    "8UC4": (4, cv2.COLOR_BGRA2RGB),
    "mono8": (1, cv2.COLOR_GRAY2RGB),
    "8UC1": (1, cv2.COLOR_GRAY2RGB),
    "yuv422": (2, cv2.COLOR_YUV2RGB_UYVY),
    "uyvy": (2, cv2.COLOR_YUV2RGB_UYVY),
    "yuv422_yuy2": (2, cv2.COLOR_YUV2RGB_YUY2),
    "yuyv": (2, cv2.COLOR_YUV2RGB_YUY2),
    "bayer_rggb8": (1, cv2.COLOR_BayerRGGB2RGB),
    "bayer_bggr8": (1, cv2.COLOR_BayerBGGR2RGB),
    "bayer_gbrg8": (1, cv2.COLOR_BayerGBRG2RGB),
    "bayer_grbg8": (1, cv2.COLOR_BayerGRBG2RGB),
}


def is_depth(picture: RosPicture, topic: str) -> bool:
    """Whether a message holds depth; 16-bit grey does where its topic says so."""
    if isinstance(picture, CompressedPicture):
        kind = picture.format.partition(";")[0].strip()
        return "compresseddepth" in picture.format.lower() or kind in ("16UC1", "32FC1")
    return picture.encoding in ("16UC1", "32FC1") or (picture.encoding == "mono16" and "depth" in topic.lower())


def rgb_from(picture: RosPicture, where: str) -> UInt8[np.ndarray, "H W 3"]:
    """Decode colours.

    Raises:
        ImageError: the picture is damaged or of an encoding that is not known.
    """
    if isinstance(picture, CompressedPicture):
        try:
            return read_image(bytes(picture.data)).pixels
        except ImageError as error:
            raise ImageError(f"{str(error).rpartition(': ')[0]}: {where}") from error
    if picture.encoding in _DEPTH:
        values = _deep_rows(picture, where)
        top = float(np.nanmax(values, initial=0)) or 1.0
        gray = (np.nan_to_num(values) / top * 255).astype(np.uint8)
        return np.repeat(gray[:, :, None], 3, axis=2)
    if picture.encoding not in _COLOURS:
        known = ", ".join([*_COLOURS, *_DEPTH])
        raise ImageError(f"the image encoding {picture.encoding!r} is not known; known are {known}: {where}")
    num_bytes, code = _COLOURS[picture.encoding]
    rows = np.ascontiguousarray(_rows(picture, num_bytes, where))
    if num_bytes > 1:
        rows = rows.reshape(picture.height, picture.width, num_bytes)
    return rows if code is None else np.asarray(cv2.cvtColor(rows, code), np.uint8)


def depth_m_from(picture: RosPicture, where: str) -> Float[np.ndarray, "H W"]:
    """Decode depth in metres; 16-bit numbers are millimetres.

    Raises:
        ImageError: the picture is damaged or of a packing that is not known.
    """
    if isinstance(picture, RawPicture):
        return metres_from(_deep_rows(picture, where))
    content = bytes(picture.data)
    if "compresseddepth" not in picture.format.lower():
        return _read_depth(content, where)
    if content[_HEADER.size : _HEADER.size + 4] != b"\x89PNG":
        raise ImageError(f"depth must be packed as PNG, got {picture.format!r}: {where}")
    _, a, b = _HEADER.unpack_from(content)
    metres = _read_depth(content[_HEADER.size :], where)  # of codes for 32-bit depth: a thousandth of them
    if not picture.format.startswith("32FC1"):
        return metres
    with np.errstate(divide="ignore", invalid="ignore"):
        depth_m = np.float32(a) / (metres * 1000 - np.float32(b))
    depth_m[~np.isfinite(depth_m) | (depth_m <= 0)] = np.nan
    return depth_m.astype(np.float32)


def _read_depth(content: bytes, where: str) -> Float[np.ndarray, "H W"]:
    try:
        return read_depth(content)
    except ImageError as error:
        raise ImageError(f"{str(error).rpartition(': ')[0]}: {where}") from error


def _deep_rows(picture: RawPicture, where: str) -> np.ndarray:
    kind = _DEPTH[picture.encoding]
    rows = _rows(picture, int(kind[1]), where)
    return np.ascontiguousarray(rows).view((">" if picture.is_bigendian else "<") + kind)


def _rows(picture: RawPicture, num_bytes: int, where: str) -> UInt8[np.ndarray, "H D"]:
    """Cut rows out of the data, without the padding that `step` may add."""
    used = picture.width * num_bytes
    step = max(picture.step, used)
    last = (picture.height - 1) * step + used
    if picture.height < 1 or picture.width < 1 or len(picture.data) < last:
        got = f"{picture.width} x {picture.height} {picture.encoding} pixels need {last} bytes, got {len(picture.data)}"
        raise ImageError(f"{got}: {where}")
    flat = np.frombuffer(picture.data, np.uint8)
    if len(flat) < picture.height * step:
        flat = np.pad(flat, (0, picture.height * step - len(flat)))
    return flat[: picture.height * step].reshape(picture.height, step)[:, :used]


__all__ = ["depth_m_from", "is_depth", "rgb_from"]
