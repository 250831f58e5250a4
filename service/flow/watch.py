"""What a publisher wants to be told of by itself: the scorer is down or back, too much waits for a person."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec

from service import schemas
from service.flow.audit import audit
from service.flow.context import Context
from service.flow.transition import event_row
from service.queue.client import QueueUnavailable
from service.queue.scorer_status import ScorerState, ScorerStatus
from service.store import outbox, sites, watched
from service.store.types import Row

SCORER, BACKLOG = "scorer", "backlog"
UP, FAILING, DOWN = "up", "failing", "down"
CLEAR, CROSSED = "clear", "crossed"
#: A backlog is over when this share of the limit is reached, so that one comment more or less tells nothing.
RECOVERED_AT: Final = 0.8


async def read_alerts(context: Context, site: Row) -> schemas.Alerts:
    """Answer a site's limits for what waits."""
    return alerts_of(await context.directory.read(site.slug))


async def set_alerts(context: Context, site: Row, actor: str, wanted: schemas.Alerts) -> schemas.Alerts:
    """Put a site's limits for what waits in force."""
    values = msgspec.to_builtins(wanted)
    async with context.database.writing() as connection:
        await sites.change(connection, site.id, {"alerts": values})
        await audit(connection, context, site.id, actor, "alerts.changed", site.slug, **values)
    context.directory.forget(site.slug)
    return wanted


def alerts_of(site: Row) -> schemas.Alerts:
    """Answer a site's limits, the defaults where it chose none."""
    return msgspec.convert(site.alerts or {}, schemas.Alerts)


class _Move(NamedTuple):
    site_id: str
    name: str
    before: str | None
    after: str
    event: str | None
    said: Mapping[str, Any]


async def watch(context: Context) -> int:
    """Look at every site, and tell of what changed, once however many processes look; answer how many events."""
    now = context.now()
    async with context.database.reading() as connection:
        every = await sites.every(connection)
        known = await watched.states(connection)
        waiting = {row.site_id: row for row in await watched.waiting(connection)}
    moves = [
        move for site in every if (move := _backlog(site, waiting.get(site.id), known.get((site.id, BACKLOG)), now))
    ]
    try:
        scorer = await context.scorers.read()
    except QueueUnavailable:
        # Redis says nothing of the scorer, which may well work.
        scorer = None
    if scorer is not None:
        grace = timedelta(seconds=context.settings.scorer_grace_seconds)
        found = [_scorer(site, scorer, known.get((site.id, SCORER)), now, grace) for site in every]
        moves += [move for move in found if move]
    return sum([await _make(context, move, now) for move in moves])


async def _make(context: Context, move: _Move, now: datetime) -> int:
    async with context.database.writing() as connection:
        if not await watched.move(connection, move.site_id, move.name, before=move.before, after=move.after, at=now):
            return 0
        if move.event is None:
            return 0
        await outbox.append(connection, [event_row(context, move.event, site_id=move.site_id, at=now, **move.said)])
    return 1


def _scorer(site: Row, status: ScorerStatus, known: Row | None, now: datetime, grace: timedelta) -> _Move | None:
    """A scorer is down once it has failed for the grace that the policies' own answer to an outage has too."""
    before = known.state if known is not None else None
    if status.is_up:
        if before in (None, UP):
            return None
        told = before == DOWN
        said = {"model_id": status.model_id, "down_since": known.since.isoformat()} if known is not None else {}
        return _Move(site.id, SCORER, before, UP, "scorer.up" if told else None, said)
    if status.state is ScorerState.STARTING and before in (None, UP):
        return None
    if before in (None, UP):
        return _Move(site.id, SCORER, before, FAILING, None, {})
    if before == FAILING and known is not None and now - known.since >= grace:
        said = {"reason": status.reason, "model_id": status.model_id, "failing_since": known.since.isoformat()}
        return _Move(site.id, SCORER, before, DOWN, "scorer.down", said)
    return None


def _backlog(site: Row, waiting: Row | None, known: Row | None, now: datetime) -> _Move | None:
    wanted, before = alerts_of(site), known.state if known is not None else None
    number = waiting.number if waiting is not None else 0
    age = (now - waiting.oldest_at).total_seconds() if waiting is not None else 0.0
    over = _is_over(number, wanted.backlog_items) or _is_over(age, wanted.backlog_age_seconds)
    still = _is_over(number, wanted.backlog_items, RECOVERED_AT) or _is_over(age, wanted.backlog_age_seconds)
    said = {"depth": number, "oldest_age_seconds": round(age), **msgspec.to_builtins(wanted)}
    if over and before != CROSSED:
        return _Move(site.id, BACKLOG, before, CROSSED, "queue.backlog", {"state": "crossed", **said})
    if before == CROSSED and not still:
        return _Move(site.id, BACKLOG, before, CLEAR, "queue.backlog", {"state": "recovered", **said})
    return None


def _is_over(value: float, limit: int | None, share: float = 1.0) -> bool:
    return limit is not None and value >= limit * share
