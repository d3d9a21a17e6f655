"""A service for tests of REST, called through ASGI without a socket."""

import io
from contextlib import asynccontextmanager

import httpx
import numpy as np
from PIL import Image as PillowImage

from direct_engine import DirectEngine
from maskwright.serve.app import build_app
from maskwright.serve.guard import Guard
from maskwright.serve.image_shelf import ImageShelf
from maskwright.serve.meter import Meter
from maskwright.serve.service import Service
from maskwright.serve.settings import ServeSettings

AT_HOME = "http://127.0.0.1:8080"


class Nothing:
    async def drain(self, timeout_s):
        pass


def service_of(engine=DirectEngine, **settings):
    """Parts of a server on test-sam; `engine` LocalEngine for the real one, whose cache wants a folder of its own."""
    settings = ServeSettings(**{"models": ("test-sam",), **settings})
    meter = Meter()
    return Service(
        settings=settings,
        engine=DirectEngine() if engine is DirectEngine else engine(settings, meter),
        images=ImageShelf(settings, meter),
        guard=Guard(settings),
        meter=meter,
        jobs=Nothing(),
        tracks=Nothing(),
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
