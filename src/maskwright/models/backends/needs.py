"""Packages that exported models need and the default install does not have: one line that says how to get them."""

import importlib
from types import ModuleType

from maskwright.core.errors import ModelError

EXTRA = "maskwright[export]"


def need(package: str, what_for: str) -> ModuleType:
    """Import a package of the extra `export`.

    Raises:
        ModelError: it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ModelError(
            f"{what_for} needs the package {package.partition('.')[0]}, which is not installed. "
            f"Install it: pip install '{EXTRA}'"
        ) from error


__all__ = ["EXTRA", "need"]
