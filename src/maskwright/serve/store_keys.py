"""Idempotency keys: the ids of what a request writes are made of its key, so the store itself knows a repeated one.

Nothing else has to be remembered, and a repetition is known after a crash too.
"""

import hashlib
import json
import re
from typing import Literal

from maskwright.core import new_id
from maskwright.core.errors import KeyReused, RequestError

_KEY = re.compile(r"[\x21-\x7e]{1,200}")


def ids_of(kind: Literal["record", "event", "job"], caller: str, key: str | None, count: int) -> tuple[str, ...]:
    """Make the ids of `count` things that a caller's request writes; new ones if it has no key.

    Raises:
        RequestError: the key is not one.
    """
    if key is None:
        return tuple(new_id() for _ in range(count))
    if not _KEY.fullmatch(key):
        raise RequestError(f"an Idempotency-Key has 1 to 200 visible ASCII characters, got {key!r:.80}")
    return tuple(_id(kind, caller, key, index) for index in range(count))


def id_beyond(kind: Literal["record", "event"], caller: str, key: str, count: int) -> str:
    """The id of the thing after `count`: one that is there belongs to a longer request."""
    return _id(kind, caller, key, count)


def reused() -> KeyReused:
    """Say that a key came back with something else."""
    return KeyReused("this Idempotency-Key was used for another request. Send the same body again, or take a new key")


def _id(kind: str, caller: str, key: str, index: int) -> str:
    return hashlib.sha256(json.dumps([kind, caller, key, index]).encode()).hexdigest()[:32]


__all__ = ["id_beyond", "ids_of", "reused"]
