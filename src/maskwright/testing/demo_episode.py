"""Makes the robot episode in the package: an arm puts a mug into a bin, seen by two cameras, with true masks.

A LeRobot v3.0 data set with states, actions, videos and a column of masks, so that a first run needs no data of one's
own. It is committed (`maskwright/assets/demo`); this program made it, from nothing but what is written here:

    MUJOCO_GL=osmesa python -m maskwright.testing.demo_episode OUT
"""

import hashlib
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Int, UInt8

from maskwright.core import FrameRef, MaskRecord, Provenance
from maskwright.core.resolved import ResolvedRecord
from maskwright.datasets import lerobot
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.lerobot_data_files import MEGABYTES_A_FILE
from maskwright.datasets.lerobot_layout import (
    FILES_A_CHUNK,
    PATHS,
    ROW_FEATURES,
    picture_feature,
    write_episodes,
    write_json,
    write_tasks,
)
from maskwright.datasets.lerobot_source import LeRobotSource
from maskwright.datasets.lerobot_stats import ColumnStats
from maskwright.datasets.loss_report import LossLog
from maskwright.datasets.video_writer import VideoWriter
from maskwright.masks import area, box_xyxy, encode
from maskwright.testing.demo_motion import FPS, JOINT_NAMES, NUM_FRAMES, moment_at
from maskwright.testing.demo_scene import CAMERAS, FOVY_DEGREES, LABELS, build_scene, owner_of, pose
from maskwright.train.tabletop.canvas import Canvas
from maskwright.train.tabletop.shading import darken_creases
from maskwright.train.tabletop.simulator import load_simulator

