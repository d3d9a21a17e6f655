"""How to tell that memory ran out, whoever says so: Python, torch on a GPU, or torch's allocator on a CPU. No torch."""

_SIGNS = ("out of memory", "can't allocate memory", "not enough memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory does not suffice."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)


__all__ = ["is_out_of_memory"]
