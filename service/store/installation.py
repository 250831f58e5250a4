"""What an operator asks of the database as a whole; crosses sites on purpose and answers no text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import members, outbox, policies, review_items, revisions, sites, webhook_endpoints
from service.store.types import Row

_POSTGRESQL = """
SELECT split_part(current_setting('server_version'), ' ', 1) AS version,
    current_setting('server_version_num')::int / 10000 AS major,
    current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,
    current_setting('synchronous_commit') AS synchronous_commit,
    current_setting('server_encoding') AS encoding, clock_timestamp() AS now
"""


async def postgresql(connection: AsyncConnection) -> Row:
    """Answer version, durability, encoding and time of a PostgreSQL server."""
    return (await connection.execute(sa.text(_POSTGRESQL))).one()


async def sqlite(connection: AsyncConnection) -> dict[str, str]:
    """Answer version and journal of a SQLite file."""
    version = (await connection.execute(sa.text("SELECT sqlite_version()"))).scalar_one()
    journal = (await connection.execute(sa.text("PRAGMA journal_mode"))).scalar_one()
    return {"version": str(version), "journal_mode": str(journal)}


async def owed_scores(connection: AsyncConnection) -> tuple[int, datetime | None]:
    """Answer how many revisions wait for a score, and since when the oldest does."""
    query = sa.select(sa.func.count(), sa.func.min(revisions.c.created_at)).where(revisions.c.scored_at.is_(None))
    number, oldest = (await connection.execute(query)).one()
    return int(number), oldest


async def waiting(connection: AsyncConnection) -> tuple[int, datetime | None]:
    """Answer how many items wait for a person, and since when the oldest does."""
    query = sa.select(sa.func.count(), sa.func.min(review_items.c.opened_at)).where(
        review_items.c.state == sa.literal_column("'open'")
    )
    number, oldest = (await connection.execute(query)).one()
    return int(number), oldest


class Waiting(NamedTuple):
    """What waits for a person in one queue of a site."""

    site: str
    queue: str
    open: int
    overdue: int
    oldest_at: datetime | None


async def review_backlog(connection: AsyncConnection, *, now: datetime) -> list[Waiting]:
    """Answer for each queue in which something waits how much, how much of it is late, and since when the oldest."""
    # The order is the time by which an item is to be looked at.
    late = sa.func.count().filter(review_items.c.order_key <= now.timestamp())
    counted = (
        sa.select(
            review_items.c.site_id,
            review_items.c.queue,
            sa.func.count().label("open"),
            late.label("overdue"),
            sa.func.min(review_items.c.opened_at).label("oldest_at"),
        )
        .where(review_items.c.state == sa.literal_column("'open'"))
        .group_by(review_items.c.site_id, review_items.c.queue)
        .subquery()
    )
    query = sa.select(sites.c.slug, counted.c.queue, counted.c.open, counted.c.overdue, counted.c.oldest_at).join_from(
        counted, sites, sites.c.id == counted.c.site_id
    )
    return [Waiting(*row) for row in await connection.execute(query)]


async def endpoint_states(connection: AsyncConnection) -> dict[str, int]:
    """Answer how many receivers are active, failing (active, and without a success since), paused and disabled."""
    is_failing = sa.and_(webhook_endpoints.c.status == "active", webhook_endpoints.c.failing_since.is_not(None))
    state = sa.case((is_failing, "failing"), else_=webhook_endpoints.c.status)
    query = sa.select(state, sa.func.count()).group_by(state)
    return {name: int(number) for name, number in await connection.execute(query)}


async def unrelayed(connection: AsyncConnection) -> tuple[int, datetime | None]:
    """Answer how many events were not relayed yet, and since when the oldest was not."""
    query = sa.select(sa.func.count(), sa.func.min(outbox.c.created_at)).where(outbox.c.position.is_(None))
    number, oldest = (await connection.execute(query)).one()
    return int(number), oldest


async def troubled_endpoints(connection: AsyncConnection, *, failing_before: datetime) -> Sequence[Row]:
    """Answer the receivers that were disabled for their failures, or have failed since before a time."""
    query = (
        sa.select(sites.c.slug, webhook_endpoints.c.id, webhook_endpoints.c.status, webhook_endpoints.c.failing_since)
        .join(sites, sites.c.id == webhook_endpoints.c.site_id)
        .where(
            sa.or_(
                sa.and_(webhook_endpoints.c.status == "disabled", webhook_endpoints.c.reason.is_not(None)),
                sa.and_(webhook_endpoints.c.status == "active", webhook_endpoints.c.failing_since < failing_before),
            )
        )
        .order_by(sites.c.slug, webhook_endpoints.c.id)
    )
    return (await connection.execute(query)).all()


async def models_of_policies(connection: AsyncConnection) -> Sequence[Row]:
    """Answer each site's slug with the document of the policy in force there."""
    query = sa.select(sites.c.slug, policies.c.document).join(
        policies, sa.and_(policies.c.site_id == sites.c.id, policies.c.version == sites.c.policy_version)
    )
    return (await connection.execute(query.order_by(sites.c.slug))).all()


async def admins(connection: AsyncConnection) -> int:
    """Answer how many admins of the installation there are that may do something."""
    query = sa.select(sa.func.count()).where(members.c.site_id.is_(None), members.c.disabled_at.is_(None))
    return int((await connection.execute(query)).scalar_one())
