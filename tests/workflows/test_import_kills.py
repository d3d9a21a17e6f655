"""An import that is killed at any moment loses nothing that was there, and the same command does the rest of it.

A run of the suite kills a few; MASKWRIGHT_KILLS=100 kills a hundred.
"""

import multiprocessing
import os
import random
import shutil
import time
from pathlib import Path

import pytest

import killed_imports
from killed_imports import NUM_FRAMES, contents
from maskwright.core import Reject, ReviewEvent, new_id
from maskwright.store import ANY_STATUS, Query, open_store
from maskwright.workflows.import_masks import import_masks
from maskwright.workflows.run_manifest import read_manifests

NUM_KILLS = max(1, int(os.environ.get("MASKWRIGHT_KILLS", "4")) // 4)
MOST_STEPS = 8 * NUM_KILLS  # the first seven are those of a new store
ALL = Query(status=ANY_STATUS)


@pytest.fixture(scope="module")
def processes():
    """A server that has imported everything once, and forks."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["killed_imports", "duckdb", "pandas", "maskwright.workflows.import_masks"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(killed_imports.__file__).parent))
        patch.setenv("OMP_NUM_THREADS", "1")
        context.Process(target=int).start()
        yield context


def kill_one(processes, file, out, moment, num_steps=None, timings=None):
    """Import in a process that is killed a moment after it began, or kills itself; whether it was killed in time."""
    hears, tells = processes.Pipe(duplex=False)
    arguments = (file, out, tells, num_steps)
    process = processes.Process(target=killed_imports.import_until_killed, args=arguments, daemon=True)
    process.start()
    tells.close()
    assert hears.poll(60), "it never began"
    hears.recv()
    began = time.monotonic()
    is_done = _is_told(hears, moment)
    if timings is not None:
        timings.append(time.monotonic() - began)
    process.kill()
    process.join()
    process.close()
    hears.close()
    return not is_done


def _is_told(hears, moment):
    """Whether it says that it is done, before the moment comes or it is dead."""
    try:
        return hears.poll(moment) and bool(hears.recv())
    except EOFError:
        return False


def time_one(processes, file, out):
    """Import to the end in such a process, and give the time it took once the process had begun."""
    timings = []
    assert not kill_one(processes, file, out, 60, timings=timings)
    return timings[0]


def earlier_store(file, out, *, with_ids):
    """Make a store of half the frames, with masks on which somebody has decided in the meantime."""
    earlier = killed_imports.write_earlier_file(file, out.with_name("earlier"), with_notes=with_ids)
    import_masks(earlier, out, format_name="coco")
    with open_store(out) as store:
        ids = sorted(one.record.id for one in store.query(ALL))
        at = killed_imports.AT
        store.append(
            [ReviewEvent(id=new_id(), record_id=one, actor="cleo", at=at, action=Reject()) for one in ids[::7]]
        )


def all_ids(path):
    with open_store(path) as store:
        return {one.record.id for one in store.query(ALL)}, {event.id for event in store.events()}


@pytest.mark.parametrize("has_masks", [False, True], ids=["a new store", "a store with masks"])
@pytest.mark.parametrize("with_ids", [True, False], ids=["masks with ids", "masks of another program"])
def test_killed_at_any_moment_it_is_done_by_the_same_command(processes, tmp_path, has_masks, with_ids):
    file = killed_imports.write_file(tmp_path / "written")
    file = file if with_ids else killed_imports.without_notes(file, tmp_path / "plain")
    before, unbroken = tmp_path / "before", tmp_path / "unbroken"
    if has_masks:
        earlier_store(file, before, with_ids=with_ids)
        shutil.copytree(before, unbroken)
    takes = time_one(processes, file, unbroken)
    expected = contents(unbroken, with_ids=with_ids)
    chance, num_killed = random.Random(f"{has_masks} {with_ids}"), 0
    assert len(expected) == NUM_FRAMES

    for attempt in range(5 * NUM_KILLS):
        if num_killed == NUM_KILLS:
            break
        out = tmp_path / f"out-{attempt}"
        if has_masks:
            shutil.copytree(before, out)
        masks, events = all_ids(out) if has_masks else (set(), set())
        was_killed = kill_one(processes, file, out, chance.uniform(0, takes))
        num_killed += was_killed
        takes /= 1 if was_killed else 2  # on a busy machine the one that was timed may have taken much longer

        if (out / "store.json").exists():
            found_masks, found_events = all_ids(out)
            assert masks <= found_masks
            assert events <= found_events
            found = contents(out, with_ids=with_ids)
            assert found.keys() <= expected.keys()
            if not has_masks:  # a frame comes with all its masks
                assert {len(one) for one in found.values()} <= {len(one) for one in expected.values()}
        import_masks(file, out, format_name="coco")
        assert contents(out, with_ids=with_ids) == expected
        assert read_manifests(out)[-1]["sessions"][-1]["outcome"] == "done"
        shutil.rmtree(out)

    assert num_killed, "every kill came too late to test anything"
    assert import_masks(file, unbroken, format_name="coco").num_new == 0
    assert contents(unbroken, with_ids=with_ids) == expected


def test_killed_between_any_two_files_it_is_done_by_the_same_command(processes, tmp_path):
    file = killed_imports.write_file(tmp_path / "written")
    import_masks(file, tmp_path / "unbroken", format_name="coco")
    expected = contents(tmp_path / "unbroken", with_ids=True)

    for num_steps in range(MOST_STEPS):
        out = tmp_path / f"out-{num_steps}"
        if not kill_one(processes, file, out, 60, num_steps):
            break
        import_masks(file, out, format_name="coco")
        assert contents(out, with_ids=True) == expected
        assert not [path for path in (out / "runs").iterdir() if path.name.endswith(".part")]
        shutil.rmtree(out)
