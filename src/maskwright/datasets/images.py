"""Still pictures: one file, some bytes or an open file become an `Image`; a folder becomes a list of pictures.

Decides what strange files mean, so that nothing downstream has to:
the orientation that a camera wrote is applied; transparency is dropped, as `convert("RGB")` does; 16 bits are scaled by
their full range (65535 becomes 255) unless an intensity window is given; floats must lie in 0..1 or have a window; a
picture with several frames needs `frame`. JPEGs are decoded at full size, never drafted. What cannot be read is an
`ImageError` in one line. Formats that run programs or hold vector graphics (EPS, PDF, SVG) are not opened.
"""

import io
import logging
import os
import re
import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Num, UInt8
from PIL import Image as PillowImage
from PIL import UnidentifiedImageError

from maskwright.core.errors import ImageError
from maskwright.core.image import Image
from maskwright.core.settings import MAX_PIXELS
from maskwright.datasets.medical import Intensity, stretch

_log = logging.getLogger(__name__)

PictureSource = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO

_NAMES = "jpg jpeg jpe mpo png apng tif tiff bmp gif webp avif jp2 j2k ppm pgm pbm pnm"
SUFFIXES = frozenset(f".{name}" for name in _NAMES.split())
_FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "DIB", "GIF", "WEBP", "AVIF", "JPEG2000", "PPM")
# A phone's JPEG may carry a preview or a depth map as a second picture; the first is the photograph.
_FIRST_IS_THE_PICTURE = frozenset(["MPO", "JPEG"])
_FULL_SCALE_16 = 65535
_pillow_limit = threading.Lock()


def read_image(
    source: PictureSource,
    *,
    intensity: Intensity | None = None,
    frame: int | None = None,
    max_pixels: int | None = None,
) -> Image:
    """Read one picture as uint8 RGB, upright.

    `intensity` maps grayscale of any depth through a window or percentiles. `frame` picks one of an animated or
    multi-page file, from 0. `max_pixels` defaults to the setting `max_pixels`; the size is known before any pixel is
    decoded, so a decompression bomb costs nothing.

    Raises:
        ImageError: it is missing, not a picture, damaged, too large, or needs `frame` or `intensity`.
    """
    where = _describe(source)
    file = _open(source, where)
    limit = MAX_PIXELS.get() if max_pixels is None else max_pixels
    try:
        with _opened_by_pillow(file, where) as picture:
            _check_size(picture.size, limit, where)
            _seek(picture, frame, where)
            _check_size(picture.size, limit, where)
            pixels = _pixels(picture, file, intensity, where)
    except ImageError:
        raise
    except MemoryError as error:
        raise ImageError(f"the picture does not fit into memory. Make it smaller: {where}") from error
    except Exception as error:  # decoders of damaged files raise nearly every type there is
        raise ImageError(f"the picture is damaged ({_first_line(error)}). Get it again: {where}") from error
    finally:
        file.close()
    return Image(pixels)


def picture_size_wh(source: PictureSource) -> tuple[int, int]:
    """Read a picture's (width, height) from its header, as the file has it, before any pixel is decoded.

    Raises:
        ImageError: it is missing or not a picture.
    """
    where = _describe(source)
    with _open(source, where) as file:
        try:
            with _opened_by_pillow(file, where) as picture:
                return picture.size
        except ImageError:
            raise
        except Exception as error:  # decoders of damaged files raise nearly every type there is
            raise ImageError(f"the picture is damaged ({_first_line(error)}). Get it again: {where}") from error


def find_images(folder: str | os.PathLike[str], *, recursive: bool = True) -> list[Path]:
    """List the pictures of a folder by their suffixes, in the order a person counts (frame2 before frame10).

    Hidden files and folders are left out.

    Raises:
        ImageError: there is no such folder, or no picture in it.
    """
    root = Path(folder)
    if not root.is_dir():
        raise ImageError(f"expected a folder of pictures, but there is none: {root}")
    found = [path for path in _walk(root, recursive) if path.suffix.lower() in SUFFIXES]
    if not found:
        raise ImageError(f"no picture in the folder; looked for {', '.join(sorted(SUFFIXES))}: {root}")
    return sorted(found, key=lambda path: [_natural(part) for part in path.relative_to(root).parts])


def iter_images(paths: Iterable[Path], *, intensity: Intensity | None = None) -> Iterator[tuple[Path, Image]]:
    """Read pictures one after the other; only one is in memory at a time."""
    for path in paths:
        yield path, read_image(path, intensity=intensity)


def _walk(root: Path, recursive: bool) -> Iterator[Path]:
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = [name for name in subfolders if recursive and not name.startswith(".")]
        yield from (Path(folder, name) for name in names if not name.startswith("."))


def _natural(text: str) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d+)", text)
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part.lower()) for part in parts]


def _describe(source: PictureSource) -> str:
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    if isinstance(source, bytes | bytearray | memoryview):
        return f"<{len(source)} bytes>"
    return f"<{getattr(source, 'name', type(source).__name__)}>"


