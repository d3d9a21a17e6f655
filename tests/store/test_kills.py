"""Writers are killed at random moments: what was acknowledged stays, and nothing half-written is seen.

A run of the suite kills 20; MASKWRIGHT_KILLS=100 kills a hundred.
"""

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest

import killed_writers
from maskwright.core import Revert
from maskwright.store import ANY_STATUS, Query, create_store, open_store, resolve
from maskwright.store.hdf5_store import create_hdf5_store, open_hdf5_store

NUM_KILLS = int(os.environ.get("MASKWRIGHT_KILLS", "20"))
OPERATIONS = ("write_in_bulk", "put", "review", "compact", "put_hdf5")
LONGEST_S = 0.15
ALL = Query(status=ANY_STATUS)


@pytest.fixture(scope="module")
def processes():
    """A server that has imported everything once, and forks."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["killed_writers", "duckdb", "pandas", "maskwright.store.mask_store"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(killed_writers.__file__).parent))  # the server starts without our sys.path
        context.Process(target=int).start()  # pyarrow looks for pandas at its first array, and takes half a second
        yield context


def kill_one(processes, target, path, moment):
    """Start a writer, kill it at a moment after its first acknowledgement, and give all that it acknowledged."""
    hears, tells = processes.Pipe(duplex=False)
    process = processes.Process(target=target, args=(path, tells), daemon=True)
    process.start()
    tells.close()
    assert hears.poll(30), "the writer never wrote"
    time.sleep(moment)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    told = {"records": [], "events": [], "compacted": []}
    while True:
        try:
            kind, ids = hears.recv()
        except EOFError:
            hears.close()
            process.close()
            return told
        told[kind] += ids


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_killed_writer_loses_nothing_acknowledged_and_leaves_nothing_half_written(processes, tmp_path, operation):
    path = tmp_path / "masks"
    is_hdf5 = operation == "put_hdf5"
    (create_hdf5_store if is_hdf5 else create_store)(path).close()
    reopen = open_hdf5_store if is_hdf5 else open_store
    if operation == "review":
        with reopen(path) as store:
            for index in range(5):
                frame, records = killed_writers.frame_of(index)
                store.put(records, frames=[frame], run=killed_writers.RUN)
    moments = random.Random(operation)
    records, events = set(), set()

    for _ in range(NUM_KILLS // len(OPERATIONS)):
        told = kill_one(processes, getattr(killed_writers, operation), path, moments.uniform(0, LONGEST_S))
        records.update(told["records"])
        events.update(told["events"])

        with reopen(path) as store:
            check(store, records, events)
            if not is_hdf5:
                check_files(path)


def check(store, records, events):
    found = {one.record.id: one for one in store.query(ALL)}
    kept = {event.id: event for event in store.events()}
    frames = list(store.frames(ALL))

    assert records <= found.keys()
    assert events <= kept.keys()
    assert {len(one.masks) for one in frames} == {killed_writers.MASKS_PER_FRAME}
    assert [one.frame.ref.frame_index for one in frames] == list(range(len(frames)))
    assert store.done_frames(killed_writers.RUN) == set(range(len(frames)))
    assert store.count(ALL) == len(found) == len(frames) * killed_writers.MASKS_PER_FRAME
    by_record = {}
    for event in kept.values():
        assert not isinstance(event.action, Revert)
        by_record.setdefault(event.record_id, []).append(event)
    for record_id in [*list(by_record)[:3], *list(found)[:3]]:
        history = store.history(record_id)
        assert history.resolved == found[record_id]
        assert history.resolved == resolve(history.record, by_record.get(record_id, []))


def check_files(path):
    """Opening swept what the dead left."""
    listed = {file.name for folder in ("segments", "folds", "locks") for file in (path / folder).iterdir()}
    assert not [name for name in listed if name.startswith(".")]
    assert len([name for name in listed if name.endswith(".lock")]) <= 1  # the compaction's
