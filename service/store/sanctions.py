"""Restrictions of commenters: in force until they are lifted or their time is over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import comments, revisions, sanction_marks, sanctions
from service.store.types import Row

SHUT_OUT = ("ban", "suspension")


def _in_force(now: datetime) -> sa.ColumnElement[bool]:
    return _in_force_at(sa.bindparam("now", now, type_=sanctions.c.created_at.type))


def _in_force_at(at: sa.BindParameter[Any]) -> sa.ColumnElement[bool]:
    return sa.and_(sanctions.c.lifted_at.is_(None), sa.or_(sanctions.c.until.is_(None), sanctions.c.until > at))


async def in_force(connection: AsyncConnection, site_id: str, commenter_id: str, *, now: datetime) -> Sequence[Row]:
    """Answer what restricts a commenter, the oldest first."""
    query = (
        sa.select(sanctions)
        .where(sanctions.c.site_id == site_id, sanctions.c.commenter_id == commenter_id, _in_force(now))
        .order_by(sanctions.c.id)
    )
    return (await connection.execute(query)).all()


# Built once: for every batch the building would cost as much as the asking.
_NOW = sa.bindparam("now", type_=sanctions.c.created_at.type)
_RESTRICTED = (
    sa.select(sanctions.c.commenter_id)
    .where(sanctions.c.commenter_id.in_(sa.bindparam("ids", expanding=True)), _in_force_at(_NOW))
    .distinct()
)
_NETWORKS_OF_BANNED_GUESTS = sa.union(
    sa.select(revisions.c.network_hash)
    .select_from(
        revisions.join(comments, comments.c.id == revisions.c.comment_id).join(
            sanctions, sanctions.c.commenter_id == comments.c.commenter_id
        )
    )
    .where(
        revisions.c.network_hash.in_(sa.bindparam("hashes", expanding=True)),
        revisions.c.created_at >= sa.bindparam("since", type_=revisions.c.created_at.type),
        revisions.c.site_id == sa.bindparam("of_site"),
        comments.c.author_kind == "guest",
        sanctions.c.kind.in_(SHUT_OUT),
        _in_force_at(_NOW),
    )
    .distinct(),
    sa.select(sanction_marks.c.mark)
    .join(sanctions, sanctions.c.id == sanction_marks.c.sanction_id)
    .where(
        sanction_marks.c.site_id == sa.bindparam("of_site"),
        sanction_marks.c.mark.in_(sa.bindparam("hashes", expanding=True)),
        sanction_marks.c.until > _NOW,
        _in_force_at(_NOW),
    ),
)


async def restricted(connection: AsyncConnection, commenter_ids: Iterable[str], *, now: datetime) -> set[str]:
    """Answer which of the commenters are restricted in any way. Crosses sites on purpose: a batch does."""
    return set((await connection.execute(_RESTRICTED, {"ids": list(commenter_ids), "now": now})).scalars())


async def networks_of_banned_guests(
    connection: AsyncConnection, site_id: str, hashes: Iterable[str], *, since: datetime, now: datetime
) -> set[str]:
    """Answer from which of these networks a guest wrote lately who is now shut out of the site."""
    values = {"of_site": site_id, "hashes": list(hashes), "since": since, "now": now}
    return set((await connection.execute(_NETWORKS_OF_BANNED_GUESTS, values)).scalars())


async def networks_of(connection: AsyncConnection, site_id: str, commenter_id: str, *, since: datetime) -> set[str]:
    """Answer the hashes of the networks that a commenter wrote from since a time."""
    query = (
        sa.select(revisions.c.network_hash)
        .join(comments, comments.c.id == revisions.c.comment_id)
        .where(
            comments.c.site_id == site_id,
            comments.c.commenter_id == commenter_id,
            revisions.c.created_at >= since,
            revisions.c.network_hash.is_not(None),
        )
        .distinct()
    )
    return set((await connection.execute(query)).scalars())


async def mark(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep what sanctions go on knowing somebody by."""
    if rows:
        await connection.execute(sanction_marks.insert(), [dict(row) for row in rows])


