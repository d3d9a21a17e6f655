"""Functions that numba compiles when they are first called; import it lazily, it costs the import of numba."""

import logging
from functools import lru_cache
from typing import Any

import numba

_log = logging.getLogger(__name__)


def compiled(function: Any, **options: Any) -> Any:
    """Compile on first use and keep the code on disk; only in memory where no folder for it can be written."""
    try:
        return numba.njit(cache=True, nogil=True, **options)(function)
    except RuntimeError:
        _warn_of_no_cache()
        return numba.njit(nogil=True, **options)(function)


@lru_cache(maxsize=1)
def _warn_of_no_cache() -> None:
    _log.warning(
        "kernels are compiled anew in every process (some seconds), because their folder cannot be written; "
        "set NUMBA_CACHE_DIR to one that can"
    )


__all__ = ["compiled"]
