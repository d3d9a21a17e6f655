"""A recording as a camera: masks in real time, and what a controller would read from them.

python examples/perceive_replay.py [RECORDING CAMERA X1,Y1,X2,Y2 [MODEL [SPEED]]]

RECORDING is a LeRobot data set, an MCAP log, a ROS bag or a video; the box is about the object on its first picture.
SPEED 1 is the recording's own, 0 as fast as it goes. Without anything the demo's arm puts its mug away.
"""

import sys
import time

import maskwright as mw
from maskwright.datasets import open_source
from maskwright.robot.geometry import centroid_xy, distance_m, oriented_box
from maskwright.workflows.demo import EPISODE


def main(path: str, camera: str, box: list[float], model: str = "tiny", speed: float = 1.0) -> None:
    """Print a line for each picture."""
    source = open_source(path)
    frames = source.frames(source.episodes[0], camera)
    with mw.Perceiver(model) as perceiver:
        perceiver.add("object", box=box)
        if speed:  # a camera goes on for hours; a recording may be over before the model is there
            perceiver.wait_until_ready()
        began = time.monotonic()
        for frame in frames:
            if speed and frame.ref.timestamp_s is not None:
                time.sleep(max(0.0, began + frame.ref.timestamp_s / speed - time.monotonic()))
            state = perceiver.step(frame)
            print(f"{state.frame}: {told(state)}", *(notice.kind for notice in state.notices))


def told(state) -> str:
    """What a controller would do something with."""
    thing = state["object"]
    if not thing.can_be_used:
        return f"{thing.status} {thing.why}".strip()
    (x, y), turned = centroid_xy(thing.rle), oriented_box(thing.rle)
    away = distance_m(thing.rle, state.depth_m) if state.depth_m is not None else None
    how_far = f", {away.metres:.2f} m away" if away else ""
    return (
        f"{thing.status} at {x:.0f},{y:.0f}, turned {turned.angle_deg:.0f} degrees{how_far}, {thing.age_ms:.0f} ms old"
    )


if __name__ == "__main__":
    arguments = sys.argv[1:] or [str(EPISODE), "front", "105,148,131,184"]
    recording, name, corners, *more = arguments
    main(recording, name, [float(value) for value in corners.split(",")], *more[:1], *map(float, more[1:]))
