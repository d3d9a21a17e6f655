"""`Service`: the parts of a running server in one value, which routes and gRPC servicers are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maskwright.serve.engine_protocol import Engine
    from maskwright.serve.guard import Guard
    from maskwright.serve.image_shelf import ImageShelf
    from maskwright.serve.jobs import Jobs
    from maskwright.serve.meter import Meter
    from maskwright.serve.settings import ServeSettings
    from maskwright.serve.store_desk import StoreDesk
    from maskwright.serve.track_sessions import TrackSessions


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What a server consists of. `desk` None: it has no store."""

    settings: ServeSettings
    engine: Engine
    images: ImageShelf
    guard: Guard
    meter: Meter
    jobs: Jobs
    tracks: TrackSessions
    desk: StoreDesk | None = None


__all__ = ["Service"]
