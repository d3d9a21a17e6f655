"""`run`: a server's life. Its parts are assembled, it listens, it drains when it is asked to stop, and it ends.

On SIGTERM or Ctrl+C readiness goes first, so that whoever sends work here stops; then the door is closed, what was
begun is finished, and the process ends with 0. A second signal ends it at once.
"""

import asyncio
import errno
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import uvicorn
from fastapi import FastAPI

from maskwright import __version__
from maskwright.core.errors import SettingError
from maskwright.serve.app import build_app, drain_sessions
from maskwright.serve.engine import LocalEngine
from maskwright.serve.engine_protocol import Engine
from maskwright.serve.guard import Guard
from maskwright.serve.http_protocol import http_protocol
from maskwright.serve.image_shelf import ImageShelf
from maskwright.serve.jobs import Jobs
from maskwright.serve.log_lines import logging_to
from maskwright.serve.meter import Meter
from maskwright.serve.open_files import allow_files
from maskwright.serve.service import Service
from maskwright.serve.settings import ServeSettings
from maskwright.serve.store_desk import StoreDesk
from maskwright.serve.tracing import start_tracing
from maskwright.serve.track_sessions import TrackSessions

Tell = Callable[[str], None]

# How long a server that is not ready any more still takes requests: who looks at readiness needs the time to look.
_GRACE_S = 0.5
# Connections may idle between requests; this many of them for each that may ask at a time.
_CONNECTIONS_PER_REQUEST = 4


def make_service(settings: ServeSettings) -> Service:
    """Assemble the parts. The engine loads nothing yet.

    Raises:
        SettingError: the host needs tokens, or the token file cannot be read.
        StoreError: the store is missing or cannot be opened.
    """
    guard = Guard(settings)
    meter = Meter(start_tracing())
    desk = None if settings.store is None else StoreDesk(settings, meter)
    engine = _engine(settings, meter)
    return Service(
        settings=settings,
        engine=engine,
        images=ImageShelf(settings, meter),
        guard=guard,
        meter=meter,
        jobs=Jobs(settings, engine, desk, meter),
        tracks=TrackSessions(settings, engine, meter),
        desk=desk,
    )


def _engine(settings: ServeSettings, meter: Meter) -> Engine:
    if settings.engine == "local":
        return LocalEngine(settings, meter)
    from maskwright.serve.ray_engine import RayEngine  # Ray is an extra

    return RayEngine(settings, meter)


def run(settings: ServeSettings, *, tell: Tell, begun: Tell | None = None) -> None:
    """Serve until a signal comes. `tell` is told where, once models are loaded.

    Where one person's program runs this server for itself, `begun` is told the address in place of the greeting, and
    of the log there are warnings alone.

    Raises:
        SettingError: the address is taken or is none of this machine's, or `make_service` says so.
        ModelError: a model cannot be loaded.
    """
    Guard(settings)  # what is wrong with tokens is told before an address is taken
    allow_files(_CONNECTIONS_PER_REQUEST * settings.max_connections)
    with _free_listener(settings) as listener, logging_to(warnings_only=begun is not None):
        service = make_service(settings)
        server = _Server(_config(settings, build_app(service)))
        try:
            with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
                runner.run(_serve(server, service, listener, _Told(tell=tell, begun=begun)))
        finally:
            if service.meter.tracing is not None:
                service.meter.tracing.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """Who is told that all is ready."""

    tell: Tell
    begun: Tell | None

    def ready(self, service: Service, listener: socket.socket) -> None:
        if self.begun is None:
            self.tell(_greeting(service, listener))
        else:
            self.begun(_address(service, listener))


async def _serve(server: "_Server", service: Service, listener: socket.socket, told: _Told) -> None:
    serving = asyncio.create_task(server.serve([listener]))
    try:
        await _attend(server, service, listener, told)
    finally:
        server.should_exit = True
        await serving


