"""What authors are to be told by mail of events, owed in the transaction that relays these."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.decision import ActorKind, Status
from service.flow.context import Context
from service.flow.review_settings import review_of
from service.store import mails
from service.store.types import Row

#: By what a reply comes to be seen; it is told of once, whichever it was.
_SEEN: Final = frozenset({"comment.published", "comment.restored"})
_DECIDED: Final = frozenset(
    {"comment.published", "comment.edited", "comment.rejected", "comment.removed", "comment.restored"}
)
#: What is news only where a person looked at it: without one it was published when it was sent.
_AFTER_WAITING: Final = frozenset({"comment.published", "comment.edited"})


async def owe(connection: AsyncConnection, context: Context, events: Sequence[Row]) -> None:
    """Owe the letters that events give reason to."""
    wanted = [event for event in events if event.type in _DECIDED and event.comment_id is not None]
    if not wanted or not context.settings.smtp_url:
        return
    now, by_site = context.now(), sorted(wanted, key=lambda event: str(event.site_id))
    for site_id, group in groupby(by_site, key=lambda event: str(event.site_id)):
        mine = list(group)
        rows = await _replies(connection, context, site_id, mine, now)
        rows += await _decisions(connection, context, site_id, mine, now)
        await mails.insert(connection, rows)


async def _replies(
    connection: AsyncConnection, context: Context, site_id: str, events: Sequence[Row], now: datetime
) -> list[dict[str, Any]]:
    ids = sorted({event.comment_id for event in events if event.type in _SEEN})
    rows = await mails.wanting_replies(connection, site_id, ids) if ids else []
    return [_owed(context, site_id, "reply", row.comment_id, row, now, now) for row in rows]


async def _decisions(
    connection: AsyncConnection, context: Context, site_id: str, events: Sequence[Row], now: datetime
) -> list[dict[str, Any]]:
    type_of = {event.data["decision_id"]: event.type for event in events if "decision_id" in event.data}
    rows = await mails.wanting_decisions(connection, site_id, sorted(type_of)) if type_of else []
    return [
        _owed(context, site_id, "decision", row.decision_id, row, _told_from(row, now), now, row.decision_id)
        for row in rows
        if _is_news(type_of[row.decision_id], row)
    ]


def _is_news(type_: str, decision: Row) -> bool:
    if decision.actor_kind == ActorKind.AUTHOR.value:
        return False
    is_looked_at = decision.actor_kind == ActorKind.MODERATOR.value
    return type_ not in _AFTER_WAITING or is_looked_at or decision.from_status == Status.HELD.value


def _told_from(decision: Row, now: datetime) -> datetime:
    """What a moderator may still take back is not told yet."""
    if decision.actor_kind != ActorKind.MODERATOR.value:
        return now
    until: datetime = decision.decided_at + timedelta(seconds=review_of(decision.review).undo_seconds)
    return until


def _owed(
    context: Context,
    site_id: str,
    kind: str,
    about: str,
    row: Row,
    at: datetime,
    now: datetime,
    decision_id: str | None = None,
) -> dict[str, Any]:
    return {
        "id": context.new_id(),
        "site_id": site_id,
        "commenter_id": row.commenter_id,
        "address_id": row.address_id,
        "kind": kind,
        "key": key_of(kind, about),
        "thread_id": row.thread_id,
        "comment_id": row.comment_id,
        "decision_id": decision_id,
        "state": "owed",
        "next_attempt_at": at,
        "created_at": now,
    }


def key_of(kind: str, about: str) -> str:
    """Answer what a mail is known by: that which it tells is told to a commenter once."""
    return f"{kind}:{about}"
