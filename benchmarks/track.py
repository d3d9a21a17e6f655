"""How fast and how well are objects followed, what do more of them cost, and does memory stay flat?

python benchmarks/track.py [speed|objects|memory]
"""

import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice
from typing import Any

import numpy as np
from harness import Contender, Timing, compare, report

SIZE_HW = (480, 640)
FRAMES = 60
MANY = 10_000
OBJECTS = ("gripper", "mug", "bin")


def demo() -> tuple[list[Any], list[dict[str, Any]]]:
    """The front camera of the demo episode, enlarged to 640x480, and the true masks of three objects on each frame."""
    import cv2

    from maskwright.core import Image
    from maskwright.datasets import lerobot, open_source
    from maskwright.datasets.loss_report import LossLog
    from maskwright.masks import resize
    from maskwright.workflows.demo import EPISODE

    source = open_source(EPISODE)
    (episode,) = source.episodes
    images = [
        Image(np.ascontiguousarray(cv2.resize(frame.image.pixels, SIZE_HW[::-1], interpolation=cv2.INTER_CUBIC)))
        for frame in source.frames(episode, "front")
    ]
    labelled = lerobot.read(EPISODE, log=LossLog())
    front = (one.masks for one in labelled if one.ref is not None and one.ref.camera == "front")
    truths = [
        {str(one.record.label): resize(one.record.rle, SIZE_HW) for one in masks if one.record.label in OBJECTS}
        for masks in islice(front, FRAMES)
    ]
    return images[:FRAMES], truths


