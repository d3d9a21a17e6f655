"""`open_source`: what a path is, told from what lies there and not from what it is called where that is possible."""

import logging
from collections.abc import Callable
from pathlib import Path

from maskwright.core.errors import InputError
from maskwright.datasets.frame_source import FrameSource
from maskwright.datasets.images import _natural, _walk
from maskwright.datasets.lerobot_meta import is_lerobot
from maskwright.datasets.rlds_meta import find_rlds

_log = logging.getLogger(__name__)

_LOG_SUFFIXES = frozenset([".bag", ".mcap"])
_LOOKED_FOR = (
    "a LeRobot data set (meta/info.json)",
    "an RLDS data set (dataset_info.json, TFRecord files)",
    "MCAP files and ROS bags",
    "HDF5 episodes (robomimic, LIBERO, ALOHA)",
    "videos",
    "pictures",
    "NIfTI volumes and folders of DICOM slices",
)


def open_source(path: str | Path) -> FrameSource:
    """Open whatever frames can be read from: a robot data set, a log, a video, a picture, or a folder of these.

    Raises:
        InputError: there is nothing at the path, or nothing that frames can be read from; the message lists what was
            looked for.
    """
    root = Path(path)
    if not root.exists():
        raise InputError(f"there is no such file or folder: {root}")
    for recognise in _KINDS:
        source = recognise(root)
        if source is not None:
            return source
    raise InputError(f"nothing here that frames can be read from; looked for {', '.join(_LOOKED_FOR)}: {root}")


def _lerobot(root: Path) -> FrameSource | None:
    if not is_lerobot(root):
        return None
    from maskwright.datasets.lerobot_source import LeRobotSource

    return LeRobotSource(root)


def _rlds(root: Path) -> FrameSource | None:
    found = find_rlds(root)
    if found is None:
        return None
    from maskwright.datasets.rlds_source import RldsSource

    return RldsSource(found)


def _ros(root: Path) -> FrameSource | None:
    found = _ros_logs(root)
    if not found:
        return None
    from maskwright.datasets.ros_source import RosSource

    return RosSource(found, root=root if root.is_dir() else None)


def _ros_logs(root: Path) -> list[Path]:
    """List bag folders of ROS 2 (which have a metadata.yaml), bags of ROS 1, and MCAP files outside of those."""
    if root.is_file():
        if root.suffix.lower() == ".db3" and (root.parent / "metadata.yaml").is_file():
            return [root.parent]
        return [root] if root.suffix.lower() in _LOG_SUFFIXES else []
    files = _files_below(root, _LOG_SUFFIXES | {".db3"})
    folders = {path.parent for path in files if (path.parent / "metadata.yaml").is_file()}
    alone = [path for path in files if path.parent not in folders and path.suffix.lower() in _LOG_SUFFIXES]
    return [*sorted(folders), *alone]


def _hdf5(root: Path) -> FrameSource | None:
    suffixes = (".h5", ".hdf5", ".hdf")
    if root.is_file() and root.suffix.lower() not in suffixes:
        return None
    found = [root] if root.is_file() else _files_below(root, frozenset(suffixes))
    if not found:
        return None
    from maskwright.datasets.hdf5_source import Hdf5Source

    if root.is_file():
        return Hdf5Source(found)
    try:
        return Hdf5Source(found, root=root)
    except InputError as error:  # DROID has videos beside files of states
        _log.warning("left out: %s", error)
        return None


def _videos(root: Path) -> FrameSource | None:
    from maskwright.datasets.video import SUFFIXES, VideoFiles

    if root.is_file():
        return VideoFiles([root]) if root.suffix.lower() in SUFFIXES else None
    found = _files_below(root, SUFFIXES)
    return VideoFiles(found, root=root) if found else None


def _files_below(root: Path, suffixes: frozenset[str]) -> list[Path]:
    """List files by suffix in the order a person counts, hidden ones left out."""
    found = (path for path in _walk(root, recursive=True) if path.suffix.lower() in suffixes)
    return sorted(found, key=lambda path: [_natural(part) for part in path.relative_to(root).parts])


def _pictures(root: Path) -> FrameSource | None:
    from maskwright.datasets.images import SUFFIXES

    files = root.rglob("*") if root.is_dir() else [root]
    if not any(one.suffix.lower() in SUFFIXES for one in files):
        return None
    from maskwright.datasets.image_folder import ImageFolder

    return ImageFolder(root)


def _volume(root: Path) -> FrameSource | None:
    suffixes = (".dcm",) if root.is_dir() else (".nii", ".nii.gz", ".dcm")
    names = (path.name for path in root.rglob("*")) if root.is_dir() else [root.name]
    if not any(name.lower().endswith(suffixes) for name in names):
        return None
    from maskwright.datasets.volume_files import open_volume
    from maskwright.datasets.volume_slices import VolumeSlices

    return VolumeSlices(open_volume(root))


_KINDS: tuple[Callable[[Path], FrameSource | None], ...] = (_lerobot, _rlds, _ros, _hdf5, _videos, _pictures, _volume)

__all__ = ["open_source"]
