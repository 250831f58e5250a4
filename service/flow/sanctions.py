"""Moderators restrict commenters, and lift that again; what was taken down in the same act can come back with it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.decision import Action, Status
from service import schemas
from service.errors import Problem
from service.flow import policies
from service.flow.announce import announce, close_items, queue_items, standing_of
from service.flow.audit import audit
from service.flow.context import Context
from service.flow.identify import Principal
from service.flow.judgement import Applied, Judgement, apply, policy_of, reasons_named
from service.flow.moments import checked_moment
from service.flow.reported import ask_again_of
from service.flow.reviewer import is_admin, refuse_about_oneself
from service.flow.take_back import obstacle, take_back
from service.flow.transition import event_row
from service.store import acts, commenters, comments, outbox, review_items, sanctions, sites, threads
from service.store.types import Row

MOST_TAKEN_DOWN = 200
"""Comments that one act takes down, the newest first; an author of more is looked at by hand."""
_DOWN = {Status.PUBLISHED: Action.REMOVE, Status.HELD: Action.REJECT}
_CODES = {"ban": "commenter.banned", "suspension": "commenter.suspended"}


async def refuse_restricted(connection: AsyncConnection, site: Row, commenter_id: str, *, now: datetime) -> None:
    """Raise for a commenter who is shut out, in the transaction that would write, so that none slips through."""
    shut_out = [
        row
        for row in await sanctions.in_force(connection, site.id, commenter_id, now=now)
        if row.kind in sanctions.SHUT_OUT
    ]
    if not shut_out:
        return
    # A ban outlasts a suspension; of two suspensions the later end counts.
    strongest = max(shut_out, key=lambda row: (row.kind == "ban", row.until is None, row.until or now))
    until = strongest.until.isoformat() if strongest.until else None
    text = strongest.text
    when = f" until {until}" if until else ""
    raise Problem(_CODES[strongest.kind], f"You cannot write here{when}. {text}", extra={"until": until})


async def impose(
    context: Context, site: Row, principal: Principal, commenter_id: str, wanted: schemas.SanctionInput
) -> schemas.SanctionView:
    """Restrict a commenter from now on, and take down what they wrote lately if that is wished, in one transaction."""
    now = context.now()
    async with context.database.writing() as connection:
        view, applied = await impose_in(connection, context, site, principal, commenter_id, wanted, now)
    await _tell(context, site, applied)
    return view


async def impose_in(
    connection: AsyncConnection,
    context: Context,
    site: Row,
    principal: Principal,
    commenter_id: str,
    wanted: schemas.SanctionInput,
    now: datetime,
    *,
    sanction_id: str | None = None,
) -> tuple[schemas.SanctionView, list[Applied]]:
    """Do the same in a transaction that is open; `sanction_id`: of the act that it is a part of."""
    until = _until(wanted, now)
    await refuse_about_oneself(connection, site, principal, commenter_id)
    await sanctions.lock_commenter(connection, site.id, commenter_id)
    if await _unknown(connection, site.id, commenter_id):
        raise Problem("commenter.unknown", "The site has no such commenter.")
    text = await _reason_text(connection, site, wanted.reason)
    standing = await sanctions.in_force(connection, site.id, commenter_id, now=now)
    if any(row.kind == wanted.kind for row in standing):
        raise Problem("sanction.exists", f"A {wanted.kind} is in force already; lift it first.")
    applied = await _take_down(connection, context, site, principal, commenter_id, wanted, now)
    row = {
        "id": sanction_id or context.new_id(),
        "site_id": site.id,
        "commenter_id": commenter_id,
        "kind": wanted.kind,
        "reason": wanted.reason,
        "text": text,
        "note": wanted.note,
        "imposed_by": principal.actor,
        "created_at": now,
        "until": until,
        "swept": [one.decision.id for one in applied],
    }
    await sanctions.insert(connection, row)
    said: dict[str, Any] = {"sanction_id": row["id"], "kind": wanted.kind, "reason": wanted.reason}
    said |= {"until": until.isoformat() if until else None}
    event = event_row(context, "commenter.sanctioned", site_id=site.id, at=now, commenter_id=commenter_id, **said)
    await outbox.append(connection, [event])
    await _audit_act(connection, context, site, principal, "commenter.sanctioned", commenter_id, said, applied)
    view = _view(await sanctions.by_id(connection, site.id, str(row["id"])), now)
    return view, applied


async def lift(
    context: Context, site: Row, principal: Principal, commenter_id: str, sanction_id: str, *, restore: bool
) -> schemas.SanctionView:
    """End a sanction; what its act took down comes back where nobody has decided since."""
    async with context.database.writing() as connection:
        row = await sanctions.by_id(connection, site.id, sanction_id)
        if row is None or row.commenter_id != commenter_id:
            raise Problem("sanction.unknown", "The commenter has no such sanction.")
        await refuse_about_oneself(connection, site, principal, commenter_id)
        view, applied = await lift_in(connection, context, site, principal, row, context.now(), restore=restore)
    await _tell(context, site, applied)
    # Their reports count again; what breaks off here the sweep finds.
    await ask_again_of(context, site.id, commenter_id)
    return view


async def lift_in(
    connection: AsyncConnection,
    context: Context,
    site: Row,
    principal: Principal,
    row: Row,
    now: datetime,
    *,
    restore: bool,
) -> tuple[schemas.SanctionView, list[Applied]]:
    """Do the same in a transaction that is open."""
    await sanctions.lock_commenter(connection, site.id, row.commenter_id)
    applied: list[Applied] = []
    if restore:
        applied = await _bring_back(connection, context, site, principal.actor, row.swept, now)
    if not await sanctions.lift(connection, site.id, row.id, at=now, by=principal.actor):
        raise Problem("sanction.over", "The sanction was lifted, or its time is over.")
    said: dict[str, Any] = {"sanction_id": row.id, "kind": row.kind}
    event = event_row(
        context, "commenter.sanction_lifted", site_id=site.id, at=now, commenter_id=row.commenter_id, **said
    )
    await outbox.append(connection, [event])
    await _audit_act(connection, context, site, principal, "commenter.sanction_lifted", row.commenter_id, said, applied)
    return _view(await sanctions.by_id(connection, site.id, row.id), now), applied


async def lift_undone(
    connection: AsyncConnection, context: Context, site: Row, principal: Principal, row: Row, now: datetime
) -> list[Applied]:
    """Take back a sanction with the act that it was a part of, also where its time is over already."""
    if row.lifted_at is not None:
        return []
    if row.until is not None and row.until <= now:
        return await _bring_back(connection, context, site, principal.actor, row.swept, now)
    _, applied = await lift_in(connection, context, site, principal, row, now, restore=True)
    return applied


async def lock_for(
    connection: AsyncConnection, site: Row, comment: Row, wanted: schemas.SanctionInput | None, now: datetime
) -> None:
    """Take the locks of a decision about a comment and of a sanction of its author, in the order that all keep."""
    if connection.dialect.name != "postgresql":
        # Whoever writes there is alone.
        return
    found: Sequence[Row] = ()
    if wanted is not None:
        await sanctions.lock_commenter(connection, site.id, comment.commenter_id)
        if wanted.reject_hours is not None:
            found = await _recent(connection, site, comment.commenter_id, wanted.reject_hours, now)
    await threads.lock(connection, sorted({comment.thread_id, *(row.thread_id for row in found)}))


async def _recent(
    connection: AsyncConnection, site: Row, commenter_id: str, hours: int, now: datetime
) -> Sequence[Row]:
    statuses = [status.value for status in _DOWN]
    since = now - timedelta(hours=hours)
    return await sanctions.recent_of(connection, site.id, commenter_id, statuses, since=since, limit=MOST_TAKEN_DOWN)


async def listed(context: Context, site: Row, commenter_id: str) -> schemas.SanctionList:
    """Answer every sanction of a commenter, the newest first."""
    async with context.database.reading() as connection:
        if await _unknown(connection, site.id, commenter_id):
            raise Problem("commenter.unknown", "The site has no such commenter.")
        rows = await sanctions.of_commenter(connection, site.id, commenter_id)
    return schemas.SanctionList([_view(row, context.now()) for row in rows])


def _until(wanted: schemas.SanctionInput, now: datetime) -> datetime | None:
    until = checked_moment("until", wanted.until)
    message = None
    if wanted.kind == "suspension" and until is None:
        message = "is needed for a suspension; one without an end is a ban"
    elif wanted.kind == "ban" and until is not None:
        message = "is not for a ban; one with an end is a suspension"
    elif until is not None and until <= now:
        message = "must be in the future"
    if message is not None:
        raise Problem("request.invalid", f"until {message}.", fields=[("until", message)])
    return until


async def _unknown(connection: AsyncConnection, site_id: str, commenter_id: str) -> bool:
    row = await commenters.commenter(connection, site_id, commenter_id)
    return row is None or row.erased_at is not None


async def _reason_text(connection: AsyncConnection, site: Row, code: str) -> str:
    current = await sites.by_slug(connection, site.slug)
    assert current is not None
    key = (site.id, current.policy_version)
    policy = (await policies.prepared(connection, [key]))[key].policy
    try:
        [reason] = reasons_named(policy, [code], required=True)
    except Problem as problem:
        # A decision has several of them; a sanction's field is called `reason`.
        fields = [("reason", field.message) for field in problem.fields]
        raise Problem(problem.code, problem.detail, fields=fields) from None
    return str(reason.text)


async def _take_down(
    connection: AsyncConnection,
    context: Context,
    site: Row,
    principal: Principal,
    commenter_id: str,
    wanted: schemas.SanctionInput,
    now: datetime,
) -> list[Applied]:
    if wanted.reject_hours is None:
        return []
    found = await _recent(connection, site, commenter_id, wanted.reject_hours, now)
    await threads.lock(connection, sorted({row.thread_id for row in found}))
    applied = []
    # What was handed to the admins is theirs to decide.
    theirs = (
        set() if is_admin(principal, site) else await acts.escalated(connection, site.id, [row.id for row in found])
    )
    for row in found:
        if row.id in theirs:
            continue
        comment = await comments.by_id(connection, site.id, row.id)
        action = _DOWN.get(Status(comment.status)) if comment is not None else None
        if comment is None or action is None:
            continue
        number = comment.shown_revision or comment.latest_revision
        revision = await comments.revision(connection, site.id, comment.id, number)
        version, policy = await policy_of(connection, site, comment.thread_id)
        known = {reason.code: reason for reason in policy.reasons}
        judgement = Judgement(
            comment_id=comment.id,
            thread_id=comment.thread_id,
            revision=revision,
            action=action,
            actor=principal.actor,
            reasons=[known.get(wanted.reason) or known["other"]],
            policy_version=version,
            note=wanted.note,
        )
        closed = await review_items.supersede(connection, site.id, comment.id, at=now)
        one = await apply(connection, context, site.id, judgement, now)
        applied.append(one._replace(closed=[*closed, *one.closed]))
    return applied


async def _bring_back(
    connection: AsyncConnection, context: Context, site: Row, actor: str, swept: Sequence[str], now: datetime
) -> list[Applied]:
    """Take those decisions back that are still the last word on their comments."""
    decisions = await review_items.decisions_by_ids(connection, site.id, swept)
    await threads.lock(connection, sorted({row.thread_id for row in decisions}))
    # Read again behind the locks: a thread may have become a part of another meanwhile.
    return [
        await take_back(connection, context, site.id, actor, decision, now)
        for decision in await review_items.decisions_by_ids(connection, site.id, swept)
        if await obstacle(connection, site.id, decision) is None
    ]


async def _audit_act(
    connection: AsyncConnection,
    context: Context,
    site: Row,
    principal: Principal,
    action: str,
    commenter_id: str,
    said: dict[str, Any],
    applied: Sequence[Applied],
) -> None:
    act = {"sanction" if name == "kind" else name: value for name, value in said.items()}
    act |= {"comments": len(applied)}
    await audit(connection, context, site.id, principal.actor, action, commenter_id, kind="moderator", **act)


async def _tell(context: Context, site: Row, applied: Sequence[Applied]) -> None:
    await close_items(context, site.id, [item for one in applied for item in one.closed])
    await announce(context, [one.told for one in applied])
    await queue_items(context, site.id, [standing_of(row) for one in applied for row in one.opened])


def _view(row: Row | None, now: datetime) -> schemas.SanctionView:
    assert row is not None
    in_force = row.lifted_at is None and (row.until is None or row.until > now)
    return schemas.SanctionView(
        id=row.id,
        kind=row.kind,
        reason=row.reason,
        note=row.note,
        imposed_by=row.imposed_by,
        created_at=row.created_at,
        until=row.until,
        lifted_at=row.lifted_at,
        lifted_by=row.lifted_by,
        in_force=in_force,
        taken_down=len(row.swept),
    )
