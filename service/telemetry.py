"""Logs as JSON lines and the metrics of a process; neither ever carries comment text, tokens or keys."""

from __future__ import annotations

import contextvars
import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from types import TracebackType

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

request_id: contextvars.ContextVar[str | None] = contextvars.ContextVar("request_id", default=None)

registry = CollectorRegistry()
submitted_total = Counter("colloquy_comments_submitted_total", "Comments accepted over HTTP.", registry=registry)
decided_total = Counter("colloquy_revisions_decided_total", "Decisions.", ["actor", "outcome"], registry=registry)
enqueue_failed_total = Counter("colloquy_enqueue_failed_total", "Comments left to the sweep.", registry=registry)
stage_seconds = Histogram("colloquy_stage_seconds", "Time of one stage of a batch.", ["stage"], registry=registry)
batch_comments = Histogram(
    "colloquy_batch_comments", "Comments in one batch.", buckets=(1, 2, 4, 8, 16, 32, 64, 128), registry=registry
)
scorer_up = Gauge("colloquy_scorer_up", "1 while the scorer answers, else 0.", registry=registry)
scorer_failures_total = Counter("colloquy_scorer_failures_total", "Failed batches.", ["reason"], registry=registry)
swept_total = Counter("colloquy_swept_total", "Entries put back by the sweep.", ["kind"], registry=registry)
http_seconds = Histogram("colloquy_http_seconds", "Time of one HTTP request.", ["method", "status"], registry=registry)

_RESERVED = frozenset(logging.LogRecord("", 0, "", 0, "", None, None).__dict__) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """One JSON object a line. Of an exception it shows the type and the frames, never the message:
    a driver's message may quote what a reader wrote."""

    def format(self, record: logging.LogRecord) -> str:
        """Answer the line for one record."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        if rid := request_id.get():
            line["request_id"] = rid
        line |= {key: value for key, value in record.__dict__.items() if key not in _RESERVED}
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = record.exc_info[0].__name__
            line["frames"] = _frames(record.exc_info[2])
        return json.dumps(line, default=str, ensure_ascii=False)


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
