"""What an erasure does not undo that somebody asked for themselves: sanctions in force go on, under keyed hashes.

Otherwise a banned account would erase itself and come back clean with its next token. An account is known again by a
hash of the publisher's id of it, a guest for a day by the network; neither tells anything without our keys.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from service.flow.context import Context
from service.store import sanctions
from service.store.types import Row

BAN_NETWORK = timedelta(hours=24)
"""So long a guest's ban holds what other guests send from the same network, as far as the day's key tells it."""


async def keep(connection: AsyncConnection, context: Context, commenter: Row) -> None:
    """Mark what is in force against a commenter, before their identity goes."""
    now, site_id = context.now(), commenter.site_id
    standing = await sanctions.in_force(connection, site_id, commenter.id, now=now)
    if not standing:
        return
    if commenter.subject is not None:
        marks, until = {_mark_of(context, site_id, commenter.subject)}, None
    else:
        # As long as a ban holds what other guests send from there.
        standing = [row for row in standing if row.kind in sanctions.SHUT_OUT]
        marks = await sanctions.networks_of(connection, site_id, commenter.id, since=now - BAN_NETWORK)
        until = now + BAN_NETWORK
    rows = [
        {"site_id": site_id, "mark": mark, "sanction_id": row.id, "until": until} for row in standing for mark in marks
    ]
    await sanctions.mark(connection, rows)


async def recognise(
    connection: AsyncConnection, context: Context, site_id: str, commenter_id: str, subject: str
) -> None:
    """Let what was in force against an account that erased itself be in force against it as it comes back."""
    await sanctions.take_over(connection, site_id, _mark_of(context, site_id, subject), commenter_id, now=context.now())


def _mark_of(context: Context, site_id: str, subject: str) -> str:
    said = f"{site_id}:{subject}".encode()
    return hmac.new(context.box.key_for("sanction-marks"), said, hashlib.sha256).hexdigest()
