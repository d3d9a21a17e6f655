"""Stores with masks that have something wrong with them, for tests of what looks for it."""

import uuid
from datetime import UTC, datetime

import numpy as np

from maskwright.core import FrameRef, MaskRecord, ModelRef, Provenance, Scores
from maskwright.masks import area, box_xyxy, encode
from maskwright.store import SeenFrame, create_store

SIZE_HW = (40, 60)
AT = datetime(2026, 5, 1, 12, tzinfo=UTC)
TINY = ModelRef(name="tiny", family="tiny", checkpoint_sha256="a" * 64)


def ref_of(number, *, episode="e1", camera="front", fps=30):
    return FrameRef(dataset="kitchen", episode=episode, camera=camera, frame_index=number, timestamp_s=number / fps)


def square(x, y=5, side=10):
    dense = np.zeros(SIZE_HW, bool)
    dense[y : y + side, x : x + side] = True
    return encode(dense)


def mask(number=0, *, x=5, rle=None, ref=None, provenance=None, **facts):
    """Make a mask of a model on a frame."""
    rle = rle or square(x)
    made = {"method": "sam_raw", "created_at": AT, "model": TINY, "licence": "MIT"} | (provenance or {})
    if made["method"] not in ("sam_raw", "sam_refined"):
        made["model"] = None
    shape = {"rle": rle, "area": area(rle), "box_xyxy": box_xyxy(rle)}
    plain = {"id": uuid.uuid4().hex, "image_digest": "d" * 8, "frame": ref or ref_of(number)}
    return MaskRecord(**{**plain, **shape, "provenance": Provenance(**made), **facts})


def seen(number=0, *, size_hw=SIZE_HW, ref=None):
    ref = ref or ref_of(number)
    return SeenFrame(name=f"{ref.episode}/{ref.camera}/{ref.frame_index}.png", size_hw=size_hw, ref=ref)


def store_of(path, records, frames=()):
    """Write a store, without the checks that the bulk writer makes."""
    with create_store(path) as store:
        store.put(records, frames=frames)
    return path


def good(number, **facts):
    """Make a mask that nothing is wrong with."""
    return mask(number, provenance={"method": "human_drawn"}, scores=Scores(), **facts)
