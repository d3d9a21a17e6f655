"""Settings of the whole suite: hypothesis may take its time on a shared machine, and repeats itself where CI is set.

One thread of OpenMP unless the environment says otherwise, before anything loads it: the tests' networks are tiny, some
tests fork, which a pool of threads does not survive, and some compare bits.
"""

import os

from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("maskwright", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("maskwright")
