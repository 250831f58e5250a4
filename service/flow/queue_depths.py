"""How much of a site waits, queue by queue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from service import schemas
from service.flow.context import Context
from service.flow.review_settings import DEFAULT, ESCALATED, queue_names, review_of, service_level_of
from service.queue.client import QueueUnavailable
from service.store import review_items, scoring
from service.store.review_items import Depth
from service.store.types import Row

_TITLES = {DEFAULT: "Everything else", ESCALATED: "Escalated"}


async def queue_of(context: Context, site: Row, *, is_admin: bool = True) -> schemas.QueueView:
    """Answer how much waits for a person and for the scorer."""
    now = context.now()
    async with context.database.reading() as connection:
        depths = await review_items.depths(connection, site.id, now=now)
        pending = await scoring.owed_count(connection, site.id)
    settings = review_of(site.review)
    kinds = Counter[str]()
    for one in depths:
        kinds[one.kind] += one.open
    return schemas.QueueView(
        depth=sum(one.open for one in depths),
        claimed=sum(one.claimed for one in depths),
        oldest_age_seconds=_age(depths, now),
        pending=pending,
        degraded=await _degraded(context),
        queues=[_one(settings, name, depths, now) for name in queue_names(settings, is_admin=is_admin)],
        kinds=dict(sorted(kinds.items())),
    )


def _one(settings: schemas.ReviewSettings, name: str, depths: Iterable[Depth], now: datetime) -> schemas.OneQueue:
    mine = [one for one in depths if one.queue == name]
    titles = _TITLES | {queue.name: queue.title for queue in settings.queues}
    return schemas.OneQueue(
        name=name,
        title=titles[name] if settings.queues or name != DEFAULT else "All",
        depth=sum(one.open for one in mine),
        claimed=sum(one.claimed for one in mine),
        overdue=sum(one.overdue for one in mine),
        oldest_age_seconds=_age(mine, now),
        service_level_seconds=service_level_of(settings, name),
    )


def _age(depths: Sequence[Depth], now: datetime) -> float | None:
    oldest = min((one.oldest for one in depths if one.oldest is not None), default=None)
    return (now - oldest).total_seconds() if oldest else None


async def _degraded(context: Context) -> list[str]:
    try:
        return [] if (await context.scorers.read()).is_up else ["scorer"]
    except QueueUnavailable:
        return ["redis"]
