"""Around torch's exporters: they warn of their own use of what they deprecate, which users cannot mend."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import jaxtyping


@contextmanager
def quietly() -> Iterator[None]:
    """Without torch's warnings and notes while it exports; errors are raised as ever.

    Shapes in signatures are not checked meanwhile, where somebody has them checked: sizes are symbols there.
    """
    log = logging.getLogger("torch.onnx")
    level, is_unchecked = log.level, jaxtyping.config.jaxtyping_disable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        log.setLevel(logging.ERROR)
        jaxtyping.config.update("jaxtyping_disable", True)
        try:
            yield
        finally:
            log.setLevel(level)
            jaxtyping.config.update("jaxtyping_disable", is_unchecked)


__all__ = ["quietly"]
