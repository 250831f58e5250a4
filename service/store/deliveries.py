"""What is owed to endpoints: made by the relay, leased by workers, settled by what came of an attempt, replayed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import webhook_attempts, webhook_deliveries, webhook_endpoints
from service.store.types import Row

_d = webhook_deliveries.c
_earlier, _held = webhook_deliveries.alias("earlier"), webhook_deliveries.alias("held")


def _free_at(now: Any) -> sa.ColumnElement[bool]:
    """Answer whether nobody has a delivery under way at a time."""
    return sa.or_(_d.lease_expires_at.is_(None), _d.lease_expires_at <= now)


_FREE = _free_at(sa.bindparam("now"))
#: Literal, so that the partial indexes are used.
_PENDING = _d.state == sa.literal_column("'pending'")
#: Literal for the same reason.
_OPEN = _d.state.in_([sa.literal_column("'pending'"), sa.literal_column("'dead'")])


def _is_behind(*keeps_back: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    return (
        sa.select(_earlier.c.id)
        .where(
            _earlier.c.endpoint_id == _d.endpoint_id, _earlier.c.order_key == _d.order_key, _earlier.c.seq < _d.seq,
            *keeps_back,
        )
        .exists()
    )  # fmt: skip


#: Something of the same comment that happened before is still to be delivered, or was given up while under way.
_BEHIND = (
    _is_behind(_earlier.c.state == sa.literal_column("'pending'")),
    _is_behind(_earlier.c.lease.is_not(None), _earlier.c.lease_expires_at > sa.bindparam("now")),
)
_FIRST = sa.and_(*map(sa.not_, _BEHIND))


async def insert(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add what is owed; what is owed already stays as it is."""
    if rows:
        make = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
        query = make(webhook_deliveries).on_conflict_do_nothing(index_elements=["endpoint_id", "event_id"])
        await connection.execute(query, list(rows))


_DUE_ENDPOINTS = (
    sa.select(webhook_endpoints.c.id)
    .where(
        webhook_endpoints.c.status == "active",
        sa.or_(webhook_endpoints.c.closed_until.is_(None), webhook_endpoints.c.closed_until <= sa.bindparam("now")),
        sa.select(_d.id)
        .where(
            _d.endpoint_id == webhook_endpoints.c.id, _PENDING, _d.next_attempt_at <= sa.bindparam("now"), _FREE, _FIRST
        )
        .exists(),
        sa.select(sa.func.count())
        .where(_held.c.endpoint_id == webhook_endpoints.c.id, _held.c.lease.is_not(None))
        .where(_held.c.lease_expires_at > sa.bindparam("now"))
        .scalar_subquery()
        <= sa.bindparam("most_leased"),
    )
    .limit(sa.bindparam("at_most"))
)


async def due_endpoints(connection: AsyncConnection, *, now: datetime, most_leased: int, limit: int) -> list[str]:
    """Answer the endpoints that something could be sent to now, but those that others are busy with already."""
    found = await connection.execute(_DUE_ENDPOINTS, {"now": now, "at_most": limit, "most_leased": most_leased})
    return [row.id for row in found]


_LEASED = sa.select(sa.func.count()).where(
    _d.endpoint_id == sa.bindparam("of_endpoint"), _d.lease.is_not(None), _d.lease_expires_at > sa.bindparam("now")
)
_CLAIMABLE = (
    sa.select(webhook_deliveries)
    .where(
        _d.endpoint_id == sa.bindparam("of_endpoint"), _PENDING, _d.next_attempt_at <= sa.bindparam("now"), _FREE,
        _FIRST,
    )
    .order_by(_d.next_attempt_at, _d.seq)
    .limit(sa.bindparam("at_most"))
)  # fmt: skip


async def claim(
    connection: AsyncConnection,
    endpoint_id: str,
    *,
    now: datetime,
    until: datetime,
    lease: str,
    concurrency: int,
    least: int,
) -> Sequence[Row]:
    """Lease the next deliveries of an endpoint, which must be held, so that no more than so many are under way.

    Nothing is leased where fewer than `least` more may be.
    """
    of = {"of_endpoint": endpoint_id, "now": now}
    free = concurrency - int((await connection.execute(_LEASED, of)).scalar_one())
    if free < least:
        return []
    rows = (await connection.execute(_CLAIMABLE, {**of, "at_most": free})).all()
    if not rows:
        return []
    ids = [row.id for row in rows]
    free_still = (_d.id.in_(ids), _PENDING, _free_at(now))
    leased = webhook_deliveries.update().where(*free_still).values(lease=lease, lease_expires_at=until)
    found = (await connection.execute(leased.returning(webhook_deliveries))).all()
    return sorted(found, key=lambda row: ids.index(row.id))


async def leases(connection: AsyncConnection, endpoint_id: str, ids: Sequence[str]) -> dict[str, str]:
    """Answer the leases that deliveries have now: one taken over, cancelled or replayed has another or none."""
    if not ids:
        return {}
    query = sa.select(_d.id, _d.lease).where(_d.endpoint_id == endpoint_id, _PENDING, _d.id.in_(list(ids)))
    return {row.id: row.lease for row in await connection.execute(query)}


