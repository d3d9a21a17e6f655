"""What a LeRobot data set says about itself: `info.json`, its episodes, tasks and cameras, for v2.0, v2.1 and v3.0.

Paths come from the templates in `info.json`. Pixels and rows are read by `lerobot_source`; masks by `lerobot`.
Layout: huggingface/lerobot, `src/lerobot/datasets/utils.py`.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from maskwright.core.errors import InputError
from maskwright.datasets.damage import told_as_damage
from maskwright.datasets.depth import DepthCodes, depth_key_for

MASKS_PREFIX = "annotation.masks."
MASK_IDS_PREFIX = "annotation.mask_ids."
_IMAGES_PREFIX = "observation.images."


@dataclass(frozen=True, slots=True, kw_only=True)
class LeRobotCamera:
    """One image feature: `key` in the files, `name` to people. `depth_key` is the depth feature that belongs to it."""

    key: str
    name: str
    kind: Literal["image", "video"]
    depth_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeRobotEpisode:
    """One episode; `row` is what `meta/episodes` says of it, under the names of v3.0 (empty for v2)."""

    index: int
    num_frames: int
    tasks: tuple[str, ...]
    row: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The name under which people and `FrameRef` know the episode."""
        return f"episode_{self.index:06d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeRobotMeta:
    """The metadata of a data set at `root`; `info` is the JSON as it is."""

    root: Path
    info: dict[str, Any]
    episodes: tuple[LeRobotEpisode, ...]
    cameras: tuple[LeRobotCamera, ...]

    @property
    def is_v3(self) -> bool:
        """Whether several episodes share files (v3.0) or each has its own (v2)."""
        return str(self.info["codebase_version"]).startswith("v3")

    @property
    def fps(self) -> float:
        """Rows a second."""
        return float(self.info["fps"])

    def data_path(self, episode: LeRobotEpisode) -> Path:
        """Find the parquet file with the rows of an episode."""
        return self._path("data_path", self._place(episode, "data"))

    def video_path(self, episode: LeRobotEpisode, key: str) -> Path:
        """Find the video file of an episode and a video feature."""
        return self._path("video_path", self._place(episode, f"videos/{key}") | {"video_key": key})

    def _path(self, template: str, words: dict[str, Any]) -> Path:
        try:
            return self.root / str(self.info[template]).format(**words)
        except (KeyError, IndexError, ValueError) as error:
            where = self.root / "meta" / "info.json"
            raise InputError(
                f"the path template {template} = {self.info.get(template)!r} cannot be filled: {where}"
            ) from error

    def _place(self, episode: LeRobotEpisode, what: str) -> dict[str, Any]:
        chunk = episode.index // int(self.info.get("chunks_size", 1000))
        words: dict[str, Any] = {"episode_index": episode.index, "episode_chunk": chunk}
        if self.is_v3:
            try:
                words["chunk_index"] = int(episode.row[f"{what}/chunk_index"])
                words["file_index"] = int(episode.row[f"{what}/file_index"])
            except (KeyError, TypeError) as error:
                message = f"{episode.key} does not say in which file it is ({what}/file_index)"
                raise InputError(f"{message}: {self.root / 'meta' / 'episodes'}") from error
        return words

    def is_depth(self, key: str) -> bool:
        """Whether an image feature holds depth."""
        return _is_depth(key, self.info["features"][key])

    def depth_codes(self, key: str) -> DepthCodes:
        """Read how the codes of a depth video become metres."""
        details = self.info["features"][key].get("info") or {}
        usual = DepthCodes()

        def told(name: str, otherwise: float) -> float:
            return float(details.get(f"video.{name}", details.get(name, otherwise)))

        return DepthCodes(
            min_m=told("depth_min", usual.min_m),
            max_m=told("depth_max", usual.max_m),
            shift_m=told("shift", usual.shift_m),
            use_log=bool(told("use_log", usual.use_log)),
        )


def is_lerobot(path: Path) -> bool:
    """Whether a folder looks like a LeRobot data set."""
    return (path / "meta" / "info.json").is_file()


