"""A recording to review: 1920x1080 pictures of a table, with as many masks on each frame as one says.

Outlines are wavy blobs of all sizes, none like another; the first of a frame lies in the middle of the picture, and so
does a square in a colour of the frame's own, so that a page can be seen to show this frame and no other.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from maskwright.core import FrameRef, MaskRecord, ModelRef, Provenance, Scores, new_id
from maskwright.datasets import open_source, read_image
from maskwright.masks import area, box_xyxy, from_coco_polygons
from maskwright.store import SeenFrame, create_store
from maskwright.workflows.annotate_plan import Footage
from maskwright.workflows.pictures import example_path
from maskwright.workflows.run_manifest import RunManifest
from maskwright.workflows.source_facts import describe_source

SIZE_HW = (1080, 1920)
LABELS = ("mug", "carton", "gripper", "bin", "cable", None)
_MARK = 40  # px: half the side of the square in the middle
_RUN = "bench"
Outline = list[float]  # x, y, x, y, ...


def make_recording(folder: Path, num_masks: Sequence[int]) -> Path:
    """Make a folder of pictures and a store of masks on them, one number for each frame; returns the store's path."""
    pictures, store_path = folder / "table", folder / "masks"
    pictures.mkdir(parents=True)
    for number in range(len(num_masks)):
        cv2.imwrite(str(pictures / f"{number:03d}.jpg"), _picture(number), [cv2.IMWRITE_JPEG_QUALITY, 92])
    footage = Footage.open(pictures)
    (episode,) = footage.source.episodes
    with create_store(store_path, name=footage.source.name) as store:
        with store.bulk_writer(run=_RUN) as writer:
            for frame, number in zip(footage.source.frames(episode, episode.cameras[0]), num_masks, strict=True):
                name = footage.names.name(episode.key, episode.cameras[0], frame.ref.frame_index)
                digest = frame.image.digest
                seen = SeenFrame(name=name, size_hw=SIZE_HW, ref=frame.ref, image_digest=digest)
                drawn = outlines(number, seed=frame.ref.frame_index)
                writer.add(seen, [_record(one, i, frame.ref, digest) for i, one in enumerate(drawn)])
        manifest, now = RunManifest.of(store, _RUN), datetime.now(UTC)
        facts: dict[str, Any] = {
            "verb": "benchmark",
            "source": {**describe_source(open_source(pictures)), "path": str(pictures.resolve())},
        }
        content = manifest.begin(facts, {"started_at": now.isoformat(), "versions": {}})
        manifest.end(content, "done", now, num_frames=len(num_masks), num_masks=sum(num_masks))
    return store_path


def outlines(number: int, *, seed: int) -> list[Outline]:
    """Draw wavy blobs; the first in the middle."""
    random = np.random.default_rng(seed)
    height, width = SIZE_HW
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    found = []
    for i in range(number):
        centre = (width / 2, height / 2) if i == 0 else (random.uniform(0, width), random.uniform(0, height))
        radius = 90.0 if i == 0 else (60 if i < 12 else 7) + 45 * random.random() ** 3
        phase = random.uniform(0, 6)
        reach = radius * (1 + 0.18 * np.sin(3 * angles + phase) + 0.07 * np.sin(7 * angles))
        x = np.clip(centre[0] + reach * np.cos(angles), 0, width)
        y = np.clip(centre[1] + 0.8 * reach * np.sin(angles), 0, height)
        found.append(np.stack([x, y], axis=1).round(2).ravel().tolist())
    return found


def _record(outline: Outline, number: int, ref: FrameRef, digest: str) -> MaskRecord:
    rle = from_coco_polygons([outline], SIZE_HW)
    return MaskRecord(
        id=new_id(),
        image_digest=digest,
        rle=rle,
        box_xyxy=box_xyxy(rle),
        area=area(rle),
        provenance=Provenance(
            method="sam_raw",
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
            model=ModelRef(name="tiny", family="sam", checkpoint_sha256="0" * 64),
        ),
        frame=ref,
        label=LABELS[number % len(LABELS)],
        scores=Scores(predicted_iou=0.5 + 0.49 * (number % 50) / 50, stability=0.9),
    )


def _picture(number: int) -> np.ndarray:
    height, width = SIZE_HW
    table = cv2.resize(read_image(example_path()).pixels[:, :, ::-1], (width, height), interpolation=cv2.INTER_CUBIC)
    moved = np.ascontiguousarray(np.roll(table, 24 * number, axis=1))
    colour = [int(one) for one in cv2.cvtColor(np.uint8([[[number * 47 % 180, 200, 220]]]), cv2.COLOR_HSV2BGR)[0, 0]]
    middle_x, middle_y = width // 2, height // 2
    cv2.rectangle(moved, (middle_x - _MARK, middle_y - _MARK), (middle_x + _MARK, middle_y + _MARK), colour, -1)
    return moved


__all__ = ["LABELS", "SIZE_HW", "make_recording", "outlines"]
