"""Who reported a text: the same reader again, or another one, and whose report counts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from service import schemas
from service.errors import Problem
from service.flow.context import Context
from service.flow.identify import Commenter
from service.flow.outlive import BAN_NETWORK
from service.flow.sealing import SealBroken
from service.store import open_reports, reports, sanctions
from service.store.types import Row

_ONE_DAY = timedelta(days=1)
NOTICES_PER_NETWORK = 20
"""Notices of illegal content about one text from one network: many people are behind it, and still not thousands."""
_MOST_COMPARED = NOTICES_PER_NETWORK
NotCounted = Literal["reporter_restricted", "network_restricted", "counted_before"]


async def first_of(
    connection: AsyncConnection,
    context: Context,
    shown: Row,
    by: Commenter | None,
    hashes: Sequence[str],
    wanted: schemas.ReportInput,
    now: datetime,
) -> Row | None:
    """Answer the report that this one repeats: by the same commenter, or from the same network within a day.

    Behind one network are many people, and each notice of illegal content is answered: only the very same one repeats.
    """
    notice, of_text = wanted.illegal, (shown.site_id, shown.id)
    if by is not None:
        return await reports.of_commenter(connection, *of_text, by.commenter_id, is_notice=notice is not None)
    saying = (notice.law, notice.explanation) if notice is not None else None
    known = await reports.of_networks(
        connection, *of_text, hashes, since=now - _ONE_DAY, saying=saying, limit=_MOST_COMPARED
    )
    return next((row for row in known if notice is None or _is_from(context, row, notice)), None)


async def refuse_flood(
    connection: AsyncConnection, shown: Row, by: Commenter | None, hashes: Sequence[str], wanted: schemas.ReportInput
) -> None:
    """Raise limits.exceeded for a notice about a text that had very many from the same network already."""
    if wanted.illegal is None or (by is not None and by.kind == "signed"):
        return
    if await reports.notices_of_networks(connection, shown.site_id, shown.id, hashes) >= NOTICES_PER_NETWORK:
        seconds = int(_ONE_DAY.total_seconds())
        raise Problem(
            "limits.exceeded",
            f"{NOTICES_PER_NETWORK} notices about this text came from your network; they are looked at first.",
            headers={"retry-after": str(seconds)},
            extra={"limit": "notices_per_network_and_text", "retry_after_seconds": seconds},
        )


def _is_from(context: Context, row: Row, notice: schemas.IllegalContent) -> bool:
    try:
        return _opened(context, row.contact_sealed) == contact_of(notice)
    except SealBroken:
        return False


def contact_of(notice: schemas.IllegalContent) -> dict[str, str] | None:
    """Answer name and address as they are sealed, None where neither was left."""
    said = {"name": notice.name, "email": notice.email}
    return {name: value for name, value in said.items() if value is not None} or None


def _opened(context: Context, sealed: str | None) -> dict[str, str] | None:
    return None if sealed is None else msgspec.json.decode(context.box.open(sealed), type=dict[str, str])


async def network_of(
    connection: AsyncConnection, shown: Row, by: Commenter | None, hashes: Sequence[str]
) -> str | None:
    """Answer the hash that a guest's network is known by on this comment: that of the day on which it first reported.

    Under today's key alone one network would be another each day. An account is known by itself.
    """
    if by is not None and by.kind == "signed":
        return None
    return await reports.first_network(connection, shown.site_id, shown.comment_id, hashes) or hashes[0]


async def networks_out(
    connection: AsyncConnection, site_id: str, comment_ids: Collection[str], now: datetime
) -> set[str]:
    """Answer from which networks no guest's report about comments counts: a guest was shut out there lately."""
    hashes = await reports.open_networks(connection, site_id, comment_ids)
    if not hashes:
        return set()
    return await sanctions.networks_of_banned_guests(connection, site_id, hashes, since=now - BAN_NETWORK, now=now)


async def counted_of(connection: AsyncConnection, site_id: str, comment_id: str, now: datetime) -> reports.Counted:
    """Count who reports a comment now.

    Not who is shut out, nor more than one of guests and readers who are not signed in from one network, be it that an
    earlier report about the same text was answered: else one person with many tokens could take any comment down.
    """
    near = await networks_out(connection, site_id, [comment_id], now)
    return await reports.counted(connection, site_id, comment_id, not_from=near, now=now)


async def is_counted(connection: AsyncConnection, row: Row, now: datetime) -> bool:
    """Answer whether a report that was just made is one more reader's."""
    near = await networks_out(connection, row.site_id, [row.comment_id], now)
    return await reports.counts(connection, row.site_id, row.comment_id, row.id, not_from=near, now=now)


async def counting_comments(
    connection: AsyncConnection, site_id: str, comment_ids: Collection[str], now: datetime
) -> set[str]:
    """Answer those of the comments that somebody reports now who counts."""
    near = await networks_out(connection, site_id, comment_ids, now)
    found = await open_reports.counting(connection, site_id, comment_ids, not_from=near, now=now)
    return {row.comment_id for row in found}


async def not_counted(
    connection: AsyncConnection, site_id: str, rows: Sequence[Row], now: datetime
) -> dict[str, NotCounted]:
    """Answer of open reports those that do not count, and why; a notice of illegal content is always looked at."""
    asked = [row for row in rows if row.closed_at is None and row.reason != reports.NOTICE]
    comment_ids = sorted({row.comment_id for row in asked})
    near = await networks_out(connection, site_id, comment_ids, now)
    counting = {row.id for row in await open_reports.counting(connection, site_id, comment_ids, not_from=near, now=now)}
    left = [row for row in asked if row.id not in counting]
    shut = await open_reports.shut_out(connection, site_id, [row.id for row in left], now=now)
    return {row.id: _why_not(row, shut, near) for row in left}


def _why_not(row: Row, shut: Collection[str], near: Collection[str]) -> NotCounted:
    if row.id in shut:
        return "reporter_restricted"
    # What is left came from a reader, or a network, that counts already or was answered about this very text.
    return "network_restricted" if row.network_hash in near else "counted_before"
