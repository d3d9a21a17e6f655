"""CVAT's XML, a picture at a time: shapes as elements, masks as run lengths inside a box, and how ours are written.

A mask's `rle` is row by row within `width` x `height` at `left`, `top`, and begins with background.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from maskwright.core.errors import MaskError, RecordError
from maskwright.core.rle import RLE
from maskwright.core.shapes import SizeHW
from maskwright.masks import box_xyxy, crop, decode, encode, from_coco_polygons, paste

CLOSING = {"track_source": "none"}
_ILLEGAL = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A shape of a picture. `frame` counts within a video, where `track` is the track it belongs to."""

    kind: str
    place: Mapping[str, str]
    label: str | None
    attributes: Mapping[str, str]
    track: str | None = None
    frame: int | None = None

    @property
    def is_outside(self) -> bool:
        """Whether the object is not in the picture; what is drawn is where it was."""
        return self.place.get("outside") == "1"

    @property
    def is_closing(self) -> bool:
        """Whether we wrote it only to end a track where it has no mask."""
        return self.attributes.get("track_source") == CLOSING["track_source"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture and its shapes, as the file has them."""

    name: str
    size: Mapping[str, str]
    shapes: tuple[Shape, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginalSize:
    """The size of a video's frames, which stands in the head of the file."""

    size_hw: SizeHW


def iter_elements(file: IO[bytes], where: str) -> Iterator[Picture | OriginalSize | list[Shape]]:
    """Read pictures, and the tracks of a video each as a list of shapes, as they come.

    Raises:
        RecordError: it is not XML, not CVAT's, or cut off.
    """
    try:
        events = ElementTree.iterparse(file, events=("start", "end"))
        _, root = next(events)
        if root.tag != "annotations":
            raise RecordError(f"expected CVAT's XML, <annotations>, got <{root.tag}>: {where}")
        for event, element in events:
            if event == "end" and element.tag in _READERS:
                yield _READERS[element.tag](element)
                root.clear()
    except (ElementTree.ParseError, LookupError, StopIteration) as error:  # LookupError: an unknown encoding
        if isinstance(error, KeyError):
            raise RecordError(f"the XML lacks {error} of CVAT's: {where}") from None
        raise RecordError(f"the XML cannot be read ({error or 'it is empty'}): {where}") from None
    except ValueError as error:
        if isinstance(error, RecordError):
            raise
        raise RecordError(f"the XML holds a number that is none ({error}): {where}") from None


def _picture(element: ElementTree.Element) -> Picture:
    shapes = tuple(_shape(one, one.get("label")) for one in element)
    return Picture(name=element.attrib["name"], size=dict(element.attrib), shapes=shapes)


def _track(element: ElementTree.Element) -> list[Shape]:
    label, track = element.get("label"), element.get("id")
    shapes = [_shape(one, label, track) for one in element]
    return [one for one in shapes if not one.is_closing]


def _shape(element: ElementTree.Element, label: str | None, track: str | None = None) -> Shape:
    attributes = {one.get("name", ""): one.text or "" for one in element.iter("attribute")}
    frame = element.get("frame")
    return Shape(
        kind=element.tag,
        place=dict(element.attrib),
        label=label,
        attributes=attributes,
        track=track,
        frame=None if frame is None else int(frame),
    )


def _original_size(element: ElementTree.Element) -> OriginalSize:
    sides = [int(element.findtext(side, "")) for side in ("height", "width")]
    return OriginalSize(size_hw=(sides[0], sides[1]))


_READERS: dict[str, Any] = {"image": _picture, "track": _track, "original_size": _original_size}


def draw_shape(shape: Shape, size_hw: SizeHW) -> RLE:
    """Draw a mask or a polygon.

    Raises:
        MaskError: it is malformed.
    """
    if shape.kind == "polygon":
        return from_coco_polygons([_points(shape.place.get("points", ""))], size_hw)
    left, top, width, height = (_whole(shape.place, key) for key in ("left", "top", "width", "height"))
    lengths = _lengths(shape.place.get("rle", ""))
    if width < 1 or height < 1 or width > size_hw[1] or height > size_hw[0]:
        raise MaskError(f"a mask's box must fit into the picture (h, w) {size_hw}, got {height} x {width}")
    if int(lengths.sum()) != width * height:
        raise MaskError(f"runs must add up to width x height = {width * height}, got {int(lengths.sum())}")
    values = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return paste(encode(values.reshape(height, width)), size_hw, at_xy=(left, top))


def mask_attributes(rle: RLE) -> dict[str, str]:
    """Write a mask that has pixels as attributes of its element."""
    left, top, right, bottom = (int(side) for side in box_xyxy(rle))
    flat = decode(crop(rle, (left, top, right, bottom))).ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    lengths = np.diff(edges, prepend=0, append=len(flat)).tolist()
    runs = [0, *lengths] if flat[0] else lengths
    box = {"left": left, "top": top, "width": right - left, "height": bottom - top}
    return {"rle": ", ".join(map(str, runs)), **{key: str(value) for key, value in box.items()}}


def open_tag(name: str, attributes: Mapping[str, str]) -> str:
    """Write the start of an element."""
    return f"<{name}{''.join(f' {key}={quoteattr(legal(value))}' for key, value in attributes.items())}>"


def text_element(name: str, text: str, /, **attributes: str) -> str:
    """Write an element that holds text."""
    return f"{open_tag(name, attributes)}{escape(legal(text))}</{name}>"


def legal(text: str) -> str:
    """Replace characters that XML has no way to write."""
    return _ILLEGAL.sub("�", text)


def _points(text: str) -> list[float]:
    try:
        return [float(value) for pair in text.split(";") for value in pair.split(",")]
    except ValueError:
        raise MaskError(f"a polygon's points must be x,y;x,y;..., got {text!r:.60}") from None


def _lengths(text: str) -> np.ndarray:
    try:
        lengths: Sequence[int] = [int(part) for part in text.split(",")]
    except ValueError:
        raise MaskError(f"a mask's rle must be whole numbers with commas, got {text!r:.60}") from None
    if min(lengths) < 0 or max(lengths) > 1 << 40:
        raise MaskError(f"runs must not be negative or beyond a picture, got {min(lengths)} to {max(lengths)}")
    return np.array(lengths)


def _whole(place: Mapping[str, str], key: str) -> int:
    try:
        return int(float(place[key]))
    except (KeyError, ValueError, OverflowError):
        raise MaskError(f"a mask must have a whole number {key}, got {place.get(key)!r}") from None


__all__ = [
    "CLOSING",
    "OriginalSize",
    "Picture",
    "Shape",
    "draw_shape",
    "iter_elements",
    "legal",
    "mask_attributes",
    "open_tag",
    "text_element",
]
