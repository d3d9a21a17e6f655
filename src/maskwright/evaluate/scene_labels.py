"""objects.json of a folder of labelled scenes: what each instance of each picture's mask is.

Reads what it needs and lets other keys be; the masks themselves are read by `layouts`.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from maskwright.core.errors import RecordError

_FILE, _FORMAT = "objects.json", "maskwright-scenes-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneLabel:
    """What an instance is. A name that the scene leaves open is None."""

    name: str | None
    colour: str | None
    material: str | None
    occlusion: float | None

    def as_known(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)


def is_scene_folder(root: Path) -> bool:
    """Tell whether a folder describes its scenes."""
    return (root / _FILE).is_file()


def read_scene_labels(root: Path) -> dict[str, dict[int, SceneLabel]]:
    """Read what every scene holds: picture's file name, then instance index.

    Raises:
        RecordError: objects.json is damaged, or of another format.
    """
    path = root / _FILE
    try:
        content = json.loads(path.read_bytes())
        if content["format"] != _FORMAT:
            raise RecordError(f"objects.json must be of the format {_FORMAT!r}, got {content['format']!r}: {path}")
        return {
            str(scene["image"]): {int(one["id"]): _label(one) for one in scene["objects"]}
            for scene in content["scenes"]
        }
    except KeyError as error:
        raise RecordError(f"objects.json lacks {error}: {path}") from None
    except (ValueError, TypeError, AttributeError) as error:
        if isinstance(error, RecordError):
            raise
        raise RecordError(f"objects.json is damaged ({error}): {path}") from None


def read_scene_episodes(root: Path) -> dict[str, str]:
    """Read which pictures belong to an episode, by their file names; call after `read_scene_labels`."""
    content = json.loads((root / _FILE).read_bytes())
    return {str(scene["image"]): str(scene["episode"]) for scene in content["scenes"] if scene.get("episode")}


def _label(one: Mapping[str, Any]) -> SceneLabel:
    occlusion = one.get("occlusion")
    return SceneLabel(
        name=one.get("name") or None,
        colour=one.get("colour") or None,
        material=one.get("material") or None,
        occlusion=None if occlusion is None else float(occlusion),
    )


__all__ = ["SceneLabel", "is_scene_folder", "read_scene_episodes", "read_scene_labels"]
