"""What a data set says about itself beside its frames: robot, rate, tasks, and the terms that it may be used under."""

import json
import re
from pathlib import Path
from typing import Any

from maskwright.datasets.frame_source import FrameSource

_MOST_TASKS = 200
_LICENCE = re.compile(r"^licen[cs]e:\s*['\"]?([^'\"\n]+?)['\"]?\s*$", re.MULTILINE)


def licence_of(path: Path) -> str | None:
    """Read the licence of a data set from the head of its README.md (Hugging Face) or its dataset_info.json (TFDS)."""
    folder = path if path.is_dir() else path.parent
    return _of_readme(folder / "README.md") or _of_tfds(folder / "dataset_info.json")


def describe_source(source: FrameSource) -> dict[str, Any]:
    """Describe a source for a run's manifest, so that stores can be listed by robot, task and rate without it."""
    episodes = source.episodes
    return {
        "name": source.name,
        "robot": source.robot,
        "num_episodes": len(episodes),
        "num_frames": sum(episode.num_frames * len(episode.cameras) for episode in episodes),
        "fps": sorted({episode.fps for episode in episodes if episode.fps}),
        "tasks": sorted({episode.task for episode in episodes if episode.task})[:_MOST_TASKS],
    }


def _of_readme(path: Path) -> str | None:
    try:
        head = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    if not head.startswith("---\n"):
        return None
    found = _LICENCE.search(head[4:].partition("\n---")[0])
    return found[1] if found else None


def _of_tfds(path: Path) -> str | None:
    try:
        content: Any = json.loads(path.read_bytes())
        licence = content["redistributionInfo"]["license"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return licence if isinstance(licence, str) and licence else None


__all__ = ["describe_source", "licence_of"]
