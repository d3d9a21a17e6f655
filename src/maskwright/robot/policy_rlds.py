"""Writes what a policy sees as RLDS: an Example an episode, with the states and actions of a LeRobot source.

Layout: that of `datasets.rlds_writer`. Each episode is a TFRecord file of its own until the end, when they are put one
after another into shards; TFRecord files allow that.
"""

import io
import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as PillowImage

from maskwright.core.errors import SettingError
from maskwright.datasets.frame_source import Episode, FrameSource
from maskwright.datasets.lerobot_rows import iter_tables
from maskwright.datasets.lerobot_source import LeRobotSource
from maskwright.datasets.mask_cells import png_of
from maskwright.datasets.rlds_description import (
    MOST_BYTES,
    SHARD_BYTES,
    SPLIT,
    dataset_info,
    dict_feature,
    episodes_features,
    image_feature,
    tensor_feature,
    text_feature,
)
from maskwright.datasets.rlds_source import OBSERVATION, STEPS
from maskwright.datasets.tfrecord import FeatureValues, make_example, write_record
from maskwright.robot.policy_inputs import PolicyInputs
from maskwright.robot.policy_layout import Layout, mask_png
from maskwright.robot.policy_recipe import FILE

_OWN = ("timestamp", "frame_index", "episode_index", "index", "task_index")  # LeRobot's, which steps have of their own
_NUMBERS = ("float32", "float64", "int64", "int32", "uint8", "bool")


_DESCRIPTION = "What a policy sees, written by maskwright; policy_recipe.json says by which recipe."


