"""How long until the package is imported, and until the command line answers? Fresh interpreters, medians.

python benchmarks/startup.py
"""

import statistics
import subprocess
import sys
import time

from harness import Timing, report

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import maskwright": [sys.executable, "-c", "import maskwright"],
    "maskwright --help": [sys.executable, "-m", "maskwright.cli", "--help"],
    "maskwright predict --help": [sys.executable, "-m", "maskwright.cli", "predict", "--help"],
    "import torch": [sys.executable, "-c", "import torch"],
}


def main() -> None:
    """Time fresh processes in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(7):
        for name, command in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            seconds[name].append(time.perf_counter() - start)
    timings = [Timing(name, statistics.median(values), 0.0, 0.0, None) for name, values in seconds.items()]
    report("startup", "Start-up of a fresh process", timings)


if __name__ == "__main__":
    main()
