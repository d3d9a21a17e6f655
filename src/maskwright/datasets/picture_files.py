"""Pictures beside annotations: found by the name that a file gives them, measured without decoding, and written.

A name in a file is not trusted: what leads out of the folder is not opened.
"""

import io
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from PIL import Image as PillowImage

from maskwright.core.errors import ImageError, InputError
from maskwright.core.image import Image
from maskwright.core.settings import MAX_PIXELS
from maskwright.core.shapes import SizeHW
from maskwright.datasets.images import _check_size, _natural, _opened_by_pillow, _orientation, read_image
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.loss_report import LossLog
from maskwright.datasets.new_folder import without_suffix, write_file

MISSING = "pictures, which are not at hand"
RENAMED = "names of pictures, which had to change"
RECODED = "exact pixels of pictures, which are written as JPEG"

_LOSSLESS = {".png": "PNG", ".bmp": "BMP", ".tif": "TIFF", ".tiff": "TIFF", ".ppm": "PPM"}
_JPEG = (".jpg", ".jpeg")
_QUALITY = 95


@dataclass(frozen=True, slots=True)
class PictureFinder:
    """Finds pictures below some folders, the first first.

    A `loose` one takes the last part of a name where the whole is not found, as names from other machines need it; but
    never one picture for two names.
    """

    folders: tuple[Path, ...]
    loose: bool = False
    _given: dict[Path, str] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def beside(cls, path: Path, images: Path | None) -> "PictureFinder":
        """Look in `images` if it is given, else beside an annotation file and where data sets keep their pictures."""
        if images is not None:
            return cls((images, images / "images"), loose=True)
        folder = path if path.is_dir() else path.parent
        return cls((folder, folder / "images", folder.parent / "images", folder.parent / path.stem))

    def find(self, name: str) -> Path | None:
        """Find a picture by its name."""
        posix = PurePosixPath(name.replace("\\", "/"))
        for wanted in (posix, PurePosixPath(posix.name)) if self.loose else (posix,):
            if wanted.is_absolute() or ".." in wanted.parts or not wanted.name or "\0" in name:
                continue
            for folder in self.folders:
                # isfile is False, not an error, for a name that is too long
                if os.path.isfile(found := folder / wanted) and self._may_give(found, name):
                    return found
        return None

    def _may_give(self, found: Path, name: str) -> bool:
        return not self.loose or self._given.setdefault(found, name) == name

    def opener(self, name: str, log: LossLog) -> Callable[[], Image] | None:
        """Give what reads a picture, or None, which the log hears of."""
        found = self.find(name)
        if found is None:
            log.lose(MISSING, name)
            return None
        return partial(read_image, found)

    def size_hw(self, name: str) -> SizeHW | None:
        """Read the size of an upright picture from its header; None where there is no such picture.

        Raises:
            ImageError: it is not a picture, or too large.
        """
        found = self.find(name)
        return None if found is None else read_size_hw(found)


@dataclass(frozen=True, slots=True)
class ZippedPictures:
    """Finds pictures in a zip file, by their own path or below `images`."""

    path: Path
    members: frozenset[str]

    @classmethod
    def of(cls, path: Path) -> "ZippedPictures":
        """List what a zip file holds."""
        with zipfile.ZipFile(path) as archive:
            return cls(path, frozenset(archive.namelist()))

    def find(self, name: str) -> str | None:
        """Find the member that holds a picture."""
        return next((one for one in (f"images/{name}", name) if one in self.members), None)

    def opener(self, name: str, log: LossLog) -> Callable[[], Image] | None:
        """Give what reads a picture, or None, which the log hears of."""
        found = self.find(name)
        if found is None:
            log.lose(MISSING, name)
            return None
        return partial(_read_zipped, self.path, found)

    def size_hw(self, name: str) -> SizeHW | None:
        """Read the size of an upright picture; None where there is no such picture.

        Raises:
            ImageError: it is not a picture, or too large.
        """
        found = self.find(name)
        if found is None:
            return None
        with zipfile.ZipFile(self.path) as archive, archive.open(found) as file:
            return _size_hw(file, f"{self.path}/{found}")


Pictures = PictureFinder | ZippedPictures


def _read_zipped(path: Path, member: str) -> Image:
    try:
        with zipfile.ZipFile(path) as archive:
            return read_image(archive.read(member))
    except (OSError, zipfile.BadZipFile, KeyError) as error:
        raise ImageError(f"the picture {member} cannot be read ({error}): {path}") from None


def read_size_hw(path: Path) -> SizeHW:
    """Read the size of an upright picture from its header.

    Raises:
        ImageError: it is missing, not a picture, or too large.
    """
    try:
        with path.open("rb") as file:
            return _size_hw(file, str(path))
    except OSError as error:
        raise ImageError(f"the picture cannot be opened ({error.strerror or error}): {path}") from None


def _size_hw(file: Any, where: str) -> SizeHW:
    try:
        with _opened_by_pillow(file, where) as picture:
            _check_size(picture.size, MAX_PIXELS.get(), where)
            width, height = picture.size
            return (width, height) if _orientation(picture) >= 5 else (height, width)
    except ImageError:
        raise
    except Exception as error:  # decoders of damaged files raise nearly every type there is
        raise ImageError(f"the picture is damaged ({error}): {where}") from None


def picture_path(path: PurePosixPath, *, suffixes: Iterable[str] = (*_LOSSLESS, *_JPEG)) -> PurePosixPath:
    """Give a picture a suffix that it can be written with: its own, or .png."""
    if path.suffix.lower() in suffixes:
        return path
    return path.with_name(f"{without_suffix(path).name}.png")


def picture_of(frame: LabelledFrame, log: LossLog) -> Image | None:
    """Read a frame's picture; None, and a word to the log, where it is not at hand or cannot be read."""
    if frame.open_image is None:
        log.lose(MISSING, frame.name)
        return None
    try:
        return frame.open_image()
    except InputError as error:
        log.skip(f"the picture of {frame.name}, not its masks", str(error))
        return None


def write_picture(frame: LabelledFrame, path: Path, log: LossLog) -> bool:
    """Write a frame's picture in the format of the path's suffix; False, and a word to the log, where there is none.

    Raises:
        SettingError: it cannot be written.
    """
    image = picture_of(frame, log)
    if image is None:
        return False
    pixels = PillowImage.fromarray(image.pixels)
    buffer = io.BytesIO()
    if path.suffix.lower() in _JPEG:
        log.lose(RECODED, frame.name)
        pixels.save(buffer, "JPEG", quality=_QUALITY, subsampling=0)
    else:
        pixels.save(buffer, _LOSSLESS[path.suffix.lower()], **({"compress_level": 3} if path.suffix == ".png" else {}))
    write_file(path, buffer.getvalue())
    return True


def iter_files(folder: Path, suffix: str) -> Iterator[Path]:
    """List the files of a suffix below a folder as a person counts, hidden ones left out."""
    found = (path for path in folder.rglob(f"*{suffix}") if path.is_file())
    seen = [path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    yield from sorted(seen, key=lambda path: [_natural(part) for part in path.relative_to(folder).parts])


__all__ = [
    "MISSING",
    "RECODED",
    "RENAMED",
    "PictureFinder",
    "Pictures",
    "ZippedPictures",
    "iter_files",
    "picture_of",
    "picture_path",
    "read_size_hw",
    "write_picture",
]
