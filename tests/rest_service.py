"""A service for tests of REST, called through ASGI without a socket."""

import io
import threading
import time
from contextlib import asynccontextmanager, contextmanager

import httpx
import numpy as np
import uvicorn
from PIL import Image as PillowImage

from direct_engine import DirectEngine
from maskwright.serve.app import build_app
from maskwright.serve.guard import Guard
from maskwright.serve.http_protocol import http_protocol
from maskwright.serve.image_shelf import ImageShelf
from maskwright.serve.jobs import Jobs
from maskwright.serve.meter import Meter
from maskwright.serve.service import Service
from maskwright.serve.settings import ServeSettings
from maskwright.serve.store_desk import StoreDesk
from maskwright.serve.track_sessions import TrackSessions

AT_HOME = "http://127.0.0.1:8080"


class Nothing:
    """In place of a part that a test does without."""

    async def drain(self, timeout_s):
        pass


def service_of(engine=DirectEngine, **settings):
    """Parts of a server on test-sam; `engine` LocalEngine for the real one, whose cache wants a folder of its own."""
    settings = ServeSettings(**{"models": ("test-sam",), **settings})
    meter = Meter()
    made = DirectEngine() if engine is DirectEngine else engine(settings, meter)
    desk = None if settings.store is None else StoreDesk(settings, meter)
    return Service(
        settings=settings,
        engine=made,
        images=ImageShelf(settings, meter),
        desk=desk,
        guard=Guard(settings),
        meter=meter,
        jobs=Jobs(settings, made, desk, meter),
        tracks=TrackSessions(settings, made, meter),
    )


@asynccontextmanager
async def client_of(service, *, base_url=AT_HOME, **options):
    """A client of the application, which has been started."""
    app = build_app(service)
    async with app.router.lifespan_context(app):
        await app.state.starting
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=base_url, **options) as client:
            yield client


def picture(height=48, width=64, seed=0, form="PNG"):
    """A picture's file."""
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    PillowImage.fromarray(pixels).save(file, form)
    return file.getvalue()


def click(x=20, y=20):
    return {"kind": "PointPrompt", "points_xy": [[x, y]]}


@contextmanager
def listening(app):
    """The application behind a socket, in a thread; the value is its address."""
    config = uvicorn.Config(app, port=0, lifespan="on", log_config=None, http=http_protocol(1000))
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started or not app.state.starting.done():
            assert thread.is_alive()
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