def _open(source: PictureSource, where: str) -> BinaryIO:
    if isinstance(source, bytes | bytearray | memoryview):
        return io.BytesIO(source)
    if isinstance(source, str | os.PathLike):
        return _open_path(Path(source), where)
    if not hasattr(source, "read"):
        raise ImageError(f"expected a path, bytes or an open binary file, got a {type(source).__name__}")
    content = source.read()
    if not isinstance(content, bytes):
        raise ImageError(f"the file must be open in binary mode, but it gives {type(content).__name__}: {where}")
    return io.BytesIO(content)


def _open_path(path: Path, where: str) -> BinaryIO:
    try:
        if path.is_dir():
            raise ImageError(f"expected a picture, got a folder. find_images lists the pictures in it: {where}")
        return path.open("rb")
    except FileNotFoundError as error:
        raise ImageError(f"there is no such picture: {where}") from error
    except (OSError, ValueError) as error:  # a name with a NUL is a ValueError
        reason = error.strerror if isinstance(error, OSError) else error
        raise ImageError(f"the picture cannot be opened ({reason}): {where!r}") from error


@contextmanager
def _opened_by_pillow(file: BinaryIO, where: str) -> Iterator[PillowImage.Image]:
    """Open without Pillow's own size limit, which is one number for the whole process; ours is checked right after."""
    PillowImage.init()
    formats = [name for name in _FORMATS if name in PillowImage.OPEN]  # AVIF is not in every build
    try:
        with _pillow_limit, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kept, PillowImage.MAX_IMAGE_PIXELS = PillowImage.MAX_IMAGE_PIXELS, None
            try:
                picture = PillowImage.open(file, formats=formats)
            finally:
                PillowImage.MAX_IMAGE_PIXELS = kept
    except UnidentifiedImageError as error:
        file.seek(0)
        raise ImageError(f"{_what_it_is(file.read(4096))}: {where}") from error
    with picture:
        yield picture


def _what_it_is(head: bytes) -> str:
    """Say what a file is that Pillow did not know, as far as its first bytes tell."""
    if not head:
        return "the file is empty, expected a picture. Get it again"
    signatures = {
        "an HEIC photograph. Convert it to JPEG or PNG": head[4:8] == b"ftyp"
        and head[8:11] in (b"hei", b"hev", b"mif"),
        "a video. Take pictures out of it, for example with ffmpeg": head[4:8] == b"ftyp"
        or head[:4] == b"\x1aE\xdf\xa3",
        "a DICOM file. Open its folder with maskwright volume, or export it as 16-bit PNG": head[128:132] == b"DICM",
        "a PDF document. Export the page as PNG": head.startswith(b"%PDF"),
        "a vector drawing. Export it as PNG": head.startswith(b"%!PS") or b"<svg" in head,
        "a NumPy array. Pass its pixels to maskwright.Image": head.startswith(b"\x93NUMPY"),
    }
    for kind, matches in signatures.items():
        if matches:
            return f"expected a picture, got {kind}"
    if head.startswith((b"II*\0", b"MM\0*")):
        return "this TIFF is damaged or of a kind that cannot be read. Save it with 8 or 16 bits a channel"
    if head.startswith((b"\xff\xd8", b"\x89PNG", b"GIF8", b"BM", b"RIFF")):
        return "the picture is damaged: its header cannot be read. Get it again"
    return "this is not a picture in a format that can be read (JPEG, PNG, TIFF, WebP, AVIF, GIF, BMP, JPEG 2000, PNM)"


def _check_size(size_wh: tuple[int, int], limit: int, where: str) -> None:
    width, height = size_wh
    if width * height > limit:
        raise ImageError(
            f"the picture has {width} x {height} = {width * height:,} pixels, more than the limit of {limit:,}. "
            f"If you trust it, set {MAX_PIXELS.env}={width * height}: {where}"
        )


def _seek(picture: PillowImage.Image, frame: int | None, where: str) -> None:
    num_frames = getattr(picture, "n_frames", 1)
    if frame is None:
        if num_frames > 1 and picture.format not in _FIRST_IS_THE_PICTURE:
            raise ImageError(
                f"the {picture.format} holds {num_frames} frames, expected one picture. "
                f"Say which with frame=0 to {num_frames - 1} (--frame): {where}"
            )
        return
    if not 0 <= frame < num_frames:
        raise ImageError(f"frame must lie between 0 and {num_frames - 1}, got {frame}: {where}")
    picture.seek(frame)


def _pixels(
    picture: PillowImage.Image, file: BinaryIO, intensity: Intensity | None, where: str
) -> UInt8[np.ndarray, "H W 3"]:
    deep = _deep_colour(picture, file, where) if _has_deep_colour(picture) else None
    if deep is not None:
        # OpenCV turns TIFFs upright itself, whatever its flags say, and no other format.
        return _turn(_as_rgb(deep, intensity, where), 1 if picture.format == "TIFF" else _orientation(picture))
    picture.load()
    upright = _upright(picture, _orientation(picture))
    if upright.mode == "F" or upright.mode.startswith("I"):
        values = np.asarray(upright)
        gray = intensity.apply(values) if intensity else _full_scale(values, picture, where)
        return _three_channels(gray)
    return _as_rgb(np.array(upright if upright.mode == "RGB" else upright.convert("RGB")), intensity, where)


