"""Records, events and frames of which tests of stores are made, with everything about them filled in."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from maskwright.core import (
    Action,
    BoxPrompt,
    CombinedPrompt,
    FrameRef,
    MaskRecord,
    ModelRef,
    PointPrompt,
    ProcessingStep,
    Provenance,
    ReviewEvent,
    Scores,
    TextPrompt,
    TrackPoint,
    new_id,
)
from maskwright.core.rle import RLE
from maskwright.masks import area, box_xyxy, encode
from maskwright.store import SeenFrame

SIZE_HW = (12, 16)
START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def rectangle(left: int, top: int, right: int, bottom: int) -> RLE:
    """A mask of one rectangle in a small picture."""
    mask = np.zeros(SIZE_HW, bool)
    mask[top:bottom, left:right] = True
    return encode(mask)


def make_ref(index: int, *, episode: str = "episode-0", camera: str = "wrist") -> FrameRef:
    """A frame's place in a data set."""
    return FrameRef(dataset="böxes", episode=episode, camera=camera, frame_index=index, timestamp_s=index / 30)


def make_record(ref: FrameRef | None = None, rle: RLE | None = None, **changes: Any) -> MaskRecord:
    """A record of a frame, or of a loose picture, with everything about it filled in."""
    rle = rectangle(2, 3, 9, 8) if rle is None else rle
    digest = f"picture-{ref.dataset}-{ref.episode}-{ref.camera}-{ref.frame_index}" if ref else "loose picture"
    model = ModelRef(name="tiny", family="tiny", checkpoint_sha256="ab" * 32, precision="bf16")
    provenance = Provenance(
        method="sam_raw",
        created_at=START,
        model=model,
        prompt=CombinedPrompt([BoxPrompt((1, 2, 9.5, 8)), PointPrompt([(3, 4)], [0]), TextPrompt("the cup ☕")]),
        steps=(ProcessingStep(name="fill_holes", parameters={"max_area": 4, "scale": 0.5, "everywhere": True}),),
        actor="ann",
        collector="lab 7",
        captured_at=START - timedelta(days=1),
        licence="CC-BY-4.0",
        derived_from=("an ancestor", "another"),
        source="robot.mcap",
    )
    made = MaskRecord(
        id=new_id(),
        image_digest=digest,
        rle=rle,
        box_xyxy=box_xyxy(rle),
        area=area(rle),
        provenance=provenance,
        frame=ref,
        label="cup",
        track="track 1",
        parent="a parent",
        scores=Scores(predicted_iou=0.1 + 0.2, stability=None, agreement=2 / 3),
        track_point=TrackPoint(source="segmented", state="occluded", confidence=0.7, anchors=("0:ab", "9:cd")),
    )
    return replace(made, **changes)


def make_event(record: MaskRecord | str, action: Action, *, actor: str = "ann", minute: int = 0) -> ReviewEvent:
    """An event about a record."""
    record_id = record if isinstance(record, str) else record.id
    return ReviewEvent(
        id=new_id(), record_id=record_id, actor=actor, at=START + timedelta(minutes=minute), action=action
    )


def make_frame(ref: FrameRef | None, name: str | None = None) -> SeenFrame:
    """A frame as a run registers it."""
    if ref is None:
        return SeenFrame(name=name or "loose.png", size_hw=SIZE_HW, image_digest=f"digest of {name}")
    return SeenFrame(name=name or f"{ref.episode}/{ref.frame_index}.png", size_hw=SIZE_HW, ref=ref)


__all__ = [
    "SIZE_HW",
    "START",
    "make_event",
    "make_frame",
    "make_record",
    "make_ref",
    "rectangle",
]
