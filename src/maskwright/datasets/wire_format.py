"""Protocol buffers on the wire: fields of a message, read and written without generated code.

Enough for the few messages that formats here are made of (`tf.train.Example`, Foxglove's images).
Source: protobuf.dev/programming-guides/encoding.
"""

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_LIMIT = 1 << 64


def fields(content: bytes | memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """List (field number, wire type, bytes) of a message; a varint's bytes are its value, little-endian.

    Raises:
        ValueError, IndexError: the bytes are no message.
    """
    content = memoryview(content)
    at = 0
    while at < len(content):
        tag, at = varint(content, at)
        wire = tag & 7
        if wire == VARINT:
            value, at = varint(content, at)
            yield tag >> 3, wire, memoryview((value % _LIMIT).to_bytes(8, "little"))
            continue
        if wire == BYTES:
            length, at = varint(content, at)
        elif wire in (FIXED64, FIXED32):
            length = 8 if wire == FIXED64 else 4
        else:
            raise ValueError(f"wire type {wire} is unknown")
        if at + length > len(content):
            raise ValueError("a field is longer than its message")
        yield tag >> 3, wire, content[at : at + length]
        at += length


def varint(content: memoryview, at: int) -> tuple[int, int]:
    """Read a whole number at a place; gives it and the place after it."""
    value = shift = 0
    while True:
        byte = content[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number is longer than 64 bits")


def tagged(field: int, content: bytes) -> bytes:
    """Write a field of bytes, text or a message."""
    return varint_bytes(field << 3 | BYTES) + varint_bytes(len(content)) + content


def varint_bytes(value: int) -> bytes:
    """Write a whole number; a negative one takes ten bytes."""
    value %= _LIMIT
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


__all__ = ["BYTES", "FIXED32", "FIXED64", "VARINT", "fields", "tagged", "varint", "varint_bytes"]
