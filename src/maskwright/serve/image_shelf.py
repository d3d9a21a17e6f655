"""`ImageShelf`: the pictures that clients sent, by their content digest, so that nobody sends one twice.

Pixels lie in memory, the bytes as they were sent in a folder; both are bounded, and the least recently used go first.
The folder belongs to one process and is emptied at its end; what a process left that was killed is removed by the next.
Reading pictures takes a thread and a share of memory: as many are read at a time as fit.
"""

import asyncio
import contextlib
import logging
import shutil
import tempfile
import threading
import uuid
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from pathlib import Path

from filelock import FileLock, Timeout

from maskwright.core import Image
from maskwright.core.errors import ImageError, TooLarge, UnknownImage
from maskwright.datasets.images import picture_size_wh, read_image
from maskwright.serve.meter import Meter
from maskwright.serve.settings import ServeSettings

_log = logging.getLogger(__name__)

_PREFIX = "maskwright-pictures-"
_NUM_READERS = 4
# Bytes a pixel while a picture is read: what the decoder makes, and a copy that is turned upright or to RGB.
_READING_BYTES = 8


class ImageShelf:
    """Pictures by digest. `add` and `get` are for an event loop; `add_now` and `get_now` do the same in a thread.

    `directory` is where the folder is made: the machine's folder for temporary files if it is left out.
    """

    def __init__(self, settings: ServeSettings, meter: Meter, *, directory: Path | None = None) -> None:
        self._max_pixels = settings.max_pixels
        self._pixels = _Pixels(settings.image_memory_bytes)
        self._spool = _Spool(settings.image_disk_bytes, directory)
        # One that needs more than there is may still be read, alone.
        self._room = _Room(max(settings.image_memory_bytes, 1))
        self._readers = ThreadPoolExecutor(_NUM_READERS, thread_name_prefix="pictures")
        self._hits, self._misses = (meter.cache.labels("image", found) for found in ("hit", "miss"))
        self._meter = meter

    async def add(self, content: bytes) -> Image:
        """Read a picture that a client sent, and keep it.

        Raises:
            ImageError: it is no picture, or a damaged one.
            TooLarge: it has more pixels than the server takes.
        """
        context = copy_context()  # so that the thread knows whose request it is

        def add() -> Image:
            return context.run(self.add_now, content)

        return await asyncio.get_running_loop().run_in_executor(self._readers, add)

    async def get(self, digest: str) -> Image:
        """Find a picture.

        Raises:
            UnknownImage: it was never sent, or that is long ago.
        """
        if (image := self.at_hand(digest)) is not None:
            return image
        return await asyncio.get_running_loop().run_in_executor(self._readers, self.get_now, digest)

    def add_now(self, content: bytes) -> Image:
        """Do what `add` does, in this thread."""
        with self._meter.timed("upload"):
            image = self._read(content)
            digest = image.digest
        self._pixels.put(digest, image)
        self._spool.put(digest, content)
        return image

    def add_image(self, image: Image) -> None:
        """Keep a picture that lies elsewhere too, such as a frame of the store: in memory only."""
        self._pixels.put(image.digest, image)

    def get_now(self, digest: str) -> Image:
        """Do what `get` does, in this thread."""
        if (image := self.at_hand(digest)) is not None:
            return image
        content = self._spool.get(digest)
        if content is not None:
            with contextlib.suppress(ImageError, TooLarge):  # damaged on disk; it may be sent again
                image = self._read(content)
                if image.digest == digest:
                    self._hits.inc()
                    self._pixels.put(digest, image)
                    return image
            self._spool.drop(digest)
        self._misses.inc()
        raise UnknownImage(f"the server does not have the picture {digest[:64]!r}, or no longer. Send it again")

    def at_hand(self, digest: str) -> Image | None:
        """Find a picture in memory; never waits."""
        image = self._pixels.get(digest)
        if image is not None:
            self._hits.inc()
        return image

    def has(self, digest: str) -> bool:
        """Whether a picture need not be sent again; never waits."""
        return self._pixels.has(digest) or self._spool.has(digest)

    @property
    def used_bytes(self) -> tuple[int, int]:
        """Bytes of pixels in memory, and of files on disk."""
        return self._pixels.used_bytes, self._spool.used_bytes

    def close(self) -> None:
        """Forget everything, and remove the folder."""
        self._readers.shutdown(wait=True, cancel_futures=True)
        self._pixels.clear()
        self._spool.close()

    def _read(self, content: bytes) -> Image:
        width, height = picture_size_wh(content)
        if width * height > self._max_pixels:
            told = f"the picture has {width} x {height} = {width * height:,} pixels; this server takes"
            raise TooLarge(f"{told} {self._max_pixels:,}. Send a smaller one")
        with self._room.taken(width * height * _READING_BYTES + len(content)):
            return read_image(content, max_pixels=self._max_pixels)


