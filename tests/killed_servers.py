"""A server process that is killed: the real application over a real store, on a port of this machine."""

import asyncio

import uvicorn

from maskwright.serve.app import build_app
from store_rest import store_service


def serve(path, tell, gate_is_open=True):
    """Serve until killed, and tell on which port."""
    service = store_service(path)
    if not gate_is_open:
        service.engine.gate.clear()
    server = uvicorn.Server(uvicorn.Config(build_app(service), host="127.0.0.1", port=0, log_config=None))

    async def run():
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        tell.send(server.servers[0].sockets[0].getsockname()[1])
        await serving

    asyncio.run(run())
