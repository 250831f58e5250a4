"""The stream of a site's events, read in the order in which they were committed; who reads waits for the next."""

from __future__ import annotations

import asyncio

from service import schemas
from service.errors import Problem
from service.flow.context import Context
from service.flow.event_payloads import placeholder, told
from service.flow.manage_webhooks import check_patterns, refused
from service.store import outbox
from service.store.types import Row
from service.webhooks.catalog import types_of

LONGEST_WAIT_SECONDS = 30.0
_LOOK_EVERY_SECONDS = 0.25
_LARGEST_POSITION = 2**62


async def read_events(
    context: Context, site: Row, *, after: str | None, limit: int, patterns: list[str] | None, wait_seconds: float
) -> schemas.EventList:
    """Answer the events after a cursor, or from the earliest kept; wait for one where there is none.

    Raises request.invalid for a pattern that names no event, and events.gone for a cursor behind which events were
    forgotten: what was missed must be read elsewhere.
    """
    check_patterns("type", patterns or ())
    position = _position(after)
    types = None if patterns is None else types_of(patterns)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + min(wait_seconds, LONGEST_WAIT_SECONDS)
    while True:
        found = await _look(context, site, position, after is not None, types, limit)
        if found.events or loop.time() >= deadline:
            return found
        if after is not None:
            # What was looked at and not wanted is not looked at again.
            position = int(found.next)
        await asyncio.sleep(min(_LOOK_EVERY_SECONDS, max(deadline - loop.time(), 0.0)))


async def _look(
    context: Context, site: Row, position: int, has_read: bool, types: list[str] | None, limit: int
) -> schemas.EventList:
    async with context.database.reading() as connection:
        end = await outbox.end(connection, site.id)
        last = await outbox.head(connection)
        if not has_read:
            # What is kept before it is kept for those who are owed it, with gaps.
            position = end
        # One from the future is of another database, or of this one before it was restored from a copy.
        if has_read and not end <= position <= last:
            detail = "Events after this cursor were forgotten, or it is of another database; begin without `after`."
            raise Problem("events.gone", detail, extra={"earliest": str(end)})
        rows = await outbox.since(connection, site.id, position=position, types=types, limit=limit)
        written = await told(context, connection, rows, now=context.now())
    # Where nothing more is, the cursor stands at the head, so that what other sites did is not walked again.
    reached = rows[-1].position if len(rows) == limit else max(last, position)
    known: list[schemas.StreamedEvent] = []
    for row in rows:
        if row.id not in written:
            # Of a newer version than this process: whoever knows it tells it, so the cursor stays before it.
            reached = row.position - 1
            break
        known.append(written[row.id] or placeholder(row))
    return schemas.EventList(known, str(reached))


def _position(after: str | None) -> int:
    if after is None:
        return 0
    if not (after.isascii() and after.isdigit() and len(after) < 20 and int(after) <= _LARGEST_POSITION):
        raise refused("after", "is no cursor that a page of events gave")
    return int(after)
