"""What policy inputs cost: the writer beside a plain loop that a user would write, and `PolicyDataset` beside decoding.

    python benchmarks/policy_inputs.py [--frames 300] [--episodes 2]

A LeRobot data set of 640 x 480 video with three objects a frame is made from the demo episode; both write, for each
frame, three crops of 224 pixels as H.264 and their masks of three slots as PNG. The plain loop uses OpenCV alone: masks
from a file of run lengths, `cv2.VideoCapture`, `cv2.VideoWriter` and `cv2.imwrite`. Seconds of the processor are of all
threads; on a busy machine they and the ratio mean more than the wall clock does.
"""

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path

import cv2
import numpy as np

from maskwright.core.image import Frame, FrameRef
from maskwright.core.record import new_id
from maskwright.datasets import lerobot, open_source
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.loss_report import LossLog
from maskwright.masks import decode, resize
from maskwright.robot.policy_recipe import CropRule, PolicyRecipe
from maskwright.robot.policy_torch import PolicyDataset
from maskwright.store import SeenFrame, create_store
from maskwright.workflows.demo import EPISODE, true_frames
from maskwright.workflows.policy_inputs import write_policy_inputs

SLOTS = ("mug", "bin", "ball")
SIZE_HW, _SIDE = (480, 640), 224


