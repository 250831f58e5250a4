"""A moderator decides: an item under a lease, exactly once (promise 4), or a comment that is out of the queue."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.decision import Action, ActorKind, Status, TransitionError, next_status
from moderation.policy import Policy, Reason
from service import schemas, telemetry
from service.errors import Problem
from service.flow import policies, transition, views
from service.flow.announce import Told, announce, close_items
from service.flow.audit import audit
from service.flow.context import Context
from service.flow.identify import Principal
from service.flow.review import check_lease
from service.flow.transition import Actor, Decision
from service.store import comments, review_items, sites, threads
from service.store.types import Row

_EVENTS = {
    Status.PUBLISHED: "comment.published",
    Status.REJECTED: "comment.rejected",
    Status.REMOVED: "comment.removed",
}


class _Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What a person decided about one revision, before it is applied."""

    comment_id: str
    thread_id: str
    revision: Any
    action: Action
    principal: Any
    reasons: list[Reason]
    policy_version: str
    note: str | None
    causes: Sequence[dict[str, Any]] = ()
    item_id: str | None = None


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
        version, policy = await _policy_of(connection, site, item.thread_id)
        judgement = _Judgement(
            comment_id=item.comment_id,
            thread_id=item.thread_id,
            revision=revision,
            action=Action(wanted.action),
            principal=principal,
            reasons=_reasons(policy, wanted.reasons, required=wanted.action == "reject"),
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
        version, policy = await _policy_of(connection, site, comment.thread_id)
        judgement = _Judgement(
            comment_id=comment_id,
            thread_id=comment.thread_id,
            revision=revision,
            action=Action(wanted.action),
            principal=principal,
            reasons=_reasons(policy, wanted.reasons, required=wanted.action == "remove"),
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


async def _policy_of(connection: AsyncConnection, site: Row, thread_id: str) -> tuple[str, Policy]:
    thread = (await threads.by_ids(connection, site.id, [thread_id]))[thread_id]
    current = await sites.by_slug(connection, site.slug)
    assert current is not None
    version = str(thread.policy_version or current.policy_version)
    return version, (await policies.prepared(connection, [(site.id, version)]))[site.id, version].policy


def _reasons(policy: Policy, codes: Sequence[str], *, required: bool) -> list[Reason]:
    known = {reason.code: reason for reason in policy.reasons}
    if any(code not in known for code in codes):
        allowed = ", ".join(sorted(known))
        raise Problem("request.invalid", f"Unknown reason; the site's are: {allowed}.", fields=[("reasons", "unknown")])
    if required and not codes:
        raise Problem("request.invalid", "This needs at least one reason.", fields=[("reasons", "at least one")])
    return [known[code] for code in dict.fromkeys(codes)]


async def _apply(
    connection: AsyncConnection, context: Context, site_id: str, judgement: _Judgement, now: datetime
) -> tuple[schemas.Decided, Told, list[str]]:
    """Apply a person's decision; answer it, what to tell, and the review items that it made pointless."""
    closed: list[str] = []
    standings = await transition.standings_of(connection, site_id, [judgement.comment_id])
    node, number = standings.nodes[judgement.comment_id], judgement.revision.number
    before = node.status
    if before is Status.PUBLISHED and node.shown_revision != number and judgement.action is Action.REJECT:
        # The edit is refused; the text that was published before stays.
        await comments.set_revision_status(connection, site_id, judgement.revision.id, Status.REJECTED)
    else:
        after = _after(before, judgement.action, by_person=node.status_by_person)
        if after is Status.PUBLISHED:
            standings.show(node.id, number, edited_at=judgement.revision.created_at if number > 1 else None)
            closed = await review_items.supersede(connection, site_id, node.id, at=now, before=number)
        elif before is Status.PUBLISHED:
            # It is down: neither an edit of it nor anything asked about it matters now.
            closed = await review_items.supersede(connection, site_id, node.id, at=now)
            await comments.supersede(connection, site_id, node.id, at=now)
        standings.set_status(node.id, after, by_person=True)
        await comments.set_revision_status(connection, site_id, judgement.revision.id, after)
    version = await transition.save(connection, site_id, judgement.thread_id, standings)
    decision = _decision(context, site_id, judgement, before, node.status, now)
    await transition.append(
        connection, context, [decision], event_of={decision.id: _event_of(judgement, before, node.status)}
    )
    comment = (await views.full_views(connection, site_id, [judgement.comment_id]))[judgement.comment_id]
    telemetry.decided_total.labels("moderator", node.status.value).inc()
    answer = schemas.Decided(comment, views.decision_view(decision.row(), revision=number))
    act: dict[str, Any] = {"decided": judgement.action.value, "decision_id": decision.id}
    actor = judgement.principal.actor
    await audit(connection, context, site_id, actor, "comment.decided", node.id, kind="moderator", **act)
    return answer, Told.of(decision, version=version), closed


def _after(before: Status, action: Action, *, by_person: bool) -> Status:
    try:
        return next_status(before, action, ActorKind.MODERATOR, by_person=by_person)
    except TransitionError:
        raise Problem("comment.final", f"A comment that is {before} cannot be subject to {action}.") from None


def _event_of(judgement: _Judgement, before: Status, after: Status) -> str:
    if judgement.action is Action.RESTORE:
        return "comment.restored"
    if before is after is Status.PUBLISHED:
        return "review.decided"
    return _EVENTS[after]


def _decision(
    context: Context, site_id: str, judgement: _Judgement, before: Status, after: Status, now: datetime
) -> Decision:
    return Decision(
        id=context.new_id(),
        site_id=site_id,
        thread_id=judgement.thread_id,
        comment_id=judgement.comment_id,
        revision_id=judgement.revision.id,
        action=judgement.action,
        actor=Actor(ActorKind.MODERATOR, judgement.principal.actor),
        from_status=before,
        to_status=after,
        at=now,
        reasons=judgement.reasons,
        causes=judgement.causes,
        policy_version=judgement.policy_version,
        note=judgement.note,
        item_id=judgement.item_id,
        automated_detection=judgement.item_id is not None,
    )
