"""Writes what a policy sees as a LeRobot data set: the rows of the source (states, actions, times) with new pictures.

An episode has files of its own and is written at one go, so several are written at once and what was cut off goes on
with the next. The source's cameras and masks stay behind: what is here is what the policy is to take.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from maskwright.datasets.frame_source import Episode, FrameSource
from maskwright.datasets.lerobot_data_files import MEGABYTES_A_FILE, _groups
from maskwright.datasets.lerobot_from_frames import TASK
from maskwright.datasets.lerobot_layout import (
    FILES_A_CHUNK,
    IMAGE_TYPE,
    PATHS,
    ROW_FEATURES,
    LeRobotVersion,
    aggregate_stats,
    picture_feature,
    write_episodes,
    write_json,
    write_json_lines,
    write_tasks,
)
from maskwright.datasets.lerobot_masks import ROWS_AT_A_TIME
from maskwright.datasets.lerobot_meta import LeRobotEpisode, read_tasks
from maskwright.datasets.lerobot_rows import iter_tables
from maskwright.datasets.lerobot_source import LeRobotSource
from maskwright.datasets.lerobot_stats import ColumnStats
from maskwright.datasets.mask_cells import png_of
from maskwright.datasets.video_writer import VideoWriter
from maskwright.robot.policy_inputs import PolicyInputs
from maskwright.robot.policy_layout import Layout, mask_png
from maskwright.robot.policy_recipe import FILE

_PICTURES_FOR_STATS = 100  # an episode, as in lerobot_from_frames
_EVERY_FOR_STATS = 5  # frames: neighbours look alike, and a picture's statistics cost as much as its video
_OWN_FPS = 10  # of a source that has no rate
_PRESET = "veryfast"  # half the time of "medium" at the same quality and 3 % less size, on crops of 224 pixels
_TYPES = {"bool": pa.bool_(), "int64": pa.int64(), "float32": pa.float32()}
INFO = "maskwright_policy_inputs"


class LeRobotPolicyWriter:
    """Writes episodes below `folder`, in any order and several at once; `finish` writes what describes them."""

    def __init__(
        self,
        folder: Path,
        source: FrameSource,
        layout: Layout,
        *,
        version: LeRobotVersion = "v3.0",
        is_exact: bool = False,
        is_alone: bool = True,
    ) -> None:
        self._threads = 0 if is_alone else 1  # episodes beside each other use the cores better than threads of x264
        self._folder, self._source, self._layout = folder, source, layout
        self._version: LeRobotVersion = version
        self._is_exact = is_exact
        self._meta = source.meta if isinstance(source, LeRobotSource) else None
        self._tasks = self._all_tasks()
        self._fps = round(source.episodes[0].fps or _OWN_FPS)
        self._features = self._describe()

    def write_episode(
        self, index: int, first: int, episode: Episode, rows: Iterator[Mapping[str, PolicyInputs]]
    ) -> dict[str, Any]:
        """Write an episode, whose rows count from `first` in the data set, and give its facts as JSON types."""
        stats = {key: ColumnStats() for key, one in self._features.items() if one["dtype"] != "string"}
        path = self._path("data_path", index)
        path.parent.mkdir(parents=True, exist_ok=True)
        tables = self._tables(index, first, episode, rows, stats)
        writer: Any = None
        num_rows = 0
        for group in _groups(tables):
            writer = writer or pq.ParquetWriter(path, group.schema, compression="snappy")
            writer.write_table(group, row_group_size=max(1, group.num_rows))
            num_rows += group.num_rows
        if writer is not None:
            writer.close()
        tasks = self._tasks_of(episode)
        told = {key: one.summary() for key, one in stats.items()}
        return {"index": index, "first": first, "num_rows": num_rows, "tasks": tasks, "stats": told}

    def files(self, index: int) -> list[Path]:
        """List the files of an episode."""
        videos = [self._path("video_path", index, key) for key in self._videos()]
        return [path for path in (self._path("data_path", index), *videos) if path.is_file()]

    def finish(self, facts: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> None:
        """Write `meta/`: facts of the episodes in order, and what made the pictures."""
        meta = self._folder / "meta"
        meta.mkdir(exist_ok=True)
        write_tasks(meta, self._tasks, self._version)
        lines, stats = [self._line(one) for one in facts], [one["stats"] for one in facts]
        if self._version == "v3.0":
            write_episodes(self._folder, lines)
            write_json(meta / "stats.json", aggregate_stats(stats))
        else:
            write_json_lines(meta / "episodes.jsonl", lines)
            told = [{"episode_index": at, "stats": one} for at, one in enumerate(stats)]
            write_json_lines(meta / "episodes_stats.jsonl", told)
        (meta / FILE).write_text(self._layout.recipe.to_text(), encoding="utf-8")
        write_json(meta / "info.json", self._info(lines, about))

    def _describe(self) -> dict[str, dict[str, Any]]:
        fps = None if self._is_exact else self._fps
        features = {key: picture_feature(size, video_fps=fps) for key, size in self._layout.pictures()}
        features |= {key: picture_feature(size) for key, size in self._layout.masks()}
        features |= {
            key: {"dtype": kind, "shape": [count], "names": None} for key, kind, count in self._layout.numbers()
        }
        return features | (ROW_FEATURES if self._meta is None else self._kept_features())

    def _kept_features(self) -> dict[str, dict[str, Any]]:
        assert self._meta is not None
        kept = self._meta.info["features"]
        return {
            key: one
            for key, one in kept.items()
            if one["dtype"] not in ("image", "video") and not key.startswith("annotation.mask")
        }

    def _videos(self) -> list[str]:
        return [key for key, one in self._features.items() if one["dtype"] == "video"]

    def _tables(
        self,
        index: int,
        first: int,
        episode: Episode,
        rows: Iterator[Mapping[str, PolicyInputs]],
        stats: dict[str, ColumnStats],
    ) -> Iterator[pa.Table]:
        every = max(_EVERY_FOR_STATS, episode.num_frames // _PICTURES_FOR_STATS)
        start = 0
        with ExitStack() as stack:
            videos = {key: stack.enter_context(self._video(index, key)) for key in self._videos()}
            for given in self._given(index, first, episode):
                seen = [self._layout.row(one) for one in islice(rows, given.num_rows)]
                columns = {name: given.column(name) for name in given.column_names}
                columns |= self._columns(seen, start, videos)
                self._note(stats, columns, seen, start, every)
                schema = self._schema(given.schema)
                yield pa.table([columns[name] for name in schema.names], schema=schema)
                start += given.num_rows

    def _video(self, index: int, key: str) -> VideoWriter:
        path = self._path("video_path", index, key)
        return VideoWriter(path, fps=self._fps, preset=_PRESET, threads=self._threads)

    def _columns(
        self, seen: Sequence[Mapping[str, np.ndarray]], start: int, videos: Mapping[str, VideoWriter]
    ) -> dict[str, pa.Array]:
        columns: dict[str, pa.Array] = {}
        for key, _ in self._layout.pictures():
            if key in videos:
                for row in seen:
                    videos[key].write(row[key])
            else:
                columns[key] = _files([png_of(row[key]) for row in seen], start)
        for key, _ in self._layout.masks():
            columns[key] = _files([mask_png(row[key]) for row in seen], start)
        for key, kind, count in self._layout.numbers():
            flat = pa.array(np.concatenate([row[key] for row in seen]), _TYPES[kind])
            columns[key] = flat if count == 1 else pa.FixedSizeListArray.from_arrays(flat, count)
        return columns

    def _given(self, index: int, first: int, episode: Episode) -> Iterator[pa.Table]:
        """The rows of the source, numbered anew; of a source that has none, times alone."""
        start = 0
        for table in self._source_rows(episode):
            numbers = np.arange(start, start + table.num_rows)
            own = {"episode_index": np.full(table.num_rows, index), "index": numbers + first}
            for name, values in own.items():
                at = table.schema.get_field_index(name)
                column = pa.array(values, pa.int64())
                table = table.append_column(name, column) if at < 0 else table.set_column(at, name, column)
            yield table
            start += table.num_rows

    def _source_rows(self, episode: Episode) -> Iterator[pa.Table]:
        if self._meta is None:
            task = self._tasks.index(self._tasks_of(episode)[0])
            for start in range(0, episode.num_frames, ROWS_AT_A_TIME):
                numbers = np.arange(start, min(start + ROWS_AT_A_TIME, episode.num_frames))
                columns = {
                    "timestamp": pa.array((numbers / self._fps).astype(np.float32)),
                    "frame_index": pa.array(numbers, pa.int64()),
                    "task_index": pa.array(np.full(len(numbers), task), pa.int64()),
                }
                yield pa.table(columns)
            return
        place: LeRobotEpisode = next(one for one in self._meta.episodes if one.key == episode.key)
        kept = self._kept_features()
        for table in iter_tables(self._meta, place, num_rows=ROWS_AT_A_TIME):
            yield table.select([name for name in table.column_names if name in kept])

    def _schema(self, given: pa.Schema) -> pa.Schema:
        import json

        fields = list(given)
        for key, one in self._features.items():
            if one["dtype"] == "image":
                fields.append(pa.field(key, IMAGE_TYPE))
        for key, kind, count in self._layout.numbers():
            fields.append(pa.field(key, _TYPES[kind] if count == 1 else pa.list_(_TYPES[kind], count)))
        told = {field.name: _hub_type(field.type) for field in fields}
        return pa.schema(fields, metadata={b"huggingface": json.dumps({"info": {"features": told}}).encode()})

    def _note(
        self,
        stats: dict[str, ColumnStats],
        columns: Mapping[str, Any],
        seen: Sequence[Mapping[str, np.ndarray]],
        start: int,
        every: int,
    ) -> None:
        for key, one in self._features.items():
            if one["dtype"] in ("image", "video"):
                for place in range(-start % every, len(seen), every):
                    stats[key].add_picture(seen[place][key])
            elif key in stats and key in columns and len(columns[key]):
                stats[key].add(np.stack([np.ravel(value) for value in columns[key].to_pylist()]).astype(np.float64))

    def _all_tasks(self) -> list[str]:
        if self._meta is None:
            return list(dict.fromkeys(one.task or TASK for one in self._source.episodes))
        tasks = read_tasks(self._meta)
        return [tasks.get(at, "") for at in range(max(tasks, default=-1) + 1)]

    def _tasks_of(self, episode: Episode) -> list[str]:
        if self._meta is None:
            return [episode.task or TASK]
        return list(next(one for one in self._meta.episodes if one.key == episode.key).tasks)

    def _path(self, template: str, index: int, video_key: str = "") -> Path:
        chunk, file = divmod(index, FILES_A_CHUNK)
        words = {"episode_index": index, "episode_chunk": chunk, "chunk_index": chunk, "file_index": file}
        return self._folder / PATHS[self._version][template].format(**words, video_key=video_key)

    def _line(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        index, num_rows = facts["index"], facts["num_rows"]
        line: dict[str, Any] = {"episode_index": index, "tasks": facts["tasks"], "length": num_rows}
        if self._version == "v2.1":
            return line
        chunk, file = divmod(index, FILES_A_CHUNK)
        line |= {"data/chunk_index": chunk, "data/file_index": file}
        line |= {"dataset_from_index": facts["first"], "dataset_to_index": facts["first"] + num_rows}
        for key in self._videos():
            line |= {f"videos/{key}/chunk_index": chunk, f"videos/{key}/file_index": file}
            line |= {f"videos/{key}/from_timestamp": 0.0, f"videos/{key}/to_timestamp": num_rows / self._fps}
        return line

    def _info(self, lines: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> dict[str, Any]:
        kept = {} if self._meta is None else self._meta.info
        info: dict[str, Any] = {
            "codebase_version": self._version,
            "robot_type": kept.get("robot_type") or self._source.robot or "unknown",
            "total_episodes": len(lines),
            "total_frames": sum(line["length"] for line in lines),
            "total_tasks": len(self._tasks),
            "chunks_size": FILES_A_CHUNK,
            "fps": self._fps,
            "splits": {"train": f"0:{len(lines)}"},
            **PATHS[self._version],
            "features": self._features,
            INFO: {**about, **self._layout.describe()},
        }
        videos = self._videos()
        if not videos:
            info["video_path"] = None
        if self._version == "v3.0":
            return info | {"data_files_size_in_mb": MEGABYTES_A_FILE, "video_files_size_in_mb": 200}
        return info | {"total_videos": len(lines) * len(videos), "total_chunks": -(-len(lines) // FILES_A_CHUNK)}


def _files(contents: Sequence[bytes], start: int) -> pa.Array:
    return pa.array(
        [{"bytes": one, "path": f"frame-{start + at:06d}.png"} for at, one in enumerate(contents)], IMAGE_TYPE
    )


def _hub_type(kind: pa.DataType) -> dict[str, Any]:
    if kind == IMAGE_TYPE:
        return {"_type": "Image"}
    if pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind):
        length = kind.list_size if pa.types.is_fixed_size_list(kind) else -1
        return {"feature": _hub_type(kind.value_type), "length": length, "_type": "List"}
    names = {"double": "float64", "float": "float32"}
    return {"dtype": names.get(str(kind), str(kind)), "_type": "Value"}


__all__ = ["INFO", "LeRobotPolicyWriter"]
