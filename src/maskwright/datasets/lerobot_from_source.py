"""A LeRobot data set copied with masks added: its rows, videos, tasks and statistics are kept as they are.

Masks that it had are not: the copy holds those that are written, and no others. Videos are linked where the file system
can and copied where not. v2 sources become v3.0 without touching a video, since v3.0 allows a file for each episode.
"""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from maskwright.core.errors import SettingError
from maskwright.core.shapes import SizeHW
from maskwright.datasets.cell_spool import CellSpool
from maskwright.datasets.json_files import iter_json_lines
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.lerobot_data_files import MEGABYTES_A_FILE, DataFiles
from maskwright.datasets.lerobot_layout import (
    FILES_A_CHUNK,
    MASKS_FEATURE,
    PATHS,
    LeRobotVersion,
    aggregate_stats,
    with_mask_columns,
    write_episodes,
    write_json,
    write_tasks,
)
from maskwright.datasets.lerobot_masks import KEY, ROWS_AT_A_TIME, MaskColumns
from maskwright.datasets.lerobot_meta import MASKS_PREFIX, LeRobotEpisode, read_meta, read_tasks
from maskwright.datasets.lerobot_rows import iter_tables
from maskwright.datasets.loss_report import LossLog
from maskwright.datasets.mask_cells import cell_from_frame

EARLIER = "columns of masks that the data set had of cameras which are not written"


