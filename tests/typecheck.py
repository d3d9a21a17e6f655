"""Shapes in signatures, checked while the tests run.

    pytest --jaxtyping-packages=maskwright.nn,maskwright.models,typecheck.check

An int is a float here, as in PEP 484.
"""

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))

__all__ = ["check"]
