"""Reports by readers: what was found wrong with which text, and what came of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.decision import Action, ActorKind, Status
from service.store.review_items import IS_OPEN as ITEM_IS_OPEN
from service.store.review_items import supersede_where
from service.store.sanctions import SHUT_OUT
from service.store.tables import commenters, comments, decisions, reports, review_items, revisions, sanctions
from service.store.types import Row

NOTICE = "illegal_content"
"""The reason of a notice of illegal content (Regulation (EU) 2022/2065, Article 16)."""
_AT_ONCE = 1_000
IS_UNANSWERED = _IS_OPEN = reports.c.closed_at.is_(None)
IS_ASKED = sa.exists().where(
    review_items.c.comment_id == reports.c.comment_id, review_items.c.kind == "reported", ITEM_IS_OPEN
)
"""On `reports`: that an open review item asks about the comment because it was reported."""
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


class Counted(NamedTuple):
    """How many different readers report a comment now, and what they and all open notices say, by reason."""

    readers: int
    reasons: dict[str, int]


async def of_commenter(
    connection: AsyncConnection, site_id: str, revision_id: str, commenter_id: str, *, is_notice: bool
) -> Row | None:
    """Answer the first report, or notice, of a commenter about a text."""
    query = _about(site_id, revision_id, is_notice=is_notice).where(reports.c.commenter_id == commenter_id)
    found: Row | None = (await connection.execute(query.limit(1))).first()
    return found


async def of_networks(
    connection: AsyncConnection,
    site_id: str,
    revision_id: str,
    hashes: Sequence[str],
    *,
    since: datetime,
    saying: tuple[str, str] | None,
    limit: int,
) -> Sequence[Row]:
    """Answer what was reported about a text without a token from a network later than a time, the first one first.

    `saying`: the law and the words of a notice, None for an ordinary report.
    """
    query = _about(site_id, revision_id, is_notice=saying is not None).where(
        reports.c.commenter_id.is_(None), reports.c.network_hash.in_(list(hashes)), reports.c.created_at > since
    )
    if saying is not None:
        query = query.where(reports.c.law == saying[0], reports.c.detail == saying[1])
    found: Sequence[Row] = (await connection.execute(query.limit(limit))).all()
    return found


async def notices_of_networks(
    connection: AsyncConnection, site_id: str, revision_id: str, hashes: Sequence[str]
) -> int:
    """Answer how many notices about a text came from a network."""
    query = _about(site_id, revision_id, is_notice=True).where(reports.c.network_hash.in_(list(hashes)))
    found: int = (await connection.execute(sa.select(sa.func.count()).select_from(query.subquery()))).scalar_one()
    return found


async def first_network(
    connection: AsyncConnection, site_id: str, comment_id: str, hashes: Sequence[str]
) -> str | None:
    """Answer under which of its hashes a network first reported a comment."""
    query = (
        sa.select(reports.c.network_hash)
        .where(
            reports.c.site_id == site_id,
            reports.c.comment_id == comment_id,
            reports.c.network_hash.in_(list(hashes)),
        )
        .order_by(reports.c.id)
        .limit(1)
    )
    found: str | None = (await connection.execute(query)).scalar()
    return found


def _about(site_id: str, revision_id: str, *, is_notice: bool) -> sa.Select[Any]:
    of_text = sa.select(revisions.c.comment_id).where(revisions.c.id == revision_id).scalar_subquery()
    return (
        sa.select(reports)
        .where(
            reports.c.site_id == site_id,
            reports.c.comment_id == of_text,
            reports.c.revision_id == revision_id,
            reports.c.reason == NOTICE if is_notice else reports.c.reason != NOTICE,
        )
        .order_by(reports.c.id)
    )


async def open_networks(connection: AsyncConnection, site_id: str, comment_ids: Iterable[str]) -> set[str]:
    """Answer from which networks guests, and who is not signed in, report these comments now."""
    query = sa.select(reports.c.network_hash).where(
        reports.c.site_id == site_id,
        reports.c.comment_id.in_(list(comment_ids)),
        reports.c.network_hash.is_not(None),
        _IS_OPEN,
    )
    return set((await connection.execute(query.distinct())).scalars())


async def counted(
    connection: AsyncConnection, site_id: str, comment_id: str, *, not_from: Collection[str], now: datetime
) -> Counted:
    """Count who reports a comment now, over all its texts that readers saw.

    Each account and each network of guests is one reader. Not counted is who is shut out, what comes from the networks
    `not_from`, and from a network that was answered about that very text.
    """
    counting = counting_of(site_id, [comment_id], not_from, now)
    query = (
        sa.select(reports.c.reason, sa.func.count(), sa.func.count().filter(reports.c.id.in_(sa.select(counting.c.id))))
        .where(
            reports.c.site_id == site_id,
            reports.c.comment_id == comment_id,
            _IS_OPEN,
            sa.or_(reports.c.reason == NOTICE, reports.c.id.in_(sa.select(counting.c.id))),
        )
        .group_by(reports.c.reason)
    )
    found = (await connection.execute(query)).all()
    return Counted(sum(row[2] for row in found), {row[0]: row[1] for row in found})


async def counts(
    connection: AsyncConnection,
    site_id: str,
    comment_id: str,
    report_id: str,
    *,
    not_from: Collection[str],
    now: datetime,
) -> bool:
    """Answer whether an open report is one of those that `counted` counts."""
    counting = counting_of(site_id, [comment_id], not_from, now)
    return (await connection.execute(sa.select(counting.c.id).where(counting.c.id == report_id))).first() is not None


def counting_of(site_id: str, comment_ids: Iterable[str], not_from: Collection[str], now: datetime) -> sa.Subquery:
    """Answer a query of the ids of the first report of each reader that counts, of each of the comments."""
    is_guest = sa.func.coalesce(commenters.c.kind, "") != "signed"
    earlier, who = reports.alias("earlier"), commenters.alias("who")
    answered = (
        sa.exists()
        .select_from(earlier.outerjoin(who, who.c.id == earlier.c.commenter_id))
        .where(
            earlier.c.comment_id == reports.c.comment_id,
            earlier.c.revision_id == reports.c.revision_id,
            earlier.c.network_hash == reports.c.network_hash,
            earlier.c.closed_at.is_not(None),
            sa.func.coalesce(who.c.kind, "") != "signed",
        )
    )
    shut = shut_out(site_id, now)
    is_out = sa.or_(reports.c.network_hash.in_(list(not_from)), answered)
    network = sa.case((sa.and_(is_guest, reports.c.network_hash.is_not(None)), reports.c.network_hash))
    of_networks = (
        sa.select(sa.func.min(reports.c.id).label("id"))
        .select_from(reports.outerjoin(commenters, commenters.c.id == reports.c.commenter_id))
        .where(
            reports.c.site_id == site_id,
            reports.c.comment_id.in_(list(comment_ids)),
            _IS_OPEN,
            sa.not_(shut),
            sa.not_(sa.and_(is_guest, reports.c.network_hash.is_not(None), is_out)),
        )
        .group_by(reports.c.comment_id, sa.func.coalesce(network, reports.c.commenter_id, reports.c.id))
        .subquery()
    )
    # A guest on two networks is one reader, and so is a notice beside a report.
    of_readers = reports.alias("of_readers")
    return (
        sa.select(sa.func.min(of_readers.c.id).label("id"))
        .join(of_networks, of_networks.c.id == of_readers.c.id)
        .group_by(of_readers.c.comment_id, sa.func.coalesce(of_readers.c.commenter_id, of_readers.c.id))
        .subquery()
    )


def shut_out(site_id: str, now: datetime) -> sa.ColumnElement[bool]:
    """Answer, as a condition on `reports`, that whoever reported is shut out of the site."""
    return sa.exists().where(
        sanctions.c.site_id == site_id,
        sanctions.c.commenter_id == reports.c.commenter_id,
        sanctions.c.kind.in_(SHUT_OUT),
        sanctions.c.lifted_at.is_(None),
        sa.or_(sanctions.c.until.is_(None), sanctions.c.until > now),
    )


async def open_of(connection: AsyncConnection, site_id: str, comment_ids: Iterable[str]) -> dict[str, list[Row]]:
    """Answer the open reports about each comment that has any, the first one first."""
    query = _WITH_REVISION.where(
        reports.c.site_id == site_id, reports.c.comment_id.in_(list(comment_ids)), _IS_OPEN
    ).order_by(reports.c.id)
    found: dict[str, list[Row]] = {}
    for row in await connection.execute(query):
        found.setdefault(row.comment_id, []).append(row)
    return found


async def page(
    connection: AsyncConnection,
    site_id: str,
    *,
    is_open: bool | None,
    before_id: str | None,
    limit: int,
    is_asked: bool | None = None,
) -> Sequence[Row]:
    """Answer reports of a site, the newest first; `is_asked`: open ones about which an item asks, or none does."""
    query = _WITH_REVISION.where(reports.c.site_id == site_id).order_by(reports.c.id.desc()).limit(limit)
    if is_open is not None:
        query = query.where(_IS_OPEN if is_open else reports.c.closed_at.is_not(None))
    if is_asked is not None:
        query = query.where(_IS_OPEN, IS_ASKED if is_asked else sa.not_(IS_ASKED))
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
    ids = list(report_ids)
    for first in range(0, len(ids), _AT_ONCE):
        await connection.execute(
            reports.update()
            .where(reports.c.site_id == site_id, reports.c.id.in_(ids[first : first + _AT_ONCE]), _IS_OPEN)
            .values(outcome=outcome, decision_id=decision_id, closed_at=at)
        )


async def reopen(connection: AsyncConnection, site_id: str, comment_id: str, decision_id: str) -> None:
    """Let the reports wait again that a decision answered."""
    await connection.execute(
        reports.update()
        .where(reports.c.site_id == site_id, reports.c.comment_id == comment_id, reports.c.decision_id == decision_id)
        .values(outcome=None, decision_id=None, closed_at=None)
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
    """Answer whether a person looked at a text and let readers see it, and did not take that back.

    What came back with a lifted sanction, or because something was undone, nobody looked at.
    """
    later = decisions.alias("later")
    taken_back = sa.exists().where(later.c.undoes_id == decisions.c.id)
    author = sa.select(comments.c.commenter_id).where(comments.c.id == comment_id).scalar_subquery()
    with_a_sanction = sa.exists().where(
        sanctions.c.commenter_id == author,
        sanctions.c.lifted_at == decisions.c.created_at,
        sanctions.c.lifted_by == decisions.c.actor,
        decisions.c.action == Action.RESTORE.value,
    )
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
            sa.not_(with_a_sanction),
        )
        .limit(1)
    )
    return (await connection.execute(query)).first() is not None


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
            ITEM_IS_OPEN,
        )
        .order_by(review_items.c.id)
    )
    if up_to is not None:
        query = query.where(revisions.c.number <= up_to)
    return (await connection.execute(query)).all()


async def supersede_items(connection: AsyncConnection, site_id: str, item_ids: Sequence[str], *, at: datetime) -> None:
    """Close open review items that have nothing left to ask."""
    if item_ids:
        await supersede_where(connection, site_id, review_items.c.id.in_(list(item_ids)), at=at)


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
