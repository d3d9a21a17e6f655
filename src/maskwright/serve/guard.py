"""`Guard`: who may ask, and how often. REST and gRPC show it what a client sent and are given a `Caller`.

Without a token file every caller is `local_name` and may do everything; such a server listens on this machine only.
With one, a caller is known by its token, and its name has a bucket: it fills with `rate_per_s` and holds `burst`.
"""

import base64
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address

from maskwright.core.errors import NotSignedIn, SettingError, TooManyRequests
from maskwright.serve.settings import ServeSettings
from maskwright.serve.tokens import TokenBook
from maskwright.serve.values import Caller

_SCHEMES = ("bearer", "token")


class Guard:
    """Knows tokens and buckets. One for all protocols of a server, so that a limit is one limit."""

    def __init__(self, settings: ServeSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Read the token file.

        Raises:
            SettingError: there is none and the host can be reached from elsewhere, or it cannot be read.
        """
        if settings.token_file is None and not is_loopback(settings.host):
            raise SettingError(
                f"a server on {settings.host} can be reached from elsewhere and needs tokens. Make one with "
                "maskwright tokens add FILE --name NAME, then serve with --token-file FILE; or leave --host out"
            )
        self._local_name = settings.local_name
        self._book = None if settings.token_file is None else TokenBook(settings.token_file, clock=clock)
        self._buckets = _Buckets(settings.rate_per_s, settings.burst, clock)

    @property
    def needs_tokens(self) -> bool:
        """Whether callers have to show a token."""
        return self._book is not None

    def admit(self, authorization: str | None, request_id: str) -> Caller:
        """Say who asks, by what stands in the Authorization header or metadata: "Bearer mw_...".

        Tools that know no bearers may send "Token mw_...", or the token as the password of HTTP's basic scheme.

        Raises:
            NotSignedIn: there is no token, or one that is not known or past its time.
            TooManyRequests: the token asks faster than it may.
        """
        if self._book is None:
            return Caller(name=self._local_name, scope="admin", request_id=request_id)
        secret = _secret_of(authorization or "")
        if secret is None:
            raise NotSignedIn("expected a token in the header Authorization: Bearer TOKEN, got none")
        token = self._book.find(secret)
        if token is None:
            raise NotSignedIn("the token is not known here, or no longer valid. Ask whoever runs the server for one")
        self._buckets.take(token.name)
        return Caller(name=token.name, scope=token.scope, request_id=request_id)


@dataclass(slots=True)
class _Bucket:
    level: float
    filled_at: float


class _Buckets:
    """A token bucket for each name; there are as many as the token file has names."""

    def __init__(self, rate_per_s: float, burst: int, clock: Callable[[], float]) -> None:
        self._rate, self._burst, self._clock = rate_per_s, burst, clock
        self._of: dict[str, _Bucket] = {}

    def take(self, name: str) -> None:
        now = self._clock()
        bucket = self._of.setdefault(name, _Bucket(self._burst, now))
        bucket.level = min(self._burst, bucket.level + (now - bucket.filled_at) * self._rate)
        bucket.filled_at = now
        if bucket.level < 1:
            raise TooManyRequests(
                f"{name} asks faster than {self._rate:g} times a second. Come back later",
                retry_after_s=(1 - bucket.level) / self._rate,
            )
        bucket.level -= 1


def _secret_of(authorization: str) -> str | None:
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() in _SCHEMES:
        return rest.strip()
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(rest.strip(), validate=True).decode().partition(":")[2]
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine reach a host."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


__all__ = ["Guard", "is_loopback"]
