"""A folder as a zip, made while it is sent: nothing is written, and a chunk at a time is in memory."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_CHUNK = 1 << 20
_PACKED = (".png", ".jpg", ".jpeg", ".webp", ".zip", ".gz", ".parquet", ".mp4", ".npz")


class _Sink:
    """What the zip is written to, and taken from."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._num_bytes = 0

    def write(self, content: bytes) -> int:
        self._parts.append(bytes(content))
        self._num_bytes += len(content)
        return len(content)

    def tell(self) -> int:
        return self._num_bytes

    def flush(self) -> None:
        pass

    def take(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


def zip_of(path: Path, name: str) -> Iterator[bytes]:
    """Give the bytes of a zip with everything below a folder, in a folder `name`; of a file, with that file."""
    sink: Any = _Sink()
    files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
    with zipfile.ZipFile(sink, "w", allowZip64=True) as archive:
        for file in files:
            inside = f"{name}/{file.relative_to(path).as_posix()}" if path.is_dir() else name
            entry = zipfile.ZipInfo.from_file(file, inside, strict_timestamps=False)
            entry.compress_type = zipfile.ZIP_STORED if file.suffix.lower() in _PACKED else zipfile.ZIP_DEFLATED
            with file.open("rb") as source, archive.open(entry, "w", force_zip64=True) as target:
                while chunk := source.read(_CHUNK):
                    target.write(chunk)
                    if part := sink.take():
                        yield part
            yield sink.take()
    yield sink.take()


__all__ = ["zip_of"]
