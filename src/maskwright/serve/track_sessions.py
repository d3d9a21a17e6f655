"""`TrackSessions`: the track sessions of a server: whose they are, how many there may be, and how they end.

A session ends when its client says so, when no frame has come for a while, and when the server stops. It belongs to the
name of the token that opened it; to others it is not there.
"""

import asyncio

import anyio

from maskwright.core import new_id
from maskwright.core.errors import Cancelled, ServerStopping, TooManyRequests, UnknownJob, UnknownModel
from maskwright.models import find_card
from maskwright.serve.engine_protocol import Engine
from maskwright.serve.meter import Meter
from maskwright.serve.settings import ServeSettings
from maskwright.serve.track_session import TrackSession
from maskwright.serve.track_values import TrackInfo, TrackLimits, TrackOptions
from maskwright.serve.values import Caller

# Decoding holds a picture's pixels: more at once costs memory and gains nothing while one engine follows them all.
_MOST_DECODED_AT_ONCE = 4


class TrackSessions:
    """Opens, finds and ends sessions. Used on the server's event loop."""

    def __init__(
        self, settings: ServeSettings, engine: Engine, meter: Meter, *, limits: TrackLimits | None = None
    ) -> None:
        self.limits = limits or _limits_of(settings)
        self._most, self._names = settings.max_tracks, settings.models
        self._engine, self._meter = engine, meter
        self._decoders = anyio.CapacityLimiter(_MOST_DECODED_AT_ONCE)
        self._open: dict[str, TrackSession] = {}
        self.is_draining = False

    async def open(self, options: TrackOptions, caller: Caller) -> TrackSession:
        """Open a session; it costs nothing until a frame comes.

        Raises:
            SettingError: an option has no such value.
            UnknownModel: the model is not served here.
            TooManyRequests: there are as many sessions as there may be.
            ServerStopping: the server takes none any more, or none yet.
        """
        status = self._engine.status()
        if self.is_draining or status.is_draining or not status.is_ready:
            raise ServerStopping("the server opens no track session now: it stops, or has not begun")
        if options.model is not None and not self._is_served(options.model, status.models):
            raise UnknownModel(f"no model {options.model!r} is served here; there are: {', '.join(status.models)}")
        if len(self._open) >= self._most:
            self._meter.refused.labels("tracks").inc()
            raise TooManyRequests(
                f"{self._most} track sessions are open, as many as may be; one that is idle ends after "
                f"{self.limits.idle_s:g} seconds",
                retry_after_s=min(self.limits.idle_s, 5.0),
            )
        session = TrackSession(
            new_id(),
            caller.name,
            options,
            limits=self.limits,
            engine=self._engine,
            meter=self._meter,
            decoders=self._decoders,
        )
        self._open[session.id] = session
        self._meter.sessions.labels("track").inc()
        session.start(self._let_go)
        return session

    def get(self, session_id: str, caller: Caller) -> TrackSession:
        """Find a session of the caller; an admin finds anybody's.

        Raises:
            UnknownJob: there is none.
        """
        session = self._open.get(session_id)
        if session is None or (session.owner != caller.name and not caller.may("admin")):
            raise UnknownJob(
                f"there is no track session {session_id[:64]!r} (any more); they end when they are closed and after "
                f"{self.limits.idle_s:g} seconds without a frame. Open another one"
            )
        return session

    def list_of(self, caller: Caller) -> list[TrackInfo]:
        """List the caller's sessions; an admin sees all."""
        mine = (one for one in self._open.values() if one.owner == caller.name or caller.may("admin"))
        return [one.info() for one in mine]

    async def close(self, session_id: str, caller: Caller) -> TrackInfo:
        """End a session now and tell what it was at.

        Raises:
            UnknownJob: there is none.
        """
        session = self.get(session_id, caller)
        info = session.info()
        await session.close(Cancelled("the track session was closed"))
        return info

    async def drain(self, timeout_s: float) -> None:
        """Open no more; let frames that wait be followed as long as there is time, then end every session."""
        self.is_draining = True
        why = ServerStopping("the server is stopping, and with it the track session. Open another one when it runs")
        finishing = [asyncio.create_task(session.finish(why)) for session in self._open.values()]
        if finishing:
            await asyncio.wait(finishing, timeout=timeout_s)
        await asyncio.gather(*(session.close(why) for session in list(self._open.values())), *finishing)

    def __len__(self) -> int:
        """How many are open."""
        return len(self._open)

    def _is_served(self, name: str, served: tuple[str, ...]) -> bool:
        if name in served or name in self._names:
            return True
        try:
            return find_card(name).name in served  # an alias
        except UnknownModel:
            return False

    def _let_go(self, session: TrackSession) -> None:
        if self._open.pop(session.id, None) is not None:
            self._meter.sessions.labels("track").dec()


def _limits_of(settings: ServeSettings) -> TrackLimits:
    return TrackLimits(
        most_frames=settings.max_track_frames,
        most_tracks=settings.max_prompts,
        most_pixels=settings.max_pixels,
        most_waiting_bytes=settings.max_body_bytes,
        idle_s=settings.track_idle_s,
        deadline_s=settings.deadline_s,
    )


__all__ = ["TrackSessions"]
