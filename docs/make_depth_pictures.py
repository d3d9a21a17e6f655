"""Draw the pictures of docs/guides/depth.md: what depth says of a table with glasses, and what it does to masks.

python docs/make_depth_pictures.py

Needs `pip install 'maskwright[scenes]'`. Depth is what a camera would have given (`robot/depth_failure.py`).
"""

import cv2
import numpy as np
from tiles import RGB, Picture, row, save, tile, tinted

from maskwright.masks import box_xyxy, encode
from maskwright.robot.depth_cues import DepthCues, find_cues, hole_proposals
from maskwright.robot.depth_failure import camera_for, fail_like_a_sensor
from maskwright.robot.depth_maps import DepthMap, depth_map
from maskwright.robot.depth_refine import refine_with_depth, repair_with_depth, split_by_depth
from maskwright.train.scene_folder import LabelledScene
from maskwright.train.tabletop.layout import Challenge, TabletopAssets
from maskwright.train.tabletop.plan import draw_plan
from maskwright.train.tabletop.render import render_plan

SEED, SIZE_HW, HEIGHT = [7, 12], (360, 480), 220
BEFORE, AFTER, OTHER = (228, 87, 46), (62, 124, 177), (240, 196, 25)


def main() -> None:
    """Draw both."""
    scene, depth = table()
    cues = find_cues(depth)
    draw_cues(scene, depth, cues)
    draw_masks(scene, cues)


def table() -> tuple[LabelledScene, DepthMap]:
    """A table with glasses, and its depth as a camera gives it."""
    rng = np.random.default_rng(SEED)
    plan = draw_plan(rng, TabletopAssets(), num_views=2, challenge=Challenge(hard=("glass",)))
    (scene,) = render_plan(plan, size_hw=SIZE_HW, wanted=1, steps=200)
    assert scene.depth_mm is not None
    true_m = scene.depth_mm / 1000
    glass = [one.index for one in scene.objects if one.material == "glass"]
    raw = fail_like_a_sensor(true_m, scene.masks, glass=glass, rng=rng)
    return scene, depth_map(raw, size_hw=SIZE_HW, camera=camera_for(true_m))


def draw_cues(scene: LabelledScene, depth: DepthMap, cues: DepthCues) -> None:
    """Colours, depth, what is read from it, and the boxes that are proposed."""
    low, high = np.nanquantile(depth.metres, [0.02, 0.98])
    level = np.nan_to_num(255 * (1 - (depth.metres - low) / (high - low))).clip(0, 255).astype(np.uint8)
    near = cv2.cvtColor(cv2.applyColorMap(level, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB)
    near[~depth.is_known] = 0
    read = (scene.image // 3 + 40).astype(np.uint8)
    for what, colour in (
        (cues.edges, (235, 235, 235)),
        (cues.explained, (120, 120, 120)),
        (cues.rough, OTHER),
        (cues.holes, BEFORE),
    ):
        read[what] = colour
    asked = scene.image.copy()
    for proposal in hole_proposals(cues):
        x1, y1, x2, y2 = (round(edge) for edge in proposal.box_xyxy)
        cv2.rectangle(asked, (x1, y1), (x2, y2), BEFORE, 2, cv2.LINE_AA)
    save(
        row(
            [
                tile(scene.image, "colours", height=HEIGHT),
                tile(near, "depth; black gave none", height=HEIGHT),
                tile(read, "holes red, explained grey, edges white", height=HEIGHT),
                tile(asked, "boxes to ask a model about", height=HEIGHT),
            ]
        ),
        "depth_cues.jpg",
    )


def draw_masks(scene: LabelledScene, cues: DepthCues) -> None:
    """A mask over two things split, one that lacks an edge repaired, and half a glass redrawn."""
    first, second = opaque_pair(scene)
    both = first | second
    cut = first.copy()
    cut[: np.flatnonzero(first.any(axis=1))[0] + 6] = False
    glass = max((scene.masks == one.index for one in scene.objects if one.material == "glass"), key=np.count_nonzero)
    box = box_xyxy(encode(glass))
    half = glass.copy()
    half[:, : round((box[0] + box[2]) / 2)] = False
    grey = cv2.cvtColor(scene.image, cv2.COLOR_RGB2GRAY)
    redrawn = refine_with_depth(half, cues, box=box, grey=grey).mask
    tiles = [
        pair(scene.image, both, split_by_depth(both, cues), "one mask over two things", "split along the step"),
        pair(scene.image, cut, [repair_with_depth(cut, cues)], "without its upper edge", "repaired"),
        pair(scene.image, half, [redrawn], "half of a glass", "redrawn"),
    ]
    save(row([part for one in tiles for part in one]), "depth_masks.jpg")


def opaque_pair(scene: LabelledScene) -> tuple[np.ndarray, np.ndarray]:
    """Two opaque things that touch in the picture, the largest such pair."""
    masks = [
        scene.masks == one.index
        for one in scene.objects
        if one.material not in ("glass", "transparent") and one.name not in ("table", "floor", "wall")
    ]
    grown = [cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0 for mask in masks]
    touching = [
        (min(a.sum(), b.sum()), i, j)
        for i, a in enumerate(masks)
        for j, b in enumerate(masks)
        if i < j and (grown[i] & b).any()
    ]
    _, i, j = max(touching)
    return masks[i], masks[j]


def pair(image: Picture, before: np.ndarray, after: list[np.ndarray], told: str, then: str) -> list[Picture]:
    """A window around a mask, before and after."""
    x1, y1, x2, y2 = (round(edge) for edge in box_xyxy(encode(before)))
    side = max(x2 - x1, y2 - y1) + 40
    left = min(max(0, (x1 + x2 - side) // 2), max(0, image.shape[1] - side))
    top = min(max(0, (y1 + y2 - side) // 2), max(0, image.shape[0] - side))
    window = np.s_[top : top + side, left : left + side]
    colours: list[RGB] = [AFTER, OTHER, BEFORE]
    drawn = image
    for mask, colour in zip(after, colours, strict=False):
        drawn = tinted(drawn, mask, colour)
    return [
        tile(picture[window], text, height=HEIGHT)
        for picture, text in ((tinted(image, before, BEFORE), told), (drawn, then))
    ]


if __name__ == "__main__":
    main()
