"""Where checkpoints lie, and how they get there: pull, verify, import. No torch.

Pulled checkpoints are written to the weights folder (`MASKWRIGHT_WEIGHTS`, else the user's data folder) under the
publisher's file name, so a folder filled by hand on another machine works the same. A transfer goes to a `.part` file
that a later pull continues; only a file of the right size and hash gets its final name.
"""

import errno
import hashlib
import logging
import os
import shutil
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from filelock import FileLock

from maskwright.core.errors import DownloadError, ModelError, WeightsMissing
from maskwright.core.settings import WEIGHTS
from maskwright.models.cards import ModelCard
from maskwright.models.registry import find_card

logger = logging.getLogger(__name__)

# Called with the bytes there are and the bytes there will be (None where the server does not say).
Progress = Callable[[int, int | None], None]

_CHUNK = 1 << 20
_TIMEOUT_S = 30.0
_MODELS_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What is known of a checkpoint file: its own hash, and which of the card's claims it was checked against."""

    path: Path
    num_bytes: int
    sha256: str
    checked: tuple[str, ...]

    @property
    def is_official(self) -> bool:
        """Whether a published hash was there to compare, and agreed."""
        return bool({"sha256", "md5"} & set(self.checked))


def weights_folder() -> Path:
    """The folder where checkpoints lie."""
    return WEIGHTS.get()


def weights_path(card: ModelCard, folder: Path | None = None) -> Path:
    """Where a model's checkpoint lies or would lie.

    Raises:
        ModelError: the model's weights are computed, there is no file.
    """
    if card.filename is None:
        raise ModelError(f"{card.name} has no checkpoint file: its weights are computed when it is loaded")
    return (_MODELS_FOLDER / card.family if card.packaged else folder or weights_folder()) / card.filename


def find_weights(card: ModelCard) -> Path:
    """Find a model's checkpoint.

    Raises:
        WeightsMissing: it is not on this machine; the message says how to get it.
    """
    path = weights_path(card)
    if not path.is_file():
        raise WeightsMissing(_how_to_get(card, path))
    return path


def has_weights(card: ModelCard) -> bool:
    """Whether a model can be loaded as things are."""
    return card.filename is None or weights_path(card).is_file()


def pull(
    card: ModelCard,
    *,
    progress: Progress | None = None,
    folder: Path | None = None,
    num_tries: int = 4,
    wait_s: float = 1.0,
) -> Path:
    """Download a model's checkpoint, unless a good one is there already; continue a transfer that was cut.

    Waits twice as long after each failed try. `num_tries` counts tries in a row that brought nothing new.

    Raises:
        DownloadError: the server refuses, the network or the disk fails, or what arrived is not the checkpoint.
    """
    path = weights_path(card, folder)
    if not path.is_file():
        if card.source_url is None:
            raise DownloadError(f"{card.name} has no download address. Put its checkpoint here: {path}")
        with _alone_in(path.parent):
            if not path.is_file():
                return _pull_whole(card, card.source_url, path, progress, num_tries=num_tries, wait_s=wait_s)
    verify(card, path)
    return path


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Let one process at a time pull into a folder: two would write into one part. The second finds the file there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        lock.acquire()
    except OSError as error:
        raise _disk_error(error, folder) from error
    try:
        yield
    finally:
        lock.release()


def _pull_whole(
    card: ModelCard, url: str, path: Path, progress: Progress | None, *, num_tries: int, wait_s: float
) -> Path:
    part = path.with_name(path.name + ".part")
    try:
        _fetch(card, url, part, progress, num_tries=num_tries, wait_s=wait_s)
    except OSError as error:
        raise _disk_error(error, part) from error
    try:
        verify(card, part)
    except DownloadError:
        part.unlink()  # what is whole and wrong cannot be continued
        raise
    finally:
        part.with_name(part.name + ".etag").unlink(missing_ok=True)
    os.replace(part, path)
    return path


def verify(card: ModelCard, path: Path | None = None) -> Verified:
    """Compare a checkpoint file with what its card says.

    Raises:
        WeightsMissing: there is no file.
        DownloadError: size or hash differ.
    """
    path = path or find_weights(card)
    num_bytes = path.stat().st_size
    checked: list[str] = []
    if card.num_bytes is not None:
        if num_bytes != card.num_bytes:
            raise DownloadError(
                f"the checkpoint of {card.name} must have {card.num_bytes:,} bytes, got {num_bytes:,}. "
                f"Delete it and run: maskwright models pull {card.name}: {path}"
            )
        checked.append("size")
    sha256, md5 = _hashes(path, with_md5=card.md5 is not None)
    for kind, expected, got in (("sha256", card.sha256, sha256), ("md5", card.md5, md5)):
        if expected is None:
            continue
        if got != expected:
            raise DownloadError(
                f"the checkpoint of {card.name} must have the {kind} {expected}, got {got}. "
                f"Delete it and run: maskwright models pull {card.name}: {path}"
            )
        checked.append(kind)
    return Verified(path=path, num_bytes=num_bytes, sha256=sha256, checked=tuple(checked))


