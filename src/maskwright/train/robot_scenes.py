"""Labelled scenes of robot tabletops, rendered by a simulator: an endless stream from a seed, or a folder of them.

Every scene depends on the seed and its number alone, so any number of processes make the same ones and a run that
stopped goes on. Assets are folders and lists that the user gives; without any, things are made from numbers only.
`python -m maskwright.train.robot_scenes --help` tells the rest.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Literal, TypeVar, get_args

import numpy as np

from maskwright.core.errors import InputError
from maskwright.train.scene_folder import LabelledScene, SceneSource, write_scene_folder
from maskwright.train.tabletop.arms import find_arms
from maskwright.train.tabletop.catalogues import find_meshes, held_out
from maskwright.train.tabletop.grippers import GRIPPERS
from maskwright.train.tabletop.hard_things import HARD
from maskwright.train.tabletop.layout import NO_CHALLENGE, Challenge, TabletopAssets, TexturePicture
from maskwright.train.tabletop.pieces import read_picture
from maskwright.train.tabletop.plan import draw_plan
from maskwright.train.tabletop.render import render_plan
from maskwright.train.tabletop.simulator import load_simulator

GENERATOR = "maskwright.train.robot_scenes/1"
# Pictures of one simulated scene, from different sides: physics, compiling and loading textures are half of the cost.
_VIEWS_A_SCENE = 2
_ATTEMPTS = 12
# Installed packages whose assets are used without being named.
_PACKAGES = ("robosuite",)
_MATERIAL_WORDS = {
    "wood": "wood", "metal": "metal", "steel": "metal", "brass": "metal", "fabric": "fabric", "felt": "fabric",
    "brick": "stone", "marble": "stone", "stone": "stone", "tile": "ceramic", "ceramic": "ceramic",
    "leather": "leather",
}  # fmt: skip
Split = Literal["train", "held-out", "all"]
_T = TypeVar("_T")
SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotSceneRecipe:
    """What makes a stream of scenes what it is.

    `split` keeps a fifth of meshes, arms and pictures out of "train"; "held-out" shows these in half of all cases.
    `challenge` is what is hard in them, `views` how many pictures are taken of a scene; these share an episode.

    Raises:
        InputError: there is no such challenge, or no view.
    """

    seed: int
    size_hw: tuple[int, int] = (480, 640)
    assets: tuple[Path, ...] = ()
    textures: Path | None = None
    split: Split = "all"
    challenge: Challenge = NO_CHALLENGE
    views: int = _VIEWS_A_SCENE

    def __post_init__(self) -> None:
        """Check the names."""
        for names, known in ((self.challenge.hard, HARD), (self.challenge.grippers, GRIPPERS)):
            unknown = [name for name in names if name not in known]
            if unknown:
                raise InputError(f"expected some of {', '.join(known)}, got {', '.join(unknown)}")
        if self.views < 1:
            raise InputError(f"a scene has at least one view, got {self.views}")


def robot_scene(recipe: RobotSceneRecipe, number: int) -> tuple[list[LabelledScene], tuple[SceneSource, ...]]:
    """Make scene `number` of the stream: its views, and what they show was taken from.

    Raises:
        InputError: the simulator is missing, or an asset folder.
    """
    assets = _assets(recipe)
    for attempt in range(_ATTEMPTS):
        rng = np.random.default_rng([recipe.seed, number, attempt])
        plan = draw_plan(rng, assets, num_views=recipe.views + 2, challenge=recipe.challenge)
        views = render_plan(plan, size_hw=recipe.size_hw, wanted=recipe.views)
        if len(views) == recipe.views:
            return [replace(view, episode=f"scene_{number:05d}") for view in views], plan.sources
    raise InputError(f"no view of scene {number} shows enough after {_ATTEMPTS} attempts; give another seed")


def write_robot_scenes(
    root: Path,
    recipe: RobotSceneRecipe,
    *,
    count: int,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Fill a folder up to `count` pictures, in order; one that holds some of the same recipe is continued.

    Raises:
        InputError: the simulator or an asset folder is missing, or the folder holds other scenes.
    """
    mujoco = load_simulator()
    _assets(recipe)
    made_by = {
        "generator": GENERATOR, "seed": recipe.seed, "size": list(recipe.size_hw), "split": recipe.split,
        "assets": sorted(path.name for path in recipe.assets), "mujoco": mujoco.__version__,
        "textures": recipe.textures.name if recipe.textures else None, **_unusual(recipe),
    }  # fmt: skip
    with write_scene_folder(root, made_by=made_by) as writer:
        start, skip = divmod(writer.num_written, recipe.views)
        for views, sources in _in_order(recipe, start, workers):
            for view in views[skip:]:
                if writer.num_written < count:
                    writer.add(view, sources=sources)
                    if progress is not None:
                        progress(writer.num_written, count)
            skip = 0
            if writer.num_written >= count:
                break


def _unusual(recipe: RobotSceneRecipe) -> dict[str, object]:
    """What folders of before, which are to be continued, do not name."""
    found: dict[str, object] = {}
    if recipe.challenge != NO_CHALLENGE:
        found |= {"hard": list(recipe.challenge.hard), "gripper": list(recipe.challenge.grippers)}
    if recipe.views != _VIEWS_A_SCENE:
        found["views"] = recipe.views
    return found


