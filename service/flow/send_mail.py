"""What is owed to addresses is leased a letter at a time, in turn, and settled by what came of it."""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from service import telemetry
from service.flow.context import Context
from service.store import mail_addresses, mails
from service.store.types import Row

logger = logging.getLogger(__name__)
#: Between two letters to one address about replies in one thread; what comes meanwhile is collected.
APART: Final = timedelta(minutes=10)
#: Pauses after failures, about a day altogether; whoever is not reached then is not reached.
PAUSES_SECONDS: Final = (60, 300, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 36_000)
#: A server may look at a letter for long before it says yes (RFC 5321, 4.5.3.2.6); giving up sends it twice.
ATTEMPT_SECONDS: Final = 180.0
#: A lease outlasts the attempt by this, so that a slow database does not make two of one.
LEASE: Final = timedelta(seconds=ATTEMPT_SECONDS + 60)
_COLLECTED: Final = 200
_DECISIONS: Final = 20


class Taken(NamedTuple):
    """The mails of one letter, under one lease."""

    lease: str
    rows: Sequence[Row]


async def take(context: Context, *, limit: int) -> list[Taken]:
    """Lease a letter for each of some addresses, those first whose last turn was longest ago."""
    now = context.now()
    async with context.database.reading() as connection:
        due = await mails.due_addresses(connection, now=now, apart=APART, limit=limit)
    if not due:
        return []
    async with context.database.writing() as connection:
        # In the order of their ids, as every worker takes them.
        found = [await _take_one(connection, context, address_id, now) for address_id in sorted(due)]
    return [taken for taken in found if taken is not None]


async def _take_one(connection: AsyncConnection, context: Context, address_id: str, now: datetime) -> Taken | None:
    if not await mails.hold_address(connection, address_id, at=now):
        return None
    due = await mails.due_of(connection, address_id, now=now, apart=APART)
    if not due:
        return None
    first = due[0]
    if first.kind == "reply":
        rows = await mails.collected(connection, address_id, first.thread_id, limit=_COLLECTED)
    else:
        rows = [row for row in due if row.kind == first.kind][: _DECISIONS if first.kind == "decision" else 1]
    lease = context.new_id()
    await mails.lease(connection, [row.id for row in rows], lease=lease, until=now + LEASE)
    return Taken(lease, rows)


async def drop(context: Context, taken: Taken, ids: Sequence[str]) -> None:
    """Owe no more what cannot be told any more."""
    if ids:
        await _settle(context, taken, ids, {"state": "dropped", "finished_at": context.now()})


async def sent(context: Context, taken: Taken, ids: Sequence[str]) -> None:
    """Note that a letter was handed over."""
    await _settle(context, taken, ids, {"state": "sent", "finished_at": context.now()})


async def refused(context: Context, taken: Taken, ids: Sequence[str], code: str) -> None:
    """Note that a mailbox is not there or takes nothing: nothing more is sent to it."""
    row = taken.rows[0]
    async with context.database.writing() as connection:
        failed = {"state": "failed", "finished_at": context.now(), "last_error": code}
        await mails.settle(connection, taken.lease, ids, failed)
        await mail_addresses.change(connection, row.site_id, row.address_id, {"state": mail_addresses.DISABLED})
    logger.warning("a mailbox refuses mail for good", extra={"mail_id": row.id, "error": code})


async def failed(context: Context, taken: Taken, ids: Sequence[str], code: str, *, sample: Any = random.random) -> None:
    """Note that a letter could not be handed over now; it is tried again, after a day no more."""
    attempts = max(row.attempts for row in taken.rows) + 1
    if attempts > len(PAUSES_SECONDS):
        values = {"state": "failed", "attempts": attempts, "finished_at": context.now(), "last_error": code}
        await _settle(context, taken, ids, values)
        logger.error("a letter could not be sent for a day", extra={"mail_id": taken.rows[0].id, "error": code})
        return
    # A fifth more or less, so that what failed together does not come back together.
    pause = PAUSES_SECONDS[attempts - 1] * (0.8 + 0.4 * sample())
    again_at = context.now() + timedelta(seconds=pause)
    await _settle(context, taken, ids, {"attempts": attempts, "next_attempt_at": again_at, "last_error": code})


async def measure(context: Context) -> None:
    """Show how much is owed, and for how long."""
    now = context.now()
    async with context.database.reading() as connection:
        row = await mails.backlog(connection, now=now)
    telemetry.mail_pending.set(row.number)
    telemetry.mail_oldest_seconds.set((now - row.oldest_at).total_seconds() if row.oldest_at else 0)


async def _settle(context: Context, taken: Taken, ids: Sequence[str], values: dict[str, Any]) -> None:
    async with context.database.writing() as connection:
        await mails.settle(connection, taken.lease, ids, values)
