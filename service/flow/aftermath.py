"""What becomes of reports and appeals when a person decides, an edit takes a text's place, or a comment ends.

Called in the transaction of that change, with the thread locked, after its decisions are recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.decision import Action, ActorKind, Status
from service.flow import appeal
from service.flow.context import Context
from service.flow.open_items import open_item
from service.flow.reporters import counted_of
from service.flow.transition import Decision, event_row
from service.store import appeals, comments, outbox, reports, review_items
from service.store.types import Row

REPORTED = "reported"
KEPT, TAKEN_DOWN, DELETED = "kept", "taken_down", "deleted"
_KEEPS = frozenset({Action.APPROVE, Action.RESTORE})
_DECIDES = frozenset({*_KEEPS, Action.REJECT, Action.REMOVE})
_DOWN = frozenset({Status.REJECTED, Status.REMOVED})


async def of_decision(
    connection: AsyncConnection, context: Context, site_id: str, decision: Decision, *, number: int, now: datetime
) -> list[str]:
    """Answer the reports and appeals that a person's decision on revision `number` settles.

    Answers the review items that it closed, for who tells the queue. A decision that only takes another back is none.
    """
    if decision.actor.kind is not ActorKind.MODERATOR or decision.action not in _DECIDES or decision.undoes_id:
        return []
    await appeal.close_for(connection, context, site_id, decision, now=now)
    closed = await appeal.settle_by(connection, context, site_id, decision, number, now=now)
    kept = decision.action in _KEEPS and decision.to_status is Status.PUBLISHED
    if not kept and decision.to_status not in _DOWN:
        # An edit was refused; what was reported is still there.
        return closed
    rows = (await reports.open_of(connection, site_id, [decision.comment_id])).get(decision.comment_id, [])
    if kept:
        # Whoever decides about another text says nothing of the one that readers reported.
        asked = await _asks_about_reports(connection, site_id, decision)
        rows = [row for row in rows if row.revision == number or (asked and row.revision < number)]
    await _close(connection, context, decision, rows, KEPT if kept else TAKEN_DOWN, now)
    items = await reports.open_items(connection, site_id, decision.comment_id, REPORTED, up_to=number if kept else None)
    left = await counted_of(connection, site_id, decision.comment_id, now)
    # Earlier texts that were reported are asked about by the item of the one in their place.
    stays = {item.id for item in items if left.reasons and item.revision == number}
    for item_id in stays:
        await reports.set_causes(connection, site_id, item_id, causes_of(left.reasons, None))
    ended = [item.id for item in items if item.id not in stays]
    await reports.supersede_items(connection, site_id, ended, at=now)
    await ask_about_reports(connection, context, site_id, [decision.comment_id], now=now)
    return [*closed, *ended]


async def _asks_about_reports(connection: AsyncConnection, site_id: str, decision: Decision) -> bool:
    if decision.item_id is None:
        # Whoever keeps a comment without an item answers what was reported of it.
        return decision.action is Action.APPROVE
    item = (await review_items.by_ids(connection, site_id, [decision.item_id]))[decision.item_id]
    return bool(item.kind == REPORTED)


async def of_undoing(
    connection: AsyncConnection, context: Context, site_id: str, undone_decision: Row, *, now: datetime
) -> appeal.Moved:
    """Let the reports and appeals wait again that a decision had answered which somebody took back.

    By undoing it, or by lifting the sanction that it was a part of. Call it in that transaction, with the thread
    locked, after the decision that takes it back is appended and the item that was decided is open again. Close and
    queue what it answers after the commit.
    """
    await reports.reopen(connection, site_id, undone_decision.comment_id, undone_decision.id)
    moved = await appeal.reopen_or_withdraw(connection, context, site_id, undone_decision, now=now)
    asked = await ask_about_reports(connection, context, site_id, [undone_decision.comment_id], now=now)
    return appeal.Moved(moved.closed, [*moved.opened, *asked])


async def of_end(
    connection: AsyncConnection, context: Context, site_id: str, decisions: Sequence[Decision], *, now: datetime
) -> None:
    """Close what was open about comments that their author deleted; their items are closed by whoever calls."""
    if not decisions:
        return
    reported = await reports.open_of(connection, site_id, [decision.comment_id for decision in decisions])
    for decision in decisions:
        await _close(connection, context, decision, reported.get(decision.comment_id, []), DELETED, now)
        await appeal.withdraw(connection, context, site_id, [decision.comment_id], now=now, decision_id=decision.id)


async def of_edit(
    connection: AsyncConnection,
    context: Context,
    site_id: str,
    comment_id: str,
    closed: Sequence[str],
    *,
    now: datetime,
) -> None:
    """Withdraw the appeal of a refused edit whose item a newer edit closed."""
    rows = await appeals.of_comments(connection, site_id, [comment_id], is_open=True)
    if any(row.review_item_id in closed for row in rows):
        await appeal.withdraw(connection, context, site_id, [comment_id], now=now)


async def ask_about_reports(
    connection: AsyncConnection, context: Context, site_id: str, comment_ids: Iterable[str], *, now: datetime
) -> list[dict[str, Any]]:
    """Ask about comments whose reports are open and asked about by no item; answer the rows of the items.

    So it is where a machine let another text take the place of a reported one, and where an answer was taken back.
    """
    opened = []
    for comment_id in sorted(await reports.open_of(connection, site_id, comment_ids)):
        comment = await comments.by_id(connection, site_id, comment_id)
        assert comment is not None
        shown = await comments.revision(connection, site_id, comment_id, comment.shown_revision or 1)
        if shown is None or await reports.open_items(connection, site_id, comment_id, REPORTED):
            continue
        counted = await counted_of(connection, site_id, comment_id, now)
        if not counted.reasons:
            continue
        opened.append(
            await open_item(
                connection, context, site_id, shown.id, REPORTED, now=now, causes=causes_of(counted.reasons, None),
                reports=counted.readers, at_once=reports.NOTICE in counted.reasons,
            )
        )  # fmt: skip
    return opened


def causes_of(reasons: Mapping[str, int], hold_from: int | None) -> list[dict[str, Any]]:
    """Answer why a comment is reported: each reason with the number of reports for it."""
    ordered = sorted(reasons.items(), key=lambda pair: (pair[0] != reports.NOTICE, -pair[1], pair[0]))
    return [cause(name, number, hold_from) for name, number in ordered]


def cause(name: str | None, number: int, hold_from: int | None, reason: str | None = None) -> dict[str, Any]:
    """Answer reports as a cause, in the form of all causes."""
    return {
        "rule": "reports",
        "outcome": "hold",
        "kind": "reports",
        "name": name,
        "value": float(number),
        "threshold": None if hold_from is None else float(hold_from),
        "reason": reason,
        "detail": None,
    }


async def _close(
    connection: AsyncConnection,
    context: Context,
    decision: Decision,
    rows: Sequence[Row],
    outcome: str,
    now: datetime,
) -> None:
    if not rows:
        return
    ids = [row.id for row in rows]
    await reports.close(connection, decision.site_id, ids, outcome=outcome, decision_id=decision.id, at=now)
    if any(row.reason == reports.NOTICE for row in rows):
        await reports.mark_on_notice(connection, decision.site_id, decision.id)
    await outbox.append(connection, [_event(context, decision, row, outcome, now) for row in rows])


def _event(context: Context, decision: Decision, row: Row, outcome: str, now: datetime) -> dict[str, Any]:
    return event_row(
        context, "report.closed", site_id=decision.site_id, thread_id=decision.thread_id,
        comment_id=decision.comment_id, revision_id=row.revision_id, at=now, report_id=row.id, outcome=outcome,
        decision_id=decision.id,
    )  # fmt: skip
