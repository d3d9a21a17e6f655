"""Label Studio's brush strokes as bytes: a stream of bits, the packed run lengths of an RGBA picture.

32 bits: how many values follow (height x width x 4); 5 bits: bits of a value less 1; four times 4 bits: the bits that
each kind of length takes, less 1. Then records: 1 bit, whether it is a run; 2 bits, the kind of its length; the length
less 1; one value of a run, or as many values as the length says. The alpha channel is the mask.
Source: `encode` and `decode` of thi.ng's rle-pack, which Label Studio uses; the code here follows the description.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool

from maskwright.core.errors import MaskError
from maskwright.core.rle import RLE
from maskwright.core.shapes import SizeHW
from maskwright.masks import decode, encode

_CHANNELS = 4
_VALUE_BITS = 8
_LENGTH_BITS = (3, 4, 8, 16)
_LONGEST = 1 << _LENGTH_BITS[-1]
_HALF = 127


def encode_brush(rle: RLE) -> list[int]:
    """Write a mask as Label Studio's bytes."""
    flat = decode(rle).ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    lengths = np.diff(edges, prepend=0, append=len(flat)) * _CHANNELS
    value = 255 if flat[0] else 0
    bits = [f"{len(flat) * _CHANNELS:032b}{_VALUE_BITS - 1:05b}", *(f"{size - 1:04b}" for size in _LENGTH_BITS)]
    for length in lengths.tolist():
        bits.extend(_run(piece, value) for piece in _pieces(length))
        value = 255 - value
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return list(int(text, 2).to_bytes(len(text) // 8, "big"))


def decode_brush(content: Any, size_hw: SizeHW) -> RLE:
    """Read Label Studio's bytes as the mask of a picture of `size_hw`.

    Raises:
        MaskError: they are no bytes, cut off, or of another size.
    """
    try:
        stream = _Bits(bytes(content))
    except (TypeError, ValueError):
        raise MaskError(f"a brush's rle must be a list of numbers from 0 to 255, got {content!r:.60}") from None
    values = _read_values(stream, size_hw)
    return encode(values.reshape(*size_hw, _CHANNELS)[:, :, 3] > _HALF)


def _pieces(length: int) -> Iterable[int]:
    yield from (_LONGEST for _ in range(length // _LONGEST))
    if length % _LONGEST:
        yield length % _LONGEST


def _run(length: int, value: int) -> str:
    kind = next(i for i, size in enumerate(_LENGTH_BITS) if length <= 1 << size)
    return f"1{kind:02b}{length - 1:0{_LENGTH_BITS[kind]}b}{value:08b}"


class _Bits:
    """Reads whole numbers of up to 32 bits from a stream, the high bits first."""

    def __init__(self, content: bytes) -> None:
        self.content, self.at, self.end = content, 0, len(content) * 8

    def take(self, count: int) -> int:
        if self.at + count > self.end:
            raise MaskError(f"the brush's rle is cut off at {len(self.content)} bytes")
        first = self.at >> 3
        window = int.from_bytes(self.content[first : first + 8].ljust(8, b"\0"), "big")
        value = window >> (64 - count - (self.at & 7)) & ((1 << count) - 1)
        self.at += count
        return value

    def take_bytes(self, count: int) -> Sequence[int] | np.ndarray:
        if self.at + count * 8 > self.end:
            raise MaskError(f"the brush's rle is cut off at {len(self.content)} bytes")
        first, shift = divmod(self.at, 8)
        chunk = np.frombuffer(self.content[first : first + count + 1].ljust(count + 1, b"\0"), np.uint8)
        self.at += count * 8
        return (chunk[:-1].astype(np.uint16) << shift | chunk[1:] >> (8 - shift)).astype(np.uint8)


def _read_values(stream: _Bits, size_hw: SizeHW) -> Bool[np.ndarray, " N"]:
    height, width = size_hw
    count = stream.take(32)
    if count != height * width * _CHANNELS:
        expected = f"height x width x 4 = {height}x{width}x4 = {height * width * _CHANNELS} values"
        raise MaskError(f"a brush's rle must hold {expected}, got {count}")
    if (bits := stream.take(5) + 1) != _VALUE_BITS:
        raise MaskError(f"a brush's rle must have values of {_VALUE_BITS} bits, got {bits}")
    sizes = [stream.take(4) + 1 for _ in range(4)]
    values = np.zeros(count, np.uint8)
    at = 0
    while at < count:
        is_run = stream.take(1)
        length = stream.take(sizes[stream.take(2)]) + 1
        if at + length > count:
            raise MaskError(f"a brush's rle must end with the picture, got {at + length} of {count} values")
        values[at : at + length] = stream.take(_VALUE_BITS) if is_run else stream.take_bytes(length)
        at += length
    return values


__all__ = ["decode_brush", "encode_brush"]
