"""The token file: who may ask a server, how far they may go, and until when. One JSON object a line.

A token is 32 random bytes, shown once; the file holds its SHA-256. A fast hash is right here: slow ones protect
passwords, which can be guessed, and 256 random bits cannot. The file is replaced whole and readable by its owner only;
a running server looks at it again when it has changed. A file that cannot be read lets nobody in: what was just written
there may be that somebody is to stay out.
"""

import hashlib
import hmac
import json
import logging
import os
import secrets
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from filelock import FileLock

from maskwright.core.errors import SettingError
from maskwright.serve.values import SCOPES, Scope

_log = logging.getLogger(__name__)

PREFIX = "mw_"  # so that people and scanners of secrets know one when they see it
_NUM_BYTES = 32
_LONGEST_NAME = 64
_LOOK_EVERY_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What the file knows of a token, which is not the token."""

    name: str
    scope: Scope
    sha256: str
    created_at: datetime
    expires_at: datetime | None = None

    def has_expired(self, now: datetime) -> bool:
        """Whether it is past its time."""
        return self.expires_at is not None and now >= self.expires_at


def read_tokens(path: Path) -> tuple[Token, ...]:
    """Read the file.

    Raises:
        SettingError: it is missing, cannot be read, or a line of it is not a token.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError as error:
        raise SettingError(f"there is no token file. Make one: maskwright tokens add {path} --name NAME") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"the token file cannot be read ({_why(error)}): {path}") from error
    tokens = tuple(_read_line(line, i, path) for i, line in enumerate(lines, 1) if line.strip())
    names = [token.name for token in tokens]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise SettingError(f"two tokens are named {twice!r}; remove one of the lines: {path}")
    return tokens


def add_token(path: Path, name: str, scope: Scope, lifetime: timedelta | None = None) -> str:
    """Make a token, write it into the file, which is made if need be, and return it. It cannot be had again.

    Raises:
        SettingError: the name is taken or cannot be one, or the file cannot be read or written.
    """
    if not name.isprintable() or not name.strip() or len(name) > _LONGEST_NAME:
        raise SettingError(f"a token's name is 1 to {_LONGEST_NAME} printable characters, got {name!r}")
    secret = PREFIX + secrets.token_urlsafe(_NUM_BYTES)
    now = datetime.now(UTC)
    token = Token(
        name=name,
        scope=scope,
        sha256=_hash(secret),
        created_at=now,
        expires_at=None if lifetime is None else now + lifetime,
    )
    with _locked(path):
        before = read_tokens(path) if path.exists() else ()
        if any(one.name == name for one in before):
            raise SettingError(f"a token named {name!r} is there already. Remove it, or take another name: {path}")
        _write(path, (*before, token))
    return secret


def remove_token(path: Path, name: str) -> None:
    """Take a token out of the file; a running server refuses it within a second or two.

    Raises:
        SettingError: there is none of that name.
    """
    with _locked(path):
        before = read_tokens(path)
        left = tuple(token for token in before if token.name != name)
        if len(left) == len(before):
            known = ", ".join(token.name for token in before) or "none"
            raise SettingError(f"no token is named {name!r}; there are: {known}: {path}")
        _write(path, left)


class TokenBook:
    """The tokens of a file that may change while a server runs."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._clock = path, clock
        self._seen = _stamp(path)
        self._tokens = read_tokens(path)
        self._looked_at = clock()

    def find(self, secret: str) -> Token | None:
        """Find a token that is valid now. Takes the same time whichever of them it is like."""
        self._look_again()
        asked = _hash(secret)
        found: Token | None = None
        for token in self._tokens:
            if hmac.compare_digest(token.sha256, asked):
                found = token
        return None if found is None or found.has_expired(datetime.now(UTC)) else found

    def _look_again(self) -> None:
        now = self._clock()
        if now - self._looked_at < _LOOK_EVERY_S:
            return
        self._looked_at = now
        seen = _stamp(self._path)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._tokens = read_tokens(self._path)
            _log.info("the token file was read again, %d tokens: %s", len(self._tokens), self._path)
        except SettingError as error:
            self._tokens = ()
            _log.error("nobody can sign in until this is mended: %s", error)


def _read_line(line: str, number: int, path: Path) -> Token:
    try:
        found = cast(dict[str, Any], json.loads(line))
        token = Token(
            name=str(found["name"]),
            scope=found["scope"],
            sha256=found["sha256"],
            created_at=_moment(found["created_at"]),
            expires_at=None if found.get("expires_at") is None else _moment(found["expires_at"]),
        )
        if token.scope not in SCOPES or len(bytes.fromhex(token.sha256)) != hashlib.sha256().digest_size:
            raise ValueError
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SettingError(
            f"line {number} is not a token: expected an object with name, scope ({', '.join(SCOPES)}), sha256 and "
            f"created_at. maskwright tokens writes such lines: {path}"
        ) from error
    return token


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _write(path: Path, tokens: tuple[Token, ...]) -> None:
    lines = "".join(json.dumps(_as_json(token)) + "\n" for token in tokens)
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # which has mode 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise SettingError(f"the token file cannot be written ({_why(error)}): {path}") from error


def _as_json(token: Token) -> dict[str, str | None]:
    return {
        "name": token.name,
        "scope": token.scope,
        "sha256": token.sha256,
        "created_at": token.created_at.isoformat(timespec="seconds"),
        "expires_at": None if token.expires_at is None else token.expires_at.isoformat(timespec="seconds"),
    }


def _locked(path: Path) -> FileLock:
    if not path.parent.is_dir():
        raise SettingError(f"there is no folder to write the token file into: {path}")
    return FileLock(path.with_name(f".{path.name}.lock"), mode=0o600)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__


__all__ = ["Token", "TokenBook", "add_token", "read_tokens", "remove_token"]
