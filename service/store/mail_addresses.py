"""Addresses of commenters: sealed, waiting until they are confirmed, forgotten when nothing is wanted any more."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import mail_addresses, mails
from service.store.types import Row

WAITING, CONFIRMED, DISABLED = "waiting", "confirmed", "disabled"
_a = mail_addresses.c


async def of_commenter(connection: AsyncConnection, site_id: str, commenter_id: str) -> Row | None:
    """Answer the address of a commenter."""
    query = sa.select(mail_addresses).where(_a.site_id == site_id, _a.commenter_id == commenter_id)
    return (await connection.execute(query)).first()


async def by_id(connection: AsyncConnection, address_id: str, *, hold: bool = False) -> Row | None:
    """Answer an address, whose id somebody has from a letter or from what is owed; the row names its site."""
    query = sa.select(mail_addresses).where(_a.id == address_id)
    return (await connection.execute(query.with_for_update() if hold else query)).first()


async def by_token(connection: AsyncConnection, token_hash: str, *, now: datetime, hold: bool = False) -> Row | None:
    """Answer the address that a link confirms, while it may. The token stands for the site."""
    query = sa.select(mail_addresses).where(_a.token_hash == token_hash, _a.token_expires_at > now)
    return (await connection.execute(query.with_for_update() if hold else query)).first()


async def replace(connection: AsyncConnection, site_id: str, commenter_id: str, values: Mapping[str, Any]) -> None:
    """Put a new address in the place of a commenter's old one, if there is one, and owe that one nothing more."""
    await forget(connection, site_id, commenter_id)
    row = {**values, "site_id": site_id, "commenter_id": commenter_id}
    await connection.execute(mail_addresses.insert(), row)


async def change(connection: AsyncConnection, site_id: str, address_id: str, values: Mapping[str, Any]) -> bool:
    """Change columns of an address; answer whether it is there."""
    changed = await connection.execute(
        mail_addresses.update().where(_a.site_id == site_id, _a.id == address_id).values(**values)
    )
    return changed.rowcount == 1


async def forget(connection: AsyncConnection, site_id: str, commenter_id: str) -> bool:
    """Delete a commenter's address with what is owed to it; answer whether there was one.

    What was told stays known until its retention, so that it is not told again to another address.
    """
    mine = (mails.c.site_id == site_id, mails.c.commenter_id == commenter_id)
    await connection.execute(mails.delete().where(*mine, mails.c.state == "owed"))
    gone = await connection.execute(
        mail_addresses.delete().where(_a.site_id == site_id, _a.commenter_id == commenter_id)
    )
    return gone.rowcount == 1


async def erase(connection: AsyncConnection, site_id: str, commenter_id: str) -> None:
    """Delete everything about mail to a commenter."""
    await connection.execute(mails.delete().where(mails.c.site_id == site_id, mails.c.commenter_id == commenter_id))
    await forget(connection, site_id, commenter_id)


async def forget_old(
    connection: AsyncConnection, *, unconfirmed_before: datetime, told_before: datetime, limit: int
) -> int:
    """Delete addresses that nobody confirmed, or that were disabled, and what was told long ago; answer how much.

    Crosses sites on purpose: these times are the same for all.
    """
    unconfirmed = sa.select(_a.id).where(
        _a.state != CONFIRMED, sa.func.coalesce(_a.confirmed_at, _a.created_at) < unconfirmed_before
    )
    ids = list((await connection.execute(unconfirmed.limit(limit))).scalars())
    gone = 0
    if ids:
        await connection.execute(mails.delete().where(mails.c.address_id.in_(ids), mails.c.state == "owed"))
        # Asked again: whoever confirms at this moment is not forgotten.
        old = mail_addresses.delete().where(_a.id.in_(ids), _a.state != CONFIRMED)
        gone += (await connection.execute(old)).rowcount
    told = sa.select(mails.c.id).where(mails.c.created_at < told_before).limit(limit)
    # What is owed for so long has nobody to send it to.
    return gone + (await connection.execute(mails.delete().where(mails.c.id.in_(told)))).rowcount
