"""Does a check of a simulator notice what was changed in it, and nothing else?

    python benchmarks/check_sim.py [--seeds 3] [--scenes 24] [--out results.json]

Tabletops are generated twice from other seeds, as two halves of one world, and once more with the lighting, the
textures or the camera of the second half changed alone. The halves must not be flagged and must not differ surely; each
change must be noticed, as a verdict below realistic or a sure difference. Everything is made from numbers; physics is
short, because how things lie is the same on all sides. Without a model: predicted IoU would only add to what is seen.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from maskwright.masks import encode
from maskwright.robot.simulator import ClassRealism, RealismSettings, compare_masks
from maskwright.robot.simulator_traits import FrameMask, FrameTraits, measure_frame
from maskwright.train.tabletop.layout import TabletopAssets, TabletopPlan
from maskwright.train.tabletop.plan import draw_plan
from maskwright.train.tabletop.render import render_plan

SIZE_HW = (240, 320)
_STEPS = 60
_HALF = 1_000  # scenes of the second half are numbered from here
Change = Callable[[TabletopPlan], TabletopPlan]


def lit_dimly(plan: TabletopPlan) -> TabletopPlan:
    """Lamps at two fifths, ambient light at a half."""
    lamps = tuple(replace(lamp, rgb=tuple(0.4 * value for value in lamp.rgb)) for lamp in plan.lamps)
    return replace(plan, lamps=lamps, ambient=0.5 * plan.ambient)


def without_textures(plan: TabletopPlan) -> TabletopPlan:
    """Every surface of one grey, as in a simulator that nobody has dressed."""
    grey = (0.6, 0.6, 0.6)
    placed = [
        replace(
            one,
            thing=replace(
                one.thing,
                pieces=tuple(
                    replace(piece, surface=replace(piece.surface, picture=None, rgb=grey)) for piece in one.thing.pieces
                ),
            ),
        )
        for one in plan.placed
    ]
    return replace(plan, placed=tuple(placed))


def wider_camera(plan: TabletopPlan) -> TabletopPlan:
    """Another lens: twice the field of view, so things are small and there are more of them."""
    views = tuple(replace(view, fovy_degrees=min(110.0, 2 * view.fovy_degrees)) for view in plan.views)
    return replace(plan, views=views)


CHANGES: dict[str, Change] = {
    "nothing": lambda plan: plan,
    "lighting": lit_dimly,
    "texture": without_textures,
    "camera": wider_camera,
}


def frames_of(seed: int, first: int, count: int, change: Change) -> list[FrameTraits]:
    """Render scenes by their numbers, one view each, and measure them."""
    found = []
    for number in range(first, first + count):
        plan = change(draw_plan(np.random.default_rng([seed, number]), TabletopAssets(), num_views=2))
        for scene in render_plan(plan, size_hw=SIZE_HW, wanted=1, steps=_STEPS):
            masks = [FrameMask(mask=encode(scene.masks == one.index), label=one.name) for one in scene.objects]
            found.append(measure_frame(f"{seed}-{number}", cv2.cvtColor(scene.image, cv2.COLOR_RGB2GRAY), masks))
    return found


def row(seed: int, what: str, found: ClassRealism) -> dict[str, object]:
    weakest = found.weakest
    assert weakest is not None, "too few scenes to tell"
    return {
        "seed": seed, "changed": what, "realism": round(weakest.score, 3), "low": round(weakest.low, 3),
        "high": round(weakest.high, 3), "verdict": found.verdict, "least_real": weakest.trait,
        "differs": [one.trait for one in found.traits if one.differs],
        "noticed": found.differs or found.verdict in ("flagged", "in between"),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--scenes", type=int, default=24, help="of each half")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rows = []
    print("| seed | changed | realism | 90 % of draws | verdict | least real | differs surely | noticed |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for seed in range(options.seeds):
        real = frames_of(seed, 0, options.scenes, CHANGES["nothing"])
        for what, change in CHANGES.items():
            simulated = frames_of(seed, _HALF, options.scenes, change)
            one = row(seed, what, compare_masks(simulated, real, RealismSettings(seed=seed)).overall)
            rows.append(one)
            print(
                f"| {seed} | {what} | {one['realism']} | {one['low']} to {one['high']} | {one['verdict']} | "
                f"{one['least_real']} | {', '.join(one['differs'])} | {'yes' if one['noticed'] else 'no'} |",
                flush=True,
            )
    if options.out:
        options.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
