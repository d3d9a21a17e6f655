"""A server with a store for tests: real store, real application, the simplest engine."""

import asyncio
import json
import threading
import time
from contextlib import asynccontextmanager, contextmanager

import uvicorn

from direct_engine import DirectEngine
from maskwright.serve.app import build_app
from maskwright.serve.guard import Guard
from maskwright.serve.image_shelf import ImageShelf
from maskwright.serve.jobs import Jobs
from maskwright.serve.meter import Meter
from maskwright.serve.service import Service
from maskwright.serve.settings import ServeSettings
from maskwright.serve.store_desk import StoreDesk
from maskwright.serve.values import Caller
from rest_service import Nothing, client_of

ANN = Caller(name="ann", scope="annotate", request_id="1")
BOB = Caller(name="bob", scope="annotate", request_id="2")
ADMIN = Caller(name="root", scope="admin", request_id="3")


def settings_of(path, **changes):
    return ServeSettings(store=path, models=("test-sam",), rate_per_s=1e6, burst=1_000_000, **changes)


def store_service(path, *, engine=None, guard=None, **changes):
    settings = settings_of(path, **changes)
    meter, engine = Meter(), engine or DirectEngine()
    desk = StoreDesk(settings, meter)
    return Service(
        settings=settings,
        engine=engine,
        images=ImageShelf(settings, meter),
        guard=guard or Guard(settings),
        meter=meter,
        jobs=Jobs(settings, engine, desk, meter),
        tracks=Nothing(),
        desk=desk,
    )


class Believing:
    """A guard that takes everybody's word: the header Authorization is Bearer NAME:SCOPE."""

    needs_tokens = True

    def admit(self, authorization, request_id):
        name, _, scope = (authorization or "Bearer root:admin").removeprefix("Bearer ").partition(":")
        return Caller(name=name, scope=scope or "annotate", request_id=request_id)


def by(caller):
    """The header of a caller."""
    return {"Authorization": f"Bearer {caller.name}:{caller.scope}"}


@asynccontextmanager
async def store_client(path, **changes):
    """A client of a server with the store at `path`, and the service behind it."""
    service = store_service(path, **{"guard": Believing(), **changes})
    async with client_of(service) as client:
        yield client, service


def run(coroutine):
    return asyncio.run(coroutine)


@contextmanager
def serving(service):
    """Serve on a port of this machine in a thread, for what has to be read while it comes; give its address."""
    config = uvicorn.Config(build_app(service), host="127.0.0.1", port=0, log_config=None, lifespan="on")
    config.timeout_graceful_shutdown = 5
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
    assert not thread.is_alive()


def messages_of(response, count):
    """Read so many server-sent events of a stream: (id, kind, content); None for a sign of life."""
    found, fields = [], {}
    for line in response.iter_lines():
        if line.startswith(":"):
            found.append(None)
        elif line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "data" in fields:
            found.append((fields.get("id"), fields["event"], json.loads(fields["data"])))
            fields = {}
        else:
            fields = {}
        if len(found) >= count:
            return found
    return found
