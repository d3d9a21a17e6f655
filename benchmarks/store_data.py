"""Records for the benchmarks of the store: robot frames of 640 x 480 with ten masks each, 400 bytes of RLE a mask.

Every mask has its own outline (runs of drawn blobs, moved by a pixel here and there), so that nothing compresses
because it repeats; every tenth mask has no prompt of its own.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
from rle import blobs

from maskwright.core import FrameRef, MaskRecord, ModelRef, PointPrompt, ProcessingStep, Provenance, Scores, new_id
from maskwright.core.rle import RLE
from maskwright.masks import area, box_xyxy, encode, from_runs, runs
from maskwright.store import SeenFrame

SIZE_HW = (480, 640)
MASKS_PER_FRAME = 10
FRAMES_PER_EPISODE = 500
LABELS = ("cup", "gripper", "table", "block", None)
MODELS = ("tiny", "sam-vit-b")
Drawn = tuple[RLE, tuple[float, float, float, float], int]


def drawn_masks(num_masks: int, seed: int = 0) -> list[Drawn]:
    """Make masks with their boxes and areas."""
    random = np.random.default_rng(seed)
    base = [runs(encode(mask)).astype(np.int64) for mask in blobs(SIZE_HW)]
    masks = []
    for i in range(num_masks):
        lengths = base[i % len(base)].copy()
        moves = random.integers(-1, 2, len(lengths) // 2 - 1)
        moves[(lengths[1:-1:2][: len(moves)] < 3) | (lengths[2::2][: len(moves)] < 3)] = 0
        lengths[1:-1:2][: len(moves)] += moves
        lengths[2::2][: len(moves)] -= moves
        rle = from_runs(lengths, SIZE_HW)
        masks.append((rle, box_xyxy(rle), area(rle)))
    return masks


def frames(num_frames: int, drawn: list[Drawn], *, first: int = 0) -> Iterator[tuple[SeenFrame, list[MaskRecord]]]:
    """Make frames with their masks, in the order of a recording."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    steps = (ProcessingStep(name="fill_holes", parameters={"max_area": 100}),)
    models = [ModelRef(name=name, family="sam", checkpoint_sha256=name[:1] * 64) for name in MODELS]
    for number in range(first, first + num_frames):
        episode, index = divmod(number, FRAMES_PER_EPISODE)
        ref = FrameRef(
            dataset="bench", episode=f"{episode:06d}", camera="wrist", frame_index=index, timestamp_s=index / 30
        )
        digest = f"{number:064x}"
        records = []
        for k in range(MASKS_PER_FRAME):
            rle, box, pixels = drawn[(number * MASKS_PER_FRAME + k) % len(drawn)]
            provenance = Provenance(
                method="sam_raw",
                created_at=start + timedelta(milliseconds=number * 33),
                model=models[episode % 2],
                prompt=PointPrompt([(float(k), float(index))]) if k else None,
                steps=steps,
            )
            records.append(
                MaskRecord(
                    id=new_id(),
                    image_digest=digest,
                    rle=rle,
                    box_xyxy=box,
                    area=pixels,
                    provenance=provenance,
                    frame=ref,
                    label=LABELS[k % len(LABELS)],
                    track=f"track-{k}",
                    scores=Scores(predicted_iou=0.5 + 0.05 * k, stability=0.9),
                )
            )
        yield SeenFrame(name=f"{episode:06d}/{index:06d}.jpg", size_hw=SIZE_HW, ref=ref, image_digest=digest), records


__all__ = ["FRAMES_PER_EPISODE", "MASKS_PER_FRAME", "SIZE_HW", "drawn_masks", "frames"]