def squares(count: int) -> dict[str, Any]:
    """Masks of `count` squares of 60 pixels, evenly over the picture."""
    from maskwright.core import MaskPrompt
    from maskwright.masks import encode

    prompts = {}
    for number in range(count):
        mask = np.zeros(SIZE_HW, bool)
        y, x = 30 + 115 * (number // 4), 40 + 155 * (number % 4)
        mask[y : y + 60, x : x + 60] = True
        prompts[f"square-{number}"] = MaskPrompt(encode(mask))
    return prompts


def following(budget: str) -> Callable[[], np.ndarray]:
    """A whole pass over the episode with three of its objects; gives ms by frame, and last the mean IoU."""
    from maskwright.models import load_model
    from maskwright.predict.tracking import make_tracker, tracker_settings

    model, (images, truths) = load_model("tiny"), demo()
    return lambda: _scored(lambda: make_tracker(model, tracker_settings(budget)), images, truths)


def baseline(name: str) -> Callable[[], np.ndarray]:
    """The same with what a user could write in an afternoon."""
    from maskwright.evaluate.segmenter import ModelSegmenter
    from maskwright.evaluate.tracker_baselines import baseline_tracker
    from maskwright.models import load_model

    images, truths = demo()
    segmenter = ModelSegmenter(load_model("tiny"))
    return lambda: _scored(lambda: baseline_tracker(name, segmenter), images, truths)


def _scored(make: Callable[[], Any], images: Sequence[Any], truths: Sequence[dict[str, Any]]) -> np.ndarray:
    from maskwright.core import MaskPrompt
    from maskwright.masks import empty_mask, iou

    took, frames = _pass(make, images, {name: MaskPrompt(rle) for name, rle in truths[0].items()})
    found = [{mask.track: mask.rle for mask in frame.masks} for frame in frames]
    nothing = empty_mask(SIZE_HW)
    ious = [
        iou(masks.get(name, nothing), rle)
        for masks, truth in zip(found[1:], truths[1:], strict=True)
        for name, rle in truth.items()
    ]
    return np.array([*took, np.mean(ious)])


def _pass(make: Callable[[], Any], images: Sequence[Any], prompts: dict[str, Any]) -> tuple[list[float], list[Any]]:
    session, took, frames = make(), [], []
    for number, image in enumerate(images):
        began = time.perf_counter()
        frames.append(session.step(image, prompts if number == 0 else None))
        took.append(1000 * (time.perf_counter() - began))
    return took, frames


def speed() -> None:
    """Budgets beside flow alone and the model on every frame."""
    contenders = [
        Contender("default budget", "track:following", {"budget": "default"}),
        Contender("--budget fast", "track:following", {"budget": "fast"}),
        Contender("--budget accurate", "track:following", {"budget": "accurate"}),
        Contender("optical flow alone (DIS medium)", "track:baseline", {"name": "flow"}),
        Contender("tiny by the last box, each frame", "track:baseline", {"name": "previous-box"}),
    ]
    timings = compare(contenders, rounds=1)
    told = "; ".join(
        f"{one.name}: IoU {one.result[-1]:.3f}, p95 {np.percentile(one.result[1:-1], 95):.0f} ms"
        for one in timings
        if one.result is not None
    )
    timings = [Timing(one.name, one.seconds, one.peak_mb, one.added_mb, None) for one in timings]
    report(
        "track",
        f"follow 3 objects with tiny, 640x480, {FRAMES} frames",
        timings,
        items=FRAMES,
        note=f"ms a frame, that of the keyframe with them; mean IoU of gripper, mug and bin; {told}",
    )


def objects() -> None:
    """One object beside sixteen, the model on every fourth frame."""
    counts = (1, 4, 16)
    contenders = [Contender(f"{count} objects", "track:every_fourth", {"objects": count}) for count in counts]
    timings = compare(contenders, rounds=3)
    report(
        "track",
        f"follow 1 to 16 objects with tiny, 640x480, drawn on every fourth of {FRAMES} frames",
        timings,
        items=FRAMES,
        note="ms a frame",
    )


def every_fourth(objects: int) -> Callable[[], None]:
    """A pass in which the model draws on every fourth frame, however long that takes."""
    from maskwright.models import load_model
    from maskwright.predict.tracking import TrackSettings, make_tracker

    model, (images, _) = load_model("tiny"), demo()

    def run() -> None:
        _pass(lambda: make_tracker(model, TrackSettings(stride=4)), images, squares(objects))

    return run


def memory() -> None:
    """Resident memory over the episode again and again, by tenths."""
    from maskwright.core import MaskPrompt
    from maskwright.models import load_model
    from maskwright.predict.tracking import make_tracker, tracker_settings

    images, truths = demo()
    prompts = {name: MaskPrompt(rle) for name, rle in truths[0].items()}
    session = make_tracker(load_model("tiny"), tracker_settings("fast"))
    seen: list[tuple[float, float]] = []
    there_and_back = [*images, *images[-2:0:-1]]  # no jump at the end, which would be a cut
    for number, image in enumerate(islice(cycle(there_and_back), MANY)):
        session.step(image, prompts if number == 0 else None)
        seen.append((time.perf_counter(), _resident_mb()))
    timings = []
    for tenth in range(1, 10):
        part = seen[MANY * tenth // 10 : MANY * (tenth + 1) // 10]
        resident = statistics.mean(mb for _, mb in part)
        seconds = (part[-1][0] - part[0][0]) / (len(part) - 1)
        timings.append(
            Timing(f"frames {MANY * tenth // 10 + 1} to {MANY * (tenth + 1) // 10}", seconds, resident, resident, None)
        )
    means = [timing.peak_mb for timing in timings]
    spread = 100 * (max(means) - min(means)) / 2 / statistics.mean(means)
    note = f"resident MB, all of the process, by tenths from the second: flat within {spread:.1f} % up or down"
    report("track", f"follow 3 objects with tiny, --budget fast: memory over {MANY} frames", timings, note=note)


def _resident_mb() -> float:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6


def _parts() -> Iterator[Callable[[], None]]:
    parts = {"speed": speed, "objects": objects, "memory": memory}
    yield from (parts[name] for name in sys.argv[1:] or parts)


if __name__ == "__main__":
    for part in _parts():
        part()