async def _attend(server: "_Server", service: Service, listener: socket.socket, told: _Told) -> None:
    """Wait for models, then for a signal, then for sessions to end."""
    await server.begun.wait()
    app: FastAPI = server.config.app  # pyrefly: ignore[bad-assignment]
    asked = asyncio.create_task(server.asked.wait())
    await asyncio.wait({app.state.starting, asked}, return_when=asyncio.FIRST_COMPLETED)
    rpc: Any = None
    if not asked.done():
        await app.state.starting
        rpc = await _start_grpc(service)
        told.ready(service, listener)
        await asked
    app.state.is_draining = True
    await asyncio.sleep(_GRACE_S)
    server.should_exit = True
    seconds = service.settings.drain_s
    await asyncio.gather(drain_sessions(service), *([] if rpc is None else [rpc.stop(seconds)]))


async def _start_grpc(service: Service) -> Any:
    if service.settings.grpc_port is None:
        return None
    from maskwright.serve.grpc_server import start_grpc  # gRPC is an extra

    return await start_grpc(service)


def _greeting(service: Service, listener: socket.socket) -> str:
    settings, status, address = service.settings, service.engine.status(), _address(service, listener)
    store = "" if settings.store is None else f", store {settings.store}"
    rpc = "" if settings.grpc_port is None else f", gRPC on port {settings.grpc_port}"
    tokens = (
        f"tokens: {settings.token_file}"
        if service.guard.needs_tokens
        else "no token is needed: it listens to this machine only"
    )
    return (
        f"maskwright {__version__} serves {', '.join(status.models)} on {', '.join(status.devices)}{store}: {address}"
        f"{rpc}\n{tokens}. What it answers: {address}/docs. Ctrl+C stops it"
    )


def _address(service: Service, listener: socket.socket) -> str:
    host, port = service.settings.host.strip("[]"), listener.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _config(settings: ServeSettings, app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=http_protocol(_CONNECTIONS_PER_REQUEST * settings.max_connections),
        # Messages of a socket wait in memory: few, since each may be as long as a body.
        ws_max_size=settings.max_body_bytes,
        ws_max_queue=2,
        ws_per_message_deflate=False,  # pictures are compressed already
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # nobody's word is taken for where a request came from
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=max(1, round(settings.drain_s)),
    )


class _Server(uvicorn.Server):
    """uvicorn's server, which tells when it has begun and when it was asked to stop, and ends with 0."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.begun, self.asked = asyncio.Event(), asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin, and say so."""
        await super().startup(sockets)
        self.begun.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Listen for signals; unlike uvicorn's, do not send them to the process once more at the end."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {one: signal.signal(one, self.handle_exit) for one in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Drain at the first signal, end at the second."""
        if self.asked.is_set():
            self.force_exit = self.should_exit = True
            logging.getLogger("uvicorn.error").addFilter(_is_no_cut)  # what is cut off on request is no fault
        asyncio.get_running_loop().call_soon_threadsafe(self.asked.set)


def _is_no_cut(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, asyncio.CancelledError) and "CancelledError" not in record.getMessage()


def _free_listener(settings: ServeSettings) -> socket.socket:
    """Take the address before anything is loaded; where it is taken, one of the next ports if that is wished."""
    for port in range(settings.port, min(settings.port + settings.more_ports, 65535)):
        with suppress(_AddressTaken):
            return _listener(settings.host, port)
    return _listener(settings.host, min(settings.port + settings.more_ports, 65535))


class _AddressTaken(SettingError):
    """Another program listens there."""


def _listener(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, OverflowError) as error:
        raise SettingError(f"there is no such address on this machine ({error}): {host}:{port}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            taken = "another program listens there already. Take another --port"
            raise _AddressTaken(f"cannot listen ({taken}): {host}:{port}") from error
        raise SettingError(f"cannot listen ({error.strerror}): {host}:{port}") from error
    return listener


__all__ = ["make_service", "run"]
