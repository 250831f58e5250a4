"""A moderator decides: an item under a lease, exactly once (promise 4), or a comment that is out of the queue."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.decision import Action
from service import schemas
from service.errors import Problem
from service.flow import transition, views
from service.flow.announce import Told, announce, close_items
from service.flow.audit import audit
from service.flow.context import Context
from service.flow.identify import Principal
from service.flow.judgement import Judgement, apply, policy_of, reasons_named
from service.flow.review import check_lease
from service.store import comments, review_items
from service.store.types import Row


async def decide(
    context: Context, site: Row, principal: Principal, item_id: str, wanted: schemas.DecideInput
) -> schemas.Decided:
    """Approve or reject the revision that was read; a late or second decision is a conflict, never an overwrite."""
    async with context.database.writing() as connection:
        item = await _locked_item(connection, site.id, item_id)
        # Taken behind the locks: a lease that ended while we waited for them has ended.
        now = context.now()
        item = check_lease(item, wanted.lease, now)
        revision = (await comments.revisions_by_ids(connection, site.id, [item.revision_id]))[item.revision_id]
        _check_revision(revision, wanted.revision)
        version, policy = await policy_of(connection, site, item.thread_id)
        judgement = Judgement(
            comment_id=item.comment_id,
            thread_id=item.thread_id,
            revision=revision,
            action=Action(wanted.action),
            actor=principal.actor,
            reasons=reasons_named(policy, wanted.reasons, required=wanted.action == "reject"),
            policy_version=version,
            note=wanted.note,
            causes=item.causes,
            item_id=item.id,
        )
        if not await review_items.close(connection, site.id, item_id, at=now):
            raise Problem("item.decided", "Somebody decided this item; the first decision stands.")
        answer, told, closed = await _apply(connection, context, site.id, judgement, now)
    await close_items(context, site.id, [item_id, *closed])
    await announce(context, [told])
    return answer


async def act(
    context: Context, site: Row, principal: Principal, comment_id: str, wanted: schemas.ActInput
) -> schemas.Decided:
    """Remove a published comment, or restore one that a person took down; open items of it are closed."""
    now = context.now()
    async with context.database.writing() as connection:
        comment = await transition.locked_comment(connection, site.id, comment_id)
        number = comment.shown_revision or comment.latest_revision
        revision = await comments.revision(connection, site.id, comment_id, number)
        assert revision is not None
        _check_revision(revision, wanted.revision)
        if revision.erased_at is not None and wanted.action == "restore":
            raise Problem("comment.final", "The text was erased; there is nothing left to show.")
        version, policy = await policy_of(connection, site, comment.thread_id)
        judgement = Judgement(
            comment_id=comment_id,
            thread_id=comment.thread_id,
            revision=revision,
            action=Action(wanted.action),
            actor=principal.actor,
            reasons=reasons_named(policy, wanted.reasons, required=wanted.action == "remove"),
            policy_version=version,
            note=wanted.note,
        )
        answer, told, closed = await _apply(connection, context, site.id, judgement, now)
    await close_items(context, site.id, closed)
    await announce(context, [told])
    return answer


async def history(context: Context, site: Row, comment_id: str) -> schemas.DecisionList:
    """Answer every decision on a comment, the first one first."""
    async with context.database.reading() as connection:
        if await comments.by_id(connection, site.id, comment_id) is None:
            raise Problem("comment.unknown", "No comment of this site has this id.")
        rows = await review_items.decisions_of(connection, site.id, comment_id)
        revisions = await comments.revisions_by_ids(connection, site.id, {row.revision_id for row in rows})
    return schemas.DecisionList([views.decision_view(row, revision=revisions[row.revision_id].number) for row in rows])


async def _locked_item(connection: AsyncConnection, site_id: str, item_id: str) -> Row | None:
    """Answer the item, locked after its thread: every transaction takes the thread first, so none deadlock.

    A merge may carry the item into another thread while this one waits; then that thread is locked.
    """
    item = await review_items.by_id(connection, site_id, item_id)
    if item is None or connection.dialect.name != "postgresql":
        return item
    await transition.locked_comment(connection, site_id, item.comment_id)
    return await review_items.by_id(connection, site_id, item_id, lock=True)


def _check_revision(revision: Row, wanted: int) -> None:
    if revision.number != wanted:
        detail = f"The text to decide on is revision {revision.number}; read it first."
        raise Problem("revision.changed", detail, extra={"revision": revision.number})


async def _apply(
    connection: AsyncConnection, context: Context, site_id: str, judgement: Judgement, now: datetime
) -> tuple[schemas.Decided, Told, list[str]]:
    """Apply a person's decision; answer it, what to tell, and the review items that it made pointless."""
    applied = await apply(connection, context, site_id, judgement, now)
    decision = applied.decision
    comment = (await views.full_views(connection, site_id, [decision.comment_id]))[decision.comment_id]
    answer = schemas.Decided(comment, views.decision_view(decision.row(), revision=judgement.revision.number))
    act: dict[str, Any] = {"decided": judgement.action.value, "decision_id": decision.id}
    await audit(
        connection, context, site_id, judgement.actor, "comment.decided", decision.comment_id, kind="moderator", **act
    )
    return answer, applied.told, applied.closed
