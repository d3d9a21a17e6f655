"""`start_grpc`: the gRPC server beside REST, in the same event loop; with health and reflection.

Health (`grpc.health.v1`) says SERVING while the engine is ready and does not drain. Health, reflection and `Version`
need no token. Needs grpcio: the extra `maskwright[grpc]`.
"""

import asyncio
from typing import TYPE_CHECKING, Any

from maskwright.core.errors import SettingError
from maskwright.serve.service import Service

if TYPE_CHECKING:
    import grpc.aio

SERVICE = "maskwright.v1.Segmentation"
_LOOK_EVERY_S = 0.5
_ENVELOPE_BYTES = 1 << 20  # what a message has besides its picture
_MOST_STREAMS = 256  # of one connection
_following: set[asyncio.Task[None]] = set()  # the event loop alone would not keep them


async def start_grpc(service: Service) -> "grpc.aio.Server":
    """Listen on the settings' host and gRPC port. `await server.stop(grace)` lets calls end within `grace` seconds.

    Raises:
        SettingError: grpcio is not installed, no port was set, or the port is taken.
    """
    server, _ = await start_grpc_on(service)
    return server


async def start_grpc_on(service: Service) -> "tuple[grpc.aio.Server, int]":
    """Start as `start_grpc` does, and tell the port: the settings' own, or a free one where that is 0."""
    try:
        import grpc.aio
        from grpc_health.v1 import health, health_pb2_grpc
        from grpc_reflection.v1alpha import reflection
    except ImportError as error:
        raise SettingError(
            f"--grpc-port needs {error.name}, which is not installed: pip install 'maskwright[grpc]'"
        ) from error
    from maskwright.serve.grpc_generated import maskwright_pb2_grpc
    from maskwright.serve.grpc_segmentation import Segmentation

    settings = service.settings
    if settings.grpc_port is None:
        raise SettingError("a gRPC server needs a port: --grpc-port 8081")
    server = grpc.aio.server(options=_options(service), maximum_concurrent_rpcs=settings.max_connections)
    segmentation = Segmentation(service)
    maskwright_pb2_grpc.add_SegmentationServicer_to_server(segmentation, server)
    servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    port = _listen(server, settings.host, settings.grpc_port)
    await _tell_health(servicer, service)
    await server.start()
    following = asyncio.create_task(_follow(server, segmentation, servicer, service), name="health of gRPC")
    _following.add(following)
    following.add_done_callback(_following.discard)
    return server, port


async def _follow(server: "grpc.aio.Server", segmentation: Any, servicer: Any, service: Service) -> None:
    """Tell health what the engine is at, and streams when the server begins to stop."""
    while await server.wait_for_termination(_LOOK_EVERY_S):  # true: it still runs
        await _tell_health(servicer, service)
        if service.tracks.is_draining:
            segmentation.finish()


async def _tell_health(servicer: Any, service: Service) -> None:
    from grpc_health.v1.health_pb2 import HealthCheckResponse

    status = service.engine.status()
    is_serving = status.is_ready and not status.is_draining and not service.tracks.is_draining
    for name in ("", SERVICE):
        await servicer.set(name, HealthCheckResponse.SERVING if is_serving else HealthCheckResponse.NOT_SERVING)


def _listen(server: "grpc.aio.Server", host: str, port: int) -> int:
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        return server.add_insecure_port(where)
    except RuntimeError as error:
        raise SettingError(f"the gRPC port cannot be had; is another server there? {where}") from error


def _options(service: Service) -> list[tuple[str, int]]:
    most = service.settings.max_body_bytes + _ENVELOPE_BYTES
    return [
        ("grpc.max_receive_message_length", most),
        ("grpc.max_send_message_length", -1),  # what is sent is our own, and bounded by what was asked
        ("grpc.so_reuseport", 0),  # two servers on one port would each get some of the calls
        # A client whose machine is gone is noticed within a minute; clients may ask as often themselves.
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ("grpc.http2.max_ping_strikes", 5),
        ("grpc.max_concurrent_streams", _MOST_STREAMS),
        ("grpc.max_metadata_size", 16 << 10),
    ]


__all__ = ["SERVICE", "start_grpc", "start_grpc_on"]
