"""Comments and their revisions: writing them, finding one, and where each stands in its tree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.decision import Status
from service.store import commenters
from service.store.tables import comments, revisions
from service.store.types import Row

_STANDING = (
    comments.c.id,
    comments.c.thread_id,
    comments.c.parent_id,
    comments.c.path,
    comments.c.status,
    comments.c.status_by_person,
    comments.c.shown_revision,
    comments.c.latest_revision,
    comments.c.visible,
    comments.c.visible_replies,
    comments.c.reply_count,
    comments.c.edited_at,
    comments.c.deleted_at,
)
_STANDINGS = sa.select(*_STANDING).where(
    comments.c.site_id == sa.bindparam("of_site"), comments.c.id.in_(sa.bindparam("ids", expanding=True))
)
_BY_ID = sa.select(comments).where(comments.c.site_id == sa.bindparam("site_id"), comments.c.id == sa.bindparam("id"))
_INSERT_COMMENT = comments.insert()
_INSERT_REVISION = revisions.insert()


async def by_id(connection: AsyncConnection, site_id: str, comment_id: str) -> Row | None:
    """Answer one comment of the site in any status."""
    return (await connection.execute(_BY_ID, {"site_id": site_id, "id": comment_id})).first()


async def insert(connection: AsyncConnection, comment: Mapping[str, Any], revision: Mapping[str, Any]) -> None:
    """Add a comment with its first revision, and remember that its author wrote."""
    await connection.execute(_INSERT_COMMENT, dict(comment))
    await connection.execute(_INSERT_REVISION, dict(revision))
    await commenters.saw(connection, comment["site_id"], comment["commenter_id"], at=comment["created_at"])


async def insert_revision(connection: AsyncConnection, revision: Mapping[str, Any]) -> None:
    """Add a later revision; the earlier ones that nobody decided are superseded."""
    await supersede(connection, revision["site_id"], revision["comment_id"], at=revision["created_at"])
    await connection.execute(_INSERT_REVISION, dict(revision))
    await connection.execute(
        comments.update()
        .where(comments.c.site_id == revision["site_id"], comments.c.id == revision["comment_id"])
        .values(latest_revision=revision["number"])
    )


async def revision(connection: AsyncConnection, site_id: str, comment_id: str, number: int) -> Row | None:
    """Answer one revision of a comment."""
    query = sa.select(revisions).where(
        revisions.c.site_id == site_id, revisions.c.comment_id == comment_id, revisions.c.number == number
    )
    return (await connection.execute(query)).first()


async def latest_revision_ids(connection: AsyncConnection, site_id: str, ids: Iterable[str]) -> dict[str, str]:
    """Answer the id of each comment's latest revision."""
    query = (
        sa.select(comments.c.id, revisions.c.id)
        .join(revisions, revisions.c.comment_id == comments.c.id)
        .where(
            comments.c.site_id == site_id,
            comments.c.id.in_(list(ids)),
            revisions.c.number == comments.c.latest_revision,
        )
    )
    return {row[0]: row[1] for row in await connection.execute(query)}


async def revisions_by_ids(connection: AsyncConnection, site_id: str, ids: Iterable[str]) -> dict[str, Row]:
    """Answer revisions by id."""
    query = sa.select(revisions).where(revisions.c.site_id == site_id, revisions.c.id.in_(list(ids)))
    return {row.id: row for row in await connection.execute(query)}


_RECENT_TWIN = (
    sa.select(comments.c.id)
    .select_from(revisions.join(comments, comments.c.id == revisions.c.comment_id))
    .where(
        # The same words first: a viral thread has many comments in the window, and few that are the same.
        revisions.c.body_hash == sa.bindparam("of_hash"),
        revisions.c.comment_id > sa.bindparam("since"),
        comments.c.site_id == sa.bindparam("of_site"),
        comments.c.thread_id == sa.bindparam("of_thread"),
        sa.func.coalesce(comments.c.parent_id, "") == sa.bindparam("of_parent"),
        comments.c.deleted_at.is_(None),
        sa.or_(
            comments.c.commenter_id == sa.bindparam("of_commenter"),
            comments.c.author_name == sa.bindparam("of_name"),
        ),
    )
    .limit(1)
)


