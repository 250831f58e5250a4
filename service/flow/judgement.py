"""What a person decides about one revision, applied to its comment: standings, revisions, decision, event."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.decision import Action, ActorKind, Status, TransitionError, next_status
from moderation.policy import Policy, Reason
from service import telemetry
from service.errors import Problem
from service.flow import aftermath, policies, transition
from service.flow.announce import Told
from service.flow.context import Context
from service.flow.fingerprints import after_decision
from service.flow.standings import Standing
from service.flow.transition import Actor, Decision
from service.store import acts, comments, review_items, sites, threads
from service.store.types import Row

_EVENTS = {
    Status.PUBLISHED: "comment.published",
    Status.HELD: "comment.held",
    Status.REJECTED: "comment.rejected",
    Status.REMOVED: "comment.removed",
}


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What a person decided about one revision, before it is applied."""

    comment_id: str
    thread_id: str
    revision: Any
    action: Action
    actor: str
    reasons: list[Reason]
    policy_version: str
    note: str | None
    causes: Sequence[dict[str, Any]] = ()
    item_id: str | None = None
    ground: str | None = None
    ground_clause: str | None = None
    automated_detection: bool = False
    on_notice: bool = False
    act_id: str | None = None
    undoes_id: str | None = None


class Applied(NamedTuple):
    """The decision, what to tell of it, and the review items that it made pointless."""

    decision: Decision
    told: Told
    closed: list[str]
    #: Items that wait now beside the one that is told of.
    opened: Sequence[dict[str, Any]] = ()


async def policy_of(connection: AsyncConnection, site: Row, thread_id: str) -> tuple[str, Policy]:
    """Answer the policy in force for a thread, and its version."""
    thread = (await threads.by_ids(connection, site.id, [thread_id]))[thread_id]
    current = await sites.by_slug(connection, site.slug)
    assert current is not None
    version = str(thread.policy_version or current.policy_version)
    return version, (await policies.prepared(connection, [(site.id, version)]))[site.id, version].policy


def reasons_named(policy: Policy, codes: Sequence[str], *, required: bool) -> list[Reason]:
    """Answer the site's reasons with these codes, or raise for an unknown one."""
    known = {reason.code: reason for reason in policy.reasons}
    if any(code not in known for code in codes):
        allowed = ", ".join(sorted(known))
        raise Problem("request.invalid", f"Unknown reason; the site's are: {allowed}.", fields=[("reasons", "unknown")])
    if required and not codes:
        raise Problem("request.invalid", "This needs at least one reason.", fields=[("reasons", "at least one")])
    return [known[code] for code in dict.fromkeys(codes)]


async def apply(
    connection: AsyncConnection, context: Context, site_id: str, judgement: Judgement, now: datetime
) -> Applied:
    """Apply a person's decision to a comment whose thread is locked, and record it."""
    closed: list[str] = []
    standings = await transition.standings_of(connection, site_id, [judgement.comment_id])
    node, number = standings.nodes[judgement.comment_id], judgement.revision.number
    before, stood = node.status, _stood(node, judgement.revision)
    refused = judgement.action is Action.REJECT and is_edit_of_shown(before, node.shown_revision, number)
    if refused:
        # The edit is refused; the text that was published before stays where it is.
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
    closed += await acts.end_samples(connection, site_id, node.id, at=now)
    decision = _decision(context, site_id, judgement, before, node.status, stood, now)
    await transition.append(
        connection, context, [decision], event_of={decision.id: _events_of(judgement, before, node.status, refused)}
    )
    closed += await aftermath.of_decision(connection, context, site_id, decision, number=number, now=now)
    await after_decision(
        connection,
        context,
        site_id,
        node.id,
        judgement.revision.body,
        Status.REJECTED if refused else node.status,
        [reason.code for reason in judgement.reasons],
        now,
    )
    telemetry.decided_total.labels("moderator", node.status.value).inc()
    return Applied(decision, Told.of(decision, version=version, parent_id=node.parent_id), closed)


def is_edit_of_shown(status: Status, shown: int | None, number: int) -> bool:
    """Answer whether a revision is an edit of a text that readers saw, so that refusing it says nothing of that one."""
    return status in (Status.PUBLISHED, Status.HELD) and shown is not None and shown != number


def _stood(node: Standing, revision: Any) -> dict[str, Any]:
    return {
        "shown": node.shown_revision,
        "by_person": node.status_by_person,
        "edited_at": node.edited_at.isoformat() if node.edited_at else None,
        "revision": revision.status,
    }


def _after(before: Status, action: Action, *, by_person: bool) -> Status:
    try:
        return next_status(before, action, ActorKind.MODERATOR, by_person=by_person)
    except TransitionError:
        raise Problem("comment.final", f"A comment that is {before} cannot be subject to {action}.") from None


def _events_of(judgement: Judgement, before: Status, after: Status, refused: bool) -> list[str]:
    """Answer what is told: that a person decided, after what became of the comment."""
    if judgement.action is Action.RESTORE:
        return ["comment.restored", "review.decided"]
    if refused:
        return ["comment.rejected", "review.decided"]
    if before is after:
        revised = judgement.revision.number > 1 and judgement.revision.status != Status.PUBLISHED.value
        edited = revised and after is Status.PUBLISHED
        return ["comment.edited", "review.decided"] if edited else ["review.decided"]
    return [_EVENTS[after], "review.decided"]


def _decision(
    context: Context,
    site_id: str,
    judgement: Judgement,
    before: Status,
    after: Status,
    stood: dict[str, Any],
    now: datetime,
) -> Decision:
    return Decision(
        id=context.new_id(),
        site_id=site_id,
        thread_id=judgement.thread_id,
        comment_id=judgement.comment_id,
        revision_id=judgement.revision.id,
        action=judgement.action,
        actor=Actor(ActorKind.MODERATOR, judgement.actor),
        from_status=before,
        to_status=after,
        at=now,
        reasons=judgement.reasons,
        causes=judgement.causes,
        policy_version=judgement.policy_version,
        note=judgement.note,
        item_id=judgement.item_id,
        automated_detection=judgement.automated_detection,
        ground=judgement.ground,
        ground_clause=judgement.ground_clause,
        on_notice=judgement.on_notice,
        act_id=judgement.act_id,
        undoes_id=judgement.undoes_id,
        stood=stood,
    )
