"""Pictures as they are sent: files as they are, pixels as a file that loses nothing."""

import hashlib
import io
import re
from pathlib import Path

from maskwright.client.steps import Steps, work
from maskwright.core import Image
from maskwright.core.errors import ImageError

_DIGEST = re.compile(r"[0-9a-f]{64}")
# Packing takes longer than sending within a machine; beyond it the wire is what takes time. Servers take 64 MiB.
_MOST_UNPACKED_BYTES = 32 << 20


def is_digest(text: str) -> bool:
    """Whether a text is the digest of a picture rather than a path."""
    return _DIGEST.fullmatch(text) is not None


def file_of(image: Image, *, is_near: bool) -> bytes:
    """Write pixels as a PNG, or as they are where that is quicker (`is_near`: to a server on this machine)."""
    if is_near and image.pixels.nbytes <= _MOST_UNPACKED_BYTES:
        return b"P6 %d %d 255\n" % (image.size_hw[1], image.size_hw[0]) + image.pixels.tobytes()
    from PIL import Image as PillowImage

    file = io.BytesIO()
    PillowImage.fromarray(image.pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


def image_of(file: bytes) -> Image:
    """Read a PNG that a server sent."""
    import numpy as np
    from PIL import Image as PillowImage

    with PillowImage.open(io.BytesIO(file), formats=["PNG"]) as picture:
        return Image(np.array(picture.convert("RGB")))


def content_of(picture: Path | str | bytes) -> Steps[tuple[bytes, str]]:
    """Read a file's bytes, and their SHA-256.

    Raises:
        ImageError: there is no such file, or it cannot be read.
    """
    if isinstance(picture, bytes):
        return picture, (yield from work(hashlib.sha256(picture).hexdigest))
    content = yield from work(lambda: _read(Path(picture)))
    return content, (yield from work(hashlib.sha256(content).hexdigest))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"the picture cannot be read ({error.strerror}): {path}") from error


__all__ = ["content_of", "file_of", "image_of", "is_digest"]
