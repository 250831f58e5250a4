"""A moderator decides: an item under a lease, exactly once (promise 4), or a comment that is out of the queue."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from msgspec import structs
from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.decision import Action, Status
from moderation.verdict import CauseKind
from service import schemas
from service.errors import Problem
from service.flow import second_opinions, transition, views
from service.flow.announce import Told, announce, close_items
from service.flow.audit import audit
from service.flow.context import Context
from service.flow.identify import Principal
from service.flow.judgement import Judgement, apply, policy_of, reasons_named
from service.flow.review import check_lease
from service.flow.review_settings import review_of
from service.flow.review_views import as_revision
from service.flow.reviewer import refuse_own
from service.flow.sanctions import impose_in, lock_for
from service.store import comments, review_items
from service.store.types import Row

_BY_MACHINE = frozenset({"held", "post_moderation", "sampled"})
_RATED = frozenset({CauseKind.ATTRIBUTE.value, CauseKind.SIGNAL.value})
Wanted = schemas.DecideInput | schemas.DecideManyInput | schemas.ActInput


class Act(NamedTuple):
    """What one call does: it has one id and one time, and can be undone until another."""

    id: str
    now: datetime
    undo_until: datetime
    site: Row
    principal: Principal


class Outcome(NamedTuple):
    """What came of deciding one item: the answer, what to tell, and the items that are closed by it."""

    answer: schemas.Decided
    told: list[Told]
    closed: list[str]


def new_act(context: Context, site: Row, principal: Principal) -> Act:
    """Answer an act that begins now."""
    now = context.now()
    seconds = review_of(site.review).undo_seconds
    return Act(context.new_id(), now, now + timedelta(seconds=seconds), site, principal)


async def decide(
    context: Context, site: Row, principal: Principal, item_id: str, wanted: schemas.DecideInput
) -> schemas.Decided:
    """Approve or reject the revision that was read; a late or second decision is a conflict, never an overwrite."""
    async with context.database.writing() as connection:
        item = await _locked_item(connection, context, site, item_id, wanted.sanction)
        # Taken behind the locks: a lease that ended while we waited for them has ended.
        act = new_act(context, site, principal)
        done = await decide_in(connection, context, act, item, wanted.lease, wanted.revision, wanted)
        done = await _with_sanction(connection, context, act, done, wanted.sanction)
    await tell(context, site, [done])
    return done.answer


async def decide_in(
    connection: AsyncConnection,
    context: Context,
    act: Act,
    item: Row | None,
    lease: str,
    number: int,
    wanted: schemas.DecideInput | schemas.DecideManyInput,
) -> Outcome:
    """Decide one item that is locked, in a transaction that is open."""
    site = act.site
    if item is not None and item.state == review_items.SUPERSEDED:
        raise await _changed(connection, site.id, item.comment_id, None, blind=item.blind)
    item = check_lease(item, lease, act.now)
    revision = (await comments.revisions_by_ids(connection, site.id, [item.revision_id]))[item.revision_id]
    await _check_revision(connection, site.id, revision, number, blind=item.blind)
    comment = await comments.by_id(connection, site.id, item.comment_id)
    assert comment is not None
    await refuse_own(connection, site, act.principal, comment, not_for=item.not_for)
    if not await review_items.close(connection, site.id, item.id, at=act.now):
        raise Problem("item.decided", "Somebody decided this item; the first decision stands.")
    if item.kind == second_opinions.KIND:
        return await _as_opinion(connection, context, act, item, revision, wanted)
    judgement = await _judgement(
        connection, act, comment, revision, _action_on(comment, wanted.action), wanted,
        needs_reason=wanted.action == "reject", item=item,
    )  # fmt: skip
    done = await _apply(connection, context, act, judgement)
    opened = await second_opinions.after(connection, context, site, act.principal, done.answer.decision, item.kind)
    told = [done.told[0].with_item(opened)] if opened else done.told
    return done._replace(told=told, closed=[item.id, *done.closed])


async def act_on(
    context: Context, site: Row, principal: Principal, comment_id: str, wanted: schemas.ActInput
) -> schemas.Decided:
    """Remove a published comment, let it stand, or restore one that was taken down; what asks about it is closed."""
    async with context.database.writing() as connection:
        known = await comments.by_id(connection, site.id, comment_id)
        if known is not None:
            await lock_for(connection, site, known, wanted.sanction, context.now())
        comment = await transition.locked_comment(connection, site.id, comment_id)
        act = new_act(context, site, principal)
        if wanted.action == "approve" and comment.status != Status.PUBLISHED.value:
            raise Problem("comment.final", f"The comment is {comment.status}: claim its item, or restore it.")
        number = comment.shown_revision or comment.latest_revision
        revision = await comments.revision(connection, site.id, comment_id, number)
        assert revision is not None
        await _check_revision(connection, site.id, revision, wanted.revision)
        if revision.erased_at is not None and wanted.action == "restore":
            raise Problem("comment.final", "The text was erased; there is nothing left to show.")
        await refuse_own(connection, site, principal, comment)
        judgement = await _judgement(
            connection, act, comment, revision, Action(wanted.action), wanted, needs_reason=wanted.action == "remove"
        )
        done = await _apply(connection, context, act, judgement)
        done = await _with_sanction(connection, context, act, done, wanted.sanction)
    await tell(context, site, [done])
    return done.answer


async def tell(context: Context, site: Row, done: Sequence[Outcome]) -> None:
    """After the commit: close what is closed and wake those who wait."""
    await close_items(context, site.id, [item_id for one in done for item_id in one.closed])
    await announce(context, [told for one in done for told in one.told])


async def _locked_item(
    connection: AsyncConnection,
    context: Context,
    site: Row,
    item_id: str,
    sanction: schemas.SanctionInput | None,
) -> Row | None:
    """Answer the item, locked after its author, where a sanction is wanted, and its thread, as all do: none deadlock.

    A merge may carry the item into another thread while this one waits; then that thread is locked.
    """
    item = await review_items.by_id(connection, site.id, item_id)
    if item is None or connection.dialect.name != "postgresql":
        return item
    comment = await comments.by_id(connection, site.id, item.comment_id)
    assert comment is not None
    await lock_for(connection, site, comment, sanction, context.now())
    await transition.locked_comment(connection, site.id, item.comment_id)
    return await review_items.by_id(connection, site.id, item_id, lock=True)


async def _check_revision(
    connection: AsyncConnection, site_id: str, revision: Row, wanted: int, *, blind: bool = False
) -> None:
    """Raise for a moderator who read another text, and show the one that is asked about."""
    if revision.number != wanted:
        raise await _changed(connection, site_id, revision.comment_id, revision, blind=blind)


async def _changed(
    connection: AsyncConnection, site_id: str, comment_id: str, revision: Row | None, *, blind: bool = False
) -> Problem:
    """Answer the problem of who read another text, with the one that is asked about now, or the author's latest."""
    comment = (await views.full_views(connection, site_id, [comment_id]))[comment_id]
    if revision is None:
        row = await comments.by_id(connection, site_id, comment_id)
        revision = await comments.revision(connection, site_id, comment_id, row.latest_revision) if row else None
        assert revision is not None
        detail = "The comment was edited, deleted or taken down meanwhile; this item asks nothing any more."
    else:
        detail = f"The text to decide on is revision {revision.number}; read it first."
    shown = as_revision(comment, revision, blind=blind)
    return Problem("revision.changed", detail, extra={"revision": revision.number, "comment": shown})


