"""Tracking that is killed at any moment goes on: no mask twice, none missing, and the same as without the kills.

A run of the suite kills a few; MASKWRIGHT_KILLS=100 kills a hundred.
"""

import multiprocessing
import os
import random
import signal
import time

import pytest

from maskwright.core import BoxPrompt
from maskwright.store import Query, open_store
from maskwright.workflows.annotate_plan import Footage
from maskwright.workflows.run_manifest import read_manifests
from maskwright.workflows.track import track
from maskwright.workflows.track_prompts import TrackPrompt
from moving_scene import scripted, write_scene

NUM_KILLS = max(3, int(os.environ.get("MASKWRIGHT_KILLS", "4")) // 2)
NUM_FRAMES = 24 * NUM_KILLS
ENDS = {"mug": (0, None), "lid": (0, NUM_FRAMES - 1)}  # one way, and both ways between two keyframes
TALL = BoxPrompt((20, 3, 26, 9))


def said(footage):
    (episode,) = footage.source.episodes
    for name, frames in ENDS.items():
        for index in frames:
            if index is not None:
                yield TrackPrompt(place=(episode.key, episode.cameras[0], index), track=name, prompt=TALL)


def track_until_killed(source, out, tell):
    """Track with small pieces, so that a kill finds some on the disk and some not; tell each step."""
    from maskwright.workflows import track_writer

    track_writer._ROWS = 6
    footage = Footage.open(source)
    track(scripted(), footage, out, prompts=list(said(footage)), progress=lambda at: tell.send(at.num_done))


@pytest.fixture(scope="module")
def processes():
    """A server that has imported everything once, and forks."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "duckdb", "pandas", "maskwright.workflows.track", "moving_scene"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield context


def kill_one(processes, source, out, *, num_steps, moment):
    hears, tells = processes.Pipe(duplex=False)
    process = processes.Process(target=track_until_killed, args=(source, out, tells), daemon=True)
    process.start()
    tells.close()
    try:
        for _ in range(num_steps):
            assert hears.poll(60), "it never began"
            hears.recv()
        time.sleep(moment)
    except EOFError:
        pass  # it was done
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    hears.close()


def listed(out):
    with open_store(out, read_only=True) as store:
        found = [(mask.record.track, mask.record.frame.frame_index, mask.record.rle) for mask in store.query(Query())]
    assert len({one[:2] for one in found}) == len(found)
    return sorted(found, key=lambda one: one[:2])


def test_killed_at_any_moment_it_goes_on_to_the_same_end(processes, tmp_path):
    source, out = write_scene(tmp_path / "scene", NUM_FRAMES), tmp_path / "masks"
    chance, counts = random.Random(7), []

    for _ in range(NUM_KILLS):
        kill_one(processes, source, out, num_steps=chance.randint(8, 30), moment=chance.uniform(0, 0.03))
        counts.append(len(listed(out)))
    footage = Footage.open(source)
    track(scripted(), footage, out, prompts=list(said(footage)))
    track(scripted(), footage, tmp_path / "unbroken", prompts=list(said(footage)))

    assert 2 < counts[-1] < 2 * NUM_FRAMES, "the kills came too early or too late to test anything"
    assert counts == sorted(counts)
    assert [one[:2] for one in listed(out)] == [(name, at) for name in ("lid", "mug") for at in range(NUM_FRAMES)]
    assert listed(out) == listed(tmp_path / "unbroken")
    seen = []
    track(scripted(seen), footage, out, prompts=list(said(footage)))
    assert seen == []
    with open_store(out) as store:
        assert read_manifests(store.path)[0]["sessions"][0]["outcome"] == "killed"
