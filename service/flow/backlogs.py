"""What waits, and since when: counted in SQL by a worker on a schedule, never because somebody looks at a page."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from service import telemetry
from service.flow.context import Context
from service.queue.client import QueueUnavailable
from service.store import audit, installation
from service.store.installation import Waiting

PATIENCE_SECONDS: Final = 20.0
#: Queues with a line of their own; what is in the others, the shortest, is counted together under OTHERS.
MOST_QUEUES: Final = 200
OTHERS: Final = "(others)"
STATES: Final = ("active", "failing", "paused", "disabled")
_BACKUP: Final = "backup.made"


async def measure(context: Context) -> float:
    """Count what waits for a score, for a person and for the relay, and show it; answer how long that took.

    Raises the problem of a database that is away, or that takes too long to count.
    """
    began, now = time.monotonic(), context.now()
    async with context.database.reading(patience_seconds=PATIENCE_SECONDS) as connection:
        unscored = await installation.owed_scores(connection)
        unrelayed = await installation.unrelayed(connection)
        queues = await installation.review_backlog(connection, now=now)
        endpoints = await installation.endpoint_states(connection)
    took = time.monotonic() - began
    # Nothing is awaited from here on, so that no page shows a half of it.
    telemetry.unscored.set(unscored[0])
    telemetry.unscored_oldest_seconds.set(_age(unscored[1], now))
    telemetry.unrelayed.set(unrelayed[0])
    telemetry.unrelayed_oldest_seconds.set(_age(unrelayed[1], now))
    _show_queues(together(queues), now)
    for state in STATES:
        telemetry.webhook_endpoints.labels(state).set(endpoints.get(state, 0))
    telemetry.measuring_seconds.set(took)
    telemetry.measured_seconds.set(now.timestamp())
    return took


async def measure_stream(context: Context) -> None:
    """Show what is on the scoring stream, as far as Redis can be asked."""
    with contextlib.suppress(QueueUnavailable):
        depth = await context.stream.depth(round(context.now().timestamp() * 1000))
        for state in ("waiting", "in_flight", "dead"):
            telemetry.stream_entries.labels(state).set(getattr(depth, state))


async def measure_home(context: Context) -> None:
    """Show when a backup was last made, and the room on the disk."""
    async with context.database.reading(patience_seconds=PATIENCE_SECONDS) as connection:
        found = await audit.newest(connection, None, before_id=None, limit=1, only={"action": _BACKUP})
    telemetry.backup_made_seconds.set(found[0].created_at.timestamp() if found else 0)
    with contextlib.suppress(OSError):
        # A worker of several machines may have no such folder.
        disk = shutil.disk_usage(context.settings.home)
        telemetry.home_free_bytes.set(disk.free)
        telemetry.home_size_bytes.set(disk.total)


def together(queues: Sequence[Waiting], most: int = MOST_QUEUES) -> list[Waiting]:
    """Answer the longest queues, and what is in all the others as one."""
    ordered = sorted(queues, key=lambda one: (-one.open, one.site, one.queue))
    rest = ordered[most:]
    if not rest:
        return ordered
    oldest = _oldest(one.oldest_at for one in rest)
    others = Waiting(OTHERS, OTHERS, sum(one.open for one in rest), sum(one.overdue for one in rest), oldest)
    return [*ordered[:most], others]


def _show_queues(queues: Iterable[Waiting], now: datetime) -> None:
    for gauge in (telemetry.review_open, telemetry.review_overdue, telemetry.review_oldest_seconds):
        # A queue in which nothing is left has no line.
        gauge.clear()
    for one in queues:
        telemetry.review_open.labels(one.site, one.queue).set(one.open)
        telemetry.review_overdue.labels(one.site, one.queue).set(one.overdue)
        telemetry.review_oldest_seconds.labels(one.site, one.queue).set(_age(one.oldest_at, now))


def _oldest(times: Iterable[datetime | None]) -> datetime | None:
    return min((one for one in times if one is not None), default=None)


def _age(since: datetime | None, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds()) if since else 0.0
