"""An author asks to look again at a decision; another member answers where the site has one (Article 20)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.decision import Action, ActorKind, Status
from service import schemas
from service.errors import Problem
from service.flow import transition
from service.flow.announce import queue_items, standing_of
from service.flow.context import Context
from service.flow.identify import Commenter
from service.flow.open_items import open_item
from service.flow.restriction import Restricted, restriction_of
from service.flow.review_settings import review_of
from service.flow.search import found_views
from service.flow.transition import Decision, event_row
from service.store import appeals, comments, names, outbox, people, reports, review_items, sites
from service.store.types import Row

UPHELD, OVERTURNED, WITHDRAWN = "upheld", "overturned", "withdrawn"
APPEALED = "appealed"
_OVERTURNS = frozenset({Action.APPROVE, Action.RESTORE})


class Standing(NamedTuple):
    """Whether a restriction can be appealed: the code that refuses it (null: it can), until when, and the appeal."""

    refused: str | None
    until: datetime | None
    appeal: Row | None


class Moved(NamedTuple):
    """The review items that ask nothing any more, and the rows of those that wait now, for who tells the queue."""

    closed: list[str]
    opened: list[dict[str, Any]]


async def open_(
    context: Context, site: Row, commenter: Commenter, comment_id: str, wanted: schemas.AppealInput
) -> schemas.AppealView:
    """Take an appeal against what restricts the author's comment and put it before somebody else; once a decision."""
    async with context.database.writing() as connection:
        comment = await transition.locked_comment(connection, site.id, comment_id)
        if comment.commenter_id != commenter.commenter_id:
            raise Problem("comment.unknown", "You have no comment with this id here.")
        now = context.now()
        restricted = await restriction_of(connection, site.id, comment)
        if restricted is None:
            raise Problem("appeal.not_possible", "Nothing that was decided restricts this comment.")
        _refuse(await standing(connection, site, restricted, now))
        item = await _open_item(connection, context, site.id, restricted, now)
        row = _row(context, restricted, commenter, wanted.text, item["id"], now)
        await appeals.insert(connection, site.id, row)
        event = _event(
            context, "appeal.opened", comment, restricted.revision.id, row["id"], restricted.decision.id, now
        )
        await outbox.append(connection, [event])
        view = view_of(await appeals.by_id(connection, site.id, row["id"]))
    await queue_items(context, site.id, [standing_of(item)])
    return view


async def standing(connection: AsyncConnection, site: Row, restricted: Restricted, now: datetime) -> Standing:
    """Answer whether what restricts a comment can be appealed."""
    decision = restricted.decision
    known = await appeals.of_comments(connection, site.id, [decision.comment_id])
    mine = next((row for row in known if row.decision_id == decision.id), None)
    if mine is not None:
        return Standing("appeal.exists", None, mine)
    answered = next(
        (row for row in known if row.review_item_id and row.review_item_id == decision.review_item_id), None
    )
    if answered is not None:
        return Standing("appeal.exists", None, answered)
    waiting = next((row for row in known if row.closed_at is None and row.revision_id == restricted.revision.id), None)
    if waiting is not None:
        # Somebody said the same again meanwhile; the text is asked about already.
        return Standing("appeal.exists", None, waiting)
    if not restricted.is_final:
        return Standing("appeal.not_possible", None, None)
    current = await sites.by_slug(connection, site.slug)
    assert current is not None
    until = decision.created_at + timedelta(days=review_of(current.review).appeal_days)
    if restricted.revision.erased_at is not None:
        return Standing("appeal.not_possible", None, None)
    return Standing("appeal.too_late" if now >= until else None, until, None)


def _refuse(found: Standing) -> None:
    said = {
        "appeal.exists": "This decision was appealed; there is one appeal for each.",
        "appeal.not_possible": "Nobody has decided about this comment yet, or there is nothing left to show.",
        "appeal.too_late": "The time to appeal is over.",
    }
    if found.refused is not None:
        extra = {"appeal": found.appeal.id} if found.appeal is not None else {}
        raise Problem(found.refused, said[found.refused], extra=extra)


async def _open_item(
    connection: AsyncConnection, context: Context, site_id: str, restricted: Restricted, now: datetime
) -> dict[str, Any]:
    decision, not_for = restricted.decision, None
    if decision.actor_kind == ActorKind.MODERATOR.value and decision.actor is not None:
        # Where nobody else could answer, the first one must: an appeal that waits for ever is worse.
        others = await people.other_reviewers(connection, site_id, decision.actor, now=now)
        not_for = decision.actor if others else None
    return await open_item(
        connection, context, site_id, restricted.revision.id, APPEALED, now=now, causes=decision.causes,
        not_for=not_for, decision_id=decision.id,
    )  # fmt: skip


