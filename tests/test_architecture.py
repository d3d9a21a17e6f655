"""The picture in docs/architecture.md holds: rooms import downwards only, and reading data costs no network."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = ("torch", "numba", "transformers")
LIGHT_MODULES = (
    "maskwright",
    "maskwright.core",
    "maskwright.masks",
    "maskwright.datasets",
    "maskwright.store",
    "maskwright.review",
    "maskwright.client",
    "maskwright.cli.__main__",
)


def run(*command):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


def test_the_rooms_import_downwards_only():
    """The contracts are in pyproject.toml; run lint-imports to see the chain of a broken one."""
    code = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"

    result = run(sys.executable, "-c", code)

    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 broken" in result.stdout


@pytest.mark.parametrize("module", LIGHT_MODULES)
def test_importing_a_light_module_costs_no_torch(module):
    code = f"import sys, {module}; print(*(name for name in {HEAVY!r} if name in sys.modules))"

    result = run(sys.executable, "-c", code)

    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == []


@pytest.mark.parametrize("module", ["maskwright", "maskwright.core", "maskwright.masks", "maskwright.client"])
def test_every_public_name_exists(module):
    code = f"import {module} as m; print(*(name for name in m.__all__ if not hasattr(m, name)))"

    result = run(sys.executable, "-c", code)

    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == []
