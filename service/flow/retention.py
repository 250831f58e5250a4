"""Things are kept for as long as a site says: once a day a walk in bounded steps lets go of what is older."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby

import msgspec

from moderation.decision import Status
from service import schemas
from service.flow.audit import audit
from service.flow.context import Context
from service.store import accounts, deliveries, erasure, outbox, people, reports, retention, sites, suggestions
from service.store.types import Row

logger = logging.getLogger(__name__)
EVERY = timedelta(hours=24)
#: Revisions that one step looks at; what it changes is one transaction.
STEP = 1_000
#: How long an invitation is kept that is over and was never taken, and the membership with it.
UNTAKEN = timedelta(days=30)
_LEAST_OWED = timedelta(days=7)
_HIDDEN_BY_SITE = frozenset({Status.REJECTED.value, Status.REMOVED.value})


def retention_of(site: Row) -> schemas.Retention:
    """Answer a site's retention, the defaults where it chose none."""
    return msgspec.convert(site.retention or {}, schemas.Retention)


async def read_retention(context: Context, site: Row) -> schemas.RetentionView:
    """Answer what a site keeps for how long, as it is now."""
    current = await context.directory.read(site.slug)
    return schemas.RetentionView(retention_of(current), current.retention_applied_at)


async def set_retention(context: Context, site: Row, actor: str, wanted: schemas.Retention) -> schemas.RetentionView:
    """Put a site's retention in force; what is past it by now goes with the next sweep."""
    values = msgspec.to_builtins(wanted)
    async with context.database.writing() as connection:
        await sites.change(connection, site.id, {"retention": values, "retention_applied_at": None})
        await audit(connection, context, site.id, actor, "retention.changed", site.slug, **values)
    context.directory.forget(site.slug)
    return await read_retention(context, site)


async def apply_retention(context: Context) -> int:
    """Let go of what is past its time on sites where that was not done for a day; answer how much."""
    now = context.now()
    gone = await _forget_untaken(context, now)
    async with context.database.reading() as connection:
        if not await retention.due(connection, before=now - EVERY):
            return gone
    async with context.database.writing() as connection:
        rows = await retention.take(connection, at=now, before=now - EVERY)
    kept = {row.id: retention_of(row) for row in rows}
    if not kept:
        return gone
    # Texts of people first; and one site's events that cannot be let go of keep no other site's.
    gone += await _walk(context, kept, now)
    for site_id, wanted in kept.items():
        try:
            gone += await _forget_reporters(context, site_id, wanted, now)
            gone += await _forget_suggestions(context, site_id, wanted, now)
            gone += await _forget_events(context, site_id, wanted, now)
        except Exception as error:
            said = {"site_id": site_id, "error": type(error).__name__}
            logger.error("a site's old events could not be let go of", extra=said)
    return gone


async def _forget_untaken(context: Context, now: datetime) -> int:
    """Forget invitations that nobody took, and disable the members that nobody became by them."""
    async with context.database.reading() as connection:
        rows = await people.untaken(connection, before=now - UNTAKEN, limit=STEP)
    for row in rows:
        async with context.database.writing() as connection:
            # Whoever names the person again at this moment takes the account first, too.
            await accounts.by_id(connection, row.account_id, lock=True)
            if not await accounts.forget_invitation(connection, row.invitation_id) or row.has_token:
                continue
            if await people.disable_member(connection, row.site_id, row.id, at=now):
                said = {"kind": "system", "reason": "invitation_over"}
                await audit(connection, context, row.site_id, "system", "member.disabled", row.id, **said)
    return len(rows)


async def _forget_reporters(context: Context, site_id: str, wanted: schemas.Retention, now: datetime) -> int:
    gone, networks, contacts = 0, wanted.network_hash_days, wanted.report_contact_days
    async with context.database.writing(heavy=True) as connection:
        if networks is not None:
            gone += await reports.forget_networks(connection, site_id, before=now - timedelta(days=networks))
        if contacts is not None:
            gone += await reports.forget_contacts(connection, site_id, before=now - timedelta(days=contacts))
    return gone


async def _forget_suggestions(context: Context, site_id: str, wanted: schemas.Retention, now: datetime) -> int:
    if wanted.suggested_score_days is None:
        return 0
    before = now - timedelta(days=wanted.suggested_score_days)
    async with context.database.writing(heavy=True) as connection:
        return await suggestions.forget_before(connection, site_id, before=before)


async def _forget_events(context: Context, site_id: str, wanted: schemas.Retention, now: datetime) -> int:
    gone, last, before = 0, STEP, now - timedelta(days=wanted.outbox_days)
    while last == STEP:
        async with context.database.writing(heavy=True) as connection:
            last = await deliveries.forget(
                connection,
                site_id,
                before=now - timedelta(days=wanted.delivery_days),
                # The plan of attempts is shorter, so that nothing is given up by being forgotten.
                unfinished_before=min(before, now - _LEAST_OWED),
                limit=STEP,
            )
        gone += last
    async with context.database.writing(heavy=True) as connection:
        return gone + await outbox.forget(connection, site_id, before=before)


async def _walk(context: Context, kept: Mapping[str, schemas.Retention], now: datetime) -> int:
    gone, after = 0, ""
    while True:
        async with context.database.reading() as connection:
            last = await retention.end_of_step(connection, after=after, step=STEP)
            rows = [] if last is None else await retention.candidates(connection, list(kept), after=after, until=last)
        if last is None:
            return gone
        gone += await _let_go(context, kept, rows, now)
        after = last


async def _let_go(context: Context, kept: Mapping[str, schemas.Retention], rows: Sequence[Row], now: datetime) -> int:
    changes: list[tuple[str, list[str], list[str]]] = []
    for site_id, group in groupby(sorted(rows, key=lambda row: str(row.site_id)), key=lambda row: row.site_id):
        wanted, mine = kept[site_id], list(group)
        texts = [row.id for row in mine if _text_is_past(row, wanted, now)]
        networks = [row.id for row in mine if _is_past(row.created_at, wanted.network_hash_days, now)]
        networks = sorted({row.id for row in mine if row.network_hash is not None}.intersection(networks))
        if texts or networks:
            changes.append((site_id, texts, networks))
    if not changes:
        return 0
    async with context.database.writing(heavy=True) as connection:
        for site_id, texts, networks in changes:
            await erasure.forget_texts(connection, site_id, texts, at=now)
            await erasure.forget_networks(connection, site_id, networks)
    return sum(len(texts) + len(networks) for _, texts, networks in changes)


def _text_is_past(row: Row, wanted: schemas.Retention, now: datetime) -> bool:
    """Answer whether a text that readers do not see has been kept long enough; one that waits for a person has not."""
    if row.erased_at is not None or row.is_asked_about:
        return False
    if row.status == Status.DELETED.value:
        return _is_past(row.deleted_at or row.created_at, wanted.deleted_text_days, now)
    if row.status in _HIDDEN_BY_SITE:
        return _is_past(row.created_at, wanted.refused_text_days, now)
    shown = row.shown_revision or 0
    if row.number > shown and row.is_decided:
        # An edit that was refused, of a comment that stays as it was.
        return _is_past(row.created_at, wanted.refused_text_days, now)
    return row.number < shown and _is_past(row.created_at, wanted.replaced_text_days, now)


def _is_past(moment: datetime, days: int | None, now: datetime) -> bool:
    return days is not None and now - moment > timedelta(days=days)
