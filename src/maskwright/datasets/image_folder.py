"""`ImageFolder`: folders of pictures as a frame source. Each folder that holds pictures is an episode.

A depth picture beside a colour one (`0001.color.png` and `0001.depth.png`, or `rgb/0001.png` and `depth/0001.png`, as
RGB-D recorders name them) is its depth, not a frame of its own. Folders of labels beside folders of pictures (`masks`
beside `images`) are left out with a warning.
"""

import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from maskwright.core.errors import ImageError, InputError
from maskwright.core.image import Frame, FrameRef, Image
from maskwright.datasets.depth import read_depth
from maskwright.datasets.frame_source import Episode
from maskwright.datasets.images import find_images, read_image
from maskwright.datasets.steps import wanted_frames

_log = logging.getLogger(__name__)

CAMERA = "image"
_COLOUR = re.compile(r"(?<![a-z])(colou?r|rgb|images?)(?![a-z])", re.IGNORECASE)


_PICTURE_FOLDERS = frozenset(["images", "image", "rgb", "color", "colour", "jpegimages", "frames"])
_LABEL_FOLDERS = frozenset(
    ["masks", "mask", "labels", "gt", "annotations", "segmentations", "segmentationobject", "segmentationclass"]
)


class ImageFolder:
    """The pictures below `root`, or the one picture that `root` is; in the order a person counts.

    `paths` maps the key of an episode (its folder below `root`) to its pictures.

    Raises:
        ImageError: there is no picture.
    """

    robot: str | None = None

    def __init__(self, root: Path) -> None:
        self.name = root.resolve().name
        found = _without_labels(find_images(root), root) if root.is_dir() else [root]
        folder = root if root.is_dir() else root.parent
        self._depth = _depth_beside(found)
        as_depth = set(self._depth.values())
        paths: dict[str, list[Path]] = {}
        for path in found:
            if path not in as_depth:
                paths.setdefault(path.parent.relative_to(folder).as_posix(), []).append(path)
        top = paths.pop(".", None)
        if top:  # pictures in the folder itself are called by its name, unless a subfolder has it
            own = folder.resolve().name or "."
            paths = {own if own not in paths else ".": top, **paths}
        self.paths = {key: tuple(pictures) for key, pictures in paths.items()}
        self.episodes: Sequence[Episode] = tuple(
            Episode(key=key, cameras=(CAMERA,), num_frames=len(pictures)) for key, pictures in self.paths.items()
        )

    def frames(
        self, episode: Episode, camera: str, *, start: int = 0, stop: int | None = None, stride: int = 1
    ) -> Iterator[Frame]:
        """Read pictures of one folder; see `FrameSource.frames`."""
        if episode.key not in self.paths or camera != CAMERA:
            raise InputError(f"there is no camera {camera!r} of episode {episode.key!r} in {self.name}")
        pictures = self.paths[episode.key]
        for number in wanted_frames(len(pictures), start, stop, stride):
            ref = FrameRef(dataset=self.name, episode=episode.key, camera=camera, frame_index=number)
            yield Frame(image=self._read(pictures[number]), ref=ref)

    def _read(self, path: Path) -> Image:
        image = read_image(path)
        if path not in self._depth:
            return image
        try:
            depth_m = read_depth(self._depth[path])
        except ImageError as error:  # a picture of the depth in colours, for people
            _log.warning("read without depth: %s", error)
            return image
        return Image(image.pixels, depth_m=depth_m) if depth_m.shape == image.size_hw else image


def _without_labels(paths: list[Path], root: Path) -> list[Path]:
    """Leave out folders of label pictures that stand beside folders of pictures, such as masks beside images."""
    folders = {folder for path in paths for folder in path.relative_to(root).parents}
    with_pictures = {folder.parent for folder in folders if folder.name.lower() in _PICTURE_FOLDERS}
    labels = {one for one in folders if one.name.lower() in _LABEL_FOLDERS and one.parent in with_pictures}
    for folder in sorted(labels):
        _log.warning("left out as labels, not pictures: %s", root / folder)
    return [path for path in paths if labels.isdisjoint(path.relative_to(root).parents)]


def _depth_beside(paths: Sequence[Path]) -> dict[Path, Path]:
    by_stem = {path.with_suffix(""): path for path in paths}
    pairs: dict[Path, Path] = {}
    for path in paths:
        stem = path.with_suffix("")
        in_folder = stem.parent.with_name(_COLOUR.sub("depth", stem.parent.name)) / stem.name
        in_name = stem.with_name(_COLOUR.sub("depth", stem.name))
        partner = next((by_stem[one] for one in (in_name, in_folder) if one != stem and one in by_stem), None)
        if partner is not None:
            pairs[path] = partner
    return pairs


__all__ = ["CAMERA", "ImageFolder"]