def import_file(path: Path, name: str, *, folder: Path | None = None) -> Verified:
    """Copy a checkpoint file that lies elsewhere into the weights folder, as the checkpoint of a registered model.

    Raises:
        UnknownModel: no model of that name is registered.
        DownloadError: the file is not the published checkpoint. Other checkpoints are used by their path.
        CheckpointError: the file is not a checkpoint of this architecture.
    """
    card = find_card(name)
    if card.follows_objects:
        from maskwright.models.transformers_video.loading import check_fits
    else:
        from maskwright.models.loading import check_fits
    target = weights_path(card, folder)
    if not path.is_file():
        raise DownloadError(f"expected a checkpoint file to import, got none: {path}")
    if card.packaged:
        raise DownloadError(f"the weights of {name} lie in the package; use another checkpoint by its path: {path}")
    try:
        verify(card, path)
    except DownloadError as error:
        raise DownloadError(
            f"the file is not the published checkpoint of {card.name}. Use it by its path: --model {path}"
        ) from error
    check_fits(path, card.name)
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, part)
        os.replace(part, target)
    except OSError as error:
        raise _disk_error(error, part) from error
    return verify(card, target)


def _how_to_get(card: ModelCard, path: Path) -> str:
    if card.packaged:
        return f"the weights of {card.name} are missing from this installation. Install the package again: {path}"
    if card.source_url is None:
        return f"the checkpoint of {card.name} is not on this machine. Put it here: {path}"
    named = "" if card.source_url.endswith(f"/{path.name}") else f" as {path.name}"
    return (
        f"the checkpoint of {card.name} is not on this machine. Run: maskwright models pull {card.name}. "
        f"Without a network: fetch {card.source_url} elsewhere and put it into {path.parent}{named} "
        f"(or set {WEIGHTS.env} to the folder that holds {path.name})"
    )


def _fetch(card: ModelCard, url: str, part: Path, progress: Progress | None, *, num_tries: int, wait_s: float) -> None:
    """Fill the `.part` file, trying again as long as tries bring something new."""
    failures = 0
    while True:
        before = _size(part)
        try:
            _fetch_once(card, url, part, progress)
            return
        except (URLError, HTTPException, ssl.SSLError, TimeoutError, ConnectionError, _CutShort) as error:
            if isinstance(error, HTTPError) and error.code == 416:  # nothing beyond what is there
                if error.headers.get("Content-Range") == f"bytes */{before}":
                    return
                part.unlink(missing_ok=True)
            else:
                _raise_if_final(error, card, url)
            failures = 0 if _size(part) > before else failures + 1
            if failures >= num_tries:
                raise DownloadError(
                    f"the download of {card.name} failed {failures} times in a row ({_reason(error)}); what arrived is "
                    f"kept, so run the same command to go on: {url}"
                ) from error
            logger.info(
                "download of %s interrupted (%s); going on from %d bytes", card.name, _reason(error), _size(part)
            )
            time.sleep(wait_s * 2**failures)


class _CutShort(Exception):
    """The connection closed before all bytes came."""


def _fetch_once(card: ModelCard, url: str, part: Path, progress: Progress | None) -> None:
    have = _size(part)
    if card.num_bytes is not None and have > card.num_bytes:
        part.unlink()  # longer than the whole: from another version
        have = 0
    if card.num_bytes is not None and have == card.num_bytes:
        return
    version = part.with_name(part.name + ".etag")
    request = Request(url, headers={"User-Agent": "maskwright", "Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
        if version.exists():  # the server then sends all of a file that has changed since
            request.add_header("If-Range", version.read_text())
    with urlopen(request, timeout=_TIMEOUT_S) as response:
        _remember_version(version, response.headers.get("ETag"))
        # A server that ignores Range answers 200 and sends the whole file: begin again.
        resumed = response.status == 206 and _range_start(response.headers.get("Content-Range")) == have
        if response.status == 206 and not resumed:
            part.unlink(missing_ok=True)
            raise _CutShort("the server sent another range than was asked for")
        done = have if resumed else 0
        length = response.headers.get("Content-Length")
        total = done + int(length) if length is not None else card.num_bytes
        with part.open("ab" if resumed else "wb") as file:
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                done += len(chunk)
                if progress is not None:
                    progress(done, total)
            file.flush()
            os.fsync(file.fileno())
    if total is not None and done < total:
        raise _CutShort(f"the connection closed after {done:,} of {total:,} bytes")


def _remember_version(path: Path, etag: str | None) -> None:
    """Keep a strong ETag beside the part; a weak one does not vouch for bytes."""
    if etag is not None and not etag.startswith("W/"):
        path.write_text(etag)
    else:
        path.unlink(missing_ok=True)


def _raise_if_final(error: Exception, card: ModelCard, url: str) -> None:
    """Raise where trying again cannot help: the server understood and refused."""
    if isinstance(error, HTTPError) and error.code not in (408, 429) and error.code < 500:
        raise DownloadError(
            f"the server refused the download of {card.name}: HTTP {error.code} {error.reason}. "
            f"Fetch it another way and run: maskwright models import FILE --name {card.name}: {url}"
        ) from error


def _range_start(header: str | None) -> int | None:
    """The first byte of an answer to a range request: `bytes 100-199/200`."""
    if header is None or not header.startswith("bytes "):
        return None
    start = header.removeprefix("bytes ").partition("-")[0]
    return int(start) if start.isdigit() else None


def _hashes(path: Path, *, with_md5: bool) -> tuple[str, str]:
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            sha256.update(chunk)
            if with_md5:
                md5.update(chunk)
    return sha256.hexdigest(), md5.hexdigest() if with_md5 else ""


def _disk_error(error: OSError, path: Path) -> DownloadError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DownloadError(f"the disk is full. Free space, or set {WEIGHTS.env} to a folder on another disk: {path}")
    return DownloadError(f"the checkpoint could not be written ({error.strerror or error}): {path}")


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None)
    return str(reason or error) or type(error).__name__


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


__all__ = [
    "Progress",
    "Verified",
    "find_weights",
    "has_weights",
    "import_file",
    "pull",
    "verify",
    "weights_folder",
    "weights_path",
]
