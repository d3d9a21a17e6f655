"""What an RLDS data set says about itself: `dataset_info.json`, `features.json`, its splits and shards.

Layout: tensorflow_datasets. Where the JSON files are missing, TFRecord files alone are enough: pictures are then known
by their first bytes.
"""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskwright.core.errors import InputError
from maskwright.datasets.damage import told_as_damage
from maskwright.datasets.json_files import load_json

_log = logging.getLogger(__name__)
_TEMPLATE = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
_VERSION = "[0-9]*.[0-9]*.[0-9]*"
_SHARD = re.compile(r"^(?P<name>.+)-(?P<split>[^-]+)\.tfrecord(-(?P<number>\d+)-of-\d+)?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A TFRecord file; `first` is the number of its first episode in the split, None where that must be counted."""

    path: Path
    split: str
    first: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RldsMeta:
    """The metadata of a data set at `root`. `images` maps an image feature's key to its description, flat."""

    root: Path
    name: str
    shards: tuple[Shard, ...]
    images: dict[str, dict[str, Any]]


def find_rlds(path: Path) -> Path | None:
    """Find the folder of an RLDS data set: the path itself, or the one version below it.

    Raises:
        InputError: there are several versions.
    """
    if not path.is_dir():
        return path if ".tfrecord" in path.name and path.is_file() else None
    for pattern in (".", _VERSION, f"*/{_VERSION}"):
        found = [path] if pattern == "." else sorted(one for one in path.glob(pattern) if one.is_dir())
        found = [one for one in found if _is_rlds(one)]
        if len(found) > 1:
            names = ", ".join(str(one.relative_to(path)) for one in found[:5])
            raise InputError(f"expected one RLDS data set, got {len(found)} ({names}). Name one of them: {path}")
        if found:
            return found[0]
    return None


def read_rlds_meta(root: Path) -> RldsMeta:
    """Read the metadata of a data set, or of one TFRecord file.

    Raises:
        InputError: the metadata is damaged, or no shard is there.
    """
    if root.is_file():
        found = _SHARD.match(root.name)
        shard = Shard(path=root, split=found["split"] if found else "all")
        return RldsMeta(root=root, name=root.name, shards=(shard,), images=_images(root.parent))
    info = root / "dataset_info.json"
    described = load_json(info, what="the data set's description") if info.is_file() else {}
    if not isinstance(described, dict):
        raise InputError(f"expected a JSON object, got a {type(described).__name__}: {info}")
    name = str(described.get("name") or root.resolve().name)
    with told_as_damage("the data set's description", info):
        shards = tuple(_described_shards(root, name, described) if described.get("splits") else _found_shards(root))
    if not shards:
        raise InputError(f"the data set has no TFRecord file: {root}")
    return RldsMeta(root=root, name=name, shards=shards, images=_images(root))


def _is_rlds(folder: Path) -> bool:
    has_records = any(".tfrecord" in one.name and one.is_file() for one in folder.iterdir())
    return has_records or ((folder / "dataset_info.json").is_file() and (folder / "features.json").is_file())


def _described_shards(root: Path, name: str, described: dict[str, Any]) -> Iterator[Shard]:
    missing: list[str] = []
    for split in described["splits"]:
        lengths = [int(one) for one in split.get("shardLengths") or ()]
        template = split.get("filepathTemplate") or _TEMPLATE
        first = 0
        for number, length in enumerate(lengths):
            words = {
                "{DATASET}": name,
                "{SPLIT}": str(split["name"]),
                "{FILEFORMAT}": str(described.get("fileFormat") or "tfrecord"),
                "{SHARD_X_OF_Y}": f"{number:05d}-of-{len(lengths):05d}",
            }
            file_name = re.sub(r"\{\w+\}", lambda found, words=words: words.get(found[0], found[0]), template)
            path = root / Path(file_name).name
            if path.is_file():
                yield Shard(path=path, split=str(split["name"]), first=first)
            else:
                missing.append(path.name)
            first += length
    if missing:
        _log.warning("%d of the data set's files are missing, %s for instance: %s", len(missing), missing[0], root)


def _found_shards(root: Path) -> Iterator[Shard]:
    for path in sorted(root.iterdir()):
        found = _SHARD.match(path.name)
        if found and path.is_file():
            yield Shard(path=path, split=found["split"])


def _images(root: Path) -> dict[str, dict[str, Any]]:
    path = root / "features.json"
    if not path.is_file():
        return {}
    with told_as_damage("the list of features", path):
        return dict(_image_features(load_json(path, what="the list of features"), ""))


def _image_features(feature: Any, key: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if not isinstance(feature, dict):
        return
    if "image" in feature:
        yield key, feature["image"]
        return
    inner = feature.get("sequence", {}).get("feature") if isinstance(feature.get("sequence"), dict) else None
    if inner is not None:
        yield from _image_features(inner, key)
    parts = feature.get("featuresDict", {}).get("features", {}) if "featuresDict" in feature else {}
    for name, part in parts.items():
        yield from _image_features(part, f"{key}/{name}" if key else name)


__all__ = ["RldsMeta", "Shard", "find_rlds", "read_rlds_meta"]
