"""What works and what does not, as the API process sees it."""

from __future__ import annotations

from service import telemetry
from service.flow.context import Context
from service.queue.client import QueueUnavailable
from service.schemas import PartView, Ready


async def readiness(context: Context) -> Ready:
    """Answer whether this process can serve: SQL decides; Redis and the scorer only delay (promise 3)."""
    database = await context.database.ping()
    parts = [PartView("database", database, None if database else "database.unavailable")]
    try:
        scorer = await context.scorers.read()
        parts.append(PartView("redis", True))
        parts.append(PartView("scorer", scorer.is_up, scorer.reason))
    except QueueUnavailable:
        parts.append(PartView("redis", False, "redis.unavailable"))
        parts.append(PartView("scorer", False, "redis.unavailable"))
    for part in parts:
        telemetry.part_up.labels(part.part).set(part.ok)
    if not database:
        return Ready("not_ready", parts)
    return Ready("degraded" if any(part.reason for part in parts) else "ready", parts)


async def workers(context: Context) -> Ready:
    """Answer whether any worker scores, and if not why, from what the workers report of themselves."""
    try:
        scorer = await context.scorers.read()
    except QueueUnavailable:
        return Ready("not_ready", [PartView("redis", False, "redis.unavailable")])
    part = PartView("scorer", scorer.is_up, scorer.reason)
    if not part.ok:
        return Ready("not_ready", [part])
    return Ready("degraded" if part.reason else "ready", [part])
