"""Traces by OpenTelemetry, where they are asked for; where they are not, each call here is one look at a name.

A span says what was done, to which ids, and how long it took. There is no attribute for anything else: no text, name,
page, address or token can be put on one.
"""

from __future__ import annotations

import contextlib
import contextvars
import importlib.util
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol, TypedDict, Unpack

PACKAGES: Final = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
HEADER: Final = "traceparent"
STOP_SECONDS: Final = 2.0
_TRACEPARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
#: Ids, codes and templates of routes; what a reader writes has a space sooner or later, and an address an `@`.
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.:/{}*-]{1,160}")


class Facts(TypedDict, total=False):
    """Everything that a span may say besides its name and its times."""

    site_id: str | None
    thread_id: str | None
    comment_id: str | None
    revision_id: str | None
    event_id: str | None
    event_type: str | None
    endpoint_id: str | None
    delivery_id: str | None
    model_id: str | None
    comments: int
    attempt: int
    method: str
    route: str
    status: int | None


#: OpenTelemetry's own words for what it has words for.
_NAMES: Final[Mapping[str, str]] = {
    "method": "http.request.method",
    "route": "http.route",
    "status": "http.response.status_code",
}


class Span(Protocol):
    """What is being done, until its block ends."""

    @property
    def traceparent(self) -> str | None:
        """The span's place as other processes are told it (W3C Trace Context), None where nothing is traced."""

    def note(self, **facts: Unpack[Facts]) -> None:
        """Say more of it."""

    def rename(self, name: str) -> None:
        """Call it otherwise."""

    def failed(self, code: str) -> None:
        """Say that it failed, by a stable code."""

    def end(self) -> None:
        """End it, where no block does; once is enough."""


class Tracer(Protocol):
    """Where spans come from while there is tracing."""

    def span(
        self, name: str, kind: str, parent: str | None, links: Sequence[str], facts: Facts
    ) -> AbstractContextManager[Span]:
        """Open a span for a block."""

    def begin(self, name: str, kind: str, parent: str | None, links: Sequence[str], facts: Facts) -> Span:
        """Begin a span that nothing is within, to be ended by hand."""

    def current(self) -> str | None:
        """Answer the place of the span that is open here."""


class _NoSpan:
    """Stands for every span while nothing is traced."""

    traceparent = None

    def __enter__(self) -> Span:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was opened."""

    def note(self, **facts: Unpack[Facts]) -> None:
        """Nobody listens."""

    def rename(self, name: str) -> None:
        """Nobody listens."""

    def failed(self, code: str) -> None:
        """Nobody listens."""

    def end(self) -> None:
        """Nothing was begun."""


_NO_SPAN: Final = _NoSpan()
_tracer: Tracer | None = None
_stop: Callable[[], object] | None = None
#: The span of each comment of the batch that is being decided, by revision.
_carried: contextvars.ContextVar[Mapping[str, str]] = contextvars.ContextVar("carried", default={})  # noqa: B039


def is_on() -> bool:
    """Answer whether anything is traced in this process."""
    return _tracer is not None


def span(
    name: str,
    *,
    kind: str = "internal",
    parent: str | None = None,
    links: Sequence[str] = (),
    **facts: Unpack[Facts],
) -> AbstractContextManager[Span]:
    """Open a span for a block: within `parent` where one is given, else within the one that is open here."""
    if _tracer is None:
        return _NO_SPAN
    return _tracer.span(name, kind, parent, links, facts)


def begin(name: str, *, kind: str = "internal", parent: str, links: Sequence[str] = (), **facts: Unpack[Facts]) -> Span:
    """Begin a span of another trace; nothing is within it, and who began it ends it."""
    if _tracer is None:
        return _NO_SPAN
    return _tracer.begin(name, kind, parent, links, facts)


def current() -> str | None:
    """Answer the place of the span that is open here, for whoever goes on with it; None where nothing is traced."""
    return None if _tracer is None else _tracer.current()


def place_of(revision_id: str | None) -> str | None:
    """Answer by which place what happens to a comment is found: its own in a batch, else the one that is open here."""
    if _tracer is None:
        return None
    return _carried.get().get(revision_id or "") or _tracer.current()


@contextlib.contextmanager
def carrying(places: Mapping[str, str]) -> Iterator[None]:
    """Know within the block where each comment of a batch stands, by revision."""
    token = _carried.set(places)
    try:
        yield
    finally:
        _carried.reset(token)


def ids() -> tuple[str, str] | None:
    """Answer the ids of the trace and of the span that is open here, for a line of a log."""
    if _tracer is None or (place := _tracer.current()) is None:
        return None
    _, trace_id, span_id, _ = place.split("-")
    return trace_id, span_id


def parsed(traceparent: str | None) -> tuple[int, int, int] | None:
    """Read what another process or a client says of its place: trace, span and flags; None for what is none."""
    found = _TRACEPARENT.match(traceparent or "")
    if found is None or (found.end() != len(traceparent or "") and (traceparent or "").startswith("00")):
        return None
    trace_id, span_id, flags = (int(part, 16) for part in found.groups())
    return trace_id, span_id, flags


def plain(facts: Facts) -> dict[str, str | int]:
    """Answer the attributes of a span; what does not look like an id, a code or a number is left out."""
    given: Mapping[str, Any] = facts
    return {
        _NAMES.get(name) or f"colloquy.{name}": value
        for name, value in given.items()
        if isinstance(value, int) or (isinstance(value, str) and _PLAIN.fullmatch(value))
    }


def missing(packages: Sequence[str] = PACKAGES) -> str | None:
    """Answer a package that tracing needs and that is not installed, None where all are."""
    for name in packages:
        try:
            found = importlib.util.find_spec(name)
        except ModuleNotFoundError:
            found = None
        if found is None:
            return name
    return None


def begin_tracing(tracer: Tracer, stop: Callable[[], object]) -> None:
    """Trace from now on; `stop` sends what is left."""
    global _tracer, _stop
    _tracer, _stop = tracer, stop


def end_tracing() -> None:
    """Trace no more; what is left is sent if that takes a moment only, for a process that ends waits for nobody."""
    global _tracer, _stop
    stop, _tracer, _stop = _stop, None, None
    if stop is not None:
        sending = threading.Thread(target=stop, name="last spans", daemon=True)
        sending.start()
        sending.join(STOP_SECONDS)
