"""What depth adds to colours: boxes around what gives no depth, and masks of glass corrected by it.

python examples/depth_cues.py [PICTURE DEPTH [MODEL]]

DEPTH is a PNG or TIFF of the picture's size; whole numbers are millimetres. Without anything a table with glasses is
generated (`pip install 'maskwright[scenes]'`), with the depth that a camera would have given of it. Depth helps where
colours say little, as here; a mask that is good already may lose a little.
"""

import sys

import numpy as np

import maskwright as mw
from maskwright.datasets.depth import read_depth
from maskwright.masks import box_xyxy, decode, encode
from maskwright.robot.depth_answers import look_with_depth
from maskwright.robot.depth_cues import find_cues, hole_proposals
from maskwright.robot.depth_failure import camera_for, fail_like_a_sensor
from maskwright.robot.depth_maps import DepthMap, depth_map
from maskwright.robot.hard_masks import hard_flags


def main(picture: str | None = None, depth_file: str | None = None, name: str = "tiny") -> None:
    """Ask for each hole by its box, or on the generated table for each glass, and tell what depth changed."""
    if picture is None or depth_file is None:
        image, depth, glasses = generated_table()
    else:
        image, glasses = mw.read_image(picture), []
        depth = depth_map(read_depth(depth_file), size_hw=image.size_hw)
    cues = find_cues(depth)
    holes = [proposal.box_xyxy for proposal in hole_proposals(cues)]
    print(f"{cues.holes.mean():.1%} of the picture gives no depth for no known reason, in {len(holes)} places")

    model = mw.load_model(name)
    embedding = mw.embed(model, image)
    for at, box in enumerate([box_xyxy(encode(glass)) for glass in glasses] or holes):
        answer = look_with_depth(model, image, mw.BoxPrompt(box), depth, cues=cues, embedding=embedding)
        flags = "; ".join(flag.words() for flag in hard_flags(answer.refined.mask, cues)) or "no flag"
        better = told(decode(answer.first.record().rle), answer.refined.mask, glasses[at]) if glasses else ""
        print(f"{tuple(round(edge) for edge in box)}: {answer.refined.how}, {flags}{better}")


def generated_table() -> tuple[mw.Image, DepthMap, list[np.ndarray]]:
    """A table with glasses, what a depth camera would have said of it, and the true masks of the glasses."""
    from maskwright.train.tabletop.layout import Challenge, TabletopAssets
    from maskwright.train.tabletop.plan import draw_plan
    from maskwright.train.tabletop.render import render_plan

    rng = np.random.default_rng([7, 3])
    plan = draw_plan(rng, TabletopAssets(), num_views=2, challenge=Challenge(hard=("glass",)))
    (scene,) = render_plan(plan, size_hw=(360, 480), wanted=1, steps=200)
    assert scene.depth_mm is not None
    true_m = scene.depth_mm / 1000
    glass = [one.index for one in scene.objects if one.material == "glass" and (scene.masks == one.index).sum() > 500]
    raw = fail_like_a_sensor(true_m, scene.masks, glass=glass, rng=rng)
    depth = depth_map(raw, size_hw=scene.masks.shape, camera=camera_for(true_m))
    return mw.Image(scene.image), depth, [scene.masks == index for index in glass]


def told(before: np.ndarray, after: np.ndarray, truth: np.ndarray) -> str:
    """What it was worth, where the truth is known."""
    old, new = ((mask & truth).sum() / (mask | truth).sum() for mask in (before, after))
    return f", IoU {old:.2f} -> {new:.2f}"


if __name__ == "__main__":
    main(*sys.argv[1:])
