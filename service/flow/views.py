"""From rows to what crosses the wire: the reader's view, and the author's and moderator's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.decision import Status
from service import schemas
from service.schemas.review import OpinionView
from service.store import appeals, pages, review_items, threads
from service.store.types import Row


def thread_view(site: Row, thread: Row | None, page: str, *, now: datetime) -> schemas.ThreadView:
    """Answer a thread, or the empty one of a page that nobody wrote under yet."""
    if thread is None:
        return schemas.ThreadView(page, None, site.prompt, None, "open", 0, 0)
    return schemas.ThreadView(
        page=thread.page,
        title=thread.title,
        prompt=thread.prompt or site.prompt,
        url=thread.url,
        state="closed" if threads.state_at(thread, now) == "closed" else "open",
        count=thread.published_count,
        version=threads.version_at(thread, now),
    )


def reader_view(
    row: Row, *, replies: list[schemas.Comment] | None = None, replies_next: str | None = None
) -> schemas.Comment:
    """Answer what any reader may see: a published comment, else a tombstone without text and name."""
    published = row.status == Status.PUBLISHED.value
    return schemas.Comment(
        id=row.id,
        parent_id=row.parent_id,
        author=shown_author(row) if published else schemas.Author(None, row.author_kind),
        body=row.body if published else None,
        html=row.html if published else None,
        created_at=row.created_at,
        edited_at=row.edited_at if published else None,
        status=Status(row.status),
        reply_count=row.reply_count,
        likes=row.likes if published else 0,
        featured=row.featured_at is not None,
        pinned=row.pinned_at is not None,
        replies=replies if replies is not None else [],
        replies_next=replies_next,
    )


def shown_author(row: Row) -> schemas.Author:
    """Answer who wrote, with what the publisher said of them when they did."""
    shown = row.author_shown or {}
    return schemas.Author(
        row.author_name, row.author_kind, shown.get("badges", []), shown.get("avatar_url"), row.author_key
    )


async def full_views(connection: AsyncConnection, site_id: str, ids: Sequence[str]) -> dict[str, schemas.Comment]:
    """Answer comments as their authors and moderators see them: text and reasons in every status."""
    rows = await pages.in_full(connection, site_id, ids)
    decided = await review_items.latest_decisions(connection, site_id, ids)
    appealed = {row.comment_id: row for row in await appeals.of_comments(connection, site_id, ids)}
    return {
        comment_id: full_view(rows[comment_id], decided.get(comment_id), appealed.get(comment_id))
        for comment_id in ids
        if comment_id in rows
    }


def full_view(row: Row, decision: Row | None, appeal: Row | None) -> schemas.Comment:
    """Answer one comment with its reasons; `decision` and `appeal` are the newest on it."""
    reasons, status = reasons_of(decision), Status(row.status)
    edit: schemas.PendingEdit | None = None
    is_edited = row.revision_number != row.shown_revision and row.revision_superseded_at is None
    if status is Status.PUBLISHED and is_edited:
        judged = decision is not None and decision.revision_id == row.revision_id
        edit = schemas.PendingEdit(row.latest_body, Status(row.revision_status), reasons if judged else [])
        reasons = []
    body, html = (row.latest_body, row.latest_html) if row.shown_revision is None else (row.body, row.html)
    deleted = status is Status.DELETED
    return schemas.Comment(
        id=row.id,
        parent_id=row.parent_id,
        author=msgspec.structs.replace(shown_author(row), key=None) if deleted else shown_author(row),
        body=None if deleted else body,
        html=None if deleted else html,
        created_at=row.created_at,
        edited_at=row.edited_at,
        status=status,
        reply_count=row.reply_count,
        likes=row.likes,
        featured=row.featured_at is not None,
        pinned=row.pinned_at is not None,
        revision=row.shown_revision or row.latest_revision,
        reasons=reasons,
        pending_edit=edit,
        appeal=None if appeal is None else appeal.outcome or "open",
    )


def reasons_of(decision: Row | None) -> list[schemas.ReasonView]:
    """Answer the reasons of a decision, none while nobody decided."""
    if decision is None:
        return []
    return [schemas.ReasonView(reason["code"], reason["text"]) for reason in decision.reasons]


def nested(rows: Iterable[Row]) -> list[schemas.Comment]:
    """Build trees from rows in pre-order; a row whose parent is not among them is a root of the answer."""
    views: dict[str, schemas.Comment] = {}
    roots: list[schemas.Comment] = []
    for row in rows:
        view = views[row.id] = reader_view(row)
        parent = views.get(row.parent_id) if row.parent_id else None
        (parent.replies if parent is not None else roots).append(view)
    return roots


def opinion_view(row: Row, *, name: str | None = None) -> OpinionView:
    """Answer what a second person would have decided."""
    return OpinionView(row.answer, reasons_of(row), None, row.created_at, name)


def first_opinion(decision: Row) -> OpinionView:
    """Answer a decision as the first of two opinions."""
    return OpinionView(decision.action, reasons_of(decision), decision.note, decision.created_at)


def decision_view(
    row: Row | dict[str, Any],
    *,
    revision: int,
    name: str | None = None,
    opinions: Sequence[OpinionView] = (),
) -> schemas.DecisionView:
    """Answer a recorded decision; `name`: of the person who made it, where that may be told."""
    value = row if isinstance(row, dict) else row._mapping
    return schemas.DecisionView(
        id=value["id"],
        action=value["action"],
        actor_kind=value["actor_kind"],
        actor=value["actor"],
        from_status=Status(value["from_status"]),
        to_status=Status(value["to_status"]),
        revision=revision,
        reasons=[schemas.ReasonView(reason["code"], reason["text"]) for reason in value["reasons"]],
        causes=list(value["causes"]),
        policy_version=value["policy_version"],
        note=value["note"],
        created_at=value["created_at"],
        ground=value["ground"],
        ground_clause=value["ground_clause"],
        act_id=value["act_id"],
        undoes=value["undoes_id"],
        actor_name=name,
        opinions=list(opinions),
    )
