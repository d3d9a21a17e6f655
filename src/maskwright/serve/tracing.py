"""Spans for requests and their stages, through OpenTelemetry where it is installed and asked for.

It is asked for by MASKWRIGHT_TRACING=1 or by OTEL_EXPORTER_OTLP_ENDPOINT, which says where spans go; OTEL's other
variables (OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER, ...) mean what they always do. Without, nothing is imported and
nothing costs. A request that comes with `traceparent` (W3C) goes on with its caller's trace.
"""

import logging
import os
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from maskwright import __version__
from maskwright.core.errors import SettingError
from maskwright.core.settings import TRACING

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

_log = logging.getLogger(__name__)

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_NEED = "pip install 'maskwright[tracing]'"
_NANOSECONDS = 1_000_000_000


class Tracing:
    """Begins and ends spans. `provider` is OpenTelemetry's, with exporters in it."""

    def __init__(self, provider: "TracerProvider") -> None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer = provider.get_tracer("maskwright", __version__)
        self._carried = TraceContextTextMapPropagator()

    def begin(self, name: str, headers: Mapping[str, str]) -> "Span":
        """Begin the span of a request, under the one that its headers name."""
        from opentelemetry.trace import SpanKind

        carried = {name: headers[name] for name in ("traceparent", "tracestate") if name in headers}
        return self._tracer.start_span(name, self._carried.extract(carried), kind=SpanKind.SERVER)

    def end(self, span: Any, name: str, facts: Mapping[str, str | int], *, failed: bool) -> None:
        """End the span of a request, now that it is known what it was."""
        from opentelemetry.trace import StatusCode

        span.update_name(name)
        span.set_attributes(facts)
        if failed:
            span.set_status(StatusCode.ERROR)
        span.end()

    def stage(self, name: str, seconds: float, parents: Iterable[object | None], *, together: int = 1) -> None:
        """Add a stage that has just ended to the spans that it was for; `together` pieces ran in one."""
        from opentelemetry.trace import set_span_in_context

        end = time.time_ns()
        begin = end - round(seconds * _NANOSECONDS)
        for parent in parents:
            if parent is not None:
                under = set_span_in_context(cast("Span", parent))
                facts = {"maskwright.batch_size": together}
                self._tracer.start_span(name, under, start_time=begin, attributes=facts).end(end)

    def close(self) -> None:
        """Send what has not been sent."""
        self._provider.shutdown()


def trace_id_of(span: Any) -> str | None:
    """The trace that a span is part of, in hexadecimal digits."""
    return None if span is None else f"{span.get_span_context().trace_id:032x}"


def start_tracing(environ: Mapping[str, str] = os.environ) -> Tracing | None:
    """Trace if the environment asks for it.

    Raises:
        SettingError: MASKWRIGHT_TRACING asks for it, and OpenTelemetry is not installed.
    """
    asked = TRACING.get(environ)
    if asked == "0" or (asked == "auto" and not any(environ.get(name) for name in _ENDPOINTS)):
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        if asked == "1":
            raise SettingError(f"{TRACING.env} needs OpenTelemetry: {_NEED}") from error
        _log.warning("requests are not traced: OpenTelemetry is not installed (%s)", _NEED)
        return None
    named = {"service.name": environ.get("OTEL_SERVICE_NAME", "maskwright"), "service.version": __version__}
    provider = TracerProvider(resource=Resource.create(named))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider)


__all__ = ["Tracing", "start_tracing", "trace_id_of"]