async def has_recent_twin(
    connection: AsyncConnection,
    site_id: str,
    thread_id: str,
    *,
    since_id: str,
    parent_id: str | None,
    body_hash: str,
    commenter_id: str | None,
    author_name: str | None,
) -> bool:
    """Answer whether this commenter, or one of this name, said the same in the same place since an id."""
    values = {
        "of_site": site_id,
        "of_thread": thread_id,
        "since": since_id,
        "of_parent": parent_id or "",
        "of_hash": body_hash,
        "of_commenter": commenter_id,
        "of_name": author_name,
    }
    return (await connection.execute(_RECENT_TWIN, values)).first() is not None


async def standing(connection: AsyncConnection, site_id: str, ids: Iterable[str]) -> Sequence[Row]:
    """Answer where comments stand in their trees; lock their threads first."""
    return (await connection.execute(_STANDINGS, {"of_site": site_id, "ids": list(ids)})).all()


_PICKS = (comments.c.featured_at, comments.c.pinned_at)
_STILL_SHOWN = sa.and_(
    sa.bindparam("new_status") == Status.PUBLISHED.value,
    comments.c.shown_revision == sa.bindparam("new_shown_revision"),
)
_SAVE_STANDING = (
    comments.update()
    .where(comments.c.site_id == sa.bindparam("of_site"), comments.c.id == sa.bindparam("of_comment"))
    .values(
        # What is not published is neither featured nor pinned, and a new text was not picked.
        {column: sa.case((_STILL_SHOWN, column)) for column in _PICKS}
        | {
            name: sa.bindparam(f"new_{name}")
            for name in (
                "status", "status_by_person", "shown_revision", "visible", "visible_replies", "reply_count",
                "edited_at", "deleted_at",
            )
        }
    )
)  # fmt: skip


async def save_standing(connection: AsyncConnection, site_id: str, changed: Sequence[Mapping[str, Any]]) -> None:
    """Write the statuses, shown revisions and counters of comments."""
    if changed:
        rows = [
            {"of_site": site_id, "of_comment": row["id"]}
            | {f"new_{name}": value for name, value in row.items() if name != "id"}
            for row in changed
        ]
        await connection.execute(_SAVE_STANDING, rows)


_CLOSE_REVISION = (
    revisions.update()
    .where(revisions.c.site_id == sa.bindparam("of_site"), revisions.c.id == sa.bindparam("of_revision"))
    .values(status=sa.bindparam("new_status"))
)


async def set_revision_status(connection: AsyncConnection, site_id: str, revision_id: str, status: Status) -> None:
    """Write what became of a revision."""
    await connection.execute(
        _CLOSE_REVISION, {"of_site": site_id, "of_revision": revision_id, "new_status": status.value}
    )


async def record_of(
    connection: AsyncConnection, site_id: str, commenter_ids: Iterable[str]
) -> dict[str, dict[str, int]]:
    """Answer the number of comments by status for each commenter."""
    query = (
        sa.select(comments.c.commenter_id, comments.c.status, sa.func.count())
        .where(comments.c.site_id == site_id, comments.c.commenter_id.in_(list(commenter_ids)))
        .group_by(comments.c.commenter_id, comments.c.status)
    )
    record: dict[str, dict[str, int]] = {}
    for commenter_id, status, number in await connection.execute(query):
        record.setdefault(commenter_id, {})[status] = number
    return record


async def supersede(connection: AsyncConnection, site_id: str, comment_id: str, *, at: datetime) -> None:
    """End what is still owed for a comment's undecided revisions: it was edited or deleted."""
    now = sa.bindparam("superseded_now", at, type_=revisions.c.scored_at.type)
    await connection.execute(
        revisions.update()
        .where(
            revisions.c.site_id == site_id,
            revisions.c.comment_id == comment_id,
            revisions.c.superseded_at.is_(None),
            revisions.c.status.in_([Status.PENDING.value, Status.HELD.value]),
        )
        .values(superseded_at=at, scored_at=sa.func.coalesce(revisions.c.scored_at, now))
    )