async def take_over(connection: AsyncConnection, site_id: str, marked: str, commenter_id: str, *, now: datetime) -> int:
    """Let what is in force against whom a mark is of be in force against a commenter; answer how much that is."""
    mine = (sanction_marks.c.site_id == site_id, sanction_marks.c.mark == marked)
    ids = list((await connection.execute(sa.select(sanction_marks.c.sanction_id).where(*mine))).scalars())
    if not ids:
        return 0
    moved = await connection.execute(
        sanctions.update().where(sanctions.c.id.in_(ids), _in_force(now)).values(commenter_id=commenter_id)
    )
    await connection.execute(sanction_marks.delete().where(*mine))
    return moved.rowcount


async def unmark(connection: AsyncConnection, site_id: str, commenter_id: str) -> None:
    """Forget what sanctions would go on knowing a commenter by."""
    imposed = sa.select(sanctions.c.id).where(sanctions.c.site_id == site_id, sanctions.c.commenter_id == commenter_id)
    await connection.execute(sanction_marks.delete().where(sanction_marks.c.sanction_id.in_(imposed)))


async def forget_marks(connection: AsyncConnection, *, now: datetime) -> int:
    """Delete the marks of all sites whose time, or whose sanction, is over; answer how many."""
    over = sa.select(sanctions.c.id).where(sanctions.c.id == sanction_marks.c.sanction_id, sa.not_(_in_force(now)))
    gone = sanction_marks.delete().where(sa.or_(sanction_marks.c.until <= now, over.exists()))
    return (await connection.execute(gone)).rowcount


async def insert(connection: AsyncConnection, values: Mapping[str, Any]) -> None:
    """Add a sanction."""
    await connection.execute(sanctions.insert(), dict(values))


async def lock_commenter(connection: AsyncConnection, site_id: str, commenter_id: str) -> None:
    """Let no other transaction impose or lift on the same commenter until this one ends."""
    if connection.dialect.name == "postgresql":
        lock = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
        await connection.execute(lock, {"name": f"{site_id}:sanction:{commenter_id}"})


async def of_commenter(connection: AsyncConnection, site_id: str, commenter_id: str) -> Sequence[Row]:
    """Answer all sanctions of a commenter, the newest first; 100 at the most."""
    query = (
        sa.select(sanctions)
        .where(sanctions.c.site_id == site_id, sanctions.c.commenter_id == commenter_id)
        .order_by(sanctions.c.id.desc())
        .limit(100)
    )
    return (await connection.execute(query)).all()


async def by_id(connection: AsyncConnection, site_id: str, sanction_id: str) -> Row | None:
    """Answer one sanction."""
    query = sa.select(sanctions).where(sanctions.c.site_id == site_id, sanctions.c.id == sanction_id)
    return (await connection.execute(query)).first()


async def lift(connection: AsyncConnection, site_id: str, sanction_id: str, *, at: datetime, by: str) -> bool:
    """End a sanction; answer whether it was in force."""
    changed = await connection.execute(
        sanctions.update()
        .where(sanctions.c.site_id == site_id, sanctions.c.id == sanction_id, _in_force(at))
        .values(lifted_at=at, lifted_by=by)
    )
    return changed.rowcount == 1


async def recent_of(
    connection: AsyncConnection,
    site_id: str,
    commenter_id: str,
    statuses: Iterable[str],
    *,
    since: datetime,
    limit: int,
) -> Sequence[Row]:
    """Answer a commenter's newest comments in some statuses, with their threads."""
    query = (
        sa.select(comments.c.id, comments.c.thread_id, comments.c.status)
        .where(
            comments.c.site_id == site_id,
            comments.c.commenter_id == commenter_id,
            comments.c.created_at >= since,
            comments.c.status.in_(list(statuses)),
        )
        .order_by(comments.c.id.desc())
        .limit(limit)
    )
    return (await connection.execute(query)).all()