def _action_on(comment: Row, wanted: str) -> Action:
    """Answer what a moderator's yes or no is to a comment where it stands."""
    if wanted == "approve":
        return Action.RESTORE if comment.status == Status.REMOVED.value else Action.APPROVE
    return Action.REJECT


async def _judgement(
    connection: AsyncConnection,
    act: Act,
    comment: Row,
    revision: Row,
    action: Action,
    wanted: Wanted,
    *,
    needs_reason: bool,
    item: Row | None = None,
) -> Judgement:
    version, policy = await policy_of(connection, act.site, comment.thread_id)
    if wanted.ground is not None and wanted.ground.kind == "law" and wanted.ground.clause is None:
        raise Problem(
            "request.invalid",
            "Name the law on which the decision stands (`ground.clause`).",
            fields=[("ground.clause", "is needed: which law, and which part of it")],
        )
    return Judgement(
        comment_id=comment.id,
        thread_id=comment.thread_id,
        revision=revision,
        action=action,
        actor=act.principal.actor,
        reasons=reasons_named(policy, wanted.reasons, required=needs_reason),
        policy_version=version,
        note=wanted.note,
        causes=item.causes if item else (),
        item_id=item.id if item else None,
        ground=wanted.ground.kind if wanted.ground else None,
        ground_clause=wanted.ground.clause if wanted.ground else None,
        automated_detection=item is not None and _was_found_by_machine(item),
        act_id=act.id,
    )


