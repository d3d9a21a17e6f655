from typing import Any

import pytest

from maskwright.core import compiled


def test_code_that_cannot_be_kept_on_disk_is_compiled_in_memory(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    compile_function = compiled.numba.njit

    def read_only(*functions: Any, **options: Any) -> Any:  # numba's own modules, loaded meanwhile, give a function
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return compile_function(*functions, **options)

    monkeypatch.setattr(compiled.numba, "njit", read_only)
    compiled._warn_of_no_cache.cache_clear()

    doubled = compiled.compiled(lambda x: 2 * x)

    assert doubled(21) == 42
    assert "set NUMBA_CACHE_DIR to one that can" in caplog.text
