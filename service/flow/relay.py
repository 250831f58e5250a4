"""Events that were committed get their place in the stream, and endpoints and authors what they are owed, at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from service.flow.context import Context
from service.flow.owe_mails import owe
from service.store import deliveries, endpoints, outbox
from service.store.types import Row
from service.webhooks.catalog import is_wanted

AT_ONCE = 500


async def relay(context: Context) -> int:
    """Relay the next events, at most AT_ONCE; answer how many, 0 also while another process is about it.

    Events are placed in the order in which they are seen to be committed, under the head's lock: one that commits
    later gets a later place, so that whoever reads by place never skips it.
    """
    async with context.database.reading() as connection:
        if not await outbox.is_any_unrelayed(connection):
            return 0
    async with context.database.writing() as connection:
        last = await outbox.hold_head(connection)
        if last is None:
            return 0
        events = await outbox.unrelayed(connection, limit=AT_ONCE)
        if events:
            listening = await endpoints.told_of(connection, {event.site_id for event in events})
            await deliveries.insert(connection, _owed(context, events, listening))
            await owe(connection, context, events)
            await outbox.give_positions(connection, [event.seq for event in events], after=last)
    return len(events)


def _owed(context: Context, events: Iterable[Row], listening: Iterable[Row]) -> list[dict[str, Any]]:
    now = context.now()
    of_site: Mapping[str, list[Row]] = defaultdict(list)
    for endpoint in listening:
        of_site[endpoint.site_id].append(endpoint)
    return [
        delivery_row(context, event, endpoint.id, now)
        for event in events
        for endpoint in of_site[event.site_id]
        # A test is for the endpoint that it names, and owed to it already.
        if event.type != "webhook.test" and is_wanted(event.type, endpoint.events)
    ]


def delivery_row(context: Context, event: Row, endpoint_id: str, now: datetime) -> dict[str, Any]:
    """Answer the row of an event owed to an endpoint."""
    return {
        "id": context.new_id(),
        "site_id": event.site_id,
        "endpoint_id": endpoint_id,
        "event_id": event.id,
        "event_type": event.type,
        "comment_id": event.comment_id,
        "seq": event.seq,
        "order_key": order_key(event),
        "state": "pending",
        "next_attempt_at": now,
        "created_at": now,
    }


def order_key(event: Row) -> str:
    """Answer what an event is about: those about the same are delivered one after the other."""
    if event.comment_id is not None:
        return str(event.comment_id)
    kind = event.type.partition(".")[0]
    if kind == "thread":
        return f"thread:{event.thread_id}"
    if kind == "commenter":
        return f"commenter:{event.data.get('commenter_id')}"
    return kind if kind in ("policy", "queue", "scorer") else str(event.id)


async def relay_all(context: Context) -> int:
    """Relay until nothing waits; answer how many events."""
    relayed = 0
    while number := await relay(context):
        relayed += number
    return relayed
