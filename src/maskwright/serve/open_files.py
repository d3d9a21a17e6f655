"""`allow_files`: every connection is an open file, and systems allow a process fewer than a server may have."""

from contextlib import suppress

_OTHERS = 512  # of the store, of pictures, of libraries


def allow_files(num_connections: int) -> None:
    """Raise this process's limit to what so many connections need, as far as the system lets it."""
    with suppress(ImportError, ValueError, OSError):
        import resource  # of Unix

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = num_connections + _OTHERS
        if 0 <= soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if hard < 0 else min(wanted, hard), hard))


__all__ = ["allow_files"]
