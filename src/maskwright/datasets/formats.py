"""The annotation formats, as data: which module reads and writes each, and what it can hold.

Modules are imported when a format is used, so that listing them costs nothing. A module `datasets/<module>.py` has
`read(path, *, images, log)` and `write(frames, out, *, log)` where its format reads and writes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from maskwright.core.errors import SettingError
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.loss_report import LossLog

# What a format may be able to hold beside the pixels of each mask.
FEATURES = (
    *("holes", "islands", "overlaps", "labels", "tracks", "track states", "scores", "status", "provenance"),
    *("comments", "unlabelled frames"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One annotation format; `holds` are some of `FEATURES`, the rest is what its loss report tells of."""

    name: str
    module: str
    help: str
    holds: frozenset[str]
    reads: bool = True
    writes: bool = True

    def read(self, path: Path, *, images: Path | None = None, log: LossLog) -> Iterator[LabelledFrame]:
        """Read a file or folder of this format, a frame at a time; `images` is where its pictures lie.

        Raises:
            SettingError: this format is only written.
            InputError: it is not of this format, or damaged as a whole; damaged items are left out and logged.
        """
        if not self.reads:
            raise SettingError(f"{self.name} is a format that is only written")
        return import_module(f"maskwright.datasets.{self.module}").read(path, images=images, log=log)

    def write(self, frames: Iterable[LabelledFrame], out: Path, *, log: LossLog) -> None:
        """Write frames into a new folder `out`, which appears when it is whole.

        Raises:
            SettingError: this format is only read, or `out` exists and is not empty.
        """
        if not self.writes:
            raise SettingError(f"{self.name} is a format that is only read")
        import_module(f"maskwright.datasets.{self.module}").write(frames, out, log=log)


_ALL = frozenset(FEATURES)


def _format(name: str, help: str, holds: Iterable[str] = _ALL, **others: Any) -> Format:
    return Format(name=name, module=name.replace("-", "_"), help=help, holds=frozenset(holds), **others)


_EXCEPT_OVERLAPS = _ALL - {"overlaps"}
_STORY = ("provenance", "comments")
_ALL_PIXELS = frozenset(["holes", "islands", "overlaps", "unlabelled frames"])
_REGIONS = ("holes", "islands", "labels", "unlabelled frames")

# One line a format, so that hands who add some do not meet.
FORMATS: dict[str, Format] = {
    one.name: one
    for one in (
        _format("coco", "COCO instances: one JSON with run lengths"),
        _format("png", "a PNG a mask, frame_0001_mask.png; reads loose folders of masks and pictures"),
        _format("png-ids", "a 16-bit PNG a frame, a number a mask", _EXCEPT_OVERLAPS),
        _format("png-classes", "a PNG a frame, a number a label", _REGIONS),
        _format("davis", "DAVIS and YouTube-VOS: palette PNGs, a number an object", (*_REGIONS, "tracks")),
        _format("cvat", "CVAT for images 1.1: XML with masks, a folder or a .zip", _ALL - {*_STORY, "track states"}),
        _format("cvat-video", "CVAT for video 1.1: XML with tracks", _ALL - {*_STORY, "unlabelled frames"}),
        _format("label-studio", "Label Studio: tasks with brush regions"),
        _format("sa1b", "SA-1B and SAM's automatic masks: a JSON a picture"),
        _format("labelme", "labelme: a JSON a picture, polygons and masks", (*_REGIONS, "overlaps"), writes=False),
        _format("sav", "SA-V, the videos of SAM 2", _ALL_PIXELS | {"tracks"}, writes=False),
        _format("yolo", "YOLO segmentation: a polygon a mask, data.yaml", (*_REGIONS, "overlaps")),
        _format("npy", "a NumPy array a frame: bool, masks x height x width"),
        _format("hdf5", "one HDF5 file with a table of frames and one of masks"),
        _format("parquet", "one flat Parquet file, a row a mask", _ALL - {"unlabelled frames"}),
        _format("rlds", "RLDS (TFRecord) steps with id maps and run lengths"),
        _format("lerobot", "LeRobot data set: a column of masks and id maps beside the frames"),
    )
}


def find_format(name: str) -> Format:
    """Look a format up by its name.

    Raises:
        SettingError: there is none of that name; the message lists them.
    """
    if name not in FORMATS:
        raise SettingError(f"formats are {', '.join(FORMATS)}; got {name!r}")
    return FORMATS[name]


__all__ = ["FEATURES", "FORMATS", "Format", "find_format"]
