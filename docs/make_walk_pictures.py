"""Draw the pictures of docs/guides/from_camera_to_policy.md from the demo's front camera, all by what `tiny` sees.

python docs/make_walk_pictures.py [SLOWER]

The episode is played in real time, SLOWER times as slowly where other programs keep the machine busy.
"""

import sys
import time
from collections.abc import Sequence

import cv2
import numpy as np
from tiles import RGB, Picture, enlarged, row, save, tile, tinted

import maskwright as mw
from maskwright.datasets import open_source
from maskwright.masks import box_xyxy, decode, encode
from maskwright.predict.grounding import Grounding, ground, things
from maskwright.robot.geometry import centroid_xy, contact, free_space, grasp_cue, obstacles, oriented_box
from maskwright.robot.perceiver_values import PerceiverState
from maskwright.workflows.demo import EPISODE, true_frames

CAMERA, TEXT = "front", "put the red mug into the bin"
MUG, BIN, GRIPPER, FREE = (228, 87, 46), (62, 124, 177), (240, 196, 25), (80, 200, 120)
SHOWN, HELD = (8, 44, 70, 96), 62
_HEIGHT, _TIMES = 240, 2


def main(slower: float = 1.0) -> None:
    """Draw them one after the other."""
    source = open_source(EPISODE)
    frames = [frame.image for frame in source.frames(source.episodes[0], CAMERA)]
    found = ground(things.by_words(mw.load_model("tiny"))(frames[0]), TEXT)
    draw_grounding(frames[0], found)
    states = followed(frames, found, slower)
    draw_states(frames, states)
    draw_outputs()


def draw_grounding(image: mw.Image, found: Grounding) -> None:
    """The first picture, and what was chosen in it."""
    drawn = enlarged(image.pixels, _TIMES)
    for one, colour in ((found.chosen[0], MUG), (found.goal[0], BIN)):
        drawn = tinted(drawn, _large(decode(one.thing.rle)), colour)
    target, goal = found.chosen[0], found.goal[0]
    says = f"{target.score:.2f}: {target.reasons[0]!s}\nto be {found.relation} what is here, {goal.score:.2f}"
    save(
        row([tile(image.pixels, f"the camera\n{TEXT!r}", height=360), tile(drawn, says, height=360)]), "walk_ground.jpg"
    )


def followed(images: Sequence[mw.Image], found: Grounding, slower: float) -> list[PerceiverState]:
    """Play the episode to a Perceiver, which is told of the gripper by its box."""
    gripper = box_xyxy(encode(true_masks(0)["gripper"]))
    states = []
    with mw.Perceiver("tiny") as perceiver:
        perceiver.add("mug", mask=found.chosen[0].thing.rle)
        perceiver.add("bin", mask=found.goal[0].thing.rle)
        perceiver.add("gripper", box=gripper)
        perceiver.wait_until_ready()
        began = time.monotonic()
        for number, image in enumerate(images):
            time.sleep(max(0.0, began + slower * number / 30 - time.monotonic()))
            states.append(perceiver.step(image, at_s=number / 30))
    return states


def draw_states(images: Sequence[mw.Image], states: Sequence[PerceiverState]) -> None:
    """Some pictures with their masks, and how old these are."""
    tiles = []
    for number in SHOWN:
        state, drawn = states[number], enlarged(images[number].pixels, _TIMES)
        for name, colour in (("mug", MUG), ("bin", BIN), ("gripper", GRIPPER)):
            drawn = tinted(drawn, _large(state[name].mask), colour)
        mug = state["mug"]
        age = "" if mug.age_ms is None else f", {mug.age_ms:.0f} ms old"
        tiles.append(tile(drawn, f"picture {number}\nmug {mug.status}{age}", height=_HEIGHT))
    save(row(tiles), "walk_perceiver.jpg")


def draw_outputs() -> None:
    """What a controller reads from the masks of one picture; the demo's true masks, which are clear to look at."""
    truth, image = true_masks(HELD), enlarged(image_of(HELD).pixels, _TIMES)
    mug, gripper, before = truth["mug"], truth["gripper"], true_masks(HELD - 6)
    cue = grasp_cue(mug, gripper, thing_before=before["mug"], gripper_before=before["gripper"])
    free = free_space(obstacles(truth, leave_out=["gripper", "robot arm"]), margin_px=4)
    held = tinted(image, _large(gripper), GRIPPER, share=0.25)
    held = tinted(held, _large(contact(mug, gripper).region), MUG, share=1)
    tiles = [
        tile(_turned(image, mug, MUG), "centroid and turned box", height=_HEIGHT),
        tile(held, f"touches {cue.contact:.0%} of the outline, slip {cue.slip_px:.1f} px", height=_HEIGHT),
        tile(tinted(image, _large(free), FREE, share=0.35), "free of what is followed, 4 px around", height=_HEIGHT),
    ]
    save(row(tiles), "walk_outputs.jpg")


def true_masks(number: int) -> dict[str, np.ndarray]:
    """The masks of a picture as the demo's simulator has them."""
    for frame in true_frames(EPISODE):
        if frame.ref is not None and (frame.ref.camera, frame.ref.frame_index) == (CAMERA, number):
            return {str(mask.record.label): decode(mask.record.rle) for mask in frame.masks}
    raise AssertionError(f"the demo has no picture {number}")


def image_of(number: int) -> mw.Image:
    """A picture of the demo."""
    source = open_source(EPISODE)
    return next(iter(source.frames(source.episodes[0], CAMERA, start=number, stop=number + 1))).image


def _turned(picture: Picture, mask: np.ndarray, colour: RGB) -> Picture:
    drawn, box, centre = picture.copy(), oriented_box(mask), centroid_xy(mask)
    if box is not None and centre is not None:
        corners = ((box.corners_xy + 0.5) * _TIMES).round().astype(np.int32)
        cv2.polylines(drawn, [corners], isClosed=True, color=colour, thickness=2, lineType=cv2.LINE_AA)
        at = tuple(round(_TIMES * (value + 0.5)) for value in centre)
        cv2.drawMarker(drawn, at, (255, 255, 255), cv2.MARKER_CROSS, 14, 3, cv2.LINE_AA)
        cv2.drawMarker(drawn, at, colour, cv2.MARKER_CROSS, 12, 1, cv2.LINE_AA)
    return drawn


def _large(mask: np.ndarray) -> np.ndarray:
    return cv2.resize(mask.astype(np.uint8), None, fx=_TIMES, fy=_TIMES, interpolation=cv2.INTER_NEAREST) > 0


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
