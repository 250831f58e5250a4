"""How much of a site waits, queue by queue."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

from service import schemas
from service.flow.context import Context
from service.flow.review_settings import DEFAULT, ESCALATED, queue_names, review_of, service_level_of
from service.queue.client import QueueUnavailable
from service.schemas.review import OpenReports
from service.store import open_reports, review_items, scoring
from service.store.database import Database
from service.store.open_reports import Numbers
from service.store.review_items import Depth
from service.store.types import Row

#: Where more waits than this, counting takes a while: then it holds up nobody, and what was counted is kept for a bit.
MANY: Final = 2_000
KEPT_SECONDS: Final = 2.0
PATIENCE_SECONDS: Final = 20.0
_TITLES = {DEFAULT: "Everything else", ESCALATED: "Escalated"}


class Counted(NamedTuple):
    """What was counted of a site's queues, and when."""

    depths: list[Depth]
    pending: int
    reports: Numbers
    at: datetime

    @property
    def number(self) -> int:
        """How many rows were counted."""
        return sum(one.open for one in self.depths) + self.pending


class _Counting:
    """The counts of one database: of each site at most one at a time, of a large one not more often than need be."""

    def __init__(self) -> None:
        self._known: dict[str, Counted] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def of(self, context: Context, site_id: str, *, anew: bool) -> Counted:
        async with self._locks.setdefault(site_id, asyncio.Lock()):
            known, now = self._known.get(site_id), context.now()
            is_many = known is not None and known.number > MANY
            if known is not None and is_many and not anew and _is_fresh(known, now):
                return known
            # A few are counted sooner than a thread is asked; of a site that was never counted nobody knows.
            patience = None if known is not None and not is_many else PATIENCE_SECONDS
            async with context.database.reading(patience_seconds=patience) as connection:
                depths = await review_items.depths(connection, site_id, now=now)
                pending = await scoring.owed_count(connection, site_id)
                reports = await open_reports.numbers(connection, site_id)
            counted = self._known[site_id] = Counted(depths, pending, reports, now)
            return counted


_COUNTING: WeakKeyDictionary[Database, _Counting] = WeakKeyDictionary()


async def count(context: Context, site: Row, *, anew: bool = False) -> Counted:
    """Count what waits; of a large queue the answer may be two seconds old, unless it is wanted `anew`."""
    counting = _COUNTING.setdefault(context.database, _Counting())
    return await counting.of(context, site.id, anew=anew)


async def queue_of(context: Context, site: Row, *, is_admin: bool = True) -> schemas.QueueView:
    """Answer how much waits for a person, in the queues that the caller sees, and for the scorer."""
    return view_of(site, await count(context, site), await degraded(context), is_admin=is_admin)


def view_of(site: Row, counted: Counted, without: list[str], *, is_admin: bool) -> schemas.QueueView:
    """Answer what an admin, or a moderator, sees of the counts; `without`: what is not there to work with."""
    depths = [one for one in counted.depths if is_admin or one.queue != ESCALATED]
    settings = review_of(site.review)
    kinds = Counter[str]()
    for one in depths:
        kinds[one.kind] += one.open
    return schemas.QueueView(
        depth=sum(one.open for one in depths),
        claimed=sum(one.claimed for one in depths),
        oldest_age_seconds=_age(depths, counted.at),
        pending=counted.pending,
        degraded=without,
        queues=[_one(settings, name, depths, counted.at) for name in queue_names(settings, is_admin=is_admin)],
        kinds=dict(sorted(kinds.items())),
        reports=OpenReports(counted.reports.open, counted.reports.unasked),
    )


def _is_fresh(known: Counted, now: datetime) -> bool:
    return 0 <= (now - known.at).total_seconds() < KEPT_SECONDS


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


async def degraded(context: Context) -> list[str]:
    """Answer what the queue has to do without."""
    try:
        return [] if (await context.scorers.read()).is_up else ["scorer"]
    except QueueUnavailable:
        return ["redis"]
