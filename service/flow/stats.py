"""The figures of the dashboard; what each means is in docs/statistics.md."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

from service import schemas
from service.errors import Problem
from service.flow.context import Context
from service.flow.ids import first_id_at
from service.store import stats
from service.store.types import Row

MOST_DAYS: Final = 366
USUAL_DAYS: Final = 30
#: Counting reads as much as was decided in the time; nobody needs it to the second.
FRESH_SECONDS: Final = 30.0
PATIENCE_SECONDS: Final = 20.0
_KEPT: Final = 256
_FIRST_YEAR, _LAST_YEAR = 1970, 9000
_Z: Final = 1.959963984540054
"""The quantile of the normal distribution that leaves 2.5 % on either side."""
_UP = frozenset({"approve", "restore"})
_DOWN = frozenset({"reject", "remove"})
_SHOWN = ("published", "held", "rejected", "removed")
_Key = tuple[str, date, date]


class Figures:
    """Counts each site and time once in a while, however many ask at the same time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[_Key, tuple[schemas.Stats, float]] = {}
        self._under_way: dict[_Key, asyncio.Task[schemas.Stats]] = {}

    async def of(self, context: Context, site: Row, first: date | None, last: date | None) -> schemas.Stats:
        """Answer the figures from a day to a day, both in it, in UTC."""
        first, last = _days(context.now(), first, last)
        key = (site.id, first, last)
        known = self._known.get(key)
        if known is not None and self._clock() - known[1] < FRESH_SECONDS:
            return known[0]
        task = self._under_way.get(key)
        if task is None:
            # A task of its own: who asked first may go while others wait for the same.
            task = self._under_way[key] = asyncio.create_task(self._count(context, site, key))
        return await asyncio.shield(task)

    async def _count(self, context: Context, site: Row, key: _Key) -> schemas.Stats:
        try:
            counted = await count(context, site, key[1], key[2])
        finally:
            del self._under_way[key]
        if len(self._known) >= _KEPT:
            self._known.clear()
        self._known[key] = (counted, self._clock())
        return counted


async def count(context: Context, site: Row, first: date, last: date) -> schemas.Stats:
    """Count from one snapshot; it holds up no other request, and gives up where it takes too long."""
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    bounds = [(day.isoformat(), _id_at(day), _id_at(day + timedelta(days=1))) for day in days]
    since, until = bounds[0][1], bounds[-1][2]
    async with context.database.reading(patience_seconds=PATIENCE_SECONDS) as connection:
        written = await stats.submitted(connection, site.id, bounds)
        acts = await stats.acts(connection, site.id, since=since, until=until)
        waits = await stats.waits(connection, site.id, since=since, until=until)
        of, agreed = await stats.opinions_given(connection, site.id, since=since, until=until)
        looks = [
            *await stats.looks(connection, site.id, since=since, until=until),
            *await stats.overtaken_looks(connection, site.id, since=since, until=until),
        ]
        names = await stats.names(connection, site.id, {row.actor for row in acts if row.actor is not None})
    return schemas.Stats(
        first=first,
        last=last,
        days=_per_day(days, written, acts),
        decided=_decided(acts),
        waiting=[schemas.WaitingTimes(row.queue, row.number, _seconds(row.p50), _seconds(row.p90)) for row in waits],
        moderators=_moderators(acts, names),
        second_opinions=share_of(agreed, of),
        sample=schemas.SampleFigures(_errors(looks, _UP, _DOWN), _errors(looks, _DOWN, _UP)),
    )


def share_of(number: int, of: int) -> schemas.Share:
    """Answer a share with its Wilson score interval (Wilson 1927), which holds for few and for none too."""
    if of == 0:
        return schemas.Share(0, 0, None, None, None)
    share, square = number / of, _Z * _Z / of
    middle = (share + square / 2) / (1 + square)
    half = _Z / (1 + square) * math.sqrt(share * (1 - share) / of + square / (4 * of))
    return schemas.Share(of, number, share, max(0.0, middle - half), min(1.0, middle + half))


def _days(now: datetime, first: date | None, last: date | None) -> tuple[date, date]:
    for field, day in (("from", first), ("to", last)):
        # Before any arithmetic: beyond the first and the last year there are no days to count with.
        if day is not None and not _FIRST_YEAR <= day.year <= _LAST_YEAR:
            raise _refused(field, f"must be a day of the years {_FIRST_YEAR} to {_LAST_YEAR}")
    today = now.astimezone(UTC).date()
    if last is None:
        last = today if first is None else max(first, min(today, first + timedelta(days=MOST_DAYS - 1)))
    first = first or max(date(_FIRST_YEAR, 1, 1), last - timedelta(days=USUAL_DAYS - 1))
    if first > last:
        raise _refused("to", "must not be before `from`")
    if (last - first).days >= MOST_DAYS:
        raise _refused("to", f"must be less than {MOST_DAYS} days after `from`")
    return first, last


def _refused(field: str, message: str) -> Problem:
    return Problem("request.invalid", f"{field} {message}.", fields=[(field, message)])


def _id_at(day: date) -> str:
    return first_id_at(datetime(day.year, day.month, day.day, tzinfo=UTC))


def _per_day(days: Sequence[date], written: dict[str, int], acts: Sequence[Row]) -> list[schemas.DayFigures]:
    brought: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in acts:
        if row.changed:
            brought[row.day][row.to_status] += row.number
    return [
        schemas.DayFigures(
            day=day,
            submitted=written[day.isoformat()],
            **{status: brought[day.isoformat()][status] for status in _SHOWN},
        )
        for day in days
    ]


def _decided(acts: Sequence[Row]) -> schemas.DecidedFigures:
    by = Counter[str]()
    for row in acts:
        if row.changed and row.action in ("approve", "reject"):
            by[row.actor_kind] += row.number
    machine, people = by["machine"], by["moderator"]
    return schemas.DecidedFigures(machine, people, machine / (machine + people) if machine + people else None)


def _moderators(acts: Sequence[Row], names: dict[str, str]) -> list[schemas.ModeratorFigures]:
    by: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in acts:
        if row.actor is not None:
            by[row.actor][row.action] += row.number
    found = [
        schemas.ModeratorFigures(actor, names.get(actor), actions.total(), dict(sorted(actions.items())))
        for actor, actions in by.items()
    ]
    return sorted(found, key=lambda one: (-one.decisions, one.actor))


def _errors(looks: Sequence[Row], machine: frozenset[str], person: frozenset[str]) -> schemas.Share:
    """Answer how often a person decided the other way than the machine had."""
    mine = [row for row in looks if row.first_action in machine]
    return share_of(sum(row.number for row in mine if row.second_action in person), sum(row.number for row in mine))


def _seconds(value: float) -> float:
    return round(float(value), 3)
