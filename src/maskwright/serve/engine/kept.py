"""`KeptEmbeddings`: the shared embedding cache as an event loop wants it: memory at once, the disk on threads aside.

The same files as the command line's cache, so that what was encoded there is not encoded again here. Writing happens
behind the answers; where the disk is slower than the encoder, some embeddings stay in memory only.
"""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from maskwright.models.protocol import Features
from maskwright.nn.threads import on_one_thread
from maskwright.predict import EmbeddingCache, EmbeddingKey

_MOST_UNWRITTEN = 32


class KeptEmbeddings:
    """Embeddings in memory and on disk. `directory` None keeps them in memory only."""

    def __init__(self, *, memory_bytes: int, directory: Path | None, disk_bytes: int) -> None:
        self._memory = EmbeddingCache(memory_bytes=memory_bytes)
        has_disk = directory is not None and disk_bytes > 0
        self._disk = EmbeddingCache(memory_bytes=0, directory=directory, disk_bytes=disk_bytes) if has_disk else None
        # Whoever wants to read does not wait until everything is written.
        self._reading = ThreadPoolExecutor(2, thread_name_prefix="embeddings", initializer=on_one_thread)
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="embeddings", initializer=on_one_thread)
        self._unwritten = threading.BoundedSemaphore(_MOST_UNWRITTEN)

    def at_hand(self, key: EmbeddingKey, device: torch.device) -> Features | None:
        """Find features in memory."""
        return self._memory.get(key, device)

    async def find(self, key: EmbeddingKey, device: torch.device) -> Features | None:
        """Find features on disk, and keep them in memory from now on."""
        if self._disk is None:
            return None
        found = await asyncio.get_running_loop().run_in_executor(self._reading, self._disk.get, key, device)
        if found is not None:
            self._memory.put(key, found)
        return found

    def keep(self, key: EmbeddingKey, features: Features) -> None:
        """Keep features, on disk a little later. From any thread."""
        self._memory.put(key, features)
        if self._disk is None or not self._unwritten.acquire(blocking=False):
            return
        self._writing.submit(self._write, self._disk, key, features)

    def close(self) -> None:
        """Write what is still to be written."""
        self._reading.shutdown(wait=True)
        self._writing.shutdown(wait=True)

    def _write(self, disk: EmbeddingCache, key: EmbeddingKey, features: Features) -> None:
        try:
            disk.put(key, features)
        finally:
            self._unwritten.release()


__all__ = ["KeptEmbeddings"]
