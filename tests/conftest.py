"""Settings of the whole suite: hypothesis may take its time on a shared machine, and repeats itself where CI is set."""

import os

from hypothesis import settings

settings.register_profile("maskwright", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("maskwright")
