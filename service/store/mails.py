"""What is owed to addresses: made with the event, leased a letter at a time, settled by what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.mail_addresses import CONFIRMED
from service.store.tables import comments, decisions, mail_addresses, mails, sites
from service.store.types import Row

_m, _a = mails.c, mail_addresses.c
#: Literal, so that the partial indexes are used.
_OWED = _m.state == sa.literal_column("'owed'")
_other, _sent = mails.alias("other"), mails.alias("sent_lately")
_parent = comments.alias("parent")
#: Of one recipient, that one turn looks at.
_MOST_LOOKED_AT: Final = 200


async def insert(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Owe what was not told, and is not owed, yet."""
    if rows:
        insert = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
        query = insert(mails).on_conflict_do_nothing(index_elements=["commenter_id", "key"])
        await connection.execute(query, [dict(row) for row in rows])


async def _held(connection: AsyncConnection, query: Any) -> Sequence[Row]:
    """Keep the addresses that are found from being deleted while something is owed to them."""
    if connection.dialect.name != "sqlite":
        query = query.with_for_update(read=True, key_share=True, of=mail_addresses)
    found: Sequence[Row] = (await connection.execute(query)).all()
    return found


async def wanting_replies(connection: AsyncConnection, site_id: str, comment_ids: Sequence[str]) -> Sequence[Row]:
    """Answer to whom published replies are of interest: the authors of what they answer, while that can be seen."""
    query = (
        sa.select(comments.c.id.label("comment_id"), comments.c.thread_id, _a.id.label("address_id"), _a.commenter_id)
        .select_from(
            comments.join(_parent, _parent.c.id == comments.c.parent_id).join(
                mail_addresses, _a.commenter_id == _parent.c.commenter_id
            )
        )
        .where(
            comments.c.site_id == site_id,
            comments.c.id.in_(comment_ids),
            _a.site_id == site_id,
            _a.state == CONFIRMED,
            _a.replies,
            _parent.c.status == "published",
            comments.c.commenter_id != _parent.c.commenter_id,
        )
    )
    return await _held(connection, query)


async def wanting_decisions(connection: AsyncConnection, site_id: str, decision_ids: Sequence[str]) -> Sequence[Row]:
    """Answer to whom decisions are of interest: the authors; with how long the site's moderators may take one back."""
    query = (
        sa.select(
            decisions.c.id.label("decision_id"), decisions.c.actor_kind, decisions.c.from_status,
            decisions.c.created_at.label("decided_at"), comments.c.id.label("comment_id"), comments.c.thread_id,
            _a.id.label("address_id"), _a.commenter_id, sites.c.review,
        )
        .select_from(
            decisions.join(comments, comments.c.id == decisions.c.comment_id)
            .join(mail_addresses, _a.commenter_id == comments.c.commenter_id)
            .join(sites, sites.c.id == decisions.c.site_id)
        )
        .where(
            decisions.c.site_id == site_id,
            decisions.c.id.in_(decision_ids),
            _a.site_id == site_id,
            _a.state == CONFIRMED,
            _a.decisions,
        )
    )  # fmt: skip
    return await _held(connection, query)


