"""Events: appended with their change, given a position by the relay, read in that order, forgotten in time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import outbox, outbox_ends, outbox_heads, webhook_deliveries
from service.store.types import Row

#: Where what is said of an event has the place of what made it, while that is traced.
TRACE: Final = "trace"
_HEAD = 1


async def append(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Put events in the outbox, in the transaction of the change they tell of."""
    if rows:
        await connection.execute(outbox.insert(), list(rows))


async def hold_head(connection: AsyncConnection) -> int | None:
    """Answer the last position given and keep others from giving the next; None while another relay is about it."""
    locked = sa.select(outbox_heads.c.position).where(outbox_heads.c.id == _HEAD).with_for_update(skip_locked=True)
    found = (await connection.execute(locked)).scalar_one_or_none()
    return None if found is None else int(found)


_UNRELAYED = sa.select(outbox).where(outbox.c.position.is_(None)).order_by(outbox.c.seq).limit(sa.bindparam("at_most"))
_IS_ANY = sa.select(outbox.c.seq).where(outbox.c.position.is_(None)).limit(1)


async def is_any_unrelayed(connection: AsyncConnection) -> bool:
    """Answer whether an event waits for its position."""
    return (await connection.execute(_IS_ANY)).first() is not None


async def unrelayed(connection: AsyncConnection, *, limit: int) -> Sequence[Row]:
    """Answer the committed events without a position, in the order in which those of a comment happened."""
    return (await connection.execute(_UNRELAYED, {"at_most": limit})).all()


async def give_positions(connection: AsyncConnection, seqs: Sequence[int], *, after: int) -> None:
    """Give the next positions, in the order of the list; the head must be held."""
    await connection.execute(
        outbox.update().where(outbox.c.seq == sa.bindparam("of_seq")).values(position=sa.bindparam("its_position")),
        [{"of_seq": seq, "its_position": after + number} for number, seq in enumerate(seqs, 1)],
    )
    await connection.execute(outbox_heads.update().where(outbox_heads.c.id == _HEAD).values(position=after + len(seqs)))


async def since(
    connection: AsyncConnection,
    site_id: str,
    *,
    position: int,
    types: Sequence[str] | None,
    limit: int,
    created_since: datetime | None = None,
    created_until: datetime | None = None,
    comment_id: str | None = None,
) -> Sequence[Row]:
    """Answer a site's events after a position, the earliest first; those of a time, or of a comment, where wished."""
    query = sa.select(outbox).where(outbox.c.site_id == site_id, outbox.c.position > position)
    if types is not None:
        query = query.where(outbox.c.type.in_(types))
    if created_since is not None:
        query = query.where(outbox.c.created_at >= created_since)
    if created_until is not None:
        query = query.where(outbox.c.created_at < created_until)
    if comment_id is not None:
        query = query.where(outbox.c.comment_id == comment_id)
    return (await connection.execute(query.order_by(outbox.c.position).limit(limit))).all()


async def head(connection: AsyncConnection) -> int:
    """Answer the last position given."""
    query = sa.select(outbox_heads.c.position).where(outbox_heads.c.id == _HEAD)
    return int((await connection.execute(query)).scalar_one_or_none() or 0)


async def end(connection: AsyncConnection, site_id: str) -> int:
    """Answer the last position that retention took from a site, 0 when it took none."""
    query = sa.select(outbox_ends.c.position).where(outbox_ends.c.site_id == site_id)
    return int((await connection.execute(query)).scalar_one_or_none() or 0)


async def by_ids(connection: AsyncConnection, ids: Iterable[str]) -> dict[str, Row]:
    """Answer events by id."""
    query = sa.select(outbox).where(outbox.c.id.in_(list(ids)))
    return {row.id: row for row in await connection.execute(query)}


async def forget(connection: AsyncConnection, site_id: str, *, before: datetime) -> int:
    """Delete a site's events older than their retention, but those still owed to somebody; answer how many.

    The deliveries of what goes must be gone.
    """
    owed = sa.select(webhook_deliveries.c.id).where(webhook_deliveries.c.event_id == outbox.c.id).exists()
    old = sa.and_(
        outbox.c.site_id == site_id, outbox.c.created_at < before, outbox.c.position.is_not(None), sa.not_(owed)
    )
    last = (await connection.execute(sa.select(sa.func.max(outbox.c.position)).where(old))).scalar_one()
    if last is None:
        return 0
    gone = await connection.execute(outbox.delete().where(old, outbox.c.position <= last))
    known = await connection.execute(outbox_ends.update().where(outbox_ends.c.site_id == site_id).values(position=last))
    if not known.rowcount:
        await connection.execute(outbox_ends.insert().values(site_id=site_id, position=last))
    return gone.rowcount
