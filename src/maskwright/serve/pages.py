"""`Pages`: the review application as a server gives it to browsers. The built files are package data, read once.

What is asked for is looked up among them, so no path of a client reaches the file system. The pages need no token: a
token stands in the fragment of a sign-in link, which browsers do not send, and what the pages ask for needs one.
"""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from maskwright.serve.store_tags import quoted, read_tags

# Where the application shows something of its own; other paths are not answered with a page.
VIEWS = ("/", "/review", "/progress", "/agreement")
# Scripts, styles, pictures and requests are the server's own; pictures also come from memory (blob:) and small ones
# from within the styles (data:). Nothing inline, nothing evaluated, nothing of others, in nobody's frame.
POLICY = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "font-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_INDEX, _STAMP = "index.html", "stamp.json"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".json": "application/json",
    ".wasm": "application/wasm",
    ".woff2": "font/woff2",
    ".png": "image/png",
    ".ico": "image/x-icon",
}
_TEXTS = (".html", ".js", ".css", ".svg", ".txt", ".json", ".wasm")
_AS_ROUTE = Route("/{page}", lambda _: Response())  # one name in metrics and logs for all of them
_FOR_EVER = "public, max-age=31536000, immutable"  # names of assets have a digest in them


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFile:
    """One built file; `packed` is it by gzip, where that is shorter."""

    content: bytes
    kind: str
    packed: bytes | None
    tag: str
    cache: str


class Pages:
    """The built files by the paths that browsers ask for, and the routes that answer with them."""

    def __init__(self, folder: Traversable) -> None:
        """Read the files of a folder; there are none where nothing was built."""
        found = _files_in(folder)
        found.pop(f"/{_STAMP}", None)
        page = found.pop(f"/{_INDEX}", None)
        self.files = {**found, **dict.fromkeys(VIEWS, page)} if page is not None else {}

    @property
    def paths(self) -> frozenset[str]:
        """What is answered without a token."""
        return frozenset(self.files)

    def routes(self) -> list[Route]:
        """Make a route for each path, so that what else there may be is not found as ever."""
        return [Route(path, self._answer, include_in_schema=False) for path in self.files]

    async def _answer(self, request: Request) -> Response:
        request.scope["route"] = _AS_ROUTE
        file = self.files[request.url.path]
        takes_gzip = file.packed is not None and _takes_gzip(request.headers.get("accept-encoding", ""))
        tag = f"{file.tag}-gzip" if takes_gzip else file.tag
        headers = {"ETag": quoted(tag), "Cache-Control": file.cache, "Vary": "Accept-Encoding"}
        headers |= {"Content-Security-Policy": POLICY, "Cross-Origin-Opener-Policy": "same-origin"}
        known = request.headers.get("if-none-match")
        if known is not None and tag in read_tags(known, weak=True):
            return Response(status_code=304, headers=headers)
        headers["Content-Type"] = file.kind
        if takes_gzip:
            headers["Content-Encoding"] = "gzip"
        return Response(file.packed if takes_gzip else file.content, headers=headers)


@cache
def packaged_pages() -> Pages:
    """The pages that are in the package."""
    return Pages(files("maskwright") / "ui" / "static")


def _files_in(folder: Traversable, at: str = "/") -> dict[str, PageFile]:
    if not folder.is_dir():
        return {}
    found: dict[str, PageFile] = {}
    for one in folder.iterdir():
        path = f"{at}{one.name}"
        if one.is_dir():
            found |= _files_in(one, f"{path}/")
        elif PurePosixPath(path).suffix in _TYPES:
            found[path] = _page_file(path, one.read_bytes())
    return found


def _page_file(path: str, content: bytes) -> PageFile:
    suffix = PurePosixPath(path).suffix
    packed = gzip.compress(content, mtime=0) if suffix in _TEXTS else content
    return PageFile(
        content=content,
        kind=_TYPES[suffix],
        packed=packed if len(packed) < len(content) else None,
        tag=hashlib.sha256(content).hexdigest()[:32],
        cache=_FOR_EVER if path.startswith("/assets/") else "no-cache",
    )


def _takes_gzip(accepted: str) -> bool:
    for one in accepted.lower().split(","):
        name, _, quality = one.partition(";")
        if name.strip() == "gzip":
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


__all__ = ["POLICY", "VIEWS", "PageFile", "Pages", "packaged_pages"]
