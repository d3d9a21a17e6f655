"""`Hdf5Source`: episodes in HDF5 files, as robomimic, LIBERO, ALOHA and their relatives record them.

An episode is a group with `obs`, `observations` or `observation` below it: the file itself (ALOHA) or the children of
`data` (robomimic's `demo_0`). Every array of RGB frames below that is a camera: uint8 T x H x W x 3 (or T x 3 x H x W),
or one JPEG or PNG file a frame, which are decoded to the colours that they show, as LeRobot's converter does.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import h5py
import numpy as np
from jaxtyping import Float, UInt8

from maskwright.core.errors import ImageError, InputError
from maskwright.core.image import Frame, FrameRef, Image
from maskwright.datasets.damage import first_line, told_as_damage
from maskwright.datasets.depth import depth_key_for, metres_from
from maskwright.datasets.frame_source import Episode
from maskwright.datasets.images import _natural, read_image
from maskwright.datasets.steps import wanted_frames

# h5py's own types make every item a union of all that a file may hold.
File: TypeAlias = Any
Group: TypeAlias = Any
Dataset: TypeAlias = Any

_log = logging.getLogger(__name__)
SUFFIXES = frozenset([".h5", ".hdf5", ".hdf"])
_OBSERVATIONS = ("observations", "obs", "observation")
_TASKS = ("language_instruction", "language_raw", "instruction", "task_description", "task")
_USUAL_FOLDERS = ("images", "rgb_images", "image", "rgb")
_USUAL_ENDINGS = ("_image", "_rgb")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hdf5Camera:
    """The array of a camera, by its path in the file, and that of its depth."""

    key: str
    depth_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hdf5Episode:
    """Where an episode lies, and its cameras by name."""

    path: Path
    cameras: dict[str, Hdf5Camera]
    num_frames: int


class Hdf5Source:
    """The episodes of HDF5 files; their keys are paths below `root`, with the group where a file holds several.

    Among several files, one that cannot be read is left out with a warning.

    Raises:
        InputError: a file is damaged, or holds no episode with a camera.
    """

    robot: str | None = None

    def __init__(self, paths: Sequence[Path], *, root: Path | None = None) -> None:
        self.name = root.resolve().name if root else paths[0].name
        self._places: dict[str, Hdf5Episode] = {}
        episodes: list[Episode] = []
        problem: InputError | None = None
        for path in paths:
            file_key = path.relative_to(root).with_suffix("").as_posix() if root else path.stem
            try:
                with told_as_damage("the HDF5 file", path):
                    episodes += self._open(path, file_key, several=len(paths) > 1)
            except InputError as error:
                problem = error
                if len(paths) > 1:
                    _log.warning("left out: %s", error)
        if problem and not episodes:
            raise problem
        self.episodes: Sequence[Episode] = tuple(episodes)

    def frames(
        self, episode: Episode, camera: str, *, start: int = 0, stop: int | None = None, stride: int = 1
    ) -> Iterator[Frame]:
        """Read frames of one camera; see `FrameSource.frames`."""
        place = self._places.get(episode.key)
        if place is None or camera not in place.cameras:
            raise InputError(f"there is no camera {camera!r} of episode {episode.key!r} in {self.name}")
        array = place.cameras[camera]
        with _opened(place.path) as file:
            for number in wanted_frames(place.num_frames, start, stop, stride):
                where = f"frame {number} of {array.key}"
                pixels = _pixels(_item(file, array.key, number, place.path), where, place.path)
                depth_m = None
                if array.depth_key:
                    depth_m = _depth_m(_item(file, array.depth_key, number, place.path))
                fits = depth_m is not None and depth_m.shape == pixels.shape[:2]
                ref = FrameRef(
                    dataset=self.name,
                    episode=episode.key,
                    camera=camera,
                    frame_index=number,
                    timestamp_s=None if episode.fps is None else round(number / episode.fps, 6),
                )
                yield Frame(image=Image(pixels, depth_m=depth_m if fits else None), ref=ref)

    def _open(self, path: Path, file_key: str, *, several: bool) -> Iterator[Episode]:
        with _opened(path) as file:
            groups = _episode_groups(file)
            found = 0
            for name, group in groups:
                cameras = _cameras(group)
                if not cameras:
                    continue
                found += 1
                key = file_key if not name else f"{file_key}/{name}" if several else name
                lengths = {len(file[one.key]) for one in cameras.values()}
                if len(lengths) > 1:
                    counts = ", ".join(map(str, sorted(lengths)))
                    _log.warning("cameras of %s have %s frames; the fewest count: %s", key, counts, path)
                self._places[key] = Hdf5Episode(path=path, cameras=cameras, num_frames=min(lengths))
                yield Episode(
                    key=key,
                    cameras=tuple(cameras),
                    num_frames=min(lengths),
                    fps=_fps(file),
                    task=_task(group) or _task(file) or (_task(file["data"]) if "data" in file else None),
                )
        if not found:
            names = " or ".join(f"{one}/..." for one in _OBSERVATIONS)
            raise InputError(f"the file has no episode with frames (arrays of RGB pictures below {names}): {path}")


def _opened(path: Path) -> File:
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise InputError(
            f"the HDF5 file cannot be opened ({first_line(error)}); it is damaged or cut off: {path}"
        ) from error


def _episode_groups(file: File) -> list[tuple[str, Group]]:
    if any(name in file for name in _OBSERVATIONS):
        return [("", file)]
    below = file["data"] if isinstance(file.get("data"), h5py.Group) else file
    names = [
        name for name, one in below.items() if isinstance(one, h5py.Group) and any(o in one for o in _OBSERVATIONS)
    ]
    return [(name, below[name]) for name in sorted(names, key=_natural)]


def _cameras(group: Group) -> dict[str, Hdf5Camera]:
    observed = next(group[name] for name in _OBSERVATIONS if name in group)
    arrays: list[Dataset] = []

    def note(_: str, one: Any) -> None:
        if isinstance(one, h5py.Dataset):
            arrays.append(one)

    observed.visititems(note)
    depth = [one.name for one in arrays if _is_depth(one)]
    colour = [one.name for one in arrays if one.name not in depth and _is_colour(one)]
    prefix = observed.name.rstrip("/") + "/"
    inside = {key: key.removeprefix(prefix) for key in colour}
    short = {key: _short(one) for key, one in inside.items()}
    names = {key: one if list(short.values()).count(one) == 1 else inside[key] for key, one in short.items()}
    depth_inside = {key.removeprefix(prefix): key for key in depth}
    cameras = {}
    for key, name in names.items():
        found = depth_key_for(inside[key], depth_inside, len(colour))
        cameras[name] = Hdf5Camera(key=key, depth_key=None if found is None else depth_inside[found])
    return cameras


def _short(inside: str) -> str:
    """Name a camera as people do: without the folder of all pictures and an ending that only says what it is."""
    folder, _, name = inside.rpartition("/")
    name = name if folder in ("", *_USUAL_FOLDERS) else inside
    for ending in _USUAL_ENDINGS:
        name = name.removesuffix(ending) or name
    return name


def _is_depth(array: Dataset) -> bool:
    sizes = array.shape
    return "depth" in array.name.lower() and (len(sizes) == 3 or (len(sizes) == 4 and 1 in (sizes[1], sizes[3])))


def _is_colour(array: Dataset) -> bool:
    if array.ndim == 4:
        return array.dtype == np.uint8 and 3 in (array.shape[1], array.shape[3])
    words = array.name.lower().rpartition("/")[0].split("/")
    in_folder = any(word in _USUAL_FOLDERS for word in words) or array.name.lower().endswith(_USUAL_ENDINGS)
    holds_files = array.ndim == 1 and (array.dtype.kind in "OSV")
    return in_folder and (holds_files or (array.ndim == 2 and array.dtype == np.uint8))


def _item(file: File, key: str, number: int, path: Path) -> Any:
    try:
        return file[key][number]
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise ImageError(f"frame {number} of {key} cannot be read ({first_line(error)}): {path}") from error


def _pixels(item: Any, where: str, path: Path) -> UInt8[np.ndarray, "H W 3"]:
    if isinstance(item, np.ndarray) and item.ndim == 3:
        return item if item.shape[2] == 3 else np.ascontiguousarray(item.transpose(1, 2, 0))
    content = item.tobytes() if isinstance(item, np.ndarray | np.void) else bytes(item)
    try:
        return read_image(content).pixels
    except ImageError as error:
        raise ImageError(f"{where}: {str(error).rpartition(': ')[0]}: {path}") from error


def _depth_m(item: Any) -> Float[np.ndarray, "H W"]:
    values = np.asarray(item)
    if values.ndim == 3:
        values = values[0] if values.shape[0] == 1 else values[:, :, 0]
    return metres_from(values)


def _task(group: Group) -> str | None:
    for name in _TASKS:
        value = group.attrs.get(name)
        if value is None and isinstance(group.get(name), h5py.Dataset) and group[name].size == 1:
            value = group[name][()]
        text = _text(value)
        if text:
            return text
    problem = _json_attribute(group, "problem_info")  # LIBERO's
    return _text(problem.get("language_instruction"))


def _text(value: Any) -> str | None:
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.ravel()[0]
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    return value.strip() or None if isinstance(value, str) else None


def _fps(file: File) -> float | None:
    """Take the rate from an attribute, or from the simulator's arguments that robomimic keeps."""
    told = file.attrs.get("fps")
    if told is None and isinstance(file.get("data"), h5py.Group):
        arguments = _json_attribute(file["data"], "env_args").get("env_kwargs")
        told = arguments.get("control_freq") if isinstance(arguments, dict) else None
    return float(told) if isinstance(told, int | float | np.number) and told > 0 else None


def _json_attribute(group: Group, name: str) -> dict[str, Any]:
    try:
        content = json.loads(_text(group.attrs.get(name)) or "{}")
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


__all__ = ["SUFFIXES", "Hdf5Source"]
