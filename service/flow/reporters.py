"""Who reported a text: the same reader again, or another one, and whose report counts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from service import schemas
from service.flow.context import Context
from service.flow.identify import Commenter
from service.flow.outlive import BAN_NETWORK
from service.flow.sealing import SealBroken
from service.store import reports, sanctions
from service.store.types import Row

_ONE_DAY = timedelta(days=1)
#: Reports by guests and by readers who are not signed in, from one network, that count for one text.
GUESTS_PER_NETWORK = 1


def first_of(
    context: Context,
    known: Sequence[Row],
    by: Commenter | None,
    hashes: Sequence[str],
    wanted: schemas.ReportInput,
    now: datetime,
) -> Row | None:
    """Answer the report that this one repeats: by the same commenter, or from the same network within a day.

    Behind one network are many people, and each notice of illegal content is answered: only the very same one repeats.
    """
    for row in known:
        if (row.reason == reports.NOTICE) != (wanted.illegal is not None):
            continue
        if by is not None:
            is_same = row.commenter_id == by.commenter_id
        else:
            is_same = row.commenter_id is None and row.network_hash in hashes and now - row.created_at < _ONE_DAY
        if is_same and (by is not None or wanted.illegal is None or _says_the_same(context, row, wanted.illegal)):
            return row
    return None


def _says_the_same(context: Context, row: Row, notice: schemas.IllegalContent) -> bool:
    if (row.law, row.detail) != (notice.law, notice.explanation):
        return False
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


def network_of(known: Sequence[Row], by: Commenter | None, hashes: Sequence[str]) -> str | None:
    """Answer the hash that a guest's network is known by on this text: that of the day on which it first reported it.

    Under today's key alone one network would be another each day. An account is known by itself.
    """
    if by is not None and by.kind == "signed":
        return None
    return next((row.network_hash for row in known if row.network_hash in hashes), hashes[0])


async def counted_of(connection: AsyncConnection, site_id: str, known: Sequence[Row], now: datetime) -> list[Row]:
    """Answer the open reports that count, each of another reader.

    Not those of who is shut out, nor more than one of guests and readers who are not signed in from one network, be it
    that an earlier one was answered: else one person with many tokens could take any comment down.
    """
    ids = {row.commenter_id for row in known if row.commenter_id is not None}
    hashes = {row.network_hash for row in known if row.network_hash is not None}
    out = await reports.shut_out(connection, site_id, ids, now=now) if ids else set()
    near = (
        await sanctions.networks_of_banned_guests(connection, site_id, hashes, since=now - BAN_NETWORK, now=now)
        if hashes
        else set()
    )
    counted, numbers = [], dict[str, int]()
    for row in known:
        is_guest = row.commenter_kind != "signed"
        if is_guest and row.network_hash is not None:
            numbers[row.network_hash] = numbers.get(row.network_hash, 0) + 1
        if row.closed_at is not None or row.commenter_id in out:
            continue
        if is_guest and (row.network_hash in near or numbers.get(row.network_hash or "", 0) > GUESTS_PER_NETWORK):
            continue
        counted.append(row)
    return _of_different(counted)


def _of_different(rows: Sequence[Row]) -> list[Row]:
    """Answer the first report of each commenter: a notice beside a report is no second reader."""
    seen, found = set[str](), []
    for row in rows:
        if row.commenter_id is None or row.commenter_id not in seen:
            found.append(row)
            seen |= {row.commenter_id} if row.commenter_id is not None else set()
    return found