def _row(
    context: Context, restricted: Restricted, commenter: Commenter, text: str, item_id: str, now: datetime
) -> dict[str, Any]:
    return {
        "id": context.new_id(),
        "comment_id": restricted.decision.comment_id,
        "revision_id": restricted.revision.id,
        "commenter_id": commenter.commenter_id,
        "decision_id": restricted.decision.id,
        "review_item_id": item_id,
        "text": text,
        "created_at": now,
    }


async def close_for(
    connection: AsyncConnection, context: Context, site_id: str, decision: Decision, *, now: datetime
) -> None:
    """Answer the appeal that a decided item asks about, if any: approving or restoring overturns, else it is upheld.

    The decision's note is the answer to the author. To call it twice changes nothing. Raises review.own for who would
    uphold their own decision where the site has somebody else.
    """
    row = await appeals.of_item(connection, site_id, decision.item_id) if decision.item_id is not None else None
    if row is not None:
        outcome = OVERTURNED if decision.action in _OVERTURNS else UPHELD
        if outcome == UPHELD:
            await _refuse_own(connection, site_id, row, decision)
        await _close(connection, context, site_id, row, outcome, decision, now, answer=decision.note)


async def _refuse_own(connection: AsyncConnection, site_id: str, row: Row, decision: Decision) -> None:
    contested = await review_items.decisions_by_ids(connection, site_id, [row.decision_id])
    actor = decision.actor.id
    is_own = any(one.actor_kind == ActorKind.MODERATOR.value and one.actor == actor for one in contested)
    if actor is not None and is_own and await people.other_reviewers(connection, site_id, actor, now=decision.at):
        raise Problem("review.own", "The appeal is against your decision; somebody else has to uphold it.")


async def settle_by(
    connection: AsyncConnection, context: Context, site_id: str, decision: Decision, number: int, *, now: datetime
) -> list[str]:
    """Close the appeals that a person's decision overturns without being about them; answer the items that it closed.

    Every other one goes on waiting, under a new item where its own was closed: who decided about something else has
    not read the appeal, so they cannot uphold it, and what they noted is no answer to its author.
    """
    settled: list[str] = []
    for row in await appeals.of_comments(connection, site_id, [decision.comment_id], is_open=True):
        if row.review_item_id is not None and row.review_item_id == decision.item_id:
            continue
        if decision.action in _OVERTURNS and decision.to_status is Status.PUBLISHED and row.revision <= number:
            await _close(connection, context, site_id, row, OVERTURNED, decision, now, answer=None)
            settled += [row.review_item_id] if row.review_item_id else []
        else:
            await _ask_again(connection, context, site_id, row, now)
    await reports.supersede_items(connection, site_id, settled, at=now)
    return settled


async def reopen_or_withdraw(
    connection: AsyncConnection, context: Context, site_id: str, undone_decision: Row, *, now: datetime
) -> Moved:
    """Let the appeals about a comment stand as they stand without a decision that somebody took back.

    * An appeal **against** that decision has got what it asked for: it is closed as overturned, without an answer, and
      its item asks nothing any more.
    * One that the decision **answered**, by its own item or by restoring the comment, waits again: under the open
      `appealed` item of its text if there is one, else under a new one that is not for whom it was not for before.

    Call it in the transaction of the undoing, with the thread locked, after the decision that undoes is appended and
    after the item that was decided is open again. Close and queue what it answers after the commit. To call it twice
    changes nothing.
    """
    moved = Moved([], [])
    for row in await appeals.of_comments(connection, site_id, [undone_decision.comment_id]):
        if row.decision_id == undone_decision.id and row.closed_at is None:
            undoing = await appeals.undoing(connection, site_id, undone_decision.id)
            await _close(connection, context, site_id, row, OVERTURNED, undoing, now, answer=None)
            moved.closed.extend([row.review_item_id] if row.review_item_id else [])
        elif row.closed_at is not None and await _is_closed_by(connection, site_id, row, undone_decision):
            await appeals.reopen(connection, site_id, row.id)
            opened = await _ask_again(connection, context, site_id, row, now)
            moved.opened.extend([opened] if opened else [])
    await reports.supersede_items(connection, site_id, moved.closed, at=now)
    return moved


async def _is_closed_by(connection: AsyncConnection, site_id: str, row: Row, decision: Row) -> bool:
    """Answer whether a decision closed an appeal: that of its item, else one of its time by who answered."""
    if row.outcome == WITHDRAWN:
        return False
    own = await appeals.decision_of_item(connection, site_id, row.review_item_id)
    if own is not None:
        return own == str(decision.id)
    return bool(row.closed_at == decision.created_at and row.answered_by and row.answered_by == decision.actor)


