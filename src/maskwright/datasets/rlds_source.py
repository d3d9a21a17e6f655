"""`RldsSource`: the frames of an RLDS data set (Open X-Embodiment, DROID, Bridge), an episode a record.

A record's head and lengths are read when the source is opened, its pictures when they are asked for, after its checksum
has been checked. RLDS knows no rate, so frames have no time.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from maskwright.core.errors import ImageError, InputError
from maskwright.core.image import Frame, FrameRef, Image
from maskwright.datasets.depth import depth_key_for, read_depth
from maskwright.datasets.frame_source import Episode
from maskwright.datasets.images import read_image
from maskwright.datasets.rlds_meta import RldsMeta, read_rlds_meta
from maskwright.datasets.steps import wanted_frames
from maskwright.datasets.tfrecord import Feature, RecordFile, RecordPlace

_log = logging.getLogger(__name__)
STEPS, OBSERVATION = "steps/", "steps/observation/"
_TEXTS = ("language_instruction", "natural_language_instruction", "instruction", "task", "lang")
_PICTURE_HEADS = (b"\xff\xd8\xff", b"\x89PNG")


@dataclass(frozen=True, slots=True, kw_only=True)
class RldsEpisode:
    """Where an episode lies."""

    key: str
    path: Path
    place: RecordPlace
    num_steps: int
    task: str | None


class RldsSource:
    """The data set at `root` (a folder with a version's files, or one TFRecord file).

    A shard that is damaged at its end is read up to there, with a warning. Masks can be read without pictures.

    Raises:
        InputError: the metadata is damaged, no episode can be read, or no step has a picture.
    """

    robot: str | None = None

    def __init__(self, root: Path, *, needs_pictures: bool = True) -> None:
        self.meta: RldsMeta = read_rlds_meta(root)
        self.name = self.meta.name
        self.records = list(self._find(needs_pictures))
        self._by_key = {one.key: one for one in self.records}
        self.cameras, self._depth = self._find_cameras(needs_pictures)
        self.episodes: Sequence[Episode] = tuple(
            Episode(key=one.key, cameras=tuple(self.cameras), num_frames=one.num_steps, task=one.task)
            for one in self.records
        )

    def frames(
        self, episode: Episode, camera: str, *, start: int = 0, stop: int | None = None, stride: int = 1
    ) -> Iterator[Frame]:
        """Decode frames of one camera; see `FrameSource.frames`."""
        if episode.key not in self._by_key or camera not in self.cameras:
            raise InputError(f"there is no camera {camera!r} of episode {episode.key!r} in {self.name}")
        record = self._by_key[episode.key]
        with RecordFile(record.path) as file:
            example = file.example(record.place)
            pictures = self._items(example, self.cameras[camera], record)
            depth_key = self._depth.get(camera)
            depths = self._items(example, depth_key, record) if depth_key else None
            for number in wanted_frames(record.num_steps, start, stop, stride):
                where = f"step {number} of {camera} in {record.key}"
                image = Image(_decode(bytes(pictures[number]), where, record.path))
                if depths is not None:
                    depth_m = read_depth(bytes(depths[number]), floats_in_rgba=True)
                    image = Image(image.pixels, depth_m=depth_m) if depth_m.shape == image.size_hw else image
                ref = FrameRef(dataset=self.name, episode=record.key, camera=camera, frame_index=number)
                yield Frame(image=image, ref=ref)

    def _items(self, example: dict[str, Feature], key: str, record: RldsEpisode) -> list[memoryview]:
        items = example[key].bytes_list() if key in example else []
        if len(items) != record.num_steps:
            message = f"{record.key} has {len(items)} pictures in {key}, expected {record.num_steps}"
            raise InputError(f"{message}: {record.path}")
        return items

    def _find(self, needs_some: bool) -> Iterator[RldsEpisode]:
        counted: dict[str, int] = {}
        problem = InputError(f"the data set has no episode: {self.meta.root}") if needs_some else None
        for shard in self.meta.shards:
            first = counted.get(shard.split, 0) if shard.first is None else shard.first
            try:
                with RecordFile(shard.path) as file:
                    for place in file.places():
                        counted[shard.split] = first + place.number + 1
                        key = f"{shard.split}_{first + place.number:06d}"
                        example = file.example(place, check=False)
                        facts = {"num_steps": _num_steps(example), "task": _task(example)}
                        yield RldsEpisode(key=key, path=shard.path, place=place, **facts)
            except InputError as error:
                problem = error
                _log.warning("episodes from here on are left out: %s", error)
        if not counted and problem:
            raise problem

    def _find_cameras(self, needs_some: bool) -> tuple[dict[str, str], dict[str, str]]:
        """Find image features of three channels, by the metadata or else by the bytes of a first step."""
        keys = {key: one for key, one in self.meta.images.items() if key.startswith(STEPS)}
        colour = [key for key, one in keys.items() if _channels(one) == 3 and one.get("dtype", "uint8") == "uint8"]
        depth = [key for key, one in keys.items() if _channels(one) == 1 and "depth" in key.lower()]
        if not keys:
            colour = self._sniffed()
            depth = [key for key in colour if "depth" in key.lower()]
            colour = [key for key in colour if key not in depth and "mask" not in key.lower()]
        if not colour and needs_some:
            raise InputError(f"no step of the data set has a picture: {self.meta.root}")
        names = {key.removeprefix(OBSERVATION).removeprefix(STEPS): key for key in colour}
        pairs = {name: depth_key_for(key, depth, len(colour)) for name, key in names.items()}
        return names, {name: key for name, key in pairs.items() if key is not None}

    def _sniffed(self) -> list[str]:
        record = next((one for one in self.records if one.num_steps), None)
        if record is None:
            return []
        with RecordFile(record.path) as file:
            example = file.example(record.place)
            heads = {key: bytes(_first(one)[:4]) for key, one in example.items() if key.startswith(STEPS)}
        return sorted(key for key, head in heads.items() if head.startswith(_PICTURE_HEADS))


def _first(feature: Feature) -> memoryview | bytes:
    items = feature.bytes_list()
    return items[0] if items else b""


def _channels(image: dict[str, object]) -> int:
    shape = image.get("shape")
    dimensions = shape.get("dimensions") if isinstance(shape, dict) else None
    return int(dimensions[-1]) if dimensions else 3


def _num_steps(example: dict[str, Feature]) -> int:
    for name in ("is_first", "is_last", "is_terminal"):
        if (feature := example.get(STEPS + name)) is not None:
            return len(feature)
    lengths = [len(one.bytes_list()) for key, one in example.items() if key.startswith(OBSERVATION)]
    return max(lengths, default=0)


def _task(example: dict[str, Feature]) -> str | None:
    for folder in (STEPS, OBSERVATION, "episode_metadata/"):
        for name in _TEXTS:
            feature = example.get(folder + name)
            text = "" if feature is None else bytes(_first(feature)).decode(errors="replace").strip()
            if text:
                return text
    return None


def _decode(content: bytes, where: str, path: Path) -> UInt8[np.ndarray, "H W 3"]:
    try:
        return read_image(content).pixels
    except ImageError as error:
        raise ImageError(f"{where}: {str(error).rpartition(': ')[0]}: {path}") from error


__all__ = ["OBSERVATION", "STEPS", "RldsEpisode", "RldsSource"]
