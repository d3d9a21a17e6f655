"""Files to import, and a process that imports one until it is killed."""

import functools
import itertools
import json
import os
import signal
from datetime import UTC, datetime

from maskwright.core import new_id
from maskwright.core.image import FrameRef
from maskwright.core.resolved import ResolvedRecord
from maskwright.datasets import coco
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.loss_report import LossLog
from maskwright.store import ANY_STATUS, Query, open_store
from maskwright.testing.store_values import SIZE_HW, make_record, rectangle

NUM_FRAMES = 24
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
# What had been decided about the masks of each frame before they were exported.
_DECIDED = (
    {},
    {"status": "accepted", "verified_by": "anna", "verified_at": AT, "num_events": 1, "as_of": AT},
    {"edited_by": "bo", "num_events": 1, "as_of": AT},
    {
        "status": "accepted",
        "verified_by": "anna",
        "verified_at": AT,
        "edited_by": "bo",
        "num_events": 2,
        "as_of": AT,
    },
    {"status": "rejected", "num_events": 1, "as_of": AT},
)


def write_file(folder):
    """Write a COCO file with frames of a robot, their masks, and what people decided about them."""
    coco.write((_frame(index) for index in range(NUM_FRAMES)), folder, log=LossLog())
    return folder / coco.FILE


def write_earlier_file(file, folder, *, with_notes):
    """Write a file of half the frames with two masks each, as they were before anybody decided."""
    content = json.loads(file.read_bytes())
    content["images"] = content["images"][: NUM_FRAMES // 2]
    kept = {one["id"] for one in content["images"]}
    content["annotations"] = [
        {**one, "category_id": 1}
        for at, one in enumerate(content["annotations"])
        if one["image_id"] in kept and at % 5 > 2
    ]
    for one in content["annotations"] if with_notes else ():
        known = {key: one["maskwright"][key] for key in ("pixels", "record")}
        one["maskwright"] = {**known, "status": "proposed", "num_events": 0}
    folder.mkdir()
    (folder / file.name).write_text(json.dumps(content))
    return folder / file.name


def without_notes(file, folder):
    """Write the file as a program that knows nothing of us would: masks without ids, frames without places."""
    content = json.loads(file.read_bytes())
    for one in [*content["images"], *content["annotations"]]:
        del one["maskwright"]
    folder.mkdir()
    (folder / file.name).write_text(json.dumps(content))
    return folder / file.name


def contents(path, *, with_ids):
    """What a store holds by frame, without what differs between two imports."""
    with open_store(path) as store:
        return {
            (one.frame.name, one.frame.ref): sorted(_facts(mask, with_ids=with_ids) for mask in one.masks)
            for one in store.frames(Query(status=ANY_STATUS))
        }


def import_until_killed(file, out, tell, num_steps=None):
    """Import with a flush every few frames, so that a kill finds some on the disk and some not.

    With `num_steps` it kills itself after so many syncs and renames of files.
    """
    from maskwright.workflows import import_masks as workflow

    workflow._FRAMES_A_FLUSH = 4
    if num_steps is not None:
        left = itertools.count(num_steps, -1)
        for name in ("fsync", "replace", "unlink"):
            setattr(os, name, functools.partial(_step, left, getattr(os, name)))
    tell.send("begun")
    workflow.import_masks(file, out, format_name="coco")
    tell.send("done")


def _step(left, function, *arguments, **named):
    if next(left) <= 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return function(*arguments, **named)


def _frame(index):
    ref = FrameRef(dataset="robot", episode="0", camera="wrist", frame_index=index)
    records = [
        make_record(ref, id=new_id(), rle=rectangle(0, number, 1 + index % 12, number + 2), label=f"label {number}")
        for number in range(len(_DECIDED))
    ]
    masks = tuple(ResolvedRecord(record=record, **facts) for record, facts in zip(records, _DECIDED, strict=True))
    return LabelledFrame(name=f"{index:03d}.png", size_hw=SIZE_HW, masks=masks, ref=ref)


def _facts(mask, *, with_ids):
    record = mask.record
    decided = (mask.status, mask.verified_by or "", str(mask.verified_at), mask.edited_by or "", mask.num_events)
    return (record.id if with_ids else "", record.rle.counts, record.label or "", *decided)