class _Pixels:
    """The least recently used go first. A picture beyond the bound by itself is not kept."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._images: OrderedDict[str, Image] = OrderedDict()
        self._lock = threading.Lock()
        self.used_bytes = 0

    def put(self, digest: str, image: Image) -> None:
        with self._lock:
            if digest in self._images:
                self.used_bytes -= _num_bytes(self._images.pop(digest))
            if _num_bytes(image) > self._max_bytes:
                return
            self._images[digest] = image
            self.used_bytes += _num_bytes(image)
            while self.used_bytes > self._max_bytes:
                self.used_bytes -= _num_bytes(self._images.popitem(last=False)[1])

    def get(self, digest: str) -> Image | None:
        with self._lock:
            if digest not in self._images:
                return None
            self._images.move_to_end(digest)
            return self._images[digest]

    def has(self, digest: str) -> bool:
        return digest in self._images

    def clear(self) -> None:
        with self._lock:
            self._images.clear()
            self.used_bytes = 0


class _Spool:
    """Files named by digest in a folder of this process, which a lock marks as in use."""

    def __init__(self, max_bytes: int, directory: Path | None) -> None:
        self._max_bytes = max_bytes
        self._sizes: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()
        self.used_bytes = 0
        self._folder: Path | None = None
        self._claim: FileLock | None = None
        if max_bytes > 0:
            self._open(Path(tempfile.gettempdir()) if directory is None else directory)

    def _open(self, directory: Path) -> None:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            _remove_abandoned(directory)
            folder = directory / f"{_PREFIX}{uuid.uuid4().hex}"
            self._claim = FileLock(_claim_of(folder))  # claimed before it is there, so that nobody removes it
            self._claim.acquire()
            folder.mkdir(mode=0o700)
            self._folder = folder
        except OSError as error:
            _log.warning("pictures are kept in memory only (%s): %s", error.strerror, directory)

    def put(self, digest: str, content: bytes) -> None:
        if self._folder is None or len(content) > self._max_bytes or self.has(digest):
            return
        temporary = self._folder / f"{uuid.uuid4().hex}.part"
        try:
            temporary.write_bytes(content)
            temporary.replace(self._folder / digest)
        except OSError as error:
            _log.warning("a picture is kept in memory only (%s): %s", error.strerror, self._folder)
            with contextlib.suppress(OSError):
                temporary.unlink()
            return
        with self._lock:
            self.used_bytes += len(content) - self._sizes.pop(digest, 0)
            self._sizes[digest] = len(content)
            gone = []
            while self.used_bytes > self._max_bytes:
                name, size = self._sizes.popitem(last=False)
                self.used_bytes -= size
                gone.append(name)
        for name in gone:
            self._unlink(name)

    def get(self, digest: str) -> bytes | None:
        with self._lock:
            if digest not in self._sizes:  # so that no other name reaches the file system
                return None
            self._sizes.move_to_end(digest)
        assert self._folder is not None
        try:
            return (self._folder / digest).read_bytes()
        except OSError:
            return None

    def has(self, digest: str) -> bool:
        return digest in self._sizes

    def drop(self, digest: str) -> None:
        with self._lock:
            if digest not in self._sizes:
                return
            self.used_bytes -= self._sizes.pop(digest)
        self._unlink(digest)

    def close(self) -> None:
        with self._lock:
            self._sizes.clear()
            self.used_bytes = 0
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
        if self._claim is not None:
            self._claim.release()
            with contextlib.suppress(OSError):
                Path(self._claim.lock_file).unlink()

    def _unlink(self, name: str) -> None:
        assert self._folder is not None
        with contextlib.suppress(OSError):
            (self._folder / name).unlink()


class _Room:
    """Bytes that readers share: each waits until there are as many as it needs, or until it is alone."""

    def __init__(self, num_bytes: int) -> None:
        self._num_bytes = num_bytes
        self._used = 0
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, num_bytes: int) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._used or self._used + num_bytes <= self._num_bytes)
            self._used += num_bytes
        try:
            yield
        finally:
            with self._changed:
                self._used -= num_bytes
                self._changed.notify_all()


def _remove_abandoned(directory: Path) -> None:
    """Remove the folders of processes that ended without doing so."""
    for claim in directory.glob(f"{_PREFIX}*.lock"):
        with contextlib.suppress(OSError, Timeout), FileLock(claim, timeout=0):
            shutil.rmtree(claim.with_suffix(""), ignore_errors=True)
            claim.unlink(missing_ok=True)


def _claim_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")


def _num_bytes(image: Image) -> int:
    return image.pixels.nbytes + (0 if image.depth_m is None else image.depth_m.nbytes)


__all__ = ["ImageShelf"]
