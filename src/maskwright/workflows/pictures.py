"""What a command is given to work on: files, folders and the example in the package become pictures with output names.

A folder stands for the pictures in it and keeps its subfolders in the names, so that cam1/000.png and cam2/000.png do
not write the same results. Nothing is decoded here until `read`.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from maskwright.core import RLE, Image
from maskwright.core.errors import ImageError, MaskError
from maskwright.datasets import Intensity, find_images, read_image
from maskwright.masks import encode

EXAMPLE = "example:tabletop"
_ASSETS = Path(__file__).parent.parent / "assets"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture to work on: what the user called it, its file, and the relative name that its results begin with."""

    given: str
    path: Path
    stem: str
    intensity: Intensity | None = None
    frame: int | None = None

    def read(self) -> Image:
        """Decode the picture.

        Raises:
            ImageError: it cannot be read; the message says why and ends with the path.
        """
        return read_image(self.path, intensity=self.intensity, frame=self.frame)


def find_pictures(
    given: Sequence[str | os.PathLike[str]], *, intensity: Intensity | None = None, frame: int | None = None
) -> list[Picture]:
    """List the pictures that files, folders and `example:tabletop` stand for, in the order given.

    Raises:
        ImageError: a file or example is missing, a folder holds no picture, or two would write the same results.
    """
    pictures = [
        Picture(given=name, path=path, stem=stem, intensity=intensity, frame=frame)
        for item in given
        for name, path, stem in _expand(os.fspath(item))
    ]
    _check_names(pictures)
    return pictures


def example_path(name: str = EXAMPLE) -> Path:
    """Find an example picture of the package.

    Raises:
        ImageError: there is no example of that name.
    """
    if name != EXAMPLE:
        raise ImageError(f"the only example picture is {EXAMPLE}, got {name}")
    return _ASSETS / "tabletop.jpg"


def read_mask(path: str | os.PathLike[str]) -> RLE:
    """Read a mask picture: what is brighter than half is mask.

    Raises:
        ImageError: the picture cannot be read.
        MaskError: no pixel is bright.
    """
    mask = read_image(path).pixels.max(axis=2) > 127
    if not mask.any():
        raise MaskError(f"a mask picture is white (255) on the object, but this one has no pixel above 127: {path}")
    return encode(mask)


def _expand(item: str) -> Iterable[tuple[str, Path, str]]:
    """List (what to call it, file, stem of the results) of one argument."""
    if item.startswith("example:"):
        path = example_path(item)
        return [(item, path, path.stem)]
    path = Path(item)
    if not path.exists():
        raise ImageError(f"there is no such picture: {item}")
    if path.is_dir():
        return [(str(found), found, found.relative_to(path).with_suffix("").as_posix()) for found in find_images(path)]
    return [(item, path, path.stem)]


def _check_names(pictures: Sequence[Picture]) -> None:
    owners: dict[str, Picture] = {}
    for picture in pictures:
        other = owners.setdefault(picture.stem.casefold(), picture)
        if other is not picture:
            raise ImageError(
                f"two pictures would write the same results ({picture.stem}.*). Give them one by one with different "
                f"--out folders, or name the folder that holds both: {other.path}, {picture.path}"
            )


__all__ = ["EXAMPLE", "Picture", "example_path", "find_pictures", "read_mask"]
