"""What a server counts, for Prometheus: every part is given the one `Meter` and tells it what happened."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_BATCHES = (1, 2, 4, 8, 16, 32, 64)


class Meter:
    """Counters, gauges and histograms of one server, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "maskwright_requests", "Requests by route and status", ["route", "status"], registry=self.registry
        )
        self.latency = Histogram(
            "maskwright_request_seconds", "Time to answer", ["route"], buckets=_SECONDS, registry=self.registry
        )
        self.stage = Histogram(
            "maskwright_stage_seconds",
            "Time in a stage: queue, encode, decode, draw, everything, track, store, upload",
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

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Measure a stage."""
        began = perf_counter()
        try:
            yield
        finally:
            self.stage.labels(stage).observe(perf_counter() - began)

    def text(self) -> bytes:
        """Everything in Prometheus's text format."""
        return generate_latest(self.registry)


__all__ = ["Meter"]
