"""Addresses that nobody confirmed are let go of, and so is, in time, what was told to those that were."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from service.flow.context import Context
from service.store import mail_addresses

UNCONFIRMED: Final = timedelta(days=7)
#: For so long nothing is told twice, whatever becomes of its comment.
TOLD: Final = timedelta(days=30)
_AT_ONCE: Final = 1_000


async def forget_mail(context: Context) -> int:
    """Let go of what is past its time, a bounded part of it; answer how much."""
    now = context.now()
    async with context.database.writing(heavy=True) as connection:
        return await mail_addresses.forget_old(
            connection, unconfirmed_before=now - UNCONFIRMED, told_before=now - TOLD, limit=_AT_ONCE
        )
