"""`Link`: what the steps of a client know of it: where its server is, how patient it is, what it has sent."""

import re
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from maskwright.core.errors import SettingError

_MOST_REMEMBERED = 1000


class SentFiles:
    """Digests of pictures by the SHA-256 of the files that they were sent as; the last thousand. For all threads."""

    def __init__(self) -> None:
        self._digests: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, file_sha256: str) -> str | None:
        """The digest that the server gave for a file."""
        with self._lock:
            return self._digests.get(file_sha256)

    def add(self, file_sha256: str, digest: str) -> None:
        """Remember one."""
        with self._lock:
            self._digests[file_sha256] = digest
            self._digests.move_to_end(file_sha256)
            if len(self._digests) > _MOST_REMEMBERED:
                self._digests.popitem(last=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A server's address, without a slash at its end, and how it is asked. `is_near`: it runs on this machine."""

    url: str
    timeout_s: float = 30.0
    retries: int = 3
    is_near: bool = False
    sent: SentFiles = field(default_factory=SentFiles)

    @property
    def deadline_ms(self) -> int:
        """Until when an answer is of use, for the server to know."""
        return max(1, min(600_000, round(self.timeout_s * 1000)))


def make_link(url: str, timeout_s: float, retries: int) -> Link:
    """Check what a client is made of.

    Raises:
        SettingError: the address is none, or a number cannot be.
    """
    parts = _parts(url)
    if parts.username or parts.password:
        raise SettingError("a server is shown a token, not a name and password in its address: Client(url, token=...)")
    if not timeout_s > 0:
        raise SettingError(f"timeout_s must be above 0 seconds, got {timeout_s:g}")
    if retries < 0:
        raise SettingError(f"retries must be 0 or more, got {retries}")
    return Link(url=url.rstrip("/"), timeout_s=timeout_s, retries=retries, is_near=_is_near(parts.hostname or ""))


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        has_port = parts.port is None or parts.port > 0
    except ValueError:
        has_port = False
        parts = urlsplit("")
    is_web = parts.scheme in ("http", "https") and parts.hostname and url.isascii() and not re.search(r"\s", url)
    if not has_port or not is_web or parts.query or parts.fragment:
        raise SettingError(f"a server's address looks like http://127.0.0.1:8080, got {url!r}")
    return parts


def _is_near(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


__all__ = ["Link", "SentFiles", "make_link"]
