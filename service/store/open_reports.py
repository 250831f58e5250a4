"""Reports that nobody has answered: which of them count, about which an item asks, and which comments they name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.decision import Status
from service.store import reports as store
from service.store.review_items import IS_OPEN as ITEM_IS_OPEN
from service.store.tables import comments, reports, review_items
from service.store.types import Row


class Numbers(NamedTuple):
    """How many reports of a site are open, and about how many of them no item asks."""

    open: int
    unasked: int


async def numbers(connection: AsyncConnection, site_id: str) -> Numbers:
    """Count the open reports of a site."""
    query = sa.select(sa.func.count(), sa.func.count().filter(sa.not_(store.IS_ASKED))).where(
        reports.c.site_id == site_id, store.IS_UNANSWERED
    )
    return Numbers(*(await connection.execute(query)).one())


async def counting(
    connection: AsyncConnection, site_id: str, comment_ids: Collection[str], *, not_from: Collection[str], now: datetime
) -> Sequence[Row]:
    """Answer the open reports about comments that count, the first one of each reader."""
    ids = store.counting_of(site_id, comment_ids, not_from, now)
    query = sa.select(reports.c.id, reports.c.comment_id, reports.c.commenter_id, reports.c.network_hash)
    return (await connection.execute(query.join(ids, ids.c.id == reports.c.id))).all()


async def shut_out(connection: AsyncConnection, site_id: str, report_ids: Iterable[str], *, now: datetime) -> set[str]:
    """Answer those of the reports whose makers are shut out of the site."""
    query = sa.select(reports.c.id).where(
        reports.c.site_id == site_id, reports.c.id.in_(list(report_ids)), store.shut_out(site_id, now)
    )
    return set((await connection.execute(query)).scalars())


async def open_items(connection: AsyncConnection, site_id: str, comment_ids: Iterable[str]) -> dict[str, list[Row]]:
    """Answer the open review items of each comment that has any, the first one first."""
    query = (
        sa.select(review_items)
        .where(review_items.c.site_id == site_id, review_items.c.comment_id.in_(list(comment_ids)), ITEM_IS_OPEN)
        .order_by(review_items.c.id)
    )
    found: dict[str, list[Row]] = {}
    for row in await connection.execute(query):
        found.setdefault(row.comment_id, []).append(row)
    return found


async def unasked(connection: AsyncConnection, *, after: tuple[str, str] | None, limit: int) -> Sequence[Row]:
    """Answer published comments of all sites with open reports that no item asks about, by site, behind the last one.

    Crosses sites on purpose: the sweep does.
    """
    of = (reports.c.site_id, reports.c.comment_id)
    query = (
        sa.select(*of)
        .join(comments, comments.c.id == reports.c.comment_id)
        .where(store.IS_UNANSWERED, comments.c.status == Status.PUBLISHED.value, sa.not_(store.IS_ASKED))
        .distinct()
        .order_by(*of)
        .limit(limit)
    )
    if after is not None:
        query = query.where(sa.tuple_(*of) > sa.tuple_(*after))
    return (await connection.execute(query)).all()


async def reported_by(
    connection: AsyncConnection, site_id: str, commenter_id: str, networks: Collection[str], *, limit: int
) -> list[str]:
    """Answer the published comments that a commenter, or somebody on these networks, reports now, the newest first."""
    who: sa.ColumnElement[Any] = reports.c.commenter_id == commenter_id
    if networks:
        who = sa.or_(who, reports.c.network_hash.in_(list(networks)))
    query = (
        sa.select(reports.c.comment_id)
        .join(comments, comments.c.id == reports.c.comment_id)
        .where(reports.c.site_id == site_id, store.IS_UNANSWERED, comments.c.status == Status.PUBLISHED.value, who)
        .distinct()
        .order_by(reports.c.comment_id.desc())
        .limit(limit)
    )
    return list((await connection.execute(query)).scalars())
