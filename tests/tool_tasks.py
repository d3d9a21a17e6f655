"""What tests of other tools' routes share: a real model behind a service, its example picture, and a Label Studio."""

import base64
import threading
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import maskwright as mw
from direct_engine import DirectEngine
from maskwright.masks import decode, from_coco
from rest_service import client_of, service_of

ON_MUG, ON_TABLE, BOX = (235, 290), (20, 20), (79, 221, 330, 453)


@cache
def model():
    return mw.load_model("tiny")


@cache
def example():
    """The example picture's file, and its size."""
    image = mw.read_image(mw.example_path())
    with open(mw.example_path(), "rb") as file:
        return file.read(), image.size_hw


def example_base64():
    return base64.b64encode(example()[0]).decode()


class OnceEncoding(DirectEngine):
    """Encodes a picture once for all tests; goes by another model's name."""

    embeddings: ClassVar = {}

    async def segment(self, image, segment, work):
        def answer():
            if image.digest not in self.embeddings:
                self.embeddings[image.digest] = mw.embed(self.model, image)
            embedding = self.embeddings[image.digest]
            return mw.to_records(mw.predict(self.model, embedding, list(segment.prompts)))

        return await self._call(answer, work)


def tool_service(**settings):
    """A service on tiny."""
    return service_of(lambda settings, meter: OnceEncoding(model()), **settings)


@asynccontextmanager
async def tool_client(**settings):
    async with client_of(tool_service(**settings)) as client:
        yield client


async def mask_by_rest(client, *prompts):
    """What POST /v1/segment answers for one object, as bool HW."""
    digest = (await client.post("/v1/images", content=example()[0])).json()["digest"]
    prompt = prompts[0] if len(prompts) == 1 else {"kind": "CombinedPrompt", "parts": list(prompts)}
    answer = await client.post("/v1/segment", json={"image": digest, "prompts": [prompt]})
    rle = answer.json()["masks"][0]["record"]["rle"]
    return decode(from_coco({"size": rle["size_hw"], "counts": rle["counts"]}))


def points(*xy, labels=None):
    return {"kind": "PointPrompt", "points_xy": [list(map(float, one)) for one in xy], "labels": labels}


def box(xyxy):
    return {"kind": "BoxPrompt", "box_xyxy": list(map(float, xyxy))}


class FakeSite:
    """A site that answers what it is told to; `asked` has the path and Authorization of each request."""

    def __init__(self):
        self.asked = []
        self.pages = {}
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self._answer()

            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self._answer()

            def _answer(self):
                site.asked.append((self.path, self.headers.get("Authorization")))
                status, headers, content = site.pages.get(self.path, (404, {}, b""))
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *words):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.host}"

    @contextmanager
    def open(self):
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()
