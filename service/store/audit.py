"""Audit events and the heads of their chains; SQL only, the chain itself is made by flow/audit.py."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import audit_events, audit_heads
from service.store.types import Row

# An update that changes nothing: it makes the row where there is none, and locks and answers it where there is.
_HOLD_HEAD = sa.text(
    "INSERT INTO audit_heads (chain, sequence, hash) VALUES (:chain, 0, :start) "
    "ON CONFLICT (chain) DO UPDATE SET sequence = audit_heads.sequence RETURNING sequence, hash"
)
_MOVE_HEAD = sa.text("UPDATE audit_heads SET sequence = :sequence, hash = :hash WHERE chain = :chain")


async def hold_head(connection: AsyncConnection, chain: str, *, start: str) -> tuple[int, str]:
    """Answer sequence and hash of a chain's last event, and keep every other writer from it until the commit."""
    sequence, hash_ = (await connection.execute(_HOLD_HEAD, {"chain": chain, "start": start})).one()
    return sequence, hash_


async def append(connection: AsyncConnection, chain: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write chained events and make the last one the head, which must be held."""
    await connection.execute(audit_events.insert(), [dict(row) for row in rows])
    last = rows[-1]
    await connection.execute(_MOVE_HEAD, {"chain": chain, "sequence": last["sequence"], "hash": last["hash"]})


async def head(connection: AsyncConnection, chain: str) -> Row | None:
    """Answer where a chain ends."""
    return (await connection.execute(sa.select(audit_heads).where(audit_heads.c.chain == chain))).first()


async def chains(connection: AsyncConnection) -> list[str]:
    """Answer every chain that has a head or an event."""
    named = sa.select(audit_heads.c.chain).union(
        sa.select(audit_events.c.chain).where(audit_events.c.chain.is_not(None)).distinct()
    )
    return sorted((await connection.execute(named)).scalars())


async def page_of_chain(connection: AsyncConnection, chain: str, *, after: int, limit: int) -> Sequence[Row]:
    """Answer events of a chain behind a sequence number, in the order of the chain."""
    query = (
        sa.select(audit_events)
        .where(audit_events.c.chain == chain, audit_events.c.sequence > after)
        .order_by(audit_events.c.sequence)
        .limit(limit)
    )
    return (await connection.execute(query)).all()


async def newest(
    connection: AsyncConnection,
    site_id: str | None,
    *,
    before_id: str | None,
    limit: int,
    only: Mapping[str, str] | None = None,
    actors: Sequence[str] = (),
) -> Sequence[Row]:
    """Answer events of a site, or of the installation, the newest first; or only those that are named.

    `only`: an action or the part before its dot; a subject; an actor's id or its beginning. `actors`: ids beside that.
    """
    query = sa.select(audit_events).where(_of_site(site_id)).order_by(audit_events.c.id.desc()).limit(limit)
    for column, value in (only or {}).items():
        query = query.where(_is(column, value, actors))
    if before_id is not None:
        query = query.where(audit_events.c.id < before_id)
    return (await connection.execute(query)).all()


def _is(column: str, value: str, actors: Sequence[str]) -> sa.ColumnElement[bool]:
    field = audit_events.c[column]
    if column == "action":
        return sa.or_(field == value, field.startswith(value.rstrip(".") + ".", autoescape=True))
    if column == "actor":
        return sa.or_(field.startswith(value, autoescape=True), field.in_(list(actors)))
    return field == value


async def acted(connection: AsyncConnection, site_id: str, *, limit: int) -> Sequence[Row]:
    """Answer who did what among the newest events of a site: actor_kind, actor and action, each combination once."""
    newest_ones = (
        sa.select(audit_events.c.actor_kind, audit_events.c.actor, audit_events.c.action)
        .where(audit_events.c.site_id == site_id)
        .order_by(audit_events.c.id.desc())
        .limit(limit)
        .subquery()
    )
    return (await connection.execute(sa.select(newest_ones).distinct())).all()


async def unchained(connection: AsyncConnection, site_id: str | None, chain: str) -> tuple[int, str | None]:
    """Answer how many events of a site, or of the installation, do not stand in its chain, and the newest one's id."""
    outside = sa.or_(
        audit_events.c.chain.is_(None),
        audit_events.c.chain != chain,
        audit_events.c.sequence.is_(None),
        audit_events.c.sequence < 1,
    )
    query = sa.select(sa.func.count(), sa.func.max(audit_events.c.id)).where(_of_site(site_id), outside)
    number, last = (await connection.execute(query)).one()
    return number, last


async def about(
    connection: AsyncConnection, site_id: str, subjects: Iterable[str], actors: Iterable[str]
) -> Sequence[Row]:
    """Answer the events of a site that name one of these as their subject or their actor, the first one first."""
    named = sa.or_(audit_events.c.subject.in_(list(subjects)), audit_events.c.actor.in_(list(actors)))
    query = sa.select(audit_events).where(audit_events.c.site_id == site_id, named).order_by(audit_events.c.id)
    return (await connection.execute(query)).all()


async def erase_data(connection: AsyncConnection, site_id: str, subjects: Iterable[str], *, at: datetime) -> int:
    """Empty the data of events about these subjects; the chain keeps the hash of it, whose salt goes as well."""
    changed = await connection.execute(
        audit_events.update()
        .where(
            audit_events.c.site_id == site_id,
            audit_events.c.subject.in_(list(subjects)),
            audit_events.c.erased_at.is_(None),
        )
        .values(data={}, salt=None, erased_at=at)
    )
    return changed.rowcount


def _of_site(site_id: str | None) -> sa.ColumnElement[bool]:
    return audit_events.c.site_id.is_(None) if site_id is None else audit_events.c.site_id == site_id
