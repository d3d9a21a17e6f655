"""An export that is killed at any moment leaves nothing that looks like one, and the store as it was.

A run of the suite kills a few; MASKWRIGHT_KILLS=100 kills a hundred.
"""

import multiprocessing
import os
import random
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from maskwright.datasets.formats import find_format
from maskwright.datasets.loss_report import LossLog
from maskwright.store import open_store
from maskwright.workflows.demo import make_demo
from maskwright.workflows.export_store import export_masks

NUM_KILLS = max(1, int(os.environ.get("MASKWRIGHT_KILLS", "4")) // 2)
FORMATS = ("coco", "png-ids")


def export(store: str, name: str, out: str) -> None:
    """Run in a process of its own, to be killed."""
    export_masks(Path(store), name, Path(out))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_demo(tmp_path_factory.mktemp("demo") / "demo").store


@pytest.fixture(scope="module")
def processes() -> Any:
    """A server that has imported everything once, and forks."""
    context = multiprocessing.get_context("forkserver")
    formats = [f"maskwright.datasets.{name.replace('-', '_')}" for name in FORMATS]
    context.set_forkserver_preload(["pytest", "duckdb", "pandas", "maskwright.workflows.export_store", *formats])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield context


@pytest.mark.parametrize("name", FORMATS)
def test_a_killed_export_is_absent_or_whole(processes: Any, store: Path, tmp_path: Path, name: str) -> None:
    with open_store(store, read_only=True) as opened:
        num_masks = opened.count()
    rng, num_absent, out = random.Random(name), 0, tmp_path / "out"

    for _ in range(NUM_KILLS):
        process = processes.Process(target=export, args=(str(store), name, str(out)))
        process.start()
        _wait_for_work(tmp_path, process)
        time.sleep(rng.uniform(0, 0.3))
        process.kill()
        process.join()

        if out.exists():
            log = LossLog()
            assert sum(len(frame.masks) for frame in find_format(name).read(out, log=log)) == num_masks
        num_absent += not out.exists()
        left = [path.name for path in tmp_path.iterdir() if path != out]
        assert all(one.startswith(".") for one in left)  # what a kill leaves is hidden, and goes at the next export
        assert len(left) <= 2, "the folder and the lock of one export, no more"
        shutil.rmtree(out, ignore_errors=True)

    with open_store(store) as opened:
        assert opened.count() == num_masks
    assert num_absent, "every kill came too late to test anything"
    export_masks(store, name, out)
    assert list(tmp_path.iterdir()) == [out]


def _wait_for_work(folder: Path, process: multiprocessing.process.BaseProcess) -> None:
    """Wait until something of the export is on disk: imports are not what is tested."""
    before = set(folder.iterdir())
    deadline = time.monotonic() + 120
    while process.is_alive() and set(folder.iterdir()) == before and time.monotonic() < deadline:
        time.sleep(0.005)
