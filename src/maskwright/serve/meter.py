"""What a server counts, for Prometheus: every part is given the one `Meter` and tells it what happened.

Where requests are traced, what a stage took becomes a span of the requests that it was for as well.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from maskwright import __version__
from maskwright.serve.request_context import RequestContext, current_request

if TYPE_CHECKING:
    from maskwright.serve.tracing import Tracing

STAGES = ("queue", "encode", "decode", "draw", "everything", "track", "store", "upload", "remote")

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_BATCHES = (1, 2, 4, 8, 16, 32, 64)

disable_created_metrics()  # when each series began: it doubles them, and nobody asks


class Meter:
    """Counters, gauges and histograms of one server, in a registry of its own. `tracing` None: spans of nothing."""

    def __init__(self, tracing: "Tracing | None" = None) -> None:
        self.tracing = tracing
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)  # memory, files and time of the process, where the system tells them
        Gauge("maskwright_info", "What runs here", ["version"], registry=self.registry).labels(__version__).set(1)
        self.requests = Counter(
            "maskwright_requests", "Requests by route and status", ["route", "status"], registry=self.registry
        )
        self.latency = Histogram(
            "maskwright_request_seconds", "Time to answer", ["route"], buckets=_SECONDS, registry=self.registry
        )
        self.stage = Histogram(
            "maskwright_stage_seconds",
            f"Time in a stage: {', '.join(STAGES)}",
            ["stage"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.batch = Histogram(
            "maskwright_batch_size",
            "Pieces of work that ran together",
            ["stage"],
            buckets=_BATCHES,
            registry=self.registry,
        )
        self.queued = Gauge("maskwright_queued", "Pieces of work that wait", ["priority"], registry=self.registry)
        self.refused = Counter(
            "maskwright_refused", "Requests that were refused, by why", ["why"], registry=self.registry
        )
        self.cache = Counter(
            "maskwright_cache",
            "Looks into a cache: embedding, image; hit, miss",
            ["cache", "found"],
            registry=self.registry,
        )
        self.sessions = Gauge(
            "maskwright_sessions", "Open sessions: track, stream, job", ["kind"], registry=self.registry
        )
        self.gpu_bytes = Gauge("maskwright_gpu_bytes", "GPU memory in use", ["device"], registry=self.registry)
        for stage in STAGES:  # so that they are there before anything happens, and rates have a beginning
            self.stage.labels(stage)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Measure a stage of the request that is being worked on here."""
        began = perf_counter()
        try:
            yield
        finally:
            self.took(stage, perf_counter() - began, (current_request(),))

    @contextmanager
    def traced(self, stage: str) -> Iterator[None]:
        """Make a span of a stage that another part counts, because it is done for several requests at once."""
        began, request = perf_counter(), current_request()
        try:
            yield
        finally:
            if self.tracing is not None and request is not None:
                self.tracing.stage(stage, perf_counter() - began, (request.span,))

    def took(self, stage: str, seconds: float, requests: Iterable[RequestContext | None], *, pieces: int = 1) -> None:
        """Count a stage that has just ended; `pieces` of these requests ran in it together."""
        self.stage.labels(stage).observe(seconds)
        if self.tracing is not None:
            spans = [request.span for request in requests if request is not None]
            self.tracing.stage(stage, seconds, spans, together=pieces)

    def text(self) -> bytes:
        """Everything in Prometheus's text format."""
        return generate_latest(self.registry)


__all__ = ["STAGES", "Meter"]
