"""Reports by readers: what was found wrong with which text, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.decision import Action, ActorKind, Status
from service.store.sanctions import SHUT_OUT
from service.store.tables import commenters, decisions, reports, review_items, revisions, sanctions
from service.store.types import Row

NOTICE = "illegal_content"
"""The reason of a notice of illegal content (Regulation (EU) 2022/2065, Article 16)."""
_MOST_READ = 1_000
_IS_OPEN = reports.c.closed_at.is_(None)
_WITH_REVISION = sa.select(reports, revisions.c.number.label("revision")).join(
    revisions, revisions.c.id == reports.c.revision_id
)


async def insert(connection: AsyncConnection, site_id: str, values: Mapping[str, Any]) -> None:
    """Add a report."""
    await connection.execute(reports.insert(), {**values, "site_id": site_id})


async def by_id(connection: AsyncConnection, site_id: str, report_id: str) -> Row | None:
    """Answer one report, with the number of the revision that it is about."""
    query = _WITH_REVISION.where(reports.c.site_id == site_id, reports.c.id == report_id)
    return (await connection.execute(query)).first()


async def by_ids(connection: AsyncConnection, site_id: str, report_ids: Iterable[str]) -> dict[str, Row]:
    """Answer reports by id."""
    query = _WITH_REVISION.where(reports.c.site_id == site_id, reports.c.id.in_(list(report_ids)))
    return {row.id: row for row in await connection.execute(query)}


async def of_revision(connection: AsyncConnection, site_id: str, comment_id: str, revision_id: str) -> Sequence[Row]:
    """Answer the reports about one text, the first one first, with `commenter_kind` (null: not signed in)."""
    query = (
        sa.select(reports, commenters.c.kind.label("commenter_kind"))
        .outerjoin(commenters, commenters.c.id == reports.c.commenter_id)
        .where(reports.c.site_id == site_id, reports.c.comment_id == comment_id, reports.c.revision_id == revision_id)
        .order_by(reports.c.id)
        .limit(_MOST_READ)
    )
    return (await connection.execute(query)).all()


async def open_of(connection: AsyncConnection, site_id: str, comment_ids: Iterable[str]) -> Sequence[Row]:
    """Answer the open reports about comments, the first one first."""
    query = _WITH_REVISION.where(
        reports.c.site_id == site_id, reports.c.comment_id.in_(list(comment_ids)), _IS_OPEN
    ).order_by(reports.c.id)
    return (await connection.execute(query)).all()


async def page(
    connection: AsyncConnection, site_id: str, *, is_open: bool | None, before_id: str | None, limit: int
) -> Sequence[Row]:
    """Answer reports of a site, the newest first."""
    query = _WITH_REVISION.where(reports.c.site_id == site_id).order_by(reports.c.id.desc()).limit(limit)
    if is_open is not None:
        query = query.where(_IS_OPEN if is_open else reports.c.closed_at.is_not(None))
    if before_id is not None:
        query = query.where(reports.c.id < before_id)
    return (await connection.execute(query)).all()


async def close(
    connection: AsyncConnection,
    site_id: str,
    report_ids: Sequence[str],
    *,
    outcome: str,
    decision_id: str | None,
    at: datetime,
) -> None:
    """Write what came of open reports."""
    await connection.execute(
        reports.update()
        .where(reports.c.site_id == site_id, reports.c.id.in_(list(report_ids)), _IS_OPEN)
        .values(outcome=outcome, decision_id=decision_id, closed_at=at)
    )


async def answered_by(connection: AsyncConnection, site_id: str, comment_id: str, decision_id: str) -> set[str]:
    """Answer the reasons of the reports that a decision closed."""
    query = sa.select(reports.c.reason).where(
        reports.c.site_id == site_id, reports.c.comment_id == comment_id, reports.c.decision_id == decision_id
    )
    return set((await connection.execute(query.distinct())).scalars())


async def mark_on_notice(connection: AsyncConnection, site_id: str, decision_id: str) -> None:
    """Note of a decision of this transaction that a notice of illegal content led to it."""
    await connection.execute(
        decisions.update().where(decisions.c.site_id == site_id, decisions.c.id == decision_id).values(on_notice=True)
    )


async def is_approved(connection: AsyncConnection, site_id: str, comment_id: str, revision_id: str) -> bool:
    """Answer whether a person looked at a text and let readers see it, and did not take that back."""
    later = decisions.alias("later")
    taken_back = sa.exists().where(later.c.undoes_id == decisions.c.id)
    query = (
        sa.select(decisions.c.id)
        .where(
            decisions.c.site_id == site_id,
            decisions.c.comment_id == comment_id,
            decisions.c.revision_id == revision_id,
            decisions.c.actor_kind == ActorKind.MODERATOR.value,
            decisions.c.action.in_([Action.APPROVE.value, Action.RESTORE.value]),
            decisions.c.to_status == Status.PUBLISHED.value,
            decisions.c.undoes_id.is_(None),
            sa.not_(taken_back),
        )
        .limit(1)
    )
    return (await connection.execute(query)).first() is not None


async def shut_out(
    connection: AsyncConnection, site_id: str, commenter_ids: Iterable[str], *, now: datetime
) -> set[str]:
    """Answer which of the commenters are banned or suspended now."""
    query = sa.select(sanctions.c.commenter_id).where(
        sanctions.c.site_id == site_id,
        sanctions.c.commenter_id.in_(list(commenter_ids)),
        sanctions.c.kind.in_(SHUT_OUT),
        sanctions.c.lifted_at.is_(None),
        sa.or_(sanctions.c.until.is_(None), sanctions.c.until > now),
    )
    return set((await connection.execute(query.distinct())).scalars())


async def open_items(
    connection: AsyncConnection, site_id: str, comment_id: str, kind: str, *, up_to: int | None = None
) -> Sequence[Row]:
    """Answer the open review items of a kind about a comment, with the number of the revision; up to that number."""
    query = (
        sa.select(review_items, revisions.c.number.label("revision"))
        .join(revisions, revisions.c.id == review_items.c.revision_id)
        .where(
            review_items.c.site_id == site_id,
            review_items.c.comment_id == comment_id,
            review_items.c.kind == kind,
            review_items.c.state == "open",
        )
        .order_by(review_items.c.id)
    )
    if up_to is not None:
        query = query.where(revisions.c.number <= up_to)
    return (await connection.execute(query)).all()


async def supersede_items(connection: AsyncConnection, site_id: str, item_ids: Sequence[str], *, at: datetime) -> None:
    """Close open review items that have nothing left to ask."""
    await connection.execute(
        review_items.update()
        .where(review_items.c.site_id == site_id, review_items.c.id.in_(list(item_ids)), review_items.c.state == "open")
        .values(state="superseded", closed_at=at)
    )


async def set_causes(
    connection: AsyncConnection, site_id: str, item_id: str, causes: Sequence[Mapping[str, Any]]
) -> None:
    """Write anew why an item is one."""
    await connection.execute(
        review_items.update()
        .where(review_items.c.site_id == site_id, review_items.c.id == item_id)
        .values(causes=list(causes))
    )


async def forget_networks(connection: AsyncConnection, site_id: str, *, before: datetime) -> int:
    """Take the hash of the network from reports made before a time; answer from how many."""
    gone = await connection.execute(
        reports.update()
        .where(reports.c.site_id == site_id, reports.c.created_at < before, reports.c.network_hash.is_not(None))
        .values(network_hash=None)
    )
    return gone.rowcount


async def forget_contacts(connection: AsyncConnection, site_id: str, *, before: datetime) -> int:
    """Take name and address from reports that were closed before a time; answer from how many."""
    gone = await connection.execute(
        reports.update()
        .where(reports.c.site_id == site_id, reports.c.closed_at < before, reports.c.contact_sealed.is_not(None))
        .values(contact_sealed=None)
    )
    return gone.rowcount
