"""A server with a store for tests: real store, real application, the simplest engine."""

import asyncio
from contextlib import asynccontextmanager

from direct_engine import DirectEngine
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
