"""TFRecord files of `tf.train.Example`, read and written without TensorFlow.

A record is its length, a checksum of that, the bytes, and a checksum of those: CRC-32C, masked. An `Example` maps keys
to lists of bytes, floats or whole numbers; a list is decoded when it is asked for, so passing over a record is cheap.
Source: tensorflow `core/lib/io/record_writer.cc`, `core/example/feature.proto`.
"""

import mmap
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Float, Int

from maskwright.core.errors import InputError
from maskwright.datasets.wire_format import VARINT, fields, tagged, varint, varint_bytes

_HEAD, _TAIL = struct.Struct("<QI"), struct.Struct("<I")
_SIGN = 1 << 63
FeatureValues = Sequence[bytes] | np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPlace:
    """Where the bytes of a record lie in its file."""

    number: int
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Feature:
    """One undecoded list of an `Example`."""

    content: memoryview

    def bytes_list(self) -> list[memoryview]:
        """Give the items of a list of bytes; empty where it is a list of numbers."""
        return [item for kind, _, one in fields(self.content) if kind == 1 for _, _, item in fields(one)]

    def floats(self) -> Float[np.ndarray, " N"]:
        """Give the numbers of a list of floats."""
        parts = [item for kind, _, one in fields(self.content) if kind == 2 for _, _, item in fields(one)]
        return np.frombuffer(b"".join(parts), "<f4")

    def ints(self) -> Int[np.ndarray, " N"]:
        """Give the numbers of a list of whole numbers."""
        values: list[int] = []
        for kind, _, one in fields(self.content):
            for _, wire, item in fields(one) if kind == 3 else ():
                if wire == VARINT:
                    values.append(int.from_bytes(item, "little"))
                    continue
                at = 0
                while at < len(item):
                    value, at = varint(item, at)
                    values.append(value)
        return np.array([value - 2 * _SIGN if value >= _SIGN else value for value in values], np.int64)

    def __len__(self) -> int:
        """Count the items without decoding them."""
        for kind, _, one in fields(self.content):
            if kind == 1:
                return sum(1 for _ in fields(one))
            return len(self.floats()) if kind == 2 else len(self.ints())
        return 0


class RecordFile:
    """A TFRecord file, mapped into memory; a context manager.

    Raises:
        InputError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file: BinaryIO = path.open("rb")
            size = path.stat().st_size
            self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        except OSError as error:
            raise InputError(f"the file cannot be opened ({error.strerror or error}): {path}") from error

    def __enter__(self) -> "RecordFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the file go; views of its bytes keep the map alive until they are gone."""
        try:
            if isinstance(self._map, mmap.mmap):
                self._map.close()
        except BufferError:
            pass  # somebody still looks at a record
        self._file.close()

    def places(self) -> Iterator[RecordPlace]:
        """Find the records, checking the checksums of their lengths only.

        Raises:
            InputError: the file is cut off or is no TFRecord file; the records before have been given.
        """
        at, number, size = 0, 0, len(self._map)
        while at < size:
            if at + _HEAD.size > size:
                raise InputError(f"the file is cut off in the head of record {number}. Get it again: {self.path}")
            length, check = _HEAD.unpack_from(self._map, at)
            if masked_crc(self._map[at : at + 8]) != check:
                what = "this is not a TFRecord file" if number == 0 else f"record {number} is damaged (checksum)"
                raise InputError(f"{what}. Get it again: {self.path}")
            start = at + _HEAD.size
            at = start + length + _TAIL.size
            if at > size:
                raise InputError(f"the file is cut off in record {number}. Get it again: {self.path}")
            yield RecordPlace(number=number, start=start, length=length)
            number += 1

    def example(self, place: RecordPlace, *, check: bool = True) -> dict[str, Feature]:
        """Take a record apart; with `check`, all its bytes are read first.

        Raises:
            InputError: the checksum is not that of the bytes, or they are no `Example`.
        """
        content = memoryview(self._map)[place.start : place.start + place.length]
        if check:
            (told,) = _TAIL.unpack_from(self._map, place.start + place.length)
            if masked_crc(content) != told:
                message = f"record {place.number} is damaged: its checksum is not that of its bytes"
                raise InputError(f"{message}. Get it again: {self.path}")
        try:
            return parse_example(content)
        except (ValueError, IndexError) as error:
            raise InputError(f"record {place.number} is no tf.train.Example ({error}): {self.path}") from error


def write_record(file: BinaryIO, content: bytes) -> None:
    """Append a record to a file."""
    length = struct.pack("<Q", len(content))
    file.write(length + _TAIL.pack(masked_crc(length)))
    file.write(content)
    file.write(_TAIL.pack(masked_crc(content)))


def parse_example(content: bytes | memoryview) -> dict[str, Feature]:
    """Find the features of an `Example`.

    Raises:
        ValueError, IndexError: the bytes are no `Example`.
    """
    found: dict[str, Feature] = {}
    for _, _, features in fields(content):
        for _, _, entry in fields(features):
            parts = {kind: item for kind, _, item in fields(entry)}
            found[bytes(parts[1]).decode()] = Feature(parts.get(2, memoryview(b"")))
    return found


def make_example(features: Mapping[str, FeatureValues]) -> bytes:
    """Write an `Example` with its keys in order; arrays become floats or whole numbers by their type."""
    entries = (tagged(1, key.encode()) + tagged(2, _feature(values)) for key, values in sorted(features.items()))
    return tagged(1, b"".join(tagged(1, entry) for entry in entries))


def masked_crc(content: bytes | memoryview) -> int:
    """Compute the checksum that a TFRecord file holds."""
    import google_crc32c

    crc = google_crc32c.value(bytes(content))
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _feature(values: FeatureValues) -> bytes:
    if not isinstance(values, np.ndarray):
        return tagged(1, b"".join(tagged(1, value) for value in values))
    if values.dtype.kind == "f":
        return tagged(2, tagged(1, values.astype("<f4").tobytes()))
    return tagged(3, tagged(1, b"".join(varint_bytes(int(value)) for value in values.ravel())))


__all__ = [
    "Feature",
    "FeatureValues",
    "RecordFile",
    "RecordPlace",
    "make_example",
    "masked_crc",
    "parse_example",
    "write_record",
]
