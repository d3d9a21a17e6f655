"""Processes that write to a store until they are killed. Each tells its parent what has been acknowledged.

Every frame has `MASKS_PER_FRAME` masks, written as one, so that a frame with fewer is one that was half written.
"""

from maskwright.core import Accept, Edit, Reject, new_id
from maskwright.store import ANY_STATUS, Query, SeenFrame, open_store
from maskwright.store.hdf5_store import open_hdf5_store
from maskwright.testing.store_values import SIZE_HW, make_event, make_record, make_ref, rectangle

MASKS_PER_FRAME = 3
RUN = "a run that is killed"


def write_in_bulk(path, tell):
    """Write frame after frame, going on where the last one was killed."""
    store = open_store(path)
    index = max(store.done_frames(RUN), default=-1) + 1
    with store.bulk_writer(run=RUN, rows_per_segment=30) as writer:
        while True:
            told = []
            for _ in range(25):
                frame, records = frame_of(index)
                writer.add(frame, records)
                told += [record.id for record in records]
                index += 1
            writer.flush()
            tell.send(("records", told))


def put(path, tell):
    """Put a frame at a time."""
    store = open_store(path)
    _put(store, tell)


def put_hdf5(path, tell):
    """Put a frame at a time into one file."""
    _put(open_hdf5_store(path), tell)


def review(path, tell):
    """Decide about the masks that are there."""
    store = open_store(path)
    ids = sorted(one.record.id for one in store.query(Query(status=ANY_STATUS)))
    _review(store, ids, tell)


def compact(path, tell):
    """Write, decide and compact in turn."""
    store = open_store(path)
    index = max(store.done_frames(RUN), default=-1) + 1
    while True:
        frame, records = frame_of(index)
        store.put(records, frames=[frame], run=RUN)
        tell.send(("records", [record.id for record in records]))
        events = [make_event(records[0], Reject()), make_event(records[1], Accept())]
        store.append(events)
        tell.send(("events", [event.id for event in events]))
        store.compact(grace_s=0)
        tell.send(("compacted", []))
        index += 1


def frame_of(index):
    ref = make_ref(index)
    records = [make_record(ref, id=new_id()) for _ in range(MASKS_PER_FRAME)]
    return SeenFrame(name=f"{index}.png", size_hw=SIZE_HW, ref=ref), records


def _put(store, tell):
    index = max(store.done_frames(RUN), default=-1) + 1
    while True:
        frame, records = frame_of(index)
        store.put(records, frames=[frame], run=RUN)
        tell.send(("records", [record.id for record in records]))
        index += 1


def _review(store, ids, tell):
    number = 0
    while True:
        record_id = ids[number % len(ids)]
        actions = (Accept(), Edit(rectangle(0, 0, 1 + number % 15, 2)), Reject())
        events = [make_event(record_id, action) for action in actions[: 1 + number % 3]]
        store.append(events)
        tell.send(("events", [event.id for event in events]))
        number += 1
