"""A decision is taken back: by an undo, or with the sanction that it was a part of; the comment stands as before it."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.decision import Action, ActorKind, Status
from moderation.policy import Reason
from service.flow import aftermath, transition
from service.flow.announce import Told
from service.flow.context import Context
from service.flow.fingerprints import after_decision
from service.flow.identify import hash_token
from service.flow.judgement import Applied
from service.flow.open_items import open_item
from service.flow.standings import Standings
from service.flow.transition import Actor, Decision
from service.store import acts, comments, review_items
from service.store.types import Row

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
#: What lets a comment that is held go on, once it is decided.
_FREES = ("held", aftermath.REPORTED)


class Hand(NamedTuple):
    """The lease under which an item is open again for who took its decision back."""

    actor: str
    token: str
    until: datetime

    @classmethod
    def of(cls, actor: str, until: datetime) -> Hand:
        """Answer a new one."""
        return cls(actor, secrets.token_urlsafe(24), until)


async def obstacle(
    connection: AsyncConnection, site_id: str, decision: Row, undoing: Collection[str] = ()
) -> str | None:
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


async def take_back(
    connection: AsyncConnection,
    context: Context,
    site_id: str,
    actor: str,
    decision: Row,
    now: datetime,
    hand: Hand | None = None,
) -> Applied:
    """Take a decision back that nothing hinders, in a transaction that has its comment's thread locked.

    An item that it decided is the first of those opened, in the hand if there is one. A comment that waits again is
    asked about again.
    """
    standings = await transition.standings_of(connection, site_id, [decision.comment_id])
    earlier = await acts.before(connection, site_id, decision)
    closed = await acts.supersede_about(connection, site_id, decision, at=now)
    await _restore(connection, site_id, standings, decision)
    version = await transition.save(connection, site_id, decision.thread_id, standings)
    made = _decision(context, actor, decision, earlier, now)
    after = made.to_status
    told = [_EVENTS[after], "review.decided"] if made.from_status is not after else ["review.decided"]
    await transition.append(connection, context, [made], event_of={made.id: told})
    # What was kept of a text that was taken down is let go of; one that stays down has its own.
    await after_decision(connection, context, site_id, decision.comment_id, None, after, [], now)
    again = await _item_again(connection, context, site_id, decision, hand)
    moved = await aftermath.of_undoing(connection, context, site_id, decision, now=now)
    asked = await _ask_about_held(connection, context, site_id, made, now)
    opened = [row for row in (again, *moved.opened, asked) if row]
    told_of = Told.of(made, version=version, parent_id=standings.nodes[decision.comment_id].parent_id)
    return Applied(made, told_of, [*closed, *moved.closed], opened)


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


def _decision(context: Context, actor: str, decision: Row, earlier: Row | None, now: datetime) -> Decision:
    """Answer the decision that takes one back: with the reasons of the one before, which are the author's again."""
    after = Status(decision.from_status)
    return Decision(
        id=context.new_id(),
        site_id=decision.site_id,
        thread_id=decision.thread_id,
        comment_id=decision.comment_id,
        revision_id=decision.revision_id,
        action=_ACTIONS[after],
        actor=Actor(ActorKind.MODERATOR, actor),
        from_status=Status(decision.to_status),
        to_status=after,
        at=now,
        reasons=[Reason(one["code"], one["text"]) for one in earlier.reasons] if earlier else [],
        causes=earlier.causes if earlier else (),
        policy_version=decision.policy_version,
        automated_detection=bool(earlier and earlier.automated_detection),
        undoes_id=decision.id,
    )


async def _item_again(
    connection: AsyncConnection, context: Context, site_id: str, decision: Row, hand: Hand | None
) -> dict[str, Any] | None:
    """Open the item anew that was decided; none where it was decided outside the queue."""
    if decision.review_item_id is None:
        return None
    was = (await review_items.by_ids(connection, site_id, [decision.review_item_id]))[decision.review_item_id]
    if await acts.open_about(connection, site_id, was.revision_id, was.kind):
        # Somebody asked the same anew meanwhile; that one is enough.
        return None
    priority = was.priority or {}
    lease = {} if hand is None else _lease(hand)
    return await open_item(
        connection, context, site_id, was.revision_id, was.kind,
        # With the time of the first, it stands where it stood.
        now=was.opened_at, causes=was.causes, reports=priority.get("reports", 0), queue=was.queue,
        at_once=bool(priority.get("at_once")), blind=was.blind, not_for=was.not_for, decision_id=was.decision_id,
        spans=was.spans, escalated_at=was.escalated_at, escalated_by=was.escalated_by,
        escalation_note=was.escalation_note, **lease,
    )  # fmt: skip


def _lease(hand: Hand) -> dict[str, Any]:
    return {
        "lease_hash": hash_token(hand.token),
        "lease_expires_at": hand.until,
        "claimed_by": hand.actor,
        "claim_number": 1,
    }


async def _ask_about_held(
    connection: AsyncConnection, context: Context, site_id: str, made: Decision, now: datetime
) -> dict[str, Any] | None:
    """Ask about a comment that waits again and whose item was not decided but ended with it; answer the item's row."""
    if made.to_status is not Status.HELD:
        return None
    for kind in _FREES:
        if await acts.open_about(connection, site_id, made.revision_id, kind):
            return None
    return await open_item(connection, context, site_id, made.revision_id, "held", now=now, causes=made.causes)
