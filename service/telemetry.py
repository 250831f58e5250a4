"""Logs as JSON lines and the metrics of a process; neither ever carries comment text, tokens or keys."""

from __future__ import annotations

import contextvars
import json
import logging
import re
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from service import tracing

request_id: contextvars.ContextVar[str | None] = contextvars.ContextVar("request_id", default=None)

api_registry, worker_registry = CollectorRegistry(), CollectorRegistry()
submitted_total = Counter("colloquy_comments_submitted_total", "Comments accepted over HTTP.", registry=api_registry)
decided_total = Counter("colloquy_revisions_decided_total", "Decisions.", ["actor", "outcome"], registry=api_registry)
reported_total = Counter("colloquy_reports_total", "Reports by readers.", ["reason"], registry=api_registry)
# People decide through the API and the machine in a worker, so both pages show it.
worker_registry.register(decided_total)
loop_lag_seconds = Histogram(
    "colloquy_loop_lag_seconds",
    "How much later than asked for the event loop went on, twice a second.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
    registry=api_registry,
)
database_connections = Gauge(
    "colloquy_database_connections", "Connections of a pool in use.", ["pool"], registry=api_registry
)
database_connections_most = Gauge(
    "colloquy_database_connections_most", "Connections that a pool may have.", ["pool"], registry=api_registry
)
database_full_seconds_total = Counter(
    "colloquy_database_full_seconds_total",
    "Time in which all connections of a pool were in use, looked at twice a second.",
    ["pool"],
    registry=api_registry,
)
part_up = Gauge("colloquy_part_up", "1 while a part works that readiness depends on, else 0.", ["part"], registry=None)
for _both in (loop_lag_seconds, database_connections, database_connections_most, database_full_seconds_total):
    worker_registry.register(_both)
for _registry in (api_registry, worker_registry):
    _registry.register(part_up)
    ProcessCollector(registry=_registry)
enqueue_failed_total = Counter("colloquy_enqueue_failed_total", "Comments left to the sweep.", registry=api_registry)
limits_local_total = Counter(
    "colloquy_limits_local_total", "Limits counted in one process, Redis being away.", registry=api_registry
)
limited_total = Counter("colloquy_limited_total", "Requests refused by a limit.", ["limit"], registry=api_registry)
stage_seconds = Histogram(
    "colloquy_stage_seconds", "Time of one stage of a batch.", ["stage"], registry=worker_registry
)
batch_comments = Histogram(
    "colloquy_batch_comments", "Comments in one batch.", buckets=(1, 2, 4, 8, 16, 32, 64, 128), registry=worker_registry
)
decision_seconds = Histogram(
    "colloquy_decision_seconds",
    "Time from a comment's commit until the machine's decision.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600),
    registry=worker_registry,
)
buried_total = Counter(
    "colloquy_buried_total", "Entries taken off the scoring stream undone.", ["reason"], registry=worker_registry
)
for _reason in ("deliveries", "error"):
    # Prometheus sees the first of a counter only where it has seen none before.
    buried_total.labels(_reason)
turn_failures_total = Counter(
    "colloquy_turn_failures_total",
    "Turns of a worker's loop that failed, by the part that was down, or unforeseen.",
    ["part"],
    registry=worker_registry,
)
for _part in ("database", "redis", "scorer", "unforeseen"):
    turn_failures_total.labels(_part)
