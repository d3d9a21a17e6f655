"""A LeRobot data set made of labelled frames alone: their pictures, times and masks, with no states or actions.

Frames of an episode are numbered anew without gaps, as LeRobot wants them; where they came from stays in the masks'
cells. The rate is that of the frames' own times.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from maskwright.core.errors import SettingError
from maskwright.core.shapes import SizeHW
from maskwright.datasets.cell_spool import CellSpool, SpooledCell
from maskwright.datasets.images import read_image
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.lerobot_data_files import MEGABYTES_A_FILE, DataFiles
from maskwright.datasets.lerobot_layout import (
    FILES_A_CHUNK,
    IMAGE_TYPE,
    MASKS_FEATURE,
    PATHS,
    ROW_FEATURES,
    LeRobotVersion,
    aggregate_stats,
    picture_feature,
    row_schema,
    write_episodes,
    write_json,
    write_json_lines,
    write_tasks,
)
from maskwright.datasets.lerobot_masks import KEY, ROWS_AT_A_TIME, MaskColumns
from maskwright.datasets.lerobot_stats import ColumnStats
from maskwright.datasets.loss_report import LossLog
from maskwright.datasets.mask_cells import cell_from_frame, png_of
from maskwright.datasets.picture_files import picture_of
from maskwright.datasets.video_writer import VideoWriter

TASK = "no task"  # LeRobot wants one for every row
_FPS = 10  # where no frame says its time
_PICTURES_FOR_STATS = 100  # an episode; lerobot too takes some of its pictures only
_LOOSE = "frames"  # the episode of frames that say nothing of one
_CAMERA = "image"
_RECODED = "exact pixels of pictures, which are written as video"
_SIZES = "one size for all pictures of a camera, which LeRobot's batches need"


class FramesWriter:
    """Takes labelled frames, then writes a data set of them into `folder`."""

    def __init__(
        self,
        folder: Path,
        spool: CellSpool,
        version: LeRobotVersion,
        pictures: Literal["image", "video"],
        log: LossLog,
    ) -> None:
        self._folder, self._spool, self._log = folder, spool, log
        self._version: LeRobotVersion = version
        self._as_video = pictures == "video"
        self._masks = MaskColumns(folder)
        self._sizes: dict[str, SizeHW] = {}  # of cameras that have pictures
        self._num_loose = 0

    def take(self, frame: LabelledFrame, *, id_maps: bool) -> None:
        """Keep a frame and its picture."""
        camera = _safe(frame.ref.camera) if frame.ref else _CAMERA
        episode, number = (frame.ref.episode, frame.ref.frame_index) if frame.ref else (_LOOSE, self._num_loose)
        self._num_loose += frame.ref is None
        self._masks.note(camera, frame)
        picture = self._picture(camera, frame)
        self._spool.add(
            episode,
            camera,
            number,
            cell_from_frame(frame, has_picture=picture is not None),
            picture=picture,
            ids=self._masks.ids_of(frame) if id_maps else None,
            timestamp_s=frame.ref.timestamp_s if frame.ref else None,
        )
        self._log.count(frames=1, masks=len(frame.masks))

    def _picture(self, camera: str, frame: LabelledFrame) -> bytes | None:
        image = picture_of(frame, self._log)
        if image is None:
            return None
        size_hw = self._sizes.setdefault(camera, frame.size_hw)
        if size_hw != frame.size_hw:
            if self._as_video:
                raise SettingError(f"a video needs pictures of one size, got {size_hw} and {frame.size_hw} (h, w)")
            self._log.lose(_SIZES, frame.name)
        if self._as_video:
            self._log.lose(_RECODED, frame.name)
        return png_of(image.pixels)

    def finish(self) -> None:
        """Write everything."""
        self._spool.close_gaps()
        step_s = self._spool.median_step_s()
        self._fps = _FPS if step_s is None else max(1, round(1 / step_s))
        self._features = self._describe()
        self._schema = row_schema(self._features)
        files, lines, stats, first = DataFiles(self._folder, self._version), [], [], 0
        for index, (episode, num_rows) in enumerate(self._spool.episodes()):
            of_episode = {key: ColumnStats() for key, one in self._features.items() if one["dtype"] != "string"}
            chunk, file = files.write_episode(index, self._rows(episode, index, num_rows, first, of_episode))
            lines.append(self._line(index, num_rows, first, chunk, file))
            stats.append({key: one.summary() for key, one in of_episode.items()})
            first += num_rows
        files.close()
        self._write_meta(lines, stats)

    def _describe(self) -> dict[str, dict[str, Any]]:
        fps = self._fps if self._as_video else None
        cameras = {_key(camera): picture_feature(size, video_fps=fps) for camera, size in self._sizes.items()}
        return {**cameras, **dict.fromkeys(self._masks.keys, MASKS_FEATURE), **ROW_FEATURES}

    def _rows(
        self, episode: str, index: int, num_rows: int, first: int, stats: dict[str, ColumnStats]
    ) -> Iterator[pa.Table]:
        videos = self._open_videos(index) if self._as_video else {}
        for start in range(0, num_rows, ROWS_AT_A_TIME):
            count = min(ROWS_AT_A_TIME, num_rows - start)
            cells = list(self._spool.cells(episode, start, start + count))
            for camera, video in videos.items():
                for pixels in self._pixels_of(cells, camera, start, count):
                    video.write(pixels)
            columns = self._numbers(index, start, count, first) | self._masks.arrays(cells, start, count)
            if not self._as_video:
                columns |= {_key(camera): _pictures(cells, camera, start, count) for camera in self._sizes}
            self._masks.write_ids(cells, index)
            self._note_stats(stats, columns, cells, every=max(1, num_rows // _PICTURES_FOR_STATS))
            yield pa.table([columns[field.name] for field in self._schema], schema=self._schema)
        for video in videos.values():
            video.close()

    def _numbers(self, index: int, start: int, count: int, first: int) -> dict[str, pa.Array]:
        places = np.arange(start, start + count)
        return {
            "timestamp": pa.array((places / self._fps).astype(np.float32)),
            "frame_index": pa.array(places, pa.int64()),
            "episode_index": pa.array(np.full(count, index), pa.int64()),
            "index": pa.array(places + first, pa.int64()),
            "task_index": pa.array(np.zeros(count, np.int64)),
        }

    def _pixels_of(self, cells: list[SpooledCell], camera: str, start: int, count: int) -> Iterator[np.ndarray]:
        found = {cell.place - start: cell.picture for cell in cells if cell.camera == camera and cell.picture}
        for place in range(count):
            if place not in found:
                raise SettingError(f"a video needs every picture, but row {start + place} has none of {camera!r}")
            yield read_image(found[place]).pixels

    def _note_stats(
        self, stats: dict[str, ColumnStats], columns: dict[str, pa.Array], cells: list[SpooledCell], *, every: int
    ) -> None:
        for key in ROW_FEATURES:
            stats[key].add(columns[key].to_numpy(zero_copy_only=False)[:, None])
        for cell in cells:
            if cell.picture is not None and cell.place % every == 0:
                stats[_key(cell.camera)].add_picture(read_image(cell.picture).pixels)

    def _open_videos(self, index: int) -> dict[str, VideoWriter]:
        chunk, file = divmod(index, FILES_A_CHUNK)
        words = {"episode_index": index, "episode_chunk": chunk, "chunk_index": chunk, "file_index": file}
        template = PATHS[self._version]["video_path"]
        return {
            camera: VideoWriter(self._folder / template.format(**words, video_key=_key(camera)), fps=self._fps)
            for camera in self._sizes
        }

    def _line(self, index: int, num_rows: int, first: int, chunk: int, file: int) -> dict[str, Any]:
        line: dict[str, Any] = {"episode_index": index, "tasks": [TASK], "length": num_rows}
        if self._version == "v2.1":
            return line
        line |= {"data/chunk_index": chunk, "data/file_index": file}
        line |= {"dataset_from_index": first, "dataset_to_index": first + num_rows}
        for camera in self._sizes if self._as_video else ():
            at, key = divmod(index, FILES_A_CHUNK), f"videos/{_key(camera)}"
            line |= {f"{key}/chunk_index": at[0], f"{key}/file_index": at[1]}
            line |= {f"{key}/from_timestamp": 0.0, f"{key}/to_timestamp": num_rows / self._fps}
        return line

    def _write_meta(self, lines: list[dict[str, Any]], stats: list[dict[str, Any]]) -> None:
        meta = self._folder / "meta"
        meta.mkdir()
        write_tasks(meta, [TASK], self._version)
        if self._version == "v3.0":
            write_episodes(self._folder, lines)
            write_json(meta / "stats.json", aggregate_stats(stats))
        else:
            write_json_lines(meta / "episodes.jsonl", lines)
            told = [{"episode_index": index, "stats": one} for index, one in enumerate(stats)]
            write_json_lines(meta / "episodes_stats.jsonl", told)
        write_json(meta / "info.json", self._info(lines))

    def _info(self, lines: list[dict[str, Any]]) -> dict[str, Any]:
        info: dict[str, Any] = {
            "codebase_version": self._version,
            "robot_type": "unknown",
            "total_episodes": len(lines),
            "total_frames": sum(line["length"] for line in lines),
            "total_tasks": 1,
            "chunks_size": FILES_A_CHUNK,
            "fps": self._fps,
            "splits": {"train": f"0:{len(lines)}"},
            **PATHS[self._version],
            "features": self._features,
            KEY: self._masks.info(),
        }
        if not self._as_video:
            info["video_path"] = None
        if self._version == "v3.0":
            return info | {"data_files_size_in_mb": MEGABYTES_A_FILE, "video_files_size_in_mb": 200}
        num_videos = len(lines) * len(self._sizes) if self._as_video else 0
        return info | {"total_videos": num_videos, "total_chunks": -(-len(lines) // FILES_A_CHUNK)}


def _key(camera: str) -> str:
    return f"observation.images.{camera}"


def _safe(camera: str) -> str:
    """Make a feature name and a folder name of a camera's: a ROS topic has slashes, which LeRobot does not take."""
    return re.sub(r"[^\w.-]+", "_", camera.strip("/")).strip(".") or _CAMERA


def _pictures(cells: list[SpooledCell], camera: str, start: int, count: int) -> pa.Array:
    column: list[dict[str, Any] | None] = [None] * count
    for cell in cells:
        if cell.camera == camera and cell.picture is not None:
            column[cell.place - start] = {"bytes": cell.picture, "path": f"frame-{cell.place:06d}.png"}
    return pa.array(column, IMAGE_TYPE)


__all__ = ["TASK", "FramesWriter"]
