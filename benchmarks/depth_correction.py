"""Does `maskwright predict --depth` do harm? Masks of opaque things and of glass with and without it, by box and click.

    python benchmarks/depth_correction.py [--opaque 6] [--glass 4] [--model tiny]

Tables are generated; depth is what a sensor would have given of them (`robot/depth_failure.py`). "All" is
`refine_with_depth` on every mask, which is what the conditions of `workflows/depth_masks.py` are there to prevent.
"""

import argparse
from collections.abc import Iterator

import cv2
import numpy as np

import maskwright as mw
from maskwright.evaluate import middle_click
from maskwright.masks import box_xyxy, decode, encode
from maskwright.models.protocol import Model
from maskwright.predict.looks import look
from maskwright.robot.depth_cues import find_cues
from maskwright.robot.depth_failure import camera_for, fail_like_a_sensor
from maskwright.robot.depth_maps import depth_map
from maskwright.robot.depth_refine import refine_with_depth
from maskwright.train.scene_folder import LabelledScene
from maskwright.train.tabletop.layout import Challenge, TabletopAssets
from maskwright.train.tabletop.plan import draw_plan
from maskwright.train.tabletop.render import render_plan
from maskwright.workflows.depth_masks import correct_by_depth

_SIZE_HW, _LEAST_AREA, _STEPS = (360, 480), 400, 200
_FURNITURE = ("table", "wall", "floor")
Row = tuple[bool, float, float, float]  # glass, IoU by colours, with --depth, refined all


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / max(1, (a | b).sum()))


def rows_of(scene: LabelledScene, rng: np.random.Generator, model: Model) -> Iterator[Row]:
    """Ask for every thing of a table by its box and by a click in its middle."""
    assert scene.depth_mm is not None
    true_m = scene.depth_mm / 1000
    glass, mirrors = ([one.index for one in scene.objects if one.material == name] for name in ("glass", "shiny"))
    raw = fail_like_a_sensor(true_m, scene.masks, glass=glass, mirrors=mirrors, rng=rng)
    depth = depth_map(raw, size_hw=_SIZE_HW, camera=camera_for(true_m))
    image, cues = mw.Image(scene.image), find_cues(depth)
    grey, embedding = cv2.cvtColor(scene.image, cv2.COLOR_RGB2GRAY), mw.embed(model, image)
    for one in scene.objects:
        truth = scene.masks == one.index
        if truth.sum() < _LEAST_AREA or one.name in _FURNITURE:
            continue
        box, click = box_xyxy(encode(truth)), middle_click(np.zeros_like(truth), truth)
        for prompt in (mw.BoxPrompt(box), mw.PointPrompt([click.xy])):
            record = look(model, image, prompt, embedding=embedding).record()
            drawn = decode(record.rle)
            (corrected,) = correct_by_depth([record], image, depth)
            asked = box if isinstance(prompt, mw.BoxPrompt) else None
            everywhere = refine_with_depth(drawn, cues, box=asked, grey=grey).mask
            answers = (drawn, decode(corrected.rle), everywhere)
            before, after, refined = (iou(answer, truth) for answer in answers)
            yield one.index in glass, before, after, refined


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--opaque", type=int, default=6, help="tables")
    parser.add_argument("--glass", type=int, default=4, help="tables of glasses")
    parser.add_argument("--model", default="tiny")
    options = parser.parse_args()
    model, rows = mw.load_model(options.model), []
    for seed, count, hard in ((11, options.opaque, ()), (12, options.glass, ("glass",))):
        for number in range(count):
            rng = np.random.default_rng([seed, number])
            plan = draw_plan(rng, TabletopAssets(), num_views=2, challenge=Challenge(hard=hard))
            for scene in render_plan(plan, size_hw=_SIZE_HW, wanted=1, steps=_STEPS):
                rows += list(rows_of(scene, rng, model))
    print("| things | masks | by colours | with --depth | all refined |")
    print("| --- | --- | --- | --- | --- |")
    for name, kind in (("opaque", False), ("glass", True)):
        some = np.array([row[1:] for row in rows if row[0] is kind])
        if len(some):
            print(f"| {name} | {len(some)} | " + " | ".join(f"{mean:.3f}" for mean in some.mean(axis=0)) + " |")


if __name__ == "__main__":
    main()