unscored = Gauge("colloquy_unscored", "Comments that are owed a score.", registry=worker_registry)
unscored_oldest_seconds = Gauge(
    "colloquy_unscored_oldest_seconds", "Age of the oldest comment that is owed a score.", registry=worker_registry
)
stream_entries = Gauge(
    "colloquy_stream_entries", "Entries of the scoring stream, by state.", ["state"], registry=worker_registry
)
unrelayed = Gauge("colloquy_unrelayed", "Events that were not relayed yet.", registry=worker_registry)
unrelayed_oldest_seconds = Gauge(
    "colloquy_unrelayed_oldest_seconds", "Age of the oldest event that was not relayed.", registry=worker_registry
)
review_open = Gauge(
    "colloquy_review_open", "Items that wait for a person.", ["site", "queue"], registry=worker_registry
)
review_overdue = Gauge(
    "colloquy_review_overdue", "Those of them past the time they are due.", ["site", "queue"], registry=worker_registry
)
review_oldest_seconds = Gauge(
    "colloquy_review_oldest_seconds", "Age of the oldest of them.", ["site", "queue"], registry=worker_registry
)
backup_made_seconds = Gauge(
    "colloquy_backup_made_timestamp_seconds", "When `backup` was last run, 0 for never.", registry=worker_registry
)
home_free_bytes = Gauge("colloquy_home_free_bytes", "Room where COLLOQUY_HOME is.", registry=worker_registry)
home_size_bytes = Gauge("colloquy_home_size_bytes", "Size of what COLLOQUY_HOME is on.", registry=worker_registry)
measured_seconds = Gauge(
    "colloquy_measured_timestamp_seconds", "When backlogs were last counted in SQL.", registry=worker_registry
)
measuring_seconds = Gauge("colloquy_measuring_seconds", "How long that counting took.", registry=worker_registry)
scorer_up = Gauge("colloquy_scorer_up", "1 while the scorer answers, else 0.", registry=worker_registry)
scorer_fallback = Gauge("colloquy_scorer_fallback", "1 while the fallback scores.", registry=worker_registry)
fallback_comments_total = Counter(
    "colloquy_fallback_comments_total", "Comments that the fallback decided.", ["why"], registry=worker_registry
)
scorer_failures_total = Counter(
    "colloquy_scorer_failures_total", "Failed batches.", ["reason"], registry=worker_registry
)
scorer_seconds = Histogram(
    "colloquy_scorer_seconds", "Wait for a call and the call itself.", ["stage", "priority"], registry=worker_registry
)
scorer_cache_total = Counter("colloquy_scorer_cache_total", "Texts looked up.", ["outcome"], registry=worker_registry)
scorer_waiting_characters = Gauge(
    "colloquy_scorer_waiting_characters", "Characters that wait for a call.", ["priority"], registry=worker_registry
)
scorer_refused_total = Counter(
    "colloquy_scorer_refused_total", "Requests refused as too much waited.", ["priority"], registry=worker_registry
)
scorer_abandoned_total = Counter(
    "colloquy_scorer_abandoned_total", "Requests given up by their callers.", ["priority"], registry=worker_registry
)
questions_total = Counter(
    "colloquy_questions_total", "Questions to the scorer, by what came of them.", ["outcome"], registry=api_registry
)
questions_seconds = Histogram(
    "colloquy_questions_seconds",
    "Time until a question was answered.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3, 10),
    registry=api_registry,
)
coral_total = Counter("colloquy_coral_total", "Comments that a Coral asked about.", ["outcome"], registry=api_registry)
analysed_total = Counter(
    "colloquy_analysed_total", "Texts scored for other systems, by who answered.", ["by"], registry=api_registry
)
suggested_total = Counter("colloquy_suggested_scores_total", "Labels that other systems sent.", registry=api_registry)
questions_taken_total = Counter(
    "colloquy_questions_taken_total", "Questions that a worker took.", ["outcome"], registry=worker_registry
)
webhook_attempts_total = Counter(
    "colloquy_webhook_attempts_total", "Webhooks sent, by outcome.", ["outcome"], registry=worker_registry
)
webhook_seconds = Histogram("colloquy_webhook_seconds", "Time until a receiver answered.", registry=worker_registry)
webhook_pending = Gauge(
    "colloquy_webhook_pending", "Deliveries owed to receivers that are not paused.", registry=worker_registry
)
webhook_oldest_seconds = Gauge(
    "colloquy_webhook_oldest_seconds", "Age of the oldest of them.", registry=worker_registry
)
webhook_dead_total = Counter(
    "colloquy_webhook_dead_total", "Deliveries given up after their last attempt.", registry=worker_registry
)
webhook_endpoints = Gauge("colloquy_webhook_endpoints", "Receivers, by state.", ["state"], registry=worker_registry)
mail_attempts_total = Counter(
    "colloquy_mail_attempts_total",
    "Letters handed to the mail server, by outcome.",
    ["outcome"],
    registry=worker_registry,
)
mail_pending = Gauge("colloquy_mail_pending", "Mails owed to authors.", registry=worker_registry)
mail_oldest_seconds = Gauge(
    "colloquy_mail_oldest_seconds", "Time since the oldest mail was due.", registry=worker_registry
)
mail_down = Gauge("colloquy_mail_down", "1 while the mail server takes no letters.", registry=worker_registry)
events_relayed_total = Counter("colloquy_events_relayed_total", "Events relayed.", registry=worker_registry)
swept_total = Counter("colloquy_swept_total", "Entries put back by the sweep.", ["kind"], registry=worker_registry)
http_seconds = Histogram(
    "colloquy_http_seconds",
    "Time until an answer began.",
    ["method", "route", "status"],
    registry=api_registry,
)
http_in_flight = Gauge("colloquy_http_in_flight", "Requests whose answer has not begun.", registry=api_registry)
live_streams = Gauge("colloquy_live_streams", "Live streams that are open.", ["of"], registry=api_registry)
live_streams_most = Gauge(
    "colloquy_live_streams_most", "Live streams that may be open in a process.", ["of"], registry=api_registry
)
live_refused_total = Counter(
    "colloquy_live_refused_total", "Live streams refused, by what was full.", ["why"], registry=api_registry
)
live_events_total = Counter("colloquy_live_events_total", "Events sent on live streams.", registry=api_registry)
live_resets_total = Counter(
    "colloquy_live_resets_total", "Listeners told to read again, since something was missed.", registry=api_registry
)
live_dropped_total = Counter(
    "colloquy_live_dropped_total", "Live streams ended since their reader took nothing.", registry=api_registry
)