def main() -> None:
    """Print what each costs a frame."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--frames", type=int, default=300, help="of each episode")
    arguments.add_argument("--episodes", type=int, default=2)
    asked = arguments.parse_args()
    recipe = PolicyRecipe(slots=SLOTS, crop=CropRule(), size_hw=(_SIDE, _SIDE), channels=True)
    num = asked.frames * asked.episodes
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        dataset, store = _make(folder, asked.frames, asked.episodes)
        for exact in (False, True):
            out = folder / f"out{exact}"
            wall_s, busy_s = _timed(
                lambda out=out, exact=exact: write_policy_inputs(dataset, store, recipe, out, is_exact=exact)
            )
            _tell(f"writer, {'PNG' if exact else 'video'}", num, wall_s, busy_s)
        plain_wall_s, plain_busy_s = _timed(lambda: _plain_loop(folder, asked.episodes))
        _tell("plain loop, video", num, plain_wall_s, plain_busy_s)
        rows = PolicyDataset(dataset, store, recipe, as_tensors=True, columns=())
        frames = list(islice(_frames(dataset), min(num, 100)))
        _tell("decoding alone", len(frames), *_timed(lambda: list(islice(_frames(dataset), len(frames)))))
        shelf = rows._shelf  # what an item costs beyond its decoding
        _tell(
            "PolicyDataset adds",
            len(frames),
            *_timed(lambda: [shelf.inputs(one.image, recipe, one.ref) for one in frames]),
        )


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    wall_s, busy_s = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall_s, time.process_time() - busy_s


def _tell(what: str, num: int, wall_s: float, busy_s: float) -> None:
    print(
        f"{what:22} {num / wall_s:8.1f} frames/s  {1000 * wall_s / num:7.2f} ms wall"
        f"  {1000 * busy_s / num:7.2f} ms of the processor a frame",
        flush=True,
    )


def _frames(dataset: Path) -> Iterator[Frame]:
    source = open_source(dataset)
    for episode in source.episodes:
        yield from source.frames(episode, "front")


def _make(folder: Path, num_frames: int, num_episodes: int) -> tuple[Path, Path]:
    """Write the data set as video, a store of its masks, and what the plain loop reads."""
    seen = [one for one in true_frames(EPISODE) if one.ref is not None and one.ref.camera == "front"]
    small = next(iter(seen)).size_hw
    assert small != SIZE_HW
    scaled = [_scaled(one) for one in seen]
    with create_store(folder / "masks", name="dataset") as store, store.bulk_writer(run="made") as writer:
        for frame in _repeated(scaled, num_frames, num_episodes):
            records = [mask.record for mask in frame.masks]
            writer.add(SeenFrame(name=frame.name, size_hw=frame.size_hw, ref=frame.ref, image_digest=None), records)
    frames = list(_repeated(scaled, num_frames, num_episodes))
    lerobot.write(
        (replace(one, masks=()) for one in frames), folder / "dataset", log=LossLog(), pictures="video", id_maps=False
    )
    plain: dict[str, list[dict[str, str]]] = {}
    for one in frames:
        assert one.ref is not None
        masks = {mask.record.label or "": mask.record.rle.counts.decode() for mask in one.masks}
        plain.setdefault(one.ref.episode, []).append(masks)
    (folder / "masks.json").write_text(json.dumps(plain))
    return folder / "dataset", folder / "masks"


def _scaled(frame: LabelledFrame) -> LabelledFrame:
    from maskwright.core.image import Image

    assert frame.open_image is not None
    pixels = cv2.resize(frame.open_image().pixels, SIZE_HW[::-1], interpolation=cv2.INTER_CUBIC)
    masks = tuple(
        replace(one, record=replace(one.record, rle=resize(one.record.rle, SIZE_HW)))
        for one in frame.masks
        if one.record.label in SLOTS
    )
    return replace(frame, size_hw=SIZE_HW, masks=masks, open_image=lambda: Image(pixels))


def _repeated(scaled: list[LabelledFrame], num_frames: int, num_episodes: int) -> Iterator[LabelledFrame]:
    for episode in range(num_episodes):
        for number, frame in enumerate(islice(cycle(scaled), num_frames)):
            key = f"episode_{episode:06d}"
            ref = FrameRef(dataset="dataset", episode=key, camera="front", frame_index=number, timestamp_s=number / 30)
            masks = tuple(
                replace(one, record=replace(one.record, id=new_id(), frame=ref, image_digest="")) for one in frame.masks
            )
            yield replace(frame, name=f"{key}/{number:06d}.png", ref=ref, masks=masks)


def _plain_loop(folder: Path, num_episodes: int) -> None:
    """The loop of a script: no pipeline, no rows, no record of what was missing."""
    from maskwright.core.rle import RLE

    source = open_source(folder / "dataset")
    out = folder / "plain"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    plain = json.loads((folder / "masks.json").read_text())
    for index in range(num_episodes):
        episode = source.meta.episodes[index]  # type: ignore[attr-defined]
        video = cv2.VideoCapture(str(source.meta.video_path(episode, "observation.images.front")))  # type: ignore[attr-defined]
        writers = {
            slot: cv2.VideoWriter(str(out / f"{index}_{slot}.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 30, (_SIDE, _SIDE))
            for slot in SLOTS
        }
        for number, counts in enumerate(plain[episode.key]):
            _, bgr = video.read()
            dense = {slot: decode(RLE(SIZE_HW, text.encode())) for slot, text in counts.items()}
            for slot in SLOTS:
                crop, planes = np.zeros((_SIDE, _SIDE, 3), np.uint8), np.zeros((_SIDE, _SIDE, 3), np.uint8)
                if slot in dense:
                    ys, xs = np.nonzero(dense[slot])
                    x, y = int(xs.mean()), int(ys.mean())
                    half = max(16, int(1.3 * max(np.ptp(xs), np.ptp(ys)) / 2))
                    rows, columns = slice(max(0, y - half), y + half), slice(max(0, x - half), x + half)
                    crop = cv2.resize(bgr[rows, columns], (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
                    for at, other in enumerate(SLOTS):
                        if other in dense:
                            part = dense[other][rows, columns].astype(np.uint8) * 255
                            planes[:, :, at] = cv2.resize(part, (_SIDE, _SIDE), interpolation=cv2.INTER_NEAREST)
                writers[slot].write(crop)
                cv2.imwrite(str(out / f"{index}_{slot}_{number:06d}.png"), planes)
        for writer in writers.values():
            writer.release()


if __name__ == "__main__":
    main()