def read_meta(root: Path) -> LeRobotMeta:
    """Read the metadata of a data set.

    Raises:
        InputError: it is of another version, or a file of `meta/` is missing or damaged.
    """
    where = root / "meta" / "info.json"
    info = _json(where)
    version = str(info.get("codebase_version", "none"))
    if not re.match(r"v?(2\.|3\.)", version):
        message = f"expected a LeRobot data set of codebase_version v2.0, v2.1 or v3.0, got {version}"
        raise InputError(f"{message}. Convert it with lerobot's own scripts: {where}")
    for name in ("features", "fps", "data_path"):
        if not info.get(name):
            raise InputError(f"the data set does not say its {name}: {where}")
    info["codebase_version"] = version if version.startswith("v") else f"v{version}"
    with told_as_damage("the description of the data set", root / "meta"):
        episodes = _episodes_v3(root) if info["codebase_version"].startswith("v3") else _episodes_v2(root)
        if not (float(info["fps"]) > 0 and int(info.get("chunks_size", 1000)) > 0):
            raise InputError(f"fps and chunks_size must be positive numbers: {where}")
        return LeRobotMeta(root=root, info=info, episodes=tuple(episodes), cameras=_cameras(info["features"]))


def read_tasks(meta: LeRobotMeta) -> dict[int, str]:
    """Read the tasks by their index."""
    if not meta.is_v3:
        lines = _json_lines(meta.root / "meta" / "tasks.jsonl")
        return {int(line["task_index"]): str(line["task"]) for line in lines}
    import pyarrow.parquet as pq

    path = meta.root / "meta" / "tasks.parquet"
    if not path.is_file():
        raise InputError(f"the data set's file is missing: {path}")
    table = pq.read_table(path)
    names = [name for name in table.column_names if name != "task_index"]
    texts = table.column(names[0]).to_pylist() if names else [""] * table.num_rows
    return dict(zip(table.column("task_index").to_pylist(), texts, strict=True))


def _episodes_v2(root: Path) -> Iterator[LeRobotEpisode]:
    for line in _json_lines(root / "meta" / "episodes.jsonl"):
        yield LeRobotEpisode(
            index=int(line["episode_index"]), num_frames=int(line["length"]), tasks=tuple(line.get("tasks") or ())
        )


def _episodes_v3(root: Path) -> Iterator[LeRobotEpisode]:
    import pyarrow.parquet as pq

    folder = root / "meta" / "episodes"
    files = sorted(folder.glob("*/*.parquet"))
    if not files:
        raise InputError(f"the data set's list of episodes is missing: {folder}")
    rows: list[dict[str, Any]] = []
    for path in files:
        with told_as_damage("the list of episodes", path):
            names = pq.read_schema(path).names
            rows += pq.read_table(path, columns=[one for one in names if not one.startswith("stats/")]).to_pylist()
    for row in sorted(rows, key=lambda row: row["episode_index"]):
        tasks = tuple(row.get("tasks") or ())
        yield LeRobotEpisode(index=row["episode_index"], num_frames=row["length"], tasks=tasks, row=row)


def _cameras(features: dict[str, Any]) -> tuple[LeRobotCamera, ...]:
    pictures = {
        key: feature
        for key, feature in features.items()
        if feature.get("dtype") in ("image", "video") and not key.startswith("annotation.")
    }
    depth = [key for key, feature in pictures.items() if _is_depth(key, feature)]
    colour = [key for key in pictures if key not in depth]
    short = [key.removeprefix(_IMAGES_PREFIX) for key in colour]
    names = [name if short.count(name) == 1 else key for key, name in zip(colour, short, strict=True)]
    return tuple(
        LeRobotCamera(key=key, name=name, kind=pictures[key]["dtype"], depth_key=depth_key_for(key, depth, len(colour)))
        for key, name in zip(colour, names, strict=True)
    )


def _is_depth(key: str, feature: dict[str, Any]) -> bool:
    details = feature.get("info") or {}
    if feature.get("is_depth_map") or details.get("is_depth_map") or details.get("video.is_depth_map"):
        return True
    shape = feature.get("shape") or []
    return "depth" in key.lower() and len(shape) == 3 and 1 in (shape[0], shape[2])


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"the data set's file is missing: {path}") from error
    except (OSError, ValueError) as error:
        raise InputError(f"the file is not JSON ({error}): {path}") from error
    if not isinstance(content, dict):
        raise InputError(f"expected a JSON object, got a {type(content).__name__}: {path}")
    return content


def _json_lines(path: Path) -> list[dict[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.strip()]
    except FileNotFoundError as error:
        raise InputError(f"the data set's file is missing: {path}") from error
    except (OSError, ValueError) as error:
        raise InputError(f"a line of the file is not JSON ({error}): {path}") from error


__all__ = [
    "MASKS_PREFIX",
    "MASK_IDS_PREFIX",
    "LeRobotCamera",
    "LeRobotEpisode",
    "LeRobotMeta",
    "is_lerobot",
    "read_meta",
    "read_tasks",
]