def _free(of: Any, now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(of.c.lease_expires_at.is_(None), of.c.lease_expires_at <= now)


def _due(now: datetime, apart: timedelta) -> list[sa.ColumnElement[bool]]:
    """Answer what makes an owed mail one that can be sent: its time, and no reply told about its thread just now."""
    told_lately = (
        sa.select(_sent.c.id)
        .where(
            _sent.c.address_id == _m.address_id,
            _sent.c.thread_id == _m.thread_id,
            _sent.c.kind == "reply",
            _sent.c.state == "sent",
            _sent.c.finished_at > now - apart,
        )
        .exists()
    )
    return [_OWED, _m.next_attempt_at <= now, sa.or_(_m.kind != "reply", sa.not_(told_lately))]


async def due_addresses(connection: AsyncConnection, *, now: datetime, apart: timedelta, limit: int) -> list[str]:
    """Answer the addresses that something can be sent to now, whose last turn was longest ago first.

    Crosses sites on purpose, as a worker does.
    """
    busy = (
        sa.select(_other.c.id)
        .where(_other.c.address_id == _m.address_id, _other.c.state == "owed", sa.not_(_free(_other, now)))
        .exists()
    )
    query = (
        sa.select(_a.id)
        .select_from(mails.join(mail_addresses, _a.id == _m.address_id))
        .where(*_due(now, apart), sa.not_(busy))
        .group_by(_a.id, _a.served_at)
        .order_by(_a.served_at.asc().nulls_first(), _a.id)
        .limit(limit)
    )
    return list((await connection.execute(query)).scalars())


async def hold_address(connection: AsyncConnection, address_id: str, *, at: datetime) -> bool:
    """Take an address's turn; answer False while somebody else does, or where it is gone."""
    if connection.dialect.name != "sqlite":
        lock = sa.select(_a.id).where(_a.id == address_id).with_for_update(skip_locked=True, key_share=True)
        if (await connection.execute(lock)).first() is None:
            return False
    taken = await connection.execute(mail_addresses.update().where(_a.id == address_id).values(served_at=at))
    return taken.rowcount == 1


async def due_of(connection: AsyncConnection, address_id: str, *, now: datetime, apart: timedelta) -> Sequence[Row]:
    """Answer what can be sent to a held address, the oldest first; nothing while something is under way to it."""
    leased = sa.select(_m.id).where(_m.address_id == address_id, _OWED, _m.lease_expires_at > now).limit(1)
    if (await connection.execute(leased)).first() is not None:
        return []
    query = (
        sa.select(mails)
        .where(_m.address_id == address_id, *_due(now, apart))
        .order_by(_m.next_attempt_at, _m.id)
        .limit(_MOST_LOOKED_AT)
    )
    return (await connection.execute(query)).all()


async def collected(connection: AsyncConnection, address_id: str, thread_id: str, *, limit: int) -> Sequence[Row]:
    """Answer all that is owed to an address about replies in a thread, due or not: one letter tells of them."""
    query = (
        sa.select(mails)
        .where(_m.address_id == address_id, _OWED, _m.kind == "reply", _m.thread_id == thread_id)
        .order_by(_m.id)
        .limit(limit)
    )
    return (await connection.execute(query)).all()


async def lease(connection: AsyncConnection, ids: Sequence[str], *, lease: str, until: datetime) -> None:
    """Note that a letter of these is under way."""
    await connection.execute(mails.update().where(_m.id.in_(ids)).values(lease=lease, lease_expires_at=until))


async def settle(connection: AsyncConnection, lease: str, ids: Sequence[str], values: Mapping[str, Any]) -> int:
    """Write what came of mails that are still under this lease, and end it for them; answer how many these are."""
    ended = {**values, "lease": None, "lease_expires_at": None}
    if ended.get("state", "owed") != "owed":
        ended["token_sealed"] = None
    settled = mails.update().where(_m.lease == lease, _m.id.in_(ids), _OWED).values(**ended)
    return (await connection.execute(settled)).rowcount


async def was_told(connection: AsyncConnection, site_id: str, commenter_id: str, key: str) -> bool:
    """Answer whether a mail about something was sent."""
    query = sa.select(_m.id).where(
        _m.site_id == site_id, _m.commenter_id == commenter_id, _m.key == key, _m.state == "sent"
    )
    return (await connection.execute(query)).first() is not None


async def backlog(connection: AsyncConnection, *, now: datetime) -> Row:
    """Answer how many mails wait to be sent, and since when the oldest that is due: for metrics."""
    due_since = sa.case((_m.next_attempt_at <= now, _m.next_attempt_at))
    query = sa.select(sa.func.count().label("number"), sa.func.min(due_since).label("oldest_at")).where(_OWED)
    found: Row = (await connection.execute(query)).one()
    return found
