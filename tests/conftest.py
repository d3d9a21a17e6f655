"""Settings of the whole suite: hypothesis may take its time on a shared machine, and repeats itself where CI is set.

One thread of OpenMP unless the environment says otherwise, before anything loads it: the tests' networks are tiny, some
tests fork, which a pool of threads does not survive, and some compare bits.
"""

import os
from typing import Any

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("maskwright", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("maskwright")

# Files that take longest. They come first, so that no process is alone with one of them at the end.
LONGEST = (
    "tests/test_docs.py",
    "tests/web/",
    "tests/train/tune/",
    "tests/workflows/loop/",
    "tests/models/backends/",
    "tests/client/",
    "tests/workflows/test_fine_tune.py",
    "tests/workflows/test_quantize.py",
    "tests/workflows/test_ray_engine.py",
    "tests/workflows/test_teach_words.py",
    "tests/serve/test_ray_engine.py",
    "tests/serve/test_serve_process.py",
    "tests/serve/test_stream_docs.py",
    "tests/serve/test_store_kills.py",
    "tests/test_serve_guide.py",
    "tests/train/test_tiny.py",
    "tests/models/test_goldens.py",
)
# Folders whose files share what takes long to make, an export or a server: one process takes all of a folder.
TOGETHER = ("tests/models/backends/", "tests/client/", "tests/workflows/loop/", "tests/models/detectors/")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give processes whole files, or whole folders, in the order above."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFolder(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            folders = [folder for folder in TOGETHER if nodeid.startswith(folder)]
            return folders[0] if folders else super()._split_scope(nodeid)

    return ByFolder(config, log) if config.getoption("dist") == "loadscope" else None
