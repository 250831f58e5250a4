"""A moderator takes an act back, soon after it: every comment stands where it stood, and waits in their hands again."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.decision import Action, ActorKind, Status
from moderation.policy import Reason
from service import schemas
from service.errors import Problem
from service.flow import aftermath, transition
from service.flow.announce import Told, announce, close_items, queue_items, standing_of
from service.flow.audit import audit
from service.flow.context import Context
from service.flow.fingerprints import after_decision
from service.flow.identify import Principal, hash_token
from service.flow.open_items import open_item
from service.flow.review import queue_straight
from service.flow.review_settings import review_of
from service.flow.review_views import item_views
from service.flow.sanctions import lift_undone
from service.flow.standings import Standings
from service.flow.transition import Actor, Decision
from service.store import acts, comments, review_items, sanctions, threads
from service.store.types import Row

_LEASE_SECONDS = 300
_ACTIONS = {
    Status.HELD: Action.HOLD,
    Status.PUBLISHED: Action.RESTORE,
    Status.REJECTED: Action.REJECT,
    Status.REMOVED: Action.REMOVE,
}
_EVENTS = {
    Status.HELD: "comment.held",
    Status.PUBLISHED: "comment.restored",
    Status.REJECTED: "comment.rejected",
    Status.REMOVED: "comment.removed",
}


class _Back(NamedTuple):
    """One comment that is back: the decision, what to tell, the items it closed, and the one that waits again."""

    id: str
    told: Told
    closed: list[str]
    item: dict[str, Any] | None
    lease: str
    asked: list[dict[str, Any]]


async def undo(context: Context, site: Row, principal: Principal, act_id: str) -> schemas.Undone:
    """Take back what is still the last word of an act; what was decided or edited since stays as it is."""
    async with context.database.writing() as connection:
        sanction = await sanctions.by_id(connection, site.id, act_id)
        made = await acts.decisions_of(connection, site.id, act_id)
        await _lock(connection, site, made, sanction)
        now = context.now()
        await _check(connection, site, principal, made, now)
        back: list[_Back] = []
        left: list[schemas.LeftAsItIs] = []
        # The newest first: of several on one comment each finds it as it had left it.
        for decision in reversed(made):
            code = await _obstacle(connection, site.id, decision, {one.id for one in back})
            if code is not None:
                left.append(schemas.LeftAsItIs(decision.comment_id, code))
                continue
            back.append(await _take_back(connection, context, site, principal, decision, now))
        lifted = [] if sanction is None else await lift_undone(connection, context, site, principal, sanction, now)
        until = now + timedelta(seconds=_LEASE_SECONDS)
        leases = {one.item["id"]: one.lease for one in back if one.item}
        items = await item_views(connection, site, leases, until=until, now=now)
        opened = await review_items.by_ids(connection, site.id, leases)
    closed = [*(one.closed for one in back), *(one.closed for one in lifted)]
    await close_items(context, site.id, [item_id for items_ in closed for item_id in items_])
    await announce(context, [*(one.told for one in back), *(one.told for one in lifted)])
    asked = [*(one.asked for one in back), *(one.opened for one in lifted)]
    await queue_items(context, site.id, [standing_of(row) for rows in asked for row in rows])
    await queue_straight(context, site.id, opened.values())
    return schemas.Undone(len(back), items, left)


async def _lock(connection: AsyncConnection, site: Row, made: Sequence[Row], sanction: Row | None) -> None:
    """Take every lock in the order in which all take them: the commenter, then threads; audit comes last."""
    swept: Sequence[Row] = ()
    if sanction is not None:
        await sanctions.lock_commenter(connection, site.id, sanction.commenter_id)
        swept = await review_items.decisions_by_ids(connection, site.id, sanction.swept)
    await threads.lock(connection, sorted({row.thread_id for row in (*made, *swept)}))


async def _check(
    connection: AsyncConnection, site: Row, principal: Principal, made: Sequence[Row], now: datetime
) -> None:
    if not made:
        raise Problem("undo.unknown", "No act of this site has this id.")
    if any(row.actor != principal.actor for row in made):
        raise Problem("undo.not_yours", "Only who did this can undo it; decide anew, or appeal to an admin.")
    if now > made[0].created_at + timedelta(seconds=review_of(site.review).undo_seconds):
        raise Problem("undo.over", "The time to undo this is over; decide anew instead.")
    if await acts.undone(connection, site.id, [row.id for row in made]):
        raise Problem("undo.done", "This was undone before.")


async def _obstacle(connection: AsyncConnection, site_id: str, decision: Row, undoing: Collection[str]) -> str | None:
    """Answer why a decision cannot be taken back any more, if so; `undoing` are decisions of this very undo."""
    comment = await comments.by_id(connection, site_id, decision.comment_id)
    latest = (await review_items.latest_decisions(connection, site_id, [decision.comment_id])).get(decision.comment_id)
    if comment is None or latest is None or latest.id not in {decision.id, *undoing}:
        return "comment.final"
    if comment.status != decision.to_status or decision.stood is None:
        return "comment.final"
    if await acts.was_edited_since(connection, site_id, decision):
        return "revision.changed"
    shown = [decision.stood["shown"]] if decision.stood["shown"] is not None else []
    gone = await acts.is_anything_erased(connection, site_id, decision, shown)
    return "comment.final" if gone else None


async def _take_back(
    connection: AsyncConnection, context: Context, site: Row, principal: Principal, decision: Row, now: datetime
) -> _Back:
    standings = await transition.standings_of(connection, site.id, [decision.comment_id])
    before, after = Status(decision.to_status), Status(decision.from_status)
    earlier = await acts.before(connection, site.id, decision)
    closed = await acts.supersede_about(connection, site.id, decision, at=now)
    await _restore(connection, site.id, standings, decision)
    version = await transition.save(connection, site.id, decision.thread_id, standings)
    made = _decision(context, principal, decision, earlier, before, after, now)
    told = [_EVENTS[after], "review.decided"] if before is not after else ["review.decided"]
    await transition.append(connection, context, [made], event_of={made.id: told})
    # What was kept of a text that was taken down is let go of; one that stays down has its own.
    await after_decision(connection, context, site.id, decision.comment_id, None, after, [], now)
    lease = secrets.token_urlsafe(24)
    item = await _item_again(connection, context, site, principal, decision, lease, now)
    moved = await aftermath.of_undoing(connection, context, site.id, decision, now=now)
    await audit(
        connection, context, site.id, principal.actor, "comment.decision_undone", decision.comment_id,
        kind="moderator", decision_id=decision.id,
    )  # fmt: skip
    closed = [*closed, *moved.closed]
    return _Back(made.id, Told.of(made, version=version), closed, item, lease, moved.opened)


async def _restore(connection: AsyncConnection, site_id: str, standings: Standings, decision: Row) -> None:
    """Let the comment and its revision stand exactly where they stood."""
    node, stood = standings.nodes[decision.comment_id], decision.stood
    if node.shown_revision != stood["shown"]:
        node.shown_revision = stood["shown"]
        standings.changed[node.id] = node
        standings.seen_by_readers |= node.visible
    node.edited_at = datetime.fromisoformat(stood["edited_at"]) if stood["edited_at"] else None
    standings.set_status(node.id, Status(decision.from_status), by_person=stood["by_person"])
    await comments.set_revision_status(connection, site_id, decision.revision_id, Status(stood["revision"]))


def _decision(
    context: Context,
    principal: Principal,
    decision: Row,
    earlier: Row | None,
    before: Status,
    after: Status,
    now: datetime,
) -> Decision:
    """Answer the decision that takes one back: with the reasons of the one before, which are the author's again."""
    reasons = [Reason(one["code"], one["text"]) for one in earlier.reasons] if earlier else []
    return Decision(
        id=context.new_id(),
        site_id=decision.site_id,
        thread_id=decision.thread_id,
        comment_id=decision.comment_id,
        revision_id=decision.revision_id,
        action=_ACTIONS[after],
        actor=Actor(ActorKind.MODERATOR, principal.actor),
        from_status=before,
        to_status=after,
        at=now,
        reasons=reasons,
        causes=earlier.causes if earlier else (),
        policy_version=decision.policy_version,
        automated_detection=bool(earlier and earlier.automated_detection),
        undoes_id=decision.id,
    )


