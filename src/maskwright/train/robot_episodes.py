"""Robot episodes with a true mask of every object on every frame, rendered by a simulator: for trackers to follow.

    OUT/episode_000/images/00000.jpg   frames
    OUT/episode_000/masks/00000.png    palette PNG: a number is one object through the whole episode, 0 is background
    OUT/episode_000/episode.json       frames a second, what each number is, how it was made, and from what

An arm picks one thing up and puts it down, often behind or in front of others. Every episode depends on the seed and
its number alone, and appears whole or not at all, so that the same command goes on where it stopped.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from maskwright.core.errors import InputError
from maskwright.datasets.json_files import load_json
from maskwright.datasets.mask_files import palette_png
from maskwright.datasets.new_folder import new_folder, write_file
from maskwright.train.robot_scenes import RobotSceneRecipe, _assets
from maskwright.train.scene_folder import _difference
from maskwright.train.tabletop.episode import EpisodePlan, draw_episode
from maskwright.train.tabletop.filming import FilmedFrame, film
from maskwright.train.tabletop.simulator import load_simulator

GENERATOR = "maskwright.train.robot_episodes/1"
FORMAT = "maskwright-episode-1"
FPS = 30
_ATTEMPTS = 40
_JPEG_QUALITY = 92
# Fewer pixels of a thing are nothing that anybody would outline.
_LEAST_PIXELS = 12
# The first frame must show so much of what is picked up, and so many things in all.
_LEAST_OF_PICKED, _LEAST_OBJECTS = 400, 6
_ROOM = ("", "table", "floor", "wall")


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotEpisodeRecipe:
    """What makes a stream of episodes what it is: that of scenes (arms of packages are not used), and a length."""

    scenes: RobotSceneRecipe
    num_frames: int = 90


def write_robot_episodes(
    root: Path,
    recipe: RobotEpisodeRecipe,
    *,
    count: int,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Fill a folder up to `count` episodes, in order; `progress` counts frames.

    Raises:
        InputError: the simulator or an asset folder is missing, or the folder holds other episodes.
    """
    made_by = _made_by(recipe)
    for number in range(count):
        folder = root / f"episode_{number:03d}"
        if folder.exists():
            _check_same(folder, made_by)
        else:
            _write_episode(folder, recipe, number, made_by, count, progress)
        if progress is not None:
            progress((number + 1) * recipe.num_frames, count * recipe.num_frames)


def robot_episode(recipe: RobotEpisodeRecipe, number: int) -> tuple[EpisodePlan, Iterator[FilmedFrame]]:
    """Make episode `number` of the stream: its plan, and its frames one by one.

    Raises:
        InputError: the simulator is missing, or an asset folder.
    """
    scenes = recipe.scenes
    for attempt in range(_ATTEMPTS):
        plan = draw_episode(np.random.default_rng([scenes.seed, number, attempt]), _assets(scenes))
        if plan is None:
            continue
        frames = film(plan, size_hw=scenes.size_hw, num_frames=recipe.num_frames, fps=FPS)
        first = next(frames, None)
        if first is not None and _shows_enough(plan, first):
            return plan, chain([first], frames)
    raise InputError(f"no episode {number} shows enough after {_ATTEMPTS} attempts; give another seed")


def _made_by(recipe: RobotEpisodeRecipe) -> dict[str, Any]:
    scenes = recipe.scenes
    return {
        "generator": GENERATOR, "seed": scenes.seed, "size": list(scenes.size_hw), "num_frames": recipe.num_frames,
        "split": scenes.split, "assets": sorted(path.name for path in scenes.assets),
        "textures": scenes.textures.name if scenes.textures else None, "mujoco": load_simulator().__version__,
    }  # fmt: skip


def _check_same(folder: Path, made_by: dict[str, Any]) -> None:
    content = load_json(folder / "episode.json", what="episode.json")
    old = content.get("made_by") if isinstance(content, dict) else None
    if old != made_by:
        differs = _difference(old if isinstance(old, dict) else {}, made_by)
        raise InputError(
            f"this episode was made otherwise ({differs}). Give the same settings to go on, or another folder: {folder}"
        )


def _write_episode(
    out: Path,
    recipe: RobotEpisodeRecipe,
    number: int,
    made_by: dict[str, Any],
    count: int,
    progress: Callable[[int, int], None] | None,
) -> None:
    plan, frames = robot_episode(recipe, number)
    object_of, names = _objects(plan)
    seen: set[int] = set()
    with new_folder(out) as folder:
        for index, frame in enumerate(frames):
            values = object_of[frame.things]
            counts = np.bincount(values.ravel(), minlength=len(names) + 1)
            values[counts[values] < _LEAST_PIXELS] = 0
            seen.update(np.unique(values).tolist())
            write_file(folder / "images" / f"{index:05d}.jpg", _jpeg(frame.image))
            write_file(folder / "masks" / f"{index:05d}.png", palette_png(values))
            if progress is not None:
                progress(number * recipe.num_frames + index + 1, count * recipe.num_frames)
        content = {
            "format": FORMAT,
            "fps": FPS,
            "objects": {str(value): name for value, name in names.items() if value in seen},
            "moved": str(object_of[plan.picked]),
            "camera_moves": not np.allclose(plan.last_view.position, plan.tabletop.views[0].position),
            "made_by": made_by,
            "sources": [{"what": source.what, "licence": source.licence} for source in plan.tabletop.sources],
        }
        write_file(folder / "episode.json", json.dumps(content, indent=1) + "\n")


def _objects(plan: EpisodePlan) -> tuple[np.ndarray, dict[int, str]]:
    """Number what has a name: the value of each thing of the plan (0 for the room), and the name of each value.

    All limbs of the arm are one object, hand and fingers another.
    """
    value_of: dict[str | int, int] = {}
    object_of = np.zeros(len(plan.tabletop.placed) + 1, np.uint8)  # the last is for pixels that show nothing
    names: dict[int, str] = {}
    for index, placed in enumerate(plan.tabletop.placed):
        thing = placed.thing
        if thing.name in _ROOM:
            continue
        key = thing.name if index >= plan.first_part else index
        if key not in value_of:
            value_of[key] = len(value_of) + 1
            names[value_of[key]] = f"{thing.colour} {thing.name}" if thing.colour else thing.name
        object_of[index] = value_of[key]
    return object_of, names


def _shows_enough(plan: EpisodePlan, frame: FilmedFrame) -> bool:
    object_of, _ = _objects(plan)
    counts = np.bincount(object_of[frame.things].ravel(), minlength=int(object_of.max()) + 1)
    num_seen = int((counts[1:] >= _LEAST_OF_PICKED // 4).sum())
    return int(counts[object_of[plan.picked]]) >= _LEAST_OF_PICKED and num_seen >= _LEAST_OBJECTS


def _jpeg(image: np.ndarray) -> bytes:
    _, encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return encoded.tobytes()


__all__ = ["FORMAT", "FPS", "GENERATOR", "RobotEpisodeRecipe", "robot_episode", "write_robot_episodes"]
