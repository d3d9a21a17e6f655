"""What a policy sees of the demo episode, in a training loop and frame by frame as a robot does: the same pixels.

python examples/policy_inputs.py [FOLDER]
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from maskwright.datasets import open_source
from maskwright.robot.policy_inputs import make_inputs
from maskwright.robot.policy_recipe import ConstantBackground, CropRule, PolicyRecipe
from maskwright.robot.policy_torch import MaskShelf, PolicyDataset
from maskwright.workflows.demo import make_demo


def main(folder: Path) -> None:
    """Make the demo, load rows of it, and compare them with what a robot would make."""
    demo = make_demo(folder / "demo")
    recipe = PolicyRecipe(
        slots=("mug", "bin"),
        crop=CropRule(margin=0.3),
        size_hw=(224, 224),
        background=ConstantBackground(),
        keeps=("robot arm", "gripper"),
        channels=True,
    )

    # In a training loop: torch.utils.data.DataLoader(rows, batch_size=32, num_workers=4)
    rows = PolicyDataset(demo.dataset, demo.store, recipe, cameras=("front",))
    item = rows[60]
    for key, value in item.items():
        print(key, getattr(value, "shape", value))

    # On the robot: masks come from a Perceiver; here those of the store stand in for it.
    source = open_source(demo.dataset)
    frame = next(iter(source.frames(source.episodes[0], "front", start=60)))
    masks = MaskShelf.read(demo.store, recipe, dataset=source.name).episodes["episode_000000", "front"].of(60)
    online = make_inputs(frame.image.pixels, {name: rles[0] for name, rles in masks.items()}, recipe, ref=frame.ref)

    trained_on = item["observation.images.front.mug"].numpy().transpose(1, 2, 0)
    print("bit for bit the same:", np.array_equal(trained_on, online.view("mug").stacked()))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            main(Path(scratch))