async def _item_again(
    connection: AsyncConnection,
    context: Context,
    site: Row,
    principal: Principal,
    decision: Row,
    lease: str,
    now: datetime,
) -> dict[str, Any] | None:
    """Open the item anew that was decided, in the hands of who undid; none where it was decided outside the queue."""
    if decision.review_item_id is None:
        return None
    was = (await review_items.by_ids(connection, site.id, [decision.review_item_id]))[decision.review_item_id]
    if await acts.open_about(connection, site.id, was.revision_id, was.kind):
        # Somebody asked the same anew meanwhile; that one is enough.
        return None
    priority = was.priority or {}
    return await open_item(
        connection, context, site.id, was.revision_id, was.kind,
        # With the time of the first, it stands where it stood.
        now=was.opened_at, causes=was.causes, reports=priority.get("reports", 0), queue=was.queue,
        at_once=bool(priority.get("at_once")), blind=was.blind, not_for=was.not_for, decision_id=was.decision_id,
        spans=was.spans, escalated_at=was.escalated_at, escalated_by=was.escalated_by,
        escalation_note=was.escalation_note, lease_hash=hash_token(lease),
        lease_expires_at=now + timedelta(seconds=_LEASE_SECONDS), claimed_by=principal.actor, claim_number=1,
    )  # fmt: skip