def _was_found_by_machine(item: Row) -> bool:
    """Answer whether an automatic check brought the comment here, or had rated it before somebody appealed."""
    return item.kind in _BY_MACHINE or any(cause["kind"] in _RATED for cause in item.causes)


async def _apply(connection: AsyncConnection, context: Context, act: Act, judgement: Judgement) -> Outcome:
    """Apply a person's decision; answer it, what to tell, and the review items that it made pointless."""
    applied = await apply(connection, context, act.site.id, judgement, act.now)
    decision = applied.decision
    said: dict[str, Any] = {"decided": judgement.action.value, "decision_id": decision.id, "act_id": act.id}
    await audit(
        connection, context, act.site.id, judgement.actor, "comment.decided", decision.comment_id,
        kind="moderator", **said,
    )  # fmt: skip
    answer = await _answer(connection, act, views.decision_view(decision.row(), revision=judgement.revision.number),
                           decision.comment_id)  # fmt: skip
    return Outcome(answer, [applied.told], applied.closed)


async def _answer(
    connection: AsyncConnection, act: Act, decision: schemas.DecisionView, comment_id: str
) -> schemas.Decided:
    comment = (await views.full_views(connection, act.site.id, [comment_id]))[comment_id]
    return schemas.Decided(comment, decision, act.undo_until)


async def _as_opinion(
    connection: AsyncConnection,
    context: Context,
    act: Act,
    item: Row,
    revision: Row,
    wanted: schemas.DecideInput | schemas.DecideManyInput,
) -> Outcome:
    """Keep a second opinion, which changes nothing; where it differs the admins look."""
    _, policy = await policy_of(connection, act.site, item.thread_id)
    reasons = reasons_named(policy, wanted.reasons, required=wanted.action == "reject")
    first, opened = await second_opinions.keep(
        connection, context, act.site, act.principal, item, wanted.action, reasons, act.now
    )
    # It is somebody else's decision that is shown: there is nothing of one's own to take back.
    view = structs.replace(views.decision_view(first, revision=revision.number), act_id=None)
    answer = structs.replace(await _answer(connection, act, view, item.comment_id), undo_until=None)
    return Outcome(answer, [Told.of_item(act.site.id, opened)] if opened else [], [item.id])


async def _with_sanction(
    connection: AsyncConnection, context: Context, act: Act, done: Outcome, wanted: schemas.SanctionInput | None
) -> Outcome:
    """Restrict the author in the same act, under the act's id."""
    if wanted is None:
        return done
    comment = await comments.by_id(connection, act.site.id, done.answer.comment.id)
    assert comment is not None
    _, applied = await impose_in(
        connection, context, act.site, act.principal, comment.commenter_id, wanted, act.now, sanction_id=act.id
    )
    closed = [item_id for one in applied for item_id in one.closed]
    return done._replace(told=[*done.told, *(one.told for one in applied)], closed=[*done.closed, *closed])
