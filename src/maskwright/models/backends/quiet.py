"""Keep what torch's exporters say of themselves from users: they warn of their own use of what they deprecate."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quietly() -> Iterator[None]:
    """Without torch's warnings and notes while it exports; errors are raised as ever."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        log.setLevel(logging.ERROR)
        try:
            yield
        finally:
            log.setLevel(level)


__all__ = ["quietly"]
