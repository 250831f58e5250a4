"""Walk the audit chains and say where one does not hold; a page of events in memory at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from service.flow.audit_chain import INSTALLATION, START, fault_of
from service.flow.context import Context
from service.store import audit as store
from service.store import sites
from service.store.types import Row

_PAGE = 500


class Walked(msgspec.Struct, frozen=True, kw_only=True):
    """What a walk along one chain found; `hash` is the last event's, to be noted elsewhere while all is well."""

    name: str
    sequence: int
    hash: str
    erased: int = 0
    #: Events from before there were chains, which nothing vouches for.
    unchained: int = 0
    fault: str | None = None
    at: int | None = None


class Noted(msgspec.Struct, frozen=True):
    """An end of a chain that an operator wrote down earlier."""

    sequence: int
    hash: str


async def verify(
    context: Context, site: Row | None = None, noted: Noted | None = None, *, heads: Mapping[str, Noted] | None = None
) -> AsyncIterator[Walked]:
    """Yield what walking each chain found: a site's alone, or every one there is; `heads`: ends noted by chain."""
    known = {} if heads is None else heads
    async with context.database.reading() as connection:
        names = {row.id: row.slug for row in await sites.every(connection)}
        wanted = [site.id] if site else sorted({INSTALLATION, *names, *known, *await store.chains(connection)})
    for chain in wanted:
        # One snapshot for each chain: its head and its last event are of the same moment.
        async with context.database.reading() as connection:
            yield await _walk(connection, chain, names.get(chain, chain), noted or known.get(chain))


async def _walk(connection: AsyncConnection, chain: str, name: str, noted: Noted | None) -> Walked:
    sequence, previous, erased, first = 0, START, 0, None
    while True:
        rows = await store.page_of_chain(connection, chain, after=sequence, limit=_PAGE)
        for row in rows:
            fault = fault_of(row, sequence=sequence + 1, previous=previous)
            if fault is None and noted is not None and noted.sequence == row.sequence and noted.hash != row.hash:
                fault = "it is not the event whose hash was noted"
            if fault is not None:
                return Walked(name=name, sequence=sequence, hash=previous, erased=erased, fault=fault, at=row.sequence)
            sequence, previous, first = row.sequence, row.hash, first or row.id
            erased += row.erased_at is not None
        if len(rows) < _PAGE:
            break
    unchained, newest = await store.unchained(connection, None if chain == INSTALLATION else chain, chain)
    fault = await _fault_of_end(connection, chain, sequence, previous, noted)
    if fault is None and first is not None and newest is not None and newest > first:
        fault = f"event {newest} stands in no chain, though it is younger than the chain"
    return Walked(
        name=name, sequence=sequence, hash=previous, erased=erased, unchained=unchained, fault=fault,
        at=sequence if fault else None,
    )  # fmt: skip


async def _fault_of_end(
    connection: AsyncConnection, chain: str, sequence: int, last_hash: str, noted: Noted | None
) -> str | None:
    """Answer what is wrong where the events end: the head tells of events that are not there, or of other ones."""
    head = await store.head(connection, chain)
    at_head = (0, START) if head is None else (head.sequence, head.hash)
    if at_head[0] > sequence or (noted is not None and noted.sequence > sequence):
        known = max(at_head[0], noted.sequence if noted else 0)
        return f"the chain had {known} events, and {known - sequence} are missing at its end"
    if at_head != (sequence, last_hash):
        return "the chain's head does not name its last event"
    return None