_requests = logging.getLogger("service.requests")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
#: Libraries whose messages hold the repr of exceptions, tasks, arguments or statements.
_QUOTING = ("asyncio", "concurrent.futures", "aiosqlite")
#: The server's messages are wanted, but some end with a traceback and the message of its exception.
_SERVER = ("_granian",)
_TRACEBACK = re.compile(r"^Traceback \(most recent call last\):\n((?: .*\n)+)([\w.]+)", re.MULTILINE)
_FRAME = re.compile(r'^  File "(.*)", line (\d+), in (.*)$', re.MULTILINE)
_WITHHELD = "message withheld: it may quote a comment"
_RESERVED = frozenset(logging.LogRecord("", 0, "", 0, "", None, None).__dict__) | {"message", "asctime", "taskName"}


def method_label(method: str) -> str:
    """Answer the label of a method: any token is one to HTTP, and each label stays in memory for good."""
    return method if method in _METHODS else "OTHER"


class JsonFormatter(logging.Formatter):
    """One JSON object a line. Of an exception it shows the type and the frames, never the message:
    a driver's message may quote what a reader wrote."""

    def format(self, record: logging.LogRecord) -> str:
        """Answer the line for one record."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            **_event(record),
        }
        if rid := request_id.get():
            line["request_id"] = rid
        if ids := tracing.ids():
            line["trace_id"], line["span_id"] = ids
        line |= {key: value for key, value in record.__dict__.items() if key not in _RESERVED}
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = record.exc_info[0].__name__
            line["frames"] = _frames(record.exc_info[2])
        return json.dumps(line, default=str, ensure_ascii=False)


def _event(record: logging.LogRecord) -> dict[str, object]:
    arguments = record.args if isinstance(record.args, tuple) else ()
    if _is_of(record, _QUOTING) or any(isinstance(one, BaseException) for one in arguments):
        return {"event": _WITHHELD, "source": f"{record.filename}:{record.lineno} {record.funcName}"}
    message = record.getMessage()
    if not _is_of(record, _SERVER):
        return {"event": message}
    event: dict[str, object] = {"event": message.partition("\n")[0]}
    if found := _TRACEBACK.search(message):
        event["exception"] = found.group(2)
        event["frames"] = [f"{file}:{line} {name}" for file, line, name in _FRAME.findall(found.group(1))][-12:]
    return event


def _is_of(record: logging.LogRecord, libraries: tuple[str, ...]) -> bool:
    return any(record.name == name or record.name.startswith(f"{name}.") for name in libraries)


def _frames(trace: TracebackType | None) -> list[str]:
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)][-12:]


def configure_logging(level: str) -> None:
    """Send every log line of this process to standard error as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("httpx", "httpcore", "alembic", "uvicorn.access", "aiosqlite"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    for retrying in ("opentelemetry", "urllib3"):
        logging.getLogger(retrying).setLevel(logging.ERROR)


_PARAMETER = re.compile(r"\{(\w+):\w+\}")
_of_http: dict[tuple[str, str, int], tuple[str, Histogram]] = {}


def route_of(template: str) -> str:
    """Answer a route as people write it, from the router's template."""
    return _PARAMETER.sub(r"{\1}", template)


def answered(method: str, template: str | None, status: int, seconds: float) -> str:
    """Count one answered request by its route's template, of which there are as many as routes; answer the route."""
    key = (method_label(method), template or "none", status)
    known = _of_http.get(key)
    if known is None:
        route = route_of(key[1])
        known = _of_http[key] = route, http_seconds.labels(key[0], route, str(status))
    known[1].observe(seconds)
    return known[0]


_in_flight = 0
http_in_flight.set_function(lambda: _in_flight)


def in_flight() -> Callable[[], None]:
    """Count a request that is being answered; call what is answered once its answer begins, or it will have none."""
    global _in_flight
    _in_flight += 1
    is_counted = True

    def is_over() -> None:
        nonlocal is_counted
        global _in_flight
        if is_counted:
            is_counted = False
            _in_flight -= 1

    return is_over


def log_request(method: str, route: str, status: int, seconds: float) -> None:
    """Log one answered request by its route's template; the path and the query are its sender's business."""
    _requests.info(
        "request",
        extra={
            "method": method_label(method),
            "route": route,
            "status": status,
            "milliseconds": round(seconds * 1000, 1),
        },
    )