def _as_rgb(pixels: Num[np.ndarray, "H W 3"], intensity: Intensity | None, where: str) -> UInt8[np.ndarray, "H W 3"]:
    if intensity is None:
        return pixels if pixels.dtype == np.uint8 else stretch(pixels, 0, _FULL_SCALE_16)
    if (pixels != pixels[:, :, :1]).any():
        raise ImageError(
            f"a window or percentiles need a grayscale picture, but this one has colours. Leave them out: {where}"
        )
    return _three_channels(intensity.apply(pixels[:, :, 0]))


def _three_channels(gray: UInt8[np.ndarray, "H W"]) -> UInt8[np.ndarray, "H W 3"]:
    return np.repeat(gray[:, :, None], 3, axis=2)


def _full_scale(values: Num[np.ndarray, "H W"], picture: PillowImage.Image, where: str) -> UInt8[np.ndarray, "H W"]:
    """Scale deep grayscale by what its type can hold; a type without a natural range needs an intensity window."""
    # Pillow hands 16-bit PGM and some PNGs over as int32, scaled to the full 16 bits.
    if picture.mode.startswith("I;16") or picture.format in ("PPM", "PNG"):
        top = int(values.max())
        if 0 < top < 4096:
            _log.warning(
                "the 16-bit picture uses only 0..%d of 65535 and will look dark; give a window or percentiles: %s",
                top,
                where,
            )
        return stretch(values, 0, _FULL_SCALE_16)
    finite = values[np.isfinite(values)]
    if not finite.size:
        raise ImageError(f"none of the {values.size} pixels is a finite number: {where}")
    low, high = float(finite.min()), float(finite.max())
    if values.dtype.kind == "f" and low >= 0 and high <= 1:
        return stretch(values, 0, 1)
    kind = "float" if values.dtype.kind == "f" else "32-bit"
    raise ImageError(
        f"the {kind} picture has values from {low:g} to {high:g} and no natural black and white. "
        f"Give a window or percentiles (--percentile 1,99): {where}"
    )


def _has_deep_colour(picture: PillowImage.Image) -> bool:
    """Say whether the file has colours of more than 8 bits, of which Pillow keeps only the upper byte."""
    if picture.mode not in ("RGB", "RGBA", "LA"):
        return False
    if picture.format == "TIFF":
        return max(getattr(picture, "tag_v2", {}).get(258, (8,))) == 16  # BitsPerSample
    return picture.format == "PNG" and any("16" in str(tile[3]) for tile in getattr(picture, "tile", []))


def _deep_colour(picture: PillowImage.Image, file: BinaryIO, where: str) -> Num[np.ndarray, "H W 3"] | None:
    """Decode 16-bit colour with OpenCV; None where it cannot (a second page), and Pillow's upper byte has to do."""
    import cv2

    position = file.tell()
    file.seek(0)
    content = np.frombuffer(file.read(), np.uint8)
    file.seek(position)
    decoded = None if picture.tell() else cv2.imdecode(content, cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.dtype != np.uint16 or decoded.shape[:2] != picture.size[::-1]:
        _log.warning("16-bit colours are read with 8 bits: %s", where)
        return None
    if decoded.ndim == 2:
        return np.repeat(decoded[:, :, None], 3, axis=2)
    return decoded[:, :, 2::-1] if decoded.shape[2] > 2 else np.repeat(decoded[:, :, :1], 3, axis=2)


def _orientation(picture: PillowImage.Image) -> int:
    """Read the orientation (1 to 8); metadata that cannot be read means upright."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return int(picture.getexif().get(0x0112, 1))
    except Exception:  # a broken EXIF block must not cost the picture
        return 1


_TURNS = {
    2: PillowImage.Transpose.FLIP_LEFT_RIGHT,
    3: PillowImage.Transpose.ROTATE_180,
    4: PillowImage.Transpose.FLIP_TOP_BOTTOM,
    5: PillowImage.Transpose.TRANSPOSE,
    6: PillowImage.Transpose.ROTATE_270,
    7: PillowImage.Transpose.TRANSVERSE,
    8: PillowImage.Transpose.ROTATE_90,
}


def _upright(picture: PillowImage.Image, orientation: int) -> PillowImage.Image:
    return picture.transpose(_TURNS[orientation]) if orientation in _TURNS else picture


def _turn(pixels: UInt8[np.ndarray, "H W 3"], orientation: int) -> UInt8[np.ndarray, "H W 3"]:
    return np.array(_upright(PillowImage.fromarray(pixels), orientation))


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0] or type(error).__name__


__all__ = ["SUFFIXES", "PictureSource", "find_images", "iter_images", "picture_size_wh", "read_image"]
