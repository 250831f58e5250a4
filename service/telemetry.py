"""Logs as JSON lines and the metrics of a process; neither ever carries comment text, tokens or keys."""

from __future__ import annotations

import contextvars
import json
import logging
import re
import sys
import traceback
from datetime import UTC, datetime
from types import TracebackType

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

request_id: contextvars.ContextVar[str | None] = contextvars.ContextVar("request_id", default=None)

api_registry, worker_registry = CollectorRegistry(), CollectorRegistry()
submitted_total = Counter("colloquy_comments_submitted_total", "Comments accepted over HTTP.", registry=api_registry)
decided_total = Counter("colloquy_revisions_decided_total", "Decisions.", ["actor", "outcome"], registry=api_registry)
reported_total = Counter("colloquy_reports_total", "Reports by readers.", ["reason"], registry=api_registry)
# People decide through the API and the machine in a worker, so both pages show it.
worker_registry.register(decided_total)
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
webhook_pending = Gauge("colloquy_webhook_pending", "Deliveries owed to receivers.", registry=worker_registry)
webhook_oldest_seconds = Gauge(
    "colloquy_webhook_oldest_seconds", "Age of the oldest delivery that is owed.", registry=worker_registry
)
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
    "colloquy_http_seconds", "Time of one HTTP request.", ["method", "status"], registry=api_registry
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
