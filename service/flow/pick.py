"""Moderators feature and pin what is worth reading first."""

from __future__ import annotations

from typing import Final

from moderation.decision import Status
from service.errors import Problem
from service.flow import live_news, transition
from service.flow.audit import audit
from service.flow.context import Context
from service.flow.identify import Principal
from service.store import comments, outbox, picks, threads
from service.store.picks import Pick
from service.store.types import Row

MOST_PINNED: Final = 3


async def pick(context: Context, site: Row, principal: Principal, comment_id: str, what: Pick) -> None:
    """Feature a published comment, or pin a published root above its thread; twice is no error."""
    async with context.database.writing() as connection:
        comment = await transition.locked_comment(connection, site.id, comment_id)
        if comment.status != Status.PUBLISHED.value:
            raise Problem("comment.final", f"Only a published comment can be {what}.")
        if what == "pinned":
            if comment.parent_id is not None:
                raise Problem("comment.final", "Only a comment that answers none can be pinned.")
            others = {*await picks.pinned_in(connection, site.id, comment.thread_id)} - {comment_id}
            if len(others) >= MOST_PINNED:
                raise Problem("pinned.full", f"The thread has {MOST_PINNED} pinned comments; take one down first.")
        now = context.now()
        if not await picks.set_pick(connection, site.id, comment_id, what, now):
            return
        version = await threads.bump(connection, site.id, comment.thread_id, 0)
        shown = await comments.revision(connection, site.id, comment_id, comment.shown_revision)
        assert shown is not None
        event = transition.event_row(
            context, f"comment.{what}", site_id=site.id, thread_id=comment.thread_id, comment_id=comment_id,
            revision_id=shown.id, at=now, comment_status=comment.status,
        )  # fmt: skip
        await outbox.append(connection, [event])
        await audit(connection, context, site.id, principal.actor, f"comment.{what}", comment_id, kind="moderator")
    await _tell(context, comment, version)


async def unpick(context: Context, site: Row, principal: Principal, comment_id: str, what: Pick) -> None:
    """Feature or pin a comment no more; one that is not so already is no error."""
    async with context.database.writing() as connection:
        comment = await transition.locked_comment(connection, site.id, comment_id)
        if not await picks.set_pick(connection, site.id, comment_id, what, None):
            return
        version = await threads.bump(connection, site.id, comment.thread_id, 0)
        await audit(connection, context, site.id, principal.actor, f"comment.un{what}", comment_id, kind="moderator")
    await _tell(context, comment, version)


async def _tell(context: Context, comment: Row, version: int) -> None:
    news = live_news.of_comment(comment.thread_id, comment.id, comment.parent_id, comment.status, version)
    await live_news.tell(context, [news])
