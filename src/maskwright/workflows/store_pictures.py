"""The pictures of a store's frames: from the source that they were annotated from, or from where the user says."""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from maskwright.core.errors import ImageError, InputError, MaskwrightError
from maskwright.core.image import FrameRef, Image
from maskwright.datasets.frame_opener import FrameOpener
from maskwright.datasets.images import read_image
from maskwright.datasets.picture_files import PictureFinder
from maskwright.store import MaskStore, SeenFrame
from maskwright.workflows.annotate_plan import Footage
from maskwright.workflows.run_manifest import source_paths

_log = logging.getLogger(__name__)


class StorePictures:
    """Opens pictures by frame. `images` is a source or a folder; without it, sources are where the runs found them.

    Frames come in frame order, so one decoder is open at a time.

    Raises:
        InputError: there is nothing at `images`, or its pictures are others than those that were annotated.
    """

    def __init__(self, store: MaskStore, images: Path | None = None) -> None:
        self._store, self._images = store, images
        self._folder: PictureFinder | None = None
        self._footages: dict[str, Footage | None] = {}
        self._opener: tuple[tuple[str, str, str], FrameOpener] | None = None
        self._given: Footage | None = None
        if images is not None:
            if not images.exists():
                raise InputError(f"there is no such file or folder: {images}")
            self._folder = PictureFinder((images, images / "images"))
            self._given = _opened(images)

    def opener(self, frame: SeenFrame) -> Callable[[], Image] | None:
        """Give what reads a frame's picture; None where it is not at hand.

        In a folder that has lost a picture, others have its number; so the picture of a number must be the one that was
        annotated, or else the one of the frame's name.
        """
        footage = None if frame.ref is None else self._footage(frame.ref.dataset, frame)
        folder = self._folder or (PictureFinder((footage.path,)) if footage else None)
        found = folder.find(frame.name) if folder else None
        by_name = None if found is None else partial(read_image, found)
        by_number = self._of_source(footage, frame.ref) if footage and frame.ref else None
        if by_number is None:
            return by_name
        readers = (by_number,) if by_name is None else (by_number, by_name)
        return partial(_annotated_one, readers, frame.image_digest)

    def source_path(self, dataset: str) -> Path | None:
        """Where the data set of that name lies; None where it is not at hand."""
        footage = self._footages.get(dataset)
        return footage.path if footage else None

    def _footage(self, dataset: str, frame: SeenFrame) -> Footage | None:
        if dataset not in self._footages:
            self._footages[dataset] = self._find(dataset, frame)
        return self._footages[dataset]

    def _find(self, dataset: str, frame: SeenFrame) -> Footage | None:
        """Find the source of a data set, and compare its picture of a frame with that of the store."""
        if self._images is not None:
            footages = [self._given] if self._given else []
        else:
            paths = (Path(path) for path in reversed(source_paths(self._store.path, dataset)))
            footages = [footage for path in paths if path.exists() and (footage := _opened(path))]
        footage = next((one for one in footages if one.source.name == dataset), None)
        footage = footage or (footages[0] if footages and self._images is not None else None)
        if footage is None or frame.image_digest is None or frame.ref is None:
            return footage
        open_image = self._of_source(footage, frame.ref)
        try:
            if open_image is None or open_image().digest == frame.image_digest:
                return footage
        except MaskwrightError:
            return footage  # told when it is needed
        told = f"the pictures are others than those that were annotated ({frame.name} differs)"
        if self._images is not None:
            raise InputError(f"{told}. Name the right ones: {footage.path}")
        _log.warning("%s, so none are taken: %s", told, footage.path)
        return None

    def _of_source(self, footage: Footage, ref: FrameRef) -> Callable[[], Image] | None:
        key = ref.dataset, ref.episode, ref.camera
        if self._opener is None or self._opener[0] != key:
            episode = next((one for one in footage.source.episodes if one.key == ref.episode), None)
            if episode is None or ref.camera not in episode.cameras:
                return None
            self._opener = key, FrameOpener(footage.source, episode, ref.camera)
        return self._opener[1].opener(ref.frame_index)


def _annotated_one(readers: Sequence[Callable[[], Image]], digest: str | None) -> Image:
    """Read the first picture that can be read and is the one that was annotated; otherwise tell of the first."""
    problems: list[InputError] = []
    for read in readers:
        try:
            image = read()
        except InputError as error:
            problems.append(error)
            continue
        if digest in (None, image.digest):
            return image
        problems.append(ImageError("the picture in its place is another than the one that was annotated"))
    raise problems[0]


def _opened(path: Path) -> Footage | None:
    try:
        return Footage.open(path)
    except InputError as error:
        _log.debug("no source of frames: %s", error)
        return None


__all__ = ["StorePictures"]
