"""An author changes or deletes the own comment."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.decision import Action, ActorKind, Status, next_status
from service import schemas
from service.errors import Problem
from service.flow import aftermath, challenge, sanitise, transition, views
from service.flow.announce import Told, announce, close_items
from service.flow.await_decision import enqueue_and_wait
from service.flow.context import Context
from service.flow.identify import Commenter
from service.flow.new_comment import NOTHING_NOTICED, Sent, new_revision
from service.flow.sanctions import refuse_restricted
from service.flow.transition import Actor, Decision
from service.store import commenters, comments, outbox, reports, review_items, threads
from service.store.types import Row

MAXIMUM_REVISIONS = 50
_EDITABLE = frozenset({Status.PENDING.value, Status.HELD.value, Status.PUBLISHED.value})


async def edit(
    context: Context,
    site: Row,
    commenter: Commenter,
    comment_id: str,
    body: str,
    *,
    wait_seconds: float,
    sent: Sent = NOTHING_NOTICED,
    solution: str | None = None,
) -> schemas.Comment:
    """Add a revision that is scored like any other; a text that is published stays until the new one is decided."""
    sanitise.check_body(body, minimum=site.body_min_characters, maximum=site.body_max_characters)
    await challenge.check(context, site, commenter, sent.network_hash, solution, None)
    now, revision_id, html = context.now(), context.new_id(), sanitise.to_html(body)
    async with context.database.writing() as connection:
        await refuse_restricted(connection, site, commenter.commenter_id, now=now)
        comment = await _own(connection, site.id, commenter, comment_id)
        await _check_editable(connection, site, comment, now)
        # The text that readers see goes on being asked about, until another is shown.
        shown = comment.shown_revision
        closed = await review_items.supersede(connection, site.id, comment_id, at=now, keep=shown)
        number, body_hash = comment.latest_revision + 1, sanitise.hash_of(body)
        before = await comments.revision(connection, site.id, comment_id, comment.latest_revision)
        if before is not None and before.submission:
            # How the comment was first sent is no better for being edited.
            sent = sent._replace(facts={**sent.facts, **before.submission})
        row = new_revision(site.id, comment_id, revision_id, number, body, html, body_hash, now, sent)
        await comments.insert_revision(connection, row)
        await commenters.saw(connection, site.id, commenter.commenter_id, at=now)
        if comment.status == Status.HELD.value:
            standings = await transition.standings_of(connection, site.id, [comment_id])
            standings.set_status(comment_id, Status.PENDING, by_person=False)
            await transition.save(connection, site.id, comment.thread_id, standings)
        event = transition.event_row(
            context,
            "comment.submitted",
            site_id=site.id,
            thread_id=comment.thread_id,
            comment_id=comment_id,
            revision_id=revision_id,
            at=now,
            comment_status=Status.PUBLISHED.value if comment.status == Status.PUBLISHED.value else Status.PENDING.value,
        )
        await outbox.append(connection, [event])
        await aftermath.of_edit(connection, context, site.id, comment_id, closed, now=now)
    await close_items(context, site.id, closed)
    await enqueue_and_wait(context, revision_id, wait_seconds)
    async with context.database.reading() as connection:
        return (await views.full_views(connection, site.id, [comment_id]))[comment_id]


async def _check_editable(connection: AsyncConnection, site: Row, comment: Row, now: datetime) -> None:
    """Raise for a comment that its author cannot change any more."""
    if comment.status not in _EDITABLE:
        raise Problem("comment.final", f"A comment that is {comment.status} cannot be edited.")
    if comment.status == Status.HELD.value and await reports.open_of(connection, site.id, [comment.id]):
        # Else an edit that a machine finds nothing wrong with would be the way around a person's look.
        raise Problem("comment.final", "This comment was reported; a moderator reads this text first.")
    if comment.latest_revision >= MAXIMUM_REVISIONS:
        raise Problem("edit.too_late", f"A comment can be edited {MAXIMUM_REVISIONS - 1} times.")
    if now - comment.created_at > timedelta(seconds=site.edit_window_seconds):
        raise Problem("edit.too_late", f"Comments can be edited for {site.edit_window_seconds} seconds here.")
    thread = (await threads.by_ids(connection, site.id, [comment.thread_id]))[comment.thread_id]
    if threads.state_at(thread, now) == "closed":
        raise Problem("thread.closed", "This thread is closed; its comments stay as they are.")


async def delete(context: Context, site: Row, commenter: Commenter, comment_id: str) -> None:
    """Take the own comment away for ever; where readers answered it a tombstone stays. Deleting twice is no error."""
    now = context.now()
    async with context.database.writing() as connection:
        comment = await _own(connection, site.id, commenter, comment_id)
        if comment.status == Status.DELETED.value:
            return
        closed = await review_items.supersede(connection, site.id, comment_id, at=now)
        await comments.supersede(connection, site.id, comment_id, at=now)
        standings = await transition.standings_of(connection, site.id, [comment_id])
        node = standings.nodes[comment_id]
        before = node.status
        node.deleted_at = now
        after = next_status(before, Action.DELETE, ActorKind.AUTHOR, by_person=node.status_by_person)
        standings.set_status(comment_id, after, by_person=True)
        version = await transition.save(connection, site.id, comment.thread_id, standings)
        revision = await comments.revision(connection, site.id, comment_id, comment.latest_revision)
        assert revision is not None
        decision = Decision(
            id=context.new_id(),
            site_id=site.id,
            thread_id=comment.thread_id,
            comment_id=comment_id,
            revision_id=revision.id,
            action=Action.DELETE,
            actor=Actor(ActorKind.AUTHOR, commenter.commenter_id),
            from_status=before,
            to_status=after,
            at=now,
        )
        await transition.append(connection, context, [decision], event_of={decision.id: ["comment.deleted"]})
        await aftermath.of_end(connection, context, site.id, [decision], now=now)
    await close_items(context, site.id, closed)
    await announce(context, [Told.of(decision, version=version, parent_id=comment.parent_id)])


async def _own(connection: AsyncConnection, site_id: str, commenter: Commenter, comment_id: str) -> Row:
    """Answer the comment, its thread locked; somebody else's comment is as unknown as none."""
    comment = await transition.locked_comment(connection, site_id, comment_id)
    if comment.commenter_id != commenter.commenter_id:
        raise Problem("comment.unknown", "You have no comment with this id here.")
    return comment
