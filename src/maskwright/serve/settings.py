"""How a server is run, as one value. The command line fills it in; its defaults are the defaults of the options."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

_MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeSettings:
    """Addresses, limits and bounds. `store` None serves the model alone; `token_file` None asks for no token."""

    store: Path | None = None
    models: tuple[str, ...] = ("tiny",)
    device: str | None = None
    precision: str | None = None
    backend: str | None = None
    host: str = "127.0.0.1"
    port: int = 8080
    # So many ports after it are tried where it is taken.
    more_ports: int = 0
    grpc_port: int | None = None
    token_file: Path | None = None
    # Who everybody is where no token is needed.
    local_name: str = "local"
    # Origins of pages that may call from a browser, besides the server's own.
    origins: tuple[str, ...] = ()
    max_body_bytes: int = 64 * _MIB
    max_pixels: int = 64_000_000
    max_prompts: int = 256
    max_track_frames: int = 100_000
    max_tracks: int = 16  # sessions at a time
    track_idle_s: float = 120.0  # a session ends when no frame has come for so long
    max_connections: int = 512
    # Requests that may wait, of all clients together and of one.
    max_queued: int = 256
    max_queued_per_client: int = 64
    deadline_s: float = 30.0
    drain_s: float = 20.0
    # Requests a second that a token may make on average, and at once.
    rate_per_s: float = 50.0
    burst: int = 100
    # Where Label Studio is, and from which other hosts its pictures may be fetched: HOST or HOST:PORT.
    label_studio_url: str | None = None
    picture_hosts: tuple[str, ...] = ()
    # Pictures that clients sent: bytes of pixels in memory, bytes of files on disk.
    image_memory_bytes: int = 512 * _MIB
    image_disk_bytes: int = 4096 * _MIB
    embedding_memory_bytes: int = 1024 * _MIB
    # 1 turns batching off: every piece of work runs alone, one at a time.
    max_batch: int = 32
    # local, or ray: then a cluster's address (None begins one here) and how many workers (None: one a GPU).
    engine: Literal["local", "ray"] = "local"
    ray_address: str | None = None
    ray_workers: int | None = None


__all__ = ["ServeSettings"]