def _in_order(
    recipe: RobotSceneRecipe, start: int, workers: int
) -> Iterator[tuple[list[LabelledScene], tuple[SceneSource, ...]]]:
    """Scenes from `start` on, made by several processes a little ahead."""
    if workers <= 1:
        number = start
        while True:
            yield robot_scene(recipe, number)
            number += 1
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        ahead: list[Future[tuple[list[LabelledScene], tuple[SceneSource, ...]]]] = []
        number = start
        try:
            while True:
                while len(ahead) < 2 * workers:
                    ahead.append(pool.submit(robot_scene, recipe, number))
                    number += 1
                yield ahead.pop(0).result()
        finally:
            for future in ahead:
                future.cancel()


@lru_cache(maxsize=2)
def _assets(recipe: RobotSceneRecipe) -> TabletopAssets:
    folders = [*recipe.assets, *_installed(recipe.assets)]
    pictures = _read_textures(recipe.textures) if recipe.textures else []
    return TabletopAssets(
        meshes=chosen(find_meshes(folders), recipe.split, lambda mesh: mesh.key),
        arms=chosen(find_arms(folders), recipe.split, lambda arm: arm.key),
        photos=chosen([p for kind, p in pictures if kind == "photo"], recipe.split, lambda p: p.key),
        textures=chosen([p for kind, p in pictures if kind == "texture"], recipe.split, lambda p: p.key),
    )


def _installed(given: Sequence[Path]) -> list[Path]:
    """Folders of installed asset packages; none if a given folder has that package already."""
    found = []
    for package in _PACKAGES:
        spec = find_spec(package)
        if spec and spec.origin and not any(next(folder.rglob(package), None) for folder in given):
            found.append(Path(spec.origin).parent.parent / package)
    return found


def chosen(assets: list[_T], split: Split, key: Callable[[_T], str]) -> list[_T]:
    """Keep of some assets what a split may show, told apart by their keys."""
    apart = held_out({key(asset) for asset in assets})
    if split == "train":
        return [asset for asset in assets if key(asset) not in apart] or assets
    unseen = [asset for asset in assets if key(asset) in apart]
    if split == "all" or not unseen:
        return assets
    seen = [asset for asset in assets if key(asset) not in apart]
    # As many draws from either side: the unseen are repeated until they are as many.
    return seen + unseen * max(1, round(len(seen) / len(unseen)))


def _read_textures(listing: Path) -> list[tuple[str, TexturePicture]]:
    """Read the photographs and textures of a list with the columns kind, source, licence, path."""
    if not listing.is_file():
        raise InputError(f"there is no such list of textures (columns: kind, source, licence, path): {listing}")
    pictures = []
    for number, line in enumerate(listing.read_text().splitlines(), 1):
        columns = line.split("\t")
        if len(columns) != 4:
            raise InputError(
                f"line {number} has {len(columns)} columns, expected kind, source, licence, path: {listing}"
            )
        kind, source, licence, name = columns
        path = listing.parent / name
        pixels = read_picture(path) if kind in ("photo", "texture") else None
        if pixels is not None:
            material = next((m for word, m in _MATERIAL_WORDS.items() if word in path.stem.lower()), None)
            picture = TexturePicture(
                key=path.name, material=material, pixels=pixels, source=SceneSource(what=source, licence=licence)
            )
            pictures.append((kind, picture))
    return pictures


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m maskwright.train.robot_scenes",
        description="Render labelled robot tabletops into a folder; the same command goes on where it stopped.",
        epilog="example: python -m maskwright.train.robot_scenes --out scenes --count 100 --assets downloads",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of labelled scenes, new or begun")
    parser.add_argument("--count", type=int, required=True, help="pictures that the folder shall hold")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other scenes")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--size", default="640x480", help="width x height in pixels")
    parser.add_argument(
        "--assets", type=Path, action="append", default=[],
        help="folder to search for meshes and arms: unzipped Sweet Home 3D catalogues, robosuite; may be given again",
    )  # fmt: skip
    parser.add_argument("--textures", type=Path, help="list of photographs and textures: kind, source, licence, path")
    parser.add_argument("--split", choices=SPLITS, default="all", help="keep a fifth of the assets apart, or show it")
    return parser.parse_args(arguments)


def _size_hw(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit() and 32 <= int(width) <= 4096 and 32 <= int(height) <= 4096):
        raise InputError(f'expected --size as width x height of 32 to 4096 pixels, like 640x480, got "{text}"')
    return int(height), int(width)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; progress goes to stderr."""
    options = _parse(arguments)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    began = time.monotonic()
    first: list[int] = []

    def report(done: int, total: int) -> None:
        first.append(done) if not first else None
        if done % 10 == 0 or done == total:
            pace = (time.monotonic() - began) / (done - first[0] + 1)
            sys.stderr.write(f"\r{done} of {total} pictures, {pace:.2f} s each ")
            sys.stderr.flush()

    try:
        recipe = RobotSceneRecipe(
            seed=options.seed, size_hw=_size_hw(options.size), assets=tuple(options.assets), textures=options.textures,
            split=options.split,
        )  # fmt: skip
        write_robot_scenes(options.out, recipe, count=options.count, workers=options.workers, progress=report)
    except InputError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stderr.write("\n")
    return 0


__all__ = ["GENERATOR", "SPLITS", "RobotSceneRecipe", "chosen", "main", "robot_scene", "write_robot_scenes"]


if __name__ == "__main__":
    raise SystemExit(main())