async def settle(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write what became of deliveries whose lease is the same, and end it; keys `of_id`, `of_lease`, `new_...`."""
    if rows:
        names = ("state", "attempts", "next_attempt_at", "last_status", "last_error", "finished_at")
        await connection.execute(
            webhook_deliveries.update()
            .where(_d.id == sa.bindparam("of_id"), _d.lease == sa.bindparam("of_lease"), _PENDING)
            .values(lease=None, lease_expires_at=None, **{name: sa.bindparam(f"new_{name}") for name in names}),
            list(rows),
        )


async def insert_attempts(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add to the log of attempts."""
    if rows:
        await connection.execute(webhook_attempts.insert(), list(rows))


async def hasten(
    connection: AsyncConnection, site_id: str, endpoint_id: str, *, now: datetime, failing_since: datetime | None = None
) -> None:
    """Let everything that waits be tried now, or what was never tried before the endpoint began to fail."""
    query = webhook_deliveries.update().where(
        _d.site_id == site_id, _d.endpoint_id == endpoint_id, _PENDING, _d.next_attempt_at > now
    )
    if failing_since is not None:
        before = sa.select(webhook_attempts.c.id).where(
            webhook_attempts.c.delivery_id == _d.id, webhook_attempts.c.started_at < failing_since
        )
        query = query.where(sa.not_(before.exists()))
    await connection.execute(query.values(next_attempt_at=now))


async def give_up(connection: AsyncConnection, site_id: str, endpoint_id: str, *, error: str, now: datetime) -> int:
    """Make dead letters of everything that an endpoint is owed; answer how many."""
    ended = await connection.execute(
        webhook_deliveries.update()
        .where(_d.site_id == site_id, _d.endpoint_id == endpoint_id, _PENDING)
        .values(state="dead", lease=None, lease_expires_at=None, last_error=error, finished_at=now)
    )
    return ended.rowcount


async def replay(
    connection: AsyncConnection, site_id: str, endpoint_id: str, ids: Sequence[str], *, now: datetime
) -> int:
    """Owe deliveries once more with a new plan of attempts, but those under way right now; answer how many."""
    owed = await connection.execute(
        webhook_deliveries.update()
        .where(_d.site_id == site_id, _d.endpoint_id == endpoint_id, _d.id.in_(list(ids)), _free_at(now))
        .values(
            state="pending",
            attempts_before=_d.attempts_before + _d.attempts,
            attempts=0,
            next_attempt_at=now,
            lease=None,
            lease_expires_at=None,
            finished_at=None,
        )
    )
    return owed.rowcount


async def cancel(
    connection: AsyncConnection,
    site_id: str,
    endpoint_id: str,
    delivery_id: str,
    *,
    now: datetime,
    keep_lease: bool = True,
) -> bool:
    """Owe a delivery no more; answer whether it was owed.

    One that is under way keeps its lease: what is behind it waits until its attempt or its lease is over.
    """
    lease: dict[str, Any] = {} if keep_lease else {"lease": None, "lease_expires_at": None}
    ended = await connection.execute(
        webhook_deliveries.update()
        .where(_d.site_id == site_id, _d.endpoint_id == endpoint_id, _d.id == delivery_id, _PENDING)
        .values(state="cancelled", finished_at=now, **lease)
    )
    return ended.rowcount == 1


async def let_go(connection: AsyncConnection, endpoint_id: str, leased: Sequence[tuple[str, str]]) -> None:
    """End leases, by delivery and lease, of what was given up while it was under way."""
    if leased:
        await connection.execute(
            webhook_deliveries.update()
            .where(
                _d.endpoint_id == endpoint_id, _d.id == sa.bindparam("of_id"), _d.lease == sa.bindparam("of_lease"),
                sa.not_(_PENDING),
            )
            .values(lease=None, lease_expires_at=None),
            [{"of_id": delivery_id, "of_lease": lease} for delivery_id, lease in leased],
        )  # fmt: skip


async def kept_back(connection: AsyncConnection, endpoint_id: str, ids: Sequence[str], *, now: datetime) -> set[str]:
    """Answer which of an endpoint's deliveries wait for an earlier one of the same comment."""
    query = sa.select(_d.id).where(_d.endpoint_id == endpoint_id, _d.id.in_(list(ids)), _PENDING, sa.or_(*_BEHIND))
    return set((await connection.execute(query, {"now": now})).scalars()) if ids else set()


async def known_ids(connection: AsyncConnection, site_id: str, endpoint_id: str, ids: Sequence[str]) -> set[str]:
    """Answer which ids are those of an endpoint's deliveries."""
    query = sa.select(_d.id).where(_d.site_id == site_id, _d.endpoint_id == endpoint_id, _d.id.in_(list(ids)))
    return set((await connection.execute(query)).scalars())


async def page(
    connection: AsyncConnection,
    site_id: str,
    endpoint_id: str,
    *,
    cursor: int | None,
    limit: int,
    oldest_first: bool = False,
    states: Sequence[str] | None = None,
    types: Sequence[str] | None = None,
    comment_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    ids: Sequence[str] | None = None,
) -> Sequence[Row]:
    """Answer an endpoint's deliveries by the order of events, behind a cursor; times are those when they were owed."""
    query = sa.select(webhook_deliveries).where(_d.site_id == site_id, _d.endpoint_id == endpoint_id)
    for column, wanted in ((_d.state, states), (_d.event_type, types), (_d.id, ids)):
        if wanted is not None:
            query = query.where(column.in_(list(wanted)))
    if comment_id is not None:
        query = query.where(_d.comment_id == comment_id)
    if since is not None:
        query = query.where(_d.created_at >= since)
    if until is not None:
        query = query.where(_d.created_at < until)
    if cursor is not None:
        query = query.where(_d.seq > cursor if oldest_first else _d.seq < cursor)
    query = query.order_by(_d.seq if oldest_first else _d.seq.desc())
    return (await connection.execute(query.limit(limit))).all()


async def of_events(
    connection: AsyncConnection, site_id: str, endpoint_id: str, event_ids: Sequence[str]
) -> dict[str, str]:
    """Answer the deliveries of events to an endpoint, by event."""
    query = sa.select(_d.event_id, _d.id).where(
        _d.site_id == site_id, _d.endpoint_id == endpoint_id, _d.event_id.in_(list(event_ids))
    )
    return {row.event_id: row.id for row in await connection.execute(query)}


async def by_id(connection: AsyncConnection, site_id: str, endpoint_id: str, delivery_id: str) -> Row | None:
    """Answer one delivery of an endpoint."""
    query = sa.select(webhook_deliveries).where(
        _d.site_id == site_id, _d.endpoint_id == endpoint_id, _d.id == delivery_id
    )
    return (await connection.execute(query)).first()


async def attempts_of(connection: AsyncConnection, site_id: str, delivery_id: str) -> Sequence[Row]:
    """Answer every attempt of a delivery, the first one first."""
    query = sa.select(webhook_attempts).where(
        webhook_attempts.c.site_id == site_id, webhook_attempts.c.delivery_id == delivery_id
    )
    return (await connection.execute(query.order_by(webhook_attempts.c.id))).all()


async def backlog(connection: AsyncConnection) -> Sequence[Row]:
    """Answer for each endpoint that is not paused how much it is owed, and since when the oldest of it: for metrics."""
    query = (
        sa.select(_d.endpoint_id, sa.func.count().label("number"), sa.func.min(_d.created_at).label("oldest_at"))
        .join(webhook_endpoints, webhook_endpoints.c.id == _d.endpoint_id)
        .where(_PENDING, webhook_endpoints.c.status != "paused")
        .group_by(_d.endpoint_id)
    )
    return (await connection.execute(query)).all()


async def counts(connection: AsyncConnection, site_id: str) -> dict[tuple[str, str], int]:
    """Answer how many deliveries of each endpoint are owed or dead."""
    query = (
        sa.select(_d.endpoint_id, _d.state, sa.func.count().label("number"))
        .where(_d.site_id == site_id, _OPEN)
        .group_by(_d.endpoint_id, _d.state)
    )
    return {(row.endpoint_id, row.state): row.number for row in await connection.execute(query)}


async def forget(
    connection: AsyncConnection, site_id: str, *, before: datetime, unfinished_before: datetime, limit: int
) -> int:
    """Delete deliveries and their attempts, so many at the most; dead letters, and what is owed, stay longer."""
    old = (
        sa.select(_d.id)
        .where(
            _d.site_id == site_id,
            sa.or_(
                sa.and_(_d.state.in_(["delivered", "cancelled"]), _d.finished_at < before),
                sa.and_(_d.state == "dead", _d.created_at < unfinished_before, _d.finished_at < unfinished_before),
                # A replay makes an old one new.
                sa.and_(_PENDING, _d.created_at < unfinished_before, _d.next_attempt_at < unfinished_before),
            ),
        )
        .limit(limit)
    )
    ids = list((await connection.execute(old)).scalars())
    return await delete(connection, ids)


async def delete(connection: AsyncConnection, ids: Sequence[str]) -> int:
    """Delete deliveries with their attempts; answer how many."""
    if not ids:
        return 0
    await connection.execute(webhook_attempts.delete().where(webhook_attempts.c.delivery_id.in_(list(ids))))
    return (await connection.execute(webhook_deliveries.delete().where(_d.id.in_(list(ids))))).rowcount


async def delete_some(connection: AsyncConnection, site_id: str, endpoint_id: str, *, limit: int) -> int:
    """Delete some deliveries of an endpoint that is to go; answer how many."""
    some = sa.select(_d.id).where(_d.site_id == site_id, _d.endpoint_id == endpoint_id).limit(limit)
    return await delete(connection, list((await connection.execute(some)).scalars()))