class SourceWriter:
    """Takes labelled frames of `source`, then writes its copy into `folder`."""

    def __init__(self, source: Path, folder: Path, spool: CellSpool, version: LeRobotVersion, log: LossLog) -> None:
        self._meta = read_meta(source)
        if self._meta.is_v3 and version == "v2.1":
            raise SettingError(f"a data set of v3.0 cannot be written as v2.1, its videos hold many episodes: {source}")
        self._folder, self._spool, self._log = folder, spool, log
        self._version: LeRobotVersion = version
        self._masks = MaskColumns(folder)
        self._episodes = {episode.key: episode for episode in self._meta.episodes}
        self._sizes = {one.name: _size_hw(self._meta.info["features"][one.key]) for one in self._meta.cameras}
        self._names = {one.key: one.name for one in self._meta.cameras} | {name: name for name in self._sizes}

    def take(self, frame: LabelledFrame, *, id_maps: bool) -> None:
        """Keep the masks of a frame for its row, or tell the log why it has none."""
        problem = self._problem(frame)
        if problem is not None or frame.ref is None:
            self._log.skip(frame.name, problem or "it does not say which frame of the source it is")
            return
        episode, camera = self._place(frame)
        self._masks.note(camera, frame)
        ids = self._masks.ids_of(frame) if id_maps else None
        self._spool.add(episode, camera, frame.ref.frame_index, cell_from_frame(frame), ids=ids)
        self._log.count(frames=1, masks=len(frame.masks))

    def finish(self) -> None:
        """Write everything."""
        self._tell_of_earlier_masks()
        rows = self._write_rows()
        self._link_videos()
        self._write_meta(rows)

    def _place(self, frame: LabelledFrame) -> tuple[str, str]:
        assert frame.ref is not None
        number = re.search(r"(\d+)$", frame.ref.episode)
        key = f"episode_{int(number[1]):06d}" if number else frame.ref.episode
        return key, self._names.get(frame.ref.camera, frame.ref.camera)

    def _problem(self, frame: LabelledFrame) -> str | None:
        if frame.ref is None:
            return None
        key, camera = self._place(frame)
        number = frame.ref.frame_index
        if key not in self._episodes:
            return f"the source has no episode {frame.ref.episode!r}"
        if camera not in self._sizes:
            return f"the source has no camera {frame.ref.camera!r}"
        if not 0 <= number < self._episodes[key].num_frames:
            return f"the source has no frame {number} in {key}, which has {self._episodes[key].num_frames}"
        if frame.size_hw != self._sizes[camera]:
            return f"its masks have the size {frame.size_hw} (h, w), the source's frames {self._sizes[camera]}"
        if self._spool.holds(key, camera, number):
            return f"it is a second one for frame {number} of {camera} in {key}"
        return None

    def _tell_of_earlier_masks(self) -> None:
        """Masks of the source would stand beside those that are written and look as if they were of them."""
        for key in self._meta.info["features"]:
            if key.startswith(MASKS_PREFIX) and key not in self._masks.keys:
                self._log.lose(EARLIER, key)

    def _write_rows(self) -> dict[int, tuple[int, int]]:
        """Write the rows with their masks; gives the file of each episode."""
        files = DataFiles(self._folder, self._version)
        places = {
            episode.index: files.write_episode(episode.index, self._rows(episode)) for episode in self._meta.episodes
        }
        files.close()
        return places

    def _rows(self, episode: LeRobotEpisode) -> Iterator[pa.Table]:
        start = 0
        for table in iter_tables(self._meta, episode, num_rows=ROWS_AT_A_TIME) if episode.num_frames else ():
            cells = list(self._spool.cells(episode.key, start, start + table.num_rows))
            schema = with_mask_columns(table.schema, self._masks.keys)
            columns = {name: table.column(name) for name in table.column_names}
            columns |= self._masks.arrays(cells, start, table.num_rows)
            yield pa.table([columns[field.name] for field in schema], schema=schema)
            self._masks.write_ids(cells, episode.index)
            start += table.num_rows

    def _videos(self) -> list[str]:
        features = self._meta.info["features"]
        return [key for key, feature in features.items() if feature.get("dtype") == "video"]

    def _link_videos(self) -> None:
        linked: set[Path] = set()
        for episode in self._meta.episodes:
            for key in self._videos() if episode.num_frames else ():
                path = self._meta.video_path(episode, key)
                target = self._folder / PATHS[self._version]["video_path"].format(**self._video_words(episode, key))
                if target in linked:
                    continue
                linked.add(target)
                if path.is_file():
                    _link(path, target)
                else:
                    self._log.skip(str(path.relative_to(self._meta.root)), "the source's file is missing")
        for path in sorted((self._meta.root / "images").rglob("*")):  # columns may name pictures there
            if path.is_file():
                _link(path, self._folder / path.relative_to(self._meta.root))

    def _video_words(self, episode: LeRobotEpisode, key: str) -> dict[str, Any]:
        chunk, file = divmod(episode.index, FILES_A_CHUNK)
        if self._meta.is_v3:
            chunk, file = (int(episode.row[f"videos/{key}/{name}"]) for name in ("chunk_index", "file_index"))
        words = {"video_key": key, "chunk_index": chunk, "file_index": file}
        return words | {"episode_index": episode.index, "episode_chunk": chunk}

    def _write_meta(self, rows: dict[int, tuple[int, int]]) -> None:
        meta, target = self._meta.root / "meta", self._folder / "meta"
        target.mkdir()
        same_version = self._meta.is_v3 == (self._version == "v3.0")
        names = ["stats.json"] if not same_version else []
        if same_version:
            names = ["stats.json", "tasks.parquet", "tasks.jsonl", "episodes.jsonl", "episodes_stats.jsonl"]
        for name in names:
            if (meta / name).is_file():
                shutil.copyfile(meta / name, target / name)
        if not same_version:
            tasks = read_tasks(self._meta)
            write_tasks(target, [tasks.get(at, "") for at in range(max(tasks, default=-1) + 1)], self._version)
            if (meta / "episodes_stats.jsonl").is_file():
                lines = iter_json_lines(meta / "episodes_stats.jsonl", what="the statistics of episodes")
                write_json(target / "stats.json", aggregate_stats([line["stats"] for line in lines]))
        if self._version == "v3.0":
            self._write_episodes(rows)
        write_json(target / "info.json", self._info())

    def _write_episodes(self, rows: dict[int, tuple[int, int]]) -> None:
        if self._meta.is_v3:
            for path in sorted((self._meta.root / "meta" / "episodes").glob("*/*.parquet")):
                _copy_episodes(path, self._folder / path.relative_to(self._meta.root), rows)
            return
        first, lines = 0, []
        for episode in self._meta.episodes:
            chunk, file = rows[episode.index]
            line: dict[str, Any] = {
                "episode_index": episode.index,
                "tasks": list(episode.tasks),
                "length": episode.num_frames,
                "data/chunk_index": chunk,
                "data/file_index": file,
                "dataset_from_index": first,
                "dataset_to_index": first + episode.num_frames,
            }
            for key in self._videos():
                words = self._video_words(episode, key)
                line[f"videos/{key}/chunk_index"] = words["chunk_index"]
                line[f"videos/{key}/file_index"] = words["file_index"]
                line[f"videos/{key}/from_timestamp"] = 0.0
                line[f"videos/{key}/to_timestamp"] = episode.num_frames / self._meta.fps
            lines.append(line)
            first += episode.num_frames
        write_episodes(self._folder, lines)

    def _info(self) -> dict[str, Any]:
        info: dict[str, Any] = dict(self._meta.info) | {"codebase_version": self._version} | PATHS[self._version]
        kept = {key: one for key, one in info["features"].items() if not key.startswith(MASKS_PREFIX)}
        info["features"] = kept | dict.fromkeys(self._masks.keys, MASKS_FEATURE)
        info[KEY] = self._masks.info()
        if not self._videos():
            info["video_path"] = None
        if self._version == "v3.0" and not self._meta.is_v3:
            for name in ("total_chunks", "total_videos"):
                info.pop(name, None)
            info |= {"data_files_size_in_mb": MEGABYTES_A_FILE, "video_files_size_in_mb": 200}
        return info


def _copy_episodes(path: Path, target: Path, rows: dict[int, tuple[int, int]]) -> None:
    """Copy a file of `meta/episodes` with everything it says, but for where the rows are."""
    table = pq.read_table(path)
    numbers = table.column("episode_index").to_pylist()
    for at, name in enumerate(("data/chunk_index", "data/file_index")):
        column = pa.array([rows[number][at] for number in numbers], pa.int64())
        place = table.schema.get_field_index(name)
        table = table.append_column(name, column) if place < 0 else table.set_column(place, name, column)
    target.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, target)


def _size_hw(feature: dict[str, Any]) -> SizeHW:
    """Read the size of a camera, whose shape is channel-last unless its names say otherwise."""
    shape, names = list(feature.get("shape") or (0, 0, 0)), list(feature.get("names") or ())
    if names[:1] in (["channels"], ["channel"]) or (shape[0] in (1, 3) and shape[-1] not in (1, 3)):
        return int(shape[1]), int(shape[2])
    return int(shape[0]), int(shape[1])


def _link(path: Path, target: Path) -> None:
    """Link a file that could be synced to disk here, or copy it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if os.access(path, os.W_OK):
        try:
            os.link(path.resolve(), target)
            return
        except OSError:
            pass  # another file system, or one without links
    shutil.copyfile(path, target)


__all__ = ["SourceWriter"]
