"""What the dashboard counts, from indexes that begin with the site and a time: ids are times."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.decision import Status
from service.store.tables import (
    api_tokens,
    commenters,
    comments,
    decisions,
    members,
    opinions,
    review_items,
    revisions,
    scores,
    threads,
)
from service.store.types import Row


def _day(column: sa.Column[Any], dialect: str) -> sa.ColumnElement[str]:
    if dialect == "sqlite":
        return sa.func.substr(sa.type_coerce(column, sa.String), 1, 10)
    return sa.func.to_char(sa.func.timezone("UTC", column), "YYYY-MM-DD")


async def submitted(connection: AsyncConnection, site_id: str, days: Sequence[tuple[str, str, str]]) -> dict[str, int]:
    """Answer how many comments were written on each day, given as (day, first id, first id of the next day)."""
    query = sa.select(sa.func.count()).where(
        comments.c.site_id == site_id,
        # Named one by one, the statuses make the index of the three columns one walk each.
        comments.c.status.in_([status.value for status in Status]),
        comments.c.id >= sa.bindparam("first"),
        comments.c.id < sa.bindparam("behind"),
    )
    found = {}
    for day, first, behind in days:
        found[day] = int((await connection.execute(query, {"first": first, "behind": behind})).scalar_one())
    return found


async def acts(connection: AsyncConnection, site_id: str, *, since: str, until: str) -> Sequence[Row]:
    """Answer how many decisions stand, by day, kind of actor, actor, action, and whether a status changed."""
    day = _day(decisions.c.created_at, connection.dialect.name)
    changed = decisions.c.from_status != decisions.c.to_status
    # A machine has no name, and neither has what is counted of authors.
    actor = sa.case((decisions.c.actor_kind == "moderator", decisions.c.actor), else_=sa.null())
    by: list[sa.ColumnElement[Any]] = [
        day, decisions.c.actor_kind, actor, decisions.c.action, decisions.c.to_status, changed
    ]  # fmt: skip
    labels = ("day", "actor_kind", "actor", "action", "to_status", "changed")
    query = (
        sa.select(
            *(column.label(label) for column, label in zip(by, labels, strict=True)),
            sa.func.count().label("number"),
        )
        .where(*_between(site_id, since, until), *_stands(decisions))
        .group_by(*(sa.literal_column(str(number + 1)) for number in range(len(by))))
    )
    return (await connection.execute(query)).all()


async def waits(connection: AsyncConnection, site_id: str, *, since: str, until: str) -> Sequence[Row]:
    """Answer for each queue how many items were decided, and the waiting times of rank 50 and 90 in a hundred."""
    waited = _seconds_between(review_items.c.opened_at, review_items.c.closed_at, connection.dialect.name)
    queue = review_items.c.queue
    each = (
        sa.select(
            queue.label("queue"),
            waited.label("waited"),
            sa.func.row_number().over(partition_by=queue, order_by=waited).label("rank"),
            sa.func.count().over(partition_by=queue).label("number"),
        )
        .select_from(decisions.join(review_items, review_items.c.id == decisions.c.review_item_id))
        .where(
            *_between(site_id, since, until),
            *_stands(decisions),
            review_items.c.closed_at.is_not(None),
            review_items.c.site_id == site_id,
        )
        .subquery("walk_99")
    )
    ranked = {
        name: sa.func.min(sa.case((each.c.rank * 100 >= each.c.number * percent, each.c.waited)))
        for name, percent in (("p50", 50), ("p90", 90))
    }
    query = sa.select(
        each.c.queue,
        sa.func.max(each.c.number).label("number"),
        *(value.label(name) for name, value in ranked.items()),
    ).group_by(each.c.queue)
    return (await connection.execute(query.order_by(each.c.queue))).all()


async def opinions_given(connection: AsyncConnection, site_id: str, *, since: str, until: str) -> tuple[int, int]:
    """Answer how many second opinions there were, and how many agreed; of a decision that was undone there is none."""
    query = (
        sa.select(sa.func.count(), sa.func.count().filter(opinions.c.agrees))
        .select_from(opinions.join(decisions, decisions.c.id == opinions.c.decision_id))
        .where(
            opinions.c.site_id == site_id,
            opinions.c.id >= since,
            opinions.c.id < until,
            decisions.c.site_id == site_id,
            *_stands(decisions),
        )
    )
    of, agreed = (await connection.execute(query)).one()
    return int(of), int(agreed)


async def looks(connection: AsyncConnection, site_id: str, *, since: str, until: str) -> Sequence[Row]:
    """Answer how often a blind look at a sampled comment came to which action after which one of the machine."""
    item = review_items
    joined = decisions.join(item, item.c.id == decisions.c.review_item_id)
    return await _after_machine(connection, site_id, joined, [*_between(site_id, since, until)])


async def overtaken_looks(connection: AsyncConnection, site_id: str, *, since: str, until: str) -> Sequence[Row]:
    """Answer the same of samples that nobody looked at blind, because a person decided about the text before.

    It is the first decision of a person about the same revision that stands. What a ban of its author takes down, or
    its end brings back, nobody has read: such a decision is of no act.
    """
    item, earlier = review_items, decisions.alias("earlier")
    joined = decisions.join(
        item, sa.and_(item.c.comment_id == decisions.c.comment_id, item.c.revision_id == decisions.c.revision_id)
    )
    before = sa.exists().where(
        earlier.c.comment_id == decisions.c.comment_id,
        earlier.c.revision_id == decisions.c.revision_id,
        earlier.c.actor_kind == "moderator",
        earlier.c.act_id.is_not(None),
        earlier.c.id > item.c.id,
        earlier.c.id < decisions.c.id,
        *_stands(earlier),
    )
    wanted = [
        *_between(site_id, since, until),
        decisions.c.actor_kind == "moderator",
        decisions.c.act_id.is_not(None),
        item.c.state == "superseded",
        item.c.id < decisions.c.id,
        sa.not_(before),
    ]
    return await _after_machine(connection, site_id, joined, wanted)


async def _after_machine(
    connection: AsyncConnection, site_id: str, joined: sa.Join, wanted: Sequence[sa.ColumnElement[bool]]
) -> Sequence[Row]:
    first, item = decisions.alias("first"), review_items
    query = (
        sa.select(
            first.c.action.label("first_action"),
            decisions.c.action.label("second_action"),
            # An item that was undone and opened again names the same decision twice.
            sa.func.count(decisions.c.id.distinct()).label("number"),
        )
        .select_from(joined.join(first, first.c.id == item.c.decision_id))
        .where(
            *wanted,
            *_stands(decisions),
            item.c.site_id == site_id,
            item.c.kind == "sampled",
            first.c.site_id == site_id,
        )
        .group_by(first.c.action, decisions.c.action)
    )
    return (await connection.execute(query)).all()


async def names(connection: AsyncConnection, site_id: str, actors: Iterable[str]) -> dict[str, str]:
    """Answer the names of members and systems of a site, or of the installation, by their ids."""
    ids, found = list(actors), dict[str, str]()
    for table in (api_tokens, members):
        mine = sa.or_(table.c.site_id == site_id, table.c.site_id.is_(None))
        query = sa.select(table.c.id, table.c.name).where(table.c.id.in_(ids), mine)
        found |= {row.id: row.name for row in await connection.execute(query)}
    return found


def _stands(decision: sa.FromClause) -> list[sa.ColumnElement[bool]]:
    """What was undone is as if it had not been, and so is what undid it."""
    undoing = decisions.alias("undoing")
    return [decision.c.undoes_id.is_(None), sa.not_(sa.exists().where(undoing.c.undoes_id == decision.c.id))]


def _between(site_id: str, since: str, until: str) -> list[sa.ColumnElement[bool]]:
    return [decisions.c.site_id == site_id, decisions.c.id >= since, decisions.c.id < until]


def _seconds_between(begin: sa.Column[Any], end: sa.Column[Any], dialect: str) -> sa.ColumnElement[float]:
    if dialect == "sqlite":
        days = sa.func.julianday(sa.type_coerce(end, sa.String)) - sa.func.julianday(sa.type_coerce(begin, sa.String))
        return days * 86_400.0
    return sa.cast(sa.func.extract("epoch", end - begin), sa.Float)


async def scored(connection: AsyncConnection, site_id: str, *, looked_at: int, limit: int) -> Sequence[Row]:
    """Answer the newest comments of a site with their latest text and its newest scores, in the newest `looked_at`.

    `has_own_policy`: the thread does not follow the site's.
    """
    walks = [
        sa.select(comments.c.id)
        .where(comments.c.site_id == site_id, comments.c.status == status.value)
        .order_by(comments.c.id.desc())
        .limit(looked_at)
        .subquery(f"walk_{number}")
        for number, status in enumerate(Status)
    ]
    merged = sa.union_all(*(sa.select(one.c.id) for one in walks)).subquery("walk_99")
    found = sa.select(merged.c.id).order_by(merged.c.id.desc()).limit(looked_at).subquery("found")
    others = scores.alias("others")
    newest = (
        sa.select(sa.func.max(others.c.id)).where(others.c.revision_id == revisions.c.id).correlate(revisions)
    ).scalar_subquery()
    query = (
        sa.select(
            comments.c.id.label("comment_id"),
            comments.c.created_at,
            comments.c.author_kind,
            commenters.c.kind.label("commenter_kind"),
            commenters.c.verified,
            commenters.c.trusted,
            commenters.c.first_seen_at,
            revisions.c.id.label("revision_id"),
            revisions.c.body,
            revisions.c.submission,
            scores.c.model_id,
            scores.c.calibrated,
            scores.c.attributes,
            threads.c.policy_version.is_not(None).label("has_own_policy"),
        )
        .select_from(
            found.join(comments, comments.c.id == found.c.id)
            .join(revisions, sa.and_(revisions.c.comment_id == comments.c.id,
                                     revisions.c.number == comments.c.latest_revision))
            .join(scores, scores.c.id == newest)
            .join(commenters, commenters.c.id == comments.c.commenter_id)
            .join(threads, threads.c.id == comments.c.thread_id)
        )
        .where(comments.c.site_id == site_id, revisions.c.body.is_not(None))
        .order_by(comments.c.id.desc())
        .limit(limit)
    )  # fmt: skip
    return (await connection.execute(query)).all()


async def machine_causes(
    connection: AsyncConnection, site_id: str, comment_ids: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """Answer why a machine decided as it did, by revision."""
    query = (
        sa.select(decisions.c.revision_id, decisions.c.causes)
        .where(
            decisions.c.comment_id.in_(comment_ids),
            decisions.c.site_id == site_id,
            decisions.c.actor_kind == "machine",
        )
        .order_by(decisions.c.id)
    )
    return {row.revision_id: row.causes for row in await connection.execute(query)}
