"""The embedding cache: features by (image digest, checkpoint, precision), in memory and on disk, both bounded in bytes.

Memory keeps the most recently used. Disk keeps one safetensors file an embedding, written to a temporary name and
renamed, with a checksum inside: a torn or altered file is deleted and encoded again, never used. Several processes may
share a directory. Everything here can be deleted at any time.
"""

import contextlib
import hashlib
import json
import logging
import os
import threading
import uuid
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from maskwright.core import ModelRef
from maskwright.core.errors import SettingError
from maskwright.models.protocol import Features

_log = logging.getLogger(__name__)

_LAYOUT = 2  # of what models put into `Features`; what was kept by another is not found again


@dataclass(frozen=True, slots=True)
class EmbeddingKey:
    """What an embedding depends on, and nothing else."""

    image_digest: str
    checkpoint_sha256: str
    precision: str

    @classmethod
    def of(cls, image_digest: str, model: ModelRef) -> "EmbeddingKey":
        """Name the embedding of an image by a model. Weights without a file are named by the model."""
        return cls(image_digest, model.checkpoint_sha256 or f"unsaved-{model.name}", model.precision)

    @property
    def filename(self) -> str:
        """A name that no other key has."""
        text = f"{self.image_digest}/{self.checkpoint_sha256}/{self.precision}/{_LAYOUT}"
        return hashlib.sha256(text.encode()).hexdigest() + ".safetensors"


class EmbeddingCache:
    """Bounded least-recently-used cache. `directory` None keeps it in memory only; a bound of 0 turns that level off.

    A memory level holds tensors on the device they were made on. Thread-safe.
    """

    def __init__(
        self, *, memory_bytes: int = 1 << 30, directory: Path | str | None = None, disk_bytes: int = 10 << 30
    ) -> None:
        for name, value in (("memory_bytes", memory_bytes), ("disk_bytes", disk_bytes)):
            if value < 0:
                raise SettingError(f"{name} must not be negative, got {value}. Use 0 to turn that level off.")
        self._memory: OrderedDict[EmbeddingKey, Features] = OrderedDict()
        self._memory_bytes = memory_bytes
        self._used_bytes = 0
        self._lock = threading.Lock()
        self._disk = _DiskLevel(Path(directory), disk_bytes) if directory is not None and disk_bytes else None

    def get(self, key: EmbeddingKey, device: torch.device | str = "cpu") -> Features | None:
        """Find features, on `device`; None where they are not kept."""
        with self._lock:
            found = self._memory.get(key)
            if found is not None:
                self._memory.move_to_end(key)
        if found is None and self._disk is not None:
            found = self._disk.get(key)
            if found is not None:
                self._remember(key, found)
        return None if found is None else found.to(device)

    def put(self, key: EmbeddingKey, features: Features) -> None:
        """Keep features. A disk that cannot be written is a warning: the work goes on without it."""
        self._remember(key, features)
        if self._disk is not None:
            self._disk.put(key, features)

    def clear(self) -> None:
        """Forget everything, on disk too."""
        with self._lock:
            self._memory.clear()
            self._used_bytes = 0
        if self._disk is not None:
            self._disk.clear()

    @property
    def used_bytes(self) -> int:
        """Bytes of the features held in memory."""
        return self._used_bytes

    def _remember(self, key: EmbeddingKey, features: Features) -> None:
        size = _num_bytes(features)
        if size > self._memory_bytes:
            return
        with self._lock:
            if key in self._memory:
                self._used_bytes -= _num_bytes(self._memory.pop(key))
            # A slice of a batch would keep the whole batch alive.
            self._memory[key] = _own_memory(features)
            self._used_bytes += size
            while self._used_bytes > self._memory_bytes:
                _, dropped = self._memory.popitem(last=False)
                self._used_bytes -= _num_bytes(dropped)


class _DiskLevel:
    def __init__(self, directory: Path, max_bytes: int) -> None:
        self.directory = directory
        self.max_bytes = max_bytes
        self._written_bytes: int | None = None  # counted at the first write

    def get(self, key: EmbeddingKey) -> Features | None:
        path = self.directory / key.filename
        try:
            with safe_open(path, framework="pt") as file:
                tensors = [file.get_tensor(name) for name in sorted(file.keys())]
                checksum = (file.metadata() or {}).get("checksum")
        except FileNotFoundError:
            return None
        except (SafetensorError, OSError, ValueError) as error:
            return self._drop(path, str(error))
        if checksum != _checksum(tensors):
            return self._drop(path, "its checksum does not match")
        with contextlib.suppress(OSError):
            os.utime(path)  # its age orders what is dropped first
        return Features(image_embedding=tensors[0], extra=tuple(tensors[1:]))

    def put(self, key: EmbeddingKey, features: Features) -> None:
        tensors = [features.image_embedding, *features.extra]
        tensors = [tensor.detach().cpu().contiguous() for tensor in tensors]
        metadata = {"checksum": _checksum(tensors), "key": json.dumps([key.image_digest, key.checkpoint_sha256])}
        temporary = self.directory / f".{uuid.uuid4().hex}.part"
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            save_file({f"{i:02d}": tensor for i, tensor in enumerate(tensors)}, temporary, metadata)
            size = temporary.stat().st_size
            temporary.replace(self.directory / key.filename)
            self._make_room(size)
        except (OSError, SafetensorError) as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            _log.warning("embedding not kept on disk (%s): %s", error, self.directory)

    def clear(self) -> None:
        for path in self.directory.glob("*.safetensors"):
            path.unlink(missing_ok=True)
        self._written_bytes = None

    def _make_room(self, added_bytes: int) -> None:
        if self._written_bytes is not None:
            self._written_bytes += added_bytes
            if self._written_bytes <= self.max_bytes:
                return
        files = []
        for path in self.directory.glob("*.safetensors"):
            with contextlib.suppress(FileNotFoundError):  # another process may be making room as well
                files.append((path.stat().st_mtime_ns, path.stat().st_size, path))
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= self.max_bytes:
                break
            path.unlink(missing_ok=True)
            total -= size
        self._written_bytes = total

    def _drop(self, path: Path, why: str) -> None:
        _log.warning("a cached embedding is damaged (%s); encoding again: %s", why, path)
        with contextlib.suppress(OSError):
            path.unlink()


def _num_bytes(features: Features) -> int:
    return sum(x.numel() * x.element_size() for x in (features.image_embedding, *features.extra))


def _own_memory(features: Features) -> Features:
    def own(x: Tensor) -> Tensor:
        return x if x.untyped_storage().nbytes() == x.numel() * x.element_size() else x.clone()

    return Features(image_embedding=own(features.image_embedding), extra=tuple(own(x) for x in features.extra))


def _checksum(tensors: list[Tensor]) -> str:
    hasher = hashlib.blake2b(digest_size=16)
    for tensor in tensors:
        hasher.update(tensor.view(torch.uint8).numpy().data if tensor.numel() else b"")
    return hasher.hexdigest()


__all__ = ["EmbeddingCache", "EmbeddingKey"]
