"""Settings of the whole suite. Hypothesis may take its time (machines are shared), and with CI set it repeats itself."""

import os

from hypothesis import settings

settings.register_profile("maskwright", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("maskwright")
