"""Would a policy see the same masks in a simulator as in the world? A check, and what it says of one change.

python examples/check_simulator.py [OUT]

Two worlds are painted of the same kinds of things; then the second is painted once more and rendered softly, as
simulators are. Yours are two folders with masks: `maskwright check-sim sim_scenes/ real_masks/`.
"""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import cv2

from maskwright.train.builtin_pack import builtin_pack
from maskwright.train.painted_folder import PaintedRecipe, write_painted_scenes
from maskwright.train.scene_folder import read_scene_folder, write_scene_folder
from maskwright.workflows.check_simulator import check_simulator, write_check

PACK = builtin_pack(per_kind=4, surfaces=8)
NUM_SCENES, SIDE = 64, 160


def main(out: Path) -> None:
    """Compare both, and print the tables."""
    for seed, name in enumerate(("real", "simulated")):
        recipe = PaintedRecipe(seed=seed, pack="small", side=SIDE, max_objects=6)
        write_painted_scenes(out / name, recipe, PACK, count=NUM_SCENES)
    soften(out / "simulated", out / "soft")
    for name in ("simulated", "soft"):
        check = check_simulator(str(out / name), str(out / "real"))
        print(*check.lines()[:2], f"-> {write_check(check, out / f'{name}-check')}", "", sep="\n")


def soften(scenes: Path, out: Path) -> None:
    """The same scenes with soft pictures; masks stay as they are."""
    with write_scene_folder(out, made_by={"softened": scenes.name}) as writer:
        for scene in read_scene_folder(scenes):
            writer.add(replace(scene, image=cv2.GaussianBlur(scene.image, (0, 0), 2.0)))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            main(Path(scratch))
