"""The tracer that is OpenTelemetry's: the only file that imports its packages, which are an extra."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Any, Final, Unpack

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from service import tracing
from service.tracing import Facts, Span

_KINDS: Final = {kind.name.lower(): kind for kind in SpanKind}
_AT: Final = "/v1/traces"


def start(service: str, endpoint: str, *, version: str, exporter: SpanExporter | None = None) -> None:
    """Trace from now on, and send spans to a collector over OTLP/HTTP, or to another exporter.

    What OTEL_... variables say of sampling, headers, time-outs and batches is heeded by OpenTelemetry itself.
    """
    named = {"service.version": version}
    if "OTEL_SERVICE_NAME" not in os.environ and "service.name=" not in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        named["service.name"] = service
    # Its own handler would hold up the end of the process for as long as the collector is away.
    provider = TracerProvider(resource=Resource.create(dict(named)), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter or _to_collector(endpoint)))
    tracing.begin_tracing(Spans(provider), provider.shutdown)


def _to_collector(endpoint: str) -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    elsewhere = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    return OTLPSpanExporter(endpoint=elsewhere or endpoint.rstrip("/") + _AT)


class Spans:
    """Spans of a provider. An exception's message is never in one: it may quote what a reader wrote."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("colloquy")

    @contextlib.contextmanager
    def span(self, name: str, kind: str, parent: str | None, links: Sequence[str], facts: Facts) -> Iterator[Span]:
        """Open a span for a block; one that an exception ends has failed, by the name of its type."""
        opened = self._begin(name, kind, parent, links, facts)
        with trace.use_span(opened, record_exception=False, set_status_on_exception=False):
            one = _Span(opened)
            try:
                yield one
            except BaseException as error:
                one.failed(type(error).__name__)
                raise
            finally:
                one.end()

    def begin(self, name: str, kind: str, parent: str | None, links: Sequence[str], facts: Facts) -> Span:
        """Begin a span that nothing is within."""
        return _Span(self._begin(name, kind, parent, links, facts))

    def current(self) -> str | None:
        """Answer the place of the span that is open here."""
        return _written(trace.get_current_span().get_span_context())

    def _begin(self, name: str, kind: str, parent: str | None, links: Sequence[str], facts: Facts) -> trace.Span:
        within = _context_of(parent)
        return self._tracer.start_span(
            name,
            context=trace.set_span_in_context(NonRecordingSpan(within)) if within else None,
            kind=_KINDS[kind],
            attributes=tracing.plain(facts),
            links=[Link(found) for link in links if (found := _context_of(link))],
            record_exception=False,
            set_status_on_exception=False,
        )


class _Span:
    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self._has_ended = False

    @property
    def traceparent(self) -> str | None:
        return _written(self._span.get_span_context())

    def note(self, **facts: Unpack[Facts]) -> None:
        self._span.set_attributes(tracing.plain(facts))

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def failed(self, code: str) -> None:
        self._span.set_status(Status(StatusCode.ERROR, code))

    def end(self) -> None:
        if not self._has_ended:
            self._has_ended = True
            self._span.end()


def _context_of(traceparent: str | None) -> SpanContext | None:
    found = tracing.parsed(traceparent)
    if found is None:
        return None
    trace_id, span_id, flags = found
    return SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags & TraceFlags.SAMPLED))


def _written(context: Any) -> str | None:
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags & TraceFlags.SAMPLED:02x}"
