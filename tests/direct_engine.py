"""The simplest engine: one model, each piece of work in a thread at once. For tests of what stands before an engine."""

import asyncio
import threading

from maskwright.core.errors import Cancelled, TooManyRequests, UnknownModel
from maskwright.models import build_model
from maskwright.predict import embed, everything, predict, refine, to_records
from maskwright.serve.engine_protocol import EngineStatus


class DirectEngine:
    """Answers by calling `predict`; `gate` holds work back while it is cleared, `full_times` refuses the next runs."""

    def __init__(self, model=None):
        self.model = model or build_model("test-sam")
        self.gate = threading.Event()
        self.gate.set()
        self.full_times = 0
        self.works = []
        self.is_ready, self.is_draining = True, False
        self.num_running = self.num_cancelled = 0

    async def embed(self, image, work):
        await self._call(lambda: embed(self.model, image), work)
        return False

    async def segment(self, image, segment, work):
        def answer():
            embedding = embed(self.model, image)
            prompts = list(segment.prompts)
            batch = predict(self.model, embedding, prompts, num_masks=segment.num_masks, multimask=segment.multimask)
            if segment.refine_steps:
                batch = refine(self.model, embedding, prompts, steps=segment.refine_steps, previous=batch)
            return to_records(batch, labels=segment.labels, cleanup=segment.cleanup)

        return await self._call(answer, work)

    async def everything(self, image, settings, work):
        return await self._call(lambda: everything(self.model, image, settings=settings), work)

    async def run(self, function, work):
        if self.full_times:
            self.full_times -= 1
            raise TooManyRequests("the queue is full", retry_after_s=0.01)
        return await self._call(lambda: function(self.model), work)

    def is_embedded(self, image, model=None):
        return False

    def status(self):
        return EngineStatus(
            is_ready=self.is_ready, is_draining=self.is_draining, models=("test-sam",), devices=("cpu",)
        )

    async def start(self):
        pass

    async def drain(self, timeout_s):
        self.is_draining = True

    async def _call(self, function, work):
        self.works.append(work)
        if work.model not in (None, "test-sam"):
            raise UnknownModel(f"no model {work.model!r} is served here")
        is_over = threading.Event()

        def held():
            while not self.gate.wait(0.01):
                if is_over.is_set():
                    raise Cancelled("the run was cancelled")
            return function()

        self.num_running += 1
        try:
            return await asyncio.to_thread(held)
        except asyncio.CancelledError:
            self.num_cancelled += 1
            is_over.set()
            raise
        finally:
            self.num_running -= 1
