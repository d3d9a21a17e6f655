import pytest

from maskwright.core.errors import InputError
from maskwright.core.out_of_memory import is_out_of_memory


class OutOfMemoryError(RuntimeError):
    pass


@pytest.mark.parametrize(
    ("error", "is_it"),
    [
        (MemoryError(), True),
        (OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("shapes do not agree"), False),
        (InputError("the title of this picture is 'out of memory'"), False),
    ],
)
def test_memory_that_ran_out_is_told_from_other_errors(error, is_it):
    assert is_out_of_memory(error) is is_it