async def _ask_again(
    connection: AsyncConnection, context: Context, site_id: str, row: Row, now: datetime
) -> dict[str, Any] | None:
    """See to it that an open appeal has an open item; answer the item's row if it is new."""
    waiting = await reports.open_items(connection, site_id, row.comment_id, APPEALED)
    about = next((item for item in waiting if item.revision_id == row.revision_id), None)
    if about is None:
        was = (await review_items.by_ids(connection, site_id, [row.review_item_id])).get(row.review_item_id)
        opened = await open_item(
            connection, context, site_id, row.revision_id, APPEALED, now=now, causes=was.causes if was else (),
            queue=was.queue if was else None, not_for=was.not_for if was else None, decision_id=row.decision_id,
        )  # fmt: skip
        await appeals.ask_by(connection, site_id, row.id, opened["id"])
        return opened
    if about.id != row.review_item_id:
        await appeals.ask_by(connection, site_id, row.id, about.id)
    return None


async def withdraw(
    connection: AsyncConnection,
    context: Context,
    site_id: str,
    comment_ids: Sequence[str],
    *,
    now: datetime,
    decision_id: str | None = None,
) -> None:
    """End open appeals whose comment its author deleted or changed; the items are closed by whoever calls."""
    for row in await appeals.of_comments(connection, site_id, comment_ids, is_open=True):
        await _close(connection, context, site_id, row, WITHDRAWN, decision_id, now, answer=None)


async def _close(
    connection: AsyncConnection,
    context: Context,
    site_id: str,
    row: Row,
    outcome: str,
    by: Decision | str | None,
    now: datetime,
    *,
    answer: str | None,
) -> None:
    actor, decision_id = (by.actor.id, by.id) if isinstance(by, Decision) else (None, by)
    if await appeals.close(connection, site_id, row.id, outcome=outcome, answer=answer, answered_by=actor, at=now):
        comment = await comments.by_id(connection, site_id, row.comment_id)
        assert comment is not None
        event = _event(context, "appeal.closed", comment, row.revision_id, row.id, decision_id, now, outcome=outcome)
        await outbox.append(connection, [event])


def _event(
    context: Context,
    type_: str,
    comment: Row,
    revision_id: str,
    appeal_id: str,
    decision_id: str | None,
    now: datetime,
    **more: Any,
) -> dict[str, Any]:
    return event_row(
        context, type_, site_id=comment.site_id, thread_id=comment.thread_id, comment_id=comment.id,
        revision_id=revision_id, at=now, appeal_id=appeal_id, decision_id=decision_id, comment_status=comment.status,
        **more,
    )  # fmt: skip


async def read_own(context: Context, site: Row, commenter: Commenter, appeal_id: str) -> schemas.AppealView:
    """Answer an appeal of the author's."""
    async with context.database.reading() as connection:
        row = await appeals.by_id(connection, site.id, appeal_id)
    if row is None or row.commenter_id != commenter.commenter_id:
        raise Problem("appeal.unknown", "You have no appeal with this id here.")
    return view_of(row)


async def listed(
    context: Context, site: Row, *, state: schemas.State | None, after: str | None, limit: int
) -> schemas.AppealList:
    """Answer the appeals of a site, the newest first."""
    is_open = None if state is None else state == "open"
    async with context.database.reading() as connection:
        rows = await appeals.page(connection, site.id, is_open=is_open, before_id=after, limit=limit + 1)
        shown = rows[:limit]
        ids = list(dict.fromkeys(row.comment_id for row in shown))
        found = {one.id: one for one in await found_views(connection, context, site, ids)}
        called = await names.of_actors(connection, site.id, [row.answered_by for row in shown])
    views = [_detail(row, called.get(row.answered_by), found[row.comment_id]) for row in shown]
    return schemas.AppealList(views, shown[-1].id if len(rows) > limit else None)


def _fields(row: Row) -> dict[str, Any]:
    return {
        "id": row.id,
        "comment_id": row.comment_id,
        "decision_id": row.decision_id,
        "revision": row.revision,
        "text": row.text,
        "state": "open" if row.closed_at is None else "closed",
        "outcome": row.outcome,
        "answer": row.answer,
        "created_at": row.created_at,
        "closed_at": row.closed_at,
    }


def view_of(row: Row | None) -> schemas.AppealView:
    """Answer an appeal as its author sees it."""
    assert row is not None
    return schemas.AppealView(**_fields(row))


def _detail(row: Row, name: str | None, comment: schemas.FoundComment) -> schemas.AppealDetail:
    return schemas.AppealDetail(
        **_fields(row),
        commenter_id=row.commenter_id,
        review_item_id=row.review_item_id,
        answered_by=row.answered_by,
        answered_by_name=name,
        comment=comment,
    )
