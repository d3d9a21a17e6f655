"""How LeRobot's files are laid out, for writing: path templates, features, Arrow types, tasks, statistics.

Layout: huggingface/lerobot, `src/lerobot/datasets/utils.py` and `compute_stats.py`. The Hub's viewer and
`datasets.load_dataset` take types from the "huggingface" metadata of the parquet files.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from maskwright.core.shapes import SizeHW
from maskwright.datasets.lerobot_meta import MASKS_PREFIX

LeRobotVersion = Literal["v3.0", "v2.1"]
FILES_A_CHUNK = 1000
PATHS: dict[str, dict[str, str]] = {
    "v3.0": {
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
    },
    "v2.1": {
        "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
        "video_path": "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
    },
}
IMAGE_TYPE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_TYPES = {"string": pa.string(), "float32": pa.float32(), "int64": pa.int64()}

MASKS_FEATURE: dict[str, Any] = {"dtype": "string", "shape": [1], "names": None}
ROW_FEATURES: dict[str, dict[str, Any]] = {
    key: {"dtype": dtype, "shape": [1], "names": None}
    for key, dtype in {
        "timestamp": "float32",
        "frame_index": "int64",
        "episode_index": "int64",
        "index": "int64",
        "task_index": "int64",
    }.items()
}


def picture_feature(size_hw: SizeHW, *, video_fps: int | None = None) -> dict[str, Any]:
    """Describe a camera: a column of PNG files, or H.264 video where a rate is given."""
    height, width = size_hw
    feature: dict[str, Any] = {"dtype": "image", "shape": [height, width, 3], "names": ["height", "width", "channels"]}
    if video_fps is not None:
        feature["dtype"] = "video"
        feature["info"] = {
            "video.height": height,
            "video.width": width,
            "video.codec": "h264",
            "video.pix_fmt": "yuv420p",
            "video.is_depth_map": False,
            "video.fps": video_fps,
            "video.channels": 3,
            "has_audio": False,
        }
    return feature


def row_schema(features: Mapping[str, Mapping[str, Any]]) -> pa.Schema:
    """Give the Arrow schema of rows that `picture_feature`, `MASKS_FEATURE` and `ROW_FEATURES` describe."""
    in_rows = {key: feature for key, feature in features.items() if feature["dtype"] != "video"}
    fields = [
        pa.field(key, IMAGE_TYPE if feature["dtype"] == "image" else _TYPES[feature["dtype"]])
        for key, feature in in_rows.items()
    ]
    told = {key: _hub_type(feature) for key, feature in in_rows.items()}
    return pa.schema(fields, metadata={b"huggingface": json.dumps({"info": {"features": told}}).encode()})


def with_mask_columns(schema: pa.Schema, keys: Sequence[str]) -> pa.Schema:
    """Give the schema of somebody's rows these columns of masks and no others, and tell the Hub."""
    kept = [field for field in schema if not field.name.startswith(MASKS_PREFIX)]
    metadata = dict(schema.metadata or {})
    metadata.pop(b"pandas", None)
    if b"huggingface" in metadata:
        told = json.loads(metadata[b"huggingface"])
        features = told.setdefault("info", {}).setdefault("features", {})
        kept_types = {key: kind for key, kind in features.items() if not key.startswith(MASKS_PREFIX)}
        told["info"]["features"] = kept_types | {key: _hub_type(MASKS_FEATURE) for key in keys}
        metadata[b"huggingface"] = json.dumps(told).encode()
    return pa.schema([*kept, *(pa.field(key, pa.string()) for key in keys)], metadata=metadata)


def write_tasks(folder: Path, tasks: Sequence[str], version: LeRobotVersion) -> None:
    """Write the list of tasks; the place of a task is its index."""
    if version == "v2.1":
        write_json_lines(folder / "tasks.jsonl", [{"task_index": i, "task": task} for i, task in enumerate(tasks)])
        return
    # lerobot reads the table with pandas and wants the texts as its index, which only this metadata says.
    text = {"name": "task", "field_name": "task", "pandas_type": "unicode", "numpy_type": "object", "metadata": None}
    number = {"name": "task_index", "field_name": "task_index", "pandas_type": "int64", "numpy_type": "int64"}
    pandas = {
        "index_columns": ["task"],
        "column_indexes": [{**text, "name": None, "field_name": None, "metadata": {"encoding": "UTF-8"}}],
        "columns": [{**number, "metadata": None}, text],
        "creator": {"library": "pyarrow", "version": pa.__version__},
        "pandas_version": "2.2.0",
    }
    schema = pa.schema(
        [("task_index", pa.int64()), ("task", pa.string())], metadata={b"pandas": json.dumps(pandas).encode()}
    )
    columns = [pa.array(range(len(tasks)), pa.int64()), pa.array(tasks, pa.string())]
    pq.write_table(pa.table(columns, schema=schema), folder / "tasks.parquet")


def write_episodes(folder: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    """Write `meta/episodes` of v3.0; each line becomes a row."""
    path = folder / "meta" / "episodes" / "chunk-000" / "file-000.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    here = {"meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0}
    columns: dict[str, pa.Array] = {}
    for name in {**lines[0], **here} if lines else ("episode_index", "tasks", "length"):
        values = [{**line, **here}[name] for line in lines]
        kind = pa.list_(pa.string()) if name == "tasks" else pa.float64() if "timestamp" in name else pa.int64()
        columns[name] = pa.array(values, kind)
    pq.write_table(pa.table(columns), path)


def aggregate_stats(episodes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Join the statistics of episodes into those of the data set: means by count, spread within and between."""
    keys = [key for key in (episodes[0] if episodes else {}) if all(key in one for one in episodes)]
    return {key: _join_stats([one[key] for one in episodes]) for key in keys}


def _join_stats(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    counts = np.array([float(np.ravel(part["count"])[0]) for part in parts])
    means = np.array([part["mean"] for part in parts], np.float64)
    stds = np.array([part["std"] for part in parts], np.float64)
    weights = (counts / max(counts.sum(), 1)).reshape(-1, *[1] * (means.ndim - 1))
    mean = (weights * means).sum(axis=0)
    spread = (weights * (stds**2 + (means - mean) ** 2)).sum(axis=0)
    return {
        "min": np.min([part["min"] for part in parts], axis=0).tolist(),
        "max": np.max([part["max"] for part in parts], axis=0).tolist(),
        "mean": mean.tolist(),
        "std": np.sqrt(spread).tolist(),
        "count": [int(counts.sum())],
    }


def write_json(path: Path, content: Any) -> None:
    """Write JSON as lerobot does, with four spaces."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=4, ensure_ascii=False), encoding="utf-8")


def write_json_lines(path: Path, lines: Sequence[Any]) -> None:
    """Write one JSON object a line."""
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")


def _hub_type(feature: Mapping[str, Any]) -> dict[str, Any]:
    return {"_type": "Image"} if feature["dtype"] == "image" else {"dtype": feature["dtype"], "_type": "Value"}


__all__ = [
    "FILES_A_CHUNK",
    "IMAGE_TYPE",
    "MASKS_FEATURE",
    "PATHS",
    "ROW_FEATURES",
    "LeRobotVersion",
    "aggregate_stats",
    "picture_feature",
    "row_schema",
    "with_mask_columns",
    "write_episodes",
    "write_json",
    "write_json_lines",
    "write_tasks",
]