class RldsPolicyWriter:
    """Writes episodes below `folder`, in any order; `finish` puts them into shards and describes them."""

    def __init__(self, folder: Path, source: FrameSource, layout: Layout, *, name: str, is_exact: bool = False) -> None:
        self._folder, self._layout, self._is_exact = folder, layout, is_exact
        self._name = re.sub(r"\W+", "_", name.lower(), flags=re.ASCII).strip("_") or "policy_inputs"
        self._meta = source.meta if isinstance(source, LeRobotSource) else None
        self._parts = folder / ".parts"
        self._parts.mkdir(exist_ok=True)

    def write_episode(
        self, index: int, first: int, episode: Episode, rows: Iterator[Mapping[str, PolicyInputs]]
    ) -> dict[str, Any]:
        """Write an episode and give its facts as JSON types; `first` is for formats that count rows on.

        Raises:
            SettingError: the episode would be above the 2 GB that an Example can have.
        """
        del first
        columns: dict[str, list[Any]] = {key: [] for key in self._keys()}
        num_bytes = 0
        for row in rows:
            for key, values in self._layout.row(row).items():
                value = self._encoded(key, values)
                columns[key].append(value)
                num_bytes += len(value) if isinstance(value, bytes) else value.nbytes
            if num_bytes > MOST_BYTES:
                message = f"an episode of RLDS must stay below 2 GB, {episode.key!r} has more"
                raise SettingError(f"{message}. Write JPEG, smaller pictures, or LeRobot: {self._folder.parent}")
        num_steps = len(next(iter(columns.values())))
        features = self._steps(episode, num_steps)
        for key, values in columns.items():
            is_bytes = bool(values) and isinstance(values[0], bytes)
            features[_place(key)] = values if is_bytes else np.concatenate(values)
        with self._part(index).open("wb") as file:
            write_record(file, make_example(features))
        return {"index": index, "num_rows": num_steps}

    def files(self, index: int) -> list[Path]:
        """List the files of an episode."""
        return [self._part(index)]

    def finish(self, facts: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> None:
        """Write shards and what describes them."""
        shards: list[list[int]] = [[]]
        size = 0
        for one in facts:
            if size > SHARD_BYTES:
                shards.append([])
                size = 0
            shards[-1].append(one["index"])
            size += self._part(one["index"]).stat().st_size
        total = 0
        for number, indices in enumerate(shards):
            path = self._folder / f"{self._name}-{SPLIT}.tfrecord-{number:05d}-of-{len(shards):05d}"
            with path.open("wb") as file:
                for index in indices:
                    with self._part(index).open("rb") as part:
                        shutil.copyfileobj(part, file)
            total += path.stat().st_size
        shutil.rmtree(self._parts)
        (self._folder / FILE).write_text(self._layout.recipe.to_text(), encoding="utf-8")
        self._write_json("features.json", self._describe_features())
        self._write_json(
            "dataset_info.json", dataset_info(self._name, _DESCRIPTION, [len(one) for one in shards], total)
        )
        self._write_json("policy_inputs.json", {**about, **self._layout.describe()})

    def _keys(self) -> list[str]:
        pictures = [key for key, _ in (*self._layout.pictures(), *self._layout.masks())]
        return [*pictures, *(key for key, _, _ in self._layout.numbers())]

    def _encoded(self, key: str, values: np.ndarray) -> Any:
        if values.ndim == 1:
            return values.astype(np.int64) if values.dtype.kind in "bi" else values.astype(np.float32)
        if ".masks" in key:
            return mask_png(values)
        if self._is_exact:
            return png_of(values)
        buffer = io.BytesIO()
        PillowImage.fromarray(values).save(buffer, "JPEG", quality=95)
        return buffer.getvalue()

    def _steps(self, episode: Episode, num_steps: int) -> dict[str, FeatureValues]:
        places = np.arange(num_steps)
        features: dict[str, FeatureValues] = {
            "episode_metadata/episode": [episode.key.encode()],
            f"{STEPS}frame_index": places,
            f"{STEPS}is_first": (places == 0).astype(np.int64),
            f"{STEPS}is_last": (places == num_steps - 1).astype(np.int64),
            f"{STEPS}is_terminal": np.zeros(num_steps, np.int64),
            f"{STEPS}reward": np.zeros(num_steps, np.float32),
            f"{STEPS}discount": np.ones(num_steps, np.float32),
            f"{STEPS}language_instruction": [(episode.task or "").encode()] * num_steps,
        }
        kept = self._kept()
        if self._meta is not None and kept:
            place = next(one for one in self._meta.episodes if one.key == episode.key)
            tables = [table.select(list(kept)) for table in iter_tables(self._meta, place, list(kept))]
            for key, feature in kept.items():
                rows = [np.ravel(value) for table in tables for value in table.column(key).to_pylist()]
                flat = np.concatenate(rows) if rows else np.zeros(0)
                is_whole = not str(feature["dtype"]).startswith("float")
                features[_place(key)] = flat.astype(np.int64 if is_whole else np.float32)
        return features

    def _kept(self) -> dict[str, dict[str, Any]]:
        """The numbers of the source that go along: states, actions, rewards."""
        if self._meta is None:
            return {}
        return {
            key: one
            for key, one in self._meta.info["features"].items()
            if one["dtype"] in _NUMBERS and key not in _OWN and not key.startswith("annotation.mask")
        }

    def _describe_features(self) -> dict[str, Any]:
        tree: dict[str, Any] = {
            "frame_index": tensor_feature("int64"),
            **{name: tensor_feature("bool") for name in ("is_first", "is_last", "is_terminal")},
            **{name: tensor_feature("float32") for name in ("reward", "discount")},
            "language_instruction": text_feature(),
        }
        observation: dict[str, Any] = {}
        encoding = "png" if self._is_exact else "jpeg"
        told = {key: image_feature((*size, 3), "uint8", encoding) for key, size in self._layout.pictures()}
        told |= {key: image_feature((*size, 3), "uint8", "png") for key, size in self._layout.masks()}
        told |= {key: tensor_feature(kind, count) for key, kind, count in self._layout.numbers()}
        for key, one in self._kept().items():
            kind = "float32" if str(one["dtype"]).startswith("float") else "int64"
            told[key] = tensor_feature(kind, int(np.prod(one["shape"] or [1])))
        for key, one in told.items():
            place = _place(key)
            if place.startswith(OBSERVATION):
                observation[place.removeprefix(OBSERVATION)] = one
            else:
                tree[place.removeprefix(STEPS)] = one
        return episodes_features({"observation": dict_feature(observation), **tree})

    def _part(self, index: int) -> Path:
        return self._parts / f"{index:06d}.tfrecord"

    def _write_json(self, name: str, content: Any) -> None:
        (self._folder / name).write_text(json.dumps(content, indent=2, ensure_ascii=False), encoding="utf-8")


def _place(key: str) -> str:
    """Where a feature of LeRobot's names stands in a step: pictures and states are observations."""
    if key.startswith("observation."):
        return OBSERVATION + key.removeprefix("observation.").removeprefix("images.")
    if key.startswith("annotation.policy."):
        return OBSERVATION + key.removeprefix("annotation.")
    return STEPS + key.removeprefix("next.")


__all__ = ["RldsPolicyWriter"]