NAME, TASK, ROBOT, LICENCE = "pick_place", "put the red mug into the bin", "demo_arm", "apache-2.0"
SIZE_HW = (240, 320)
_FINER = 2  # drawn so many times larger and averaged
_CREASES = 0.45
_MADE_AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
_FEWEST_PIXELS = 12
_README = f"""---
license: {LICENCE}
task_categories:
- robotics
tags:
- LeRobot
---

# {NAME}

A robot arm and a mug: "{TASK}".
4 seconds at {FPS} Hz from two cameras, rendered by maskwright from shapes of its own.
Every object has its true mask on every frame.

`annotation.masks.<camera>` holds the masks of a frame as JSON with COCO run lengths.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """What one camera sees at one time, and which thing each pixel shows (place in `LABELS`, -1 for none)."""

    camera: str
    frame_index: int
    pixels: UInt8[np.ndarray, "H W 3"]
    owners: Int[np.ndarray, "H W"]


def shots(num_frames: int = NUM_FRAMES) -> Iterator[Shot]:
    """Draw the episode frame by frame, every camera in turn."""
    mujoco = load_simulator()
    model = build_scene(mujoco)
    data = mujoco.MjData(model)
    canvas = Canvas(mujoco, model, (SIZE_HW[0] * _FINER, SIZE_HW[1] * _FINER))
    owner_of_geom = _owners(model)
    try:
        for index in range(num_frames):
            pose(mujoco, model, data, moment_at(index / FPS))
            for camera in CAMERAS:
                canvas.look(data, camera, shown=np.ones(model.ngeom, bool))
                yield _shoot(canvas, camera, index, owner_of_geom)
    finally:
        canvas.close()


def make(out: Path, *, num_frames: int = NUM_FRAMES) -> None:
    """Draw the episode and write the data set to a new folder."""
    with tempfile.TemporaryDirectory() as there:
        bare = Path(there, NAME)
        masks = _write_bare(bare, num_frames)
        lerobot.write(_labelled(bare, masks), out, log=LossLog(), source=bare, id_maps=False)
    (out / "README.md").write_text(_README)


def _owners(model: Any) -> Int[np.ndarray, " G"]:
    """List the thing of each geom; the last entry is for pixels that show none."""
    places = {name: place for place, name in enumerate(LABELS)}
    names = [owner_of(model.body(body).name) for body in model.geom_bodyid]
    return np.array([places.get(name or "", -1) for name in names] + [-1])


def _shoot(canvas: Canvas, camera: str, index: int, owner_of_geom: Int[np.ndarray, " G"]) -> Shot:
    geoms, _ = canvas.geoms(shrink=_FINER)
    _, depth = canvas.geoms()
    fine = darken_creases(canvas.colours(), depth, FOVY_DEGREES[camera], _CREASES)
    pixels = cv2.resize(fine, SIZE_HW[::-1], interpolation=cv2.INTER_AREA)
    return Shot(camera=camera, frame_index=index, pixels=np.asarray(pixels), owners=owner_of_geom[geoms])


def _write_bare(root: Path, num_frames: int) -> dict[tuple[str, int], Int[np.ndarray, "H W"]]:
    """Write the data set without masks; give these by camera and frame."""
    masks: dict[tuple[str, int], Int[np.ndarray, "H W"]] = {}
    stats = {_key(camera): ColumnStats() for camera in CAMERAS}
    words = {"chunk_index": 0, "file_index": 0}
    videos = {
        camera: VideoWriter(root / PATHS["v3.0"]["video_path"].format(**words, video_key=_key(camera)), fps=FPS)
        for camera in CAMERAS
    }
    for shot in shots(num_frames):
        videos[shot.camera].write(shot.pixels)
        stats[_key(shot.camera)].add_picture(shot.pixels)
        masks[shot.camera, shot.frame_index] = shot.owners.astype(np.int8)
    for video in videos.values():
        video.close()
    table = _rows(num_frames)
    path = root / PATHS["v3.0"]["data_path"].format(**words)
    path.parent.mkdir(parents=True)
    pq.write_table(table, path)
    for name in table.column_names:
        stats[name] = ColumnStats()
        stats[name].add(np.array(table.column(name).to_pylist(), np.float64).reshape(num_frames, -1))
    _write_meta(root, num_frames, {name: one.summary() for name, one in stats.items()})
    return masks


def _rows(num_frames: int) -> pa.Table:
    states = [moment_at(index / FPS).joints.values() for index in range(num_frames + 1)]
    vector = pa.list_(pa.float32(), len(JOINT_NAMES))
    frames = range(num_frames)
    return pa.table(
        {
            "observation.state": pa.array(states[:-1], vector),
            "action": pa.array(states[1:], vector),  # where the arm is told to be next
            "timestamp": pa.array([index / FPS for index in frames], pa.float32()),
            "frame_index": pa.array(frames, pa.int64()),
            "episode_index": pa.array([0] * num_frames, pa.int64()),
            "index": pa.array(frames, pa.int64()),
            "task_index": pa.array([0] * num_frames, pa.int64()),
        }
    )


def _write_meta(root: Path, num_frames: int, stats: dict[str, Any]) -> None:
    meta = root / "meta"
    meta.mkdir()
    vector = {"dtype": "float32", "shape": [len(JOINT_NAMES)], "names": list(JOINT_NAMES)}
    cameras = {_key(camera): picture_feature(SIZE_HW, video_fps=FPS) for camera in CAMERAS}
    line: dict[str, Any] = {"episode_index": 0, "tasks": [TASK], "length": num_frames}
    line |= {"data/chunk_index": 0, "data/file_index": 0, "dataset_from_index": 0, "dataset_to_index": num_frames}
    for key in cameras:
        line |= {f"videos/{key}/chunk_index": 0, f"videos/{key}/file_index": 0}
        line |= {f"videos/{key}/from_timestamp": 0.0, f"videos/{key}/to_timestamp": num_frames / FPS}
    write_tasks(meta, [TASK], "v3.0")
    write_episodes(root, [line])
    write_json(meta / "stats.json", stats)
    info = {
        "codebase_version": "v3.0",
        "robot_type": ROBOT,
        "total_episodes": 1,
        "total_frames": num_frames,
        "total_tasks": 1,
        "chunks_size": FILES_A_CHUNK,
        "data_files_size_in_mb": MEGABYTES_A_FILE,
        "video_files_size_in_mb": 200,
        "fps": FPS,
        "splits": {"train": "0:1"},
        **PATHS["v3.0"],
        "features": {**cameras, "observation.state": vector, "action": vector, **ROW_FEATURES},
    }
    write_json(meta / "info.json", info)


def _labelled(root: Path, masks: dict[tuple[str, int], Int[np.ndarray, "H W"]]) -> Iterator[LabelledFrame]:
    """Give the frames as they are decoded, whose identity is that of the pixels in the video, with their masks."""
    source = LeRobotSource(root)
    (episode,) = source.episodes
    for camera in CAMERAS:
        for frame in source.frames(episode, camera):
            owners, ref, digest = masks[camera, frame.ref.frame_index], frame.ref, frame.image.digest
            records = [
                _record(key, label, owners == place, ref, digest)
                for place, (key, label) in enumerate(LABELS.items())
                if (owners == place).sum() >= _FEWEST_PIXELS
            ]
            name = f"{ref.episode}/{camera}/frame_{ref.frame_index:06d}.png"
            yield LabelledFrame(
                name=name, size_hw=SIZE_HW, ref=ref, image_digest=digest,
                masks=tuple(ResolvedRecord(record=record) for record in records),
            )  # fmt: skip


def _record(key: str, label: str, mask: np.ndarray, ref: FrameRef, digest: str) -> MaskRecord:
    rle = encode(mask)
    name = f"{NAME}/{ref.camera}/{ref.frame_index}/{key}"  # the same whenever it is made
    return MaskRecord(
        id=hashlib.sha256(name.encode()).hexdigest()[:32],
        image_digest=digest,
        rle=rle,
        box_xyxy=box_xyxy(rle),
        area=area(rle),
        label=label,
        track=key,
        frame=ref,
        provenance=Provenance(
            method="simulator", created_at=_MADE_AT, captured_at=_MADE_AT, collector="maskwright demo",
            licence=LICENCE, source="maskwright.testing.demo_episode",
        ),
    )  # fmt: skip


def _key(camera: str) -> str:
    return f"observation.images.{camera}"


if __name__ == "__main__":
    make(Path(sys.argv[1]))
