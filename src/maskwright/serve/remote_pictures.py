"""`RemotePictures`: pictures that a request names by their address, from hosts that whoever runs the server allows.

None are allowed by default: a server that fetches what it is told to is a way into the network that it stands in. An
address is fetched as it is given, redirects only to hosts that are allowed too, no more bytes than an upload may have;
Label Studio's token goes to Label Studio alone.
"""

import asyncio
import os
import time
from collections import OrderedDict
from collections.abc import Mapping
from urllib.parse import urljoin, urlsplit

import httpx

from maskwright.core import Image
from maskwright.core.errors import NotAllowed, RequestError, ServerUnreachable, TooLarge, UnknownImage
from maskwright.serve.image_shelf import ImageShelf
from maskwright.serve.settings import ServeSettings
from maskwright.serve.tool_bodies import picture_in

API_KEY = "LABEL_STUDIO_API_KEY"
_PORTS = {"http": 80, "https": 443}
_MOST_REDIRECTS = 3
_TIMEOUT = httpx.Timeout(10.0, connect=5.0)
_WITHIN_S = 30.0  # whatever it drips
# An address is taken to lead to the same picture for so long: an annotator clicks on one many times.
_SAME_FOR_S = 600.0
_MOST_KNOWN = 4096
_LONGEST_ADDRESS = 8192


class RemotePictures:
    """Finds pictures by address and puts them on the shelf. For one event loop."""

    def __init__(self, settings: ServeSettings, shelf: ImageShelf, environ: Mapping[str, str] = os.environ) -> None:
        self._home = (settings.label_studio_url or "").rstrip("/")
        self._hosts = {*settings.picture_hosts, *([_host_of(self._home)] if self._home else [])}
        self._max_bytes = settings.max_body_bytes
        self._shelf = shelf
        self._key = environ.get(API_KEY, "").strip()
        self._known: OrderedDict[str, tuple[str, float]] = OrderedDict()

    async def get(self, address: str) -> Image:
        """Find the picture that an address leads to: a data URI, a path of Label Studio's, or of an allowed host.

        Raises:
            NotAllowed: the host is not allowed.
            RequestError, ImageError: it is no such address, or no picture is there.
            UnknownImage, TooLarge, ServerUnreachable: it cannot be had.
        """
        if address.startswith("data:"):
            return await self._shelf.add(picture_in(address))
        full = self._full(address)
        digest, until = self._known.get(full, ("", 0.0))
        if until > time.monotonic():
            try:
                return await self._shelf.get(digest)
            except UnknownImage:
                pass
        image = await self._shelf.add(await self._fetch(full))
        self._known[full] = image.digest, time.monotonic() + _SAME_FOR_S
        while len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        return image

    def _full(self, address: str) -> str:
        if len(address) > _LONGEST_ADDRESS:
            raise RequestError(f"an address may have {_LONGEST_ADDRESS} characters, got {len(address)}")
        if address.startswith("/") and not address.startswith("//"):
            if not self._home:
                raise NotAllowed("the picture lies in Label Studio. Start this server with --label-studio-url URL")
            return self._home + address
        return address

    def _check(self, address: str) -> None:
        """Let an address through only if its host is named."""
        host = _host_of(address)
        if host not in self._hosts:
            raise NotAllowed(f"this server fetches no pictures from {host!r}. Start it with --picture-host {host}")

    async def _fetch(self, address: str) -> bytes:
        async with httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False, follow_redirects=False) as client:
            for _ in range(_MOST_REDIRECTS + 1):
                self._check(address)
                try:
                    async with asyncio.timeout(_WITHIN_S):
                        content, onward = await self._ask(client, address)
                except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
                    told = f"the picture's host gives no answer ({type(error).__name__})"
                    raise ServerUnreachable(f"{told}: {_host_of(address)}") from error
                if onward is None:
                    return content
                address = urljoin(address, onward)
        raise RequestError("the picture's address leads from one to the next without end")

    async def _ask(self, client: httpx.AsyncClient, address: str) -> tuple[bytes, str | None]:
        """Fetch one address: its content, or where it leads."""
        async with client.stream("GET", address, headers=await self._headers(client, address)) as answer:
            if answer.is_redirect:
                return b"", answer.headers.get("location", "")
            if answer.status_code != 200:
                raise UnknownImage(f"the picture's host answered {answer.status_code}: {_host_of(address)}")
            content = bytearray()
            async for chunk in answer.aiter_raw():
                content += chunk
                if len(content) > self._max_bytes:
                    raise TooLarge(f"a picture's file may have {self._max_bytes:,} bytes")
            return bytes(content), None

    async def _headers(self, client: httpx.AsyncClient, address: str) -> dict[str, str]:
        plain = {"Accept-Encoding": "identity"}  # a picture is compressed already; what is packed can grow without end
        if not self._key or not self._home or _host_of(address) != _host_of(self._home):
            return plain
        if self._key.count(".") != 2:
            return {**plain, "Authorization": f"Token {self._key}"}
        # A personal access token of Label Studio: it is exchanged for one that lives minutes.
        answer = await client.post(f"{self._home}/api/token/refresh", json={"refresh": self._key})
        try:
            return {**plain, "Authorization": f"Bearer {answer.raise_for_status().json()['access']}"}
        except (httpx.HTTPStatusError, ValueError, KeyError, TypeError) as error:
            raise UnknownImage(f"Label Studio does not take the token in {API_KEY}") from error


def _host_of(address: str) -> str:
    """The host of an address, with its port where that is not the scheme's.

    Raises:
        RequestError: it is not an address of HTTP, or one with a name and password inside.
    """
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as error:
        raise RequestError(f"this is no address of a picture: {address[:100]!r}") from error
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc:
        raise RequestError(f"expected a picture at http or https, or as a data URI, got {address[:100]!r}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return host if port in (None, _PORTS[parts.scheme]) else f"{host}:{port}"


__all__ = ["API_KEY", "RemotePictures"]
