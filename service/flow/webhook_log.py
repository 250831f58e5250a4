"""What was sent to a receiver of events and what it is owed: looked at, given up, sent once more."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, get_args

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.decision import Status
from service import schemas
from service.errors import Problem
from service.flow.audit import audit
from service.flow.context import Context
from service.flow.manage_webhooks import check_patterns, known, refused
from service.flow.moments import checked_moment
from service.flow.relay import delivery_row
from service.flow.transition import event_row
from service.schemas.base import UUID_PATTERN
from service.schemas.webhooks import ToldComment, WaitsFor
from service.store import deliveries, outbox, pages, threads
from service.store.types import Row
from service.webhooks.catalog import is_wanted, types_of
from service.webhooks.retries import Health

_REPLAYED_AT_ONCE = 500
#: So much of a comment names it in the log.
_SHOWN = 80
#: In one call, which must end before the request's time does.
MOST_REPLAYED = 20_000


async def send_test(context: Context, site: Row, actor: str, endpoint_id: str) -> schemas.DeliveryView:
    """Owe a receiver an event that says nothing; whatever events it wants, and also while it is paused."""
    now = context.now()
    async with context.database.writing() as connection:
        endpoint = await known(connection, site, endpoint_id)
        if endpoint.status == "disabled":
            raise Problem("webhook.disabled", "Make the webhook active first.")
        event = event_row(context, "webhook.test", site_id=site.id, at=now, endpoint_id=endpoint_id)
        await outbox.append(connection, [event])
        (row,) = (await outbox.by_ids(connection, [event["id"]])).values()
        owed = delivery_row(context, row, endpoint_id, now)
        await deliveries.insert(connection, [owed])
        await audit(connection, context, site.id, actor, "webhook.tested", endpoint_id)
        return await _shown(connection, context, site, endpoint_id, owed["id"])


async def list_deliveries(
    context: Context,
    site: Row,
    endpoint_id: str,
    *,
    before: int | None,
    limit: int,
    state: str | None,
    type_: Sequence[str] | None,
    comment_id: str | None,
) -> schemas.DeliveryList:
    """Answer what a receiver was and is owed, the newest events first, or raise request.invalid naming a filter."""
    if state is not None and state not in get_args(schemas.DeliveryState):
        raise refused("state", f"must be one of: {', '.join(get_args(schemas.DeliveryState))}")
    check_patterns("type", type_ or ())
    if comment_id is not None and not re.fullmatch(UUID_PATTERN, comment_id := comment_id.lower()):
        raise refused("comment_id", "must be the id of a comment, such as 01a204d8-d366-7e3d-8b36-1c53f2a716ff")
    async with context.database.reading() as connection:
        endpoint = await known(connection, site, endpoint_id)
        rows = await deliveries.page(
            connection,
            site.id,
            endpoint_id,
            cursor=before,
            limit=limit + 1,
            states=None if state is None else [state],
            types=None if type_ is None else types_of(type_),
            comment_id=comment_id,
        )
        views = await _views(connection, context, endpoint, rows[:limit])
    return schemas.DeliveryList(views, str(rows[limit - 1].seq) if len(rows) > limit else None)


async def read_delivery(context: Context, site: Row, endpoint_id: str, delivery_id: str) -> schemas.DeliveryDetail:
    """Answer one delivery with every attempt."""
    async with context.database.reading() as connection:
        view = await _shown(connection, context, site, endpoint_id, delivery_id)
        made = await deliveries.attempts_of(connection, site.id, delivery_id)
    attempts = [
        schemas.AttemptView(one.number, one.started_at, one.milliseconds, one.status, one.error) for one in made
    ]
    return schemas.DeliveryDetail(**msgspec.structs.asdict(view), attempts_made=attempts)


async def cancel_delivery(
    context: Context, site: Row, actor: str, endpoint_id: str, delivery_id: str
) -> schemas.DeliveryView:
    """Owe a delivery no more, so that what is behind it goes on, after an attempt that is under way now."""
    async with context.database.writing() as connection:
        await known(connection, site, endpoint_id, lock=True)
        await _delivery(connection, site, endpoint_id, delivery_id)
        if not await deliveries.cancel(connection, site.id, endpoint_id, delivery_id, now=context.now()):
            raise Problem("delivery.finished", "The delivery is not pending.")
        await audit(
            connection, context, site.id, actor, "webhook.delivery_cancelled", endpoint_id, delivery=delivery_id
        )
        return await _shown(connection, context, site, endpoint_id, delivery_id)


async def replay_delivery(
    context: Context, site: Row, actor: str, endpoint_id: str, delivery_id: str
) -> schemas.DeliveryView:
    """Send one event once more, under the same id."""
    async with context.database.writing() as connection:
        await _active(connection, site, endpoint_id)
        await _delivery(connection, site, endpoint_id, delivery_id)
        await deliveries.replay(connection, site.id, endpoint_id, [delivery_id], now=context.now())
        await audit(connection, context, site.id, actor, "webhook.replayed", endpoint_id, deliveries=1)
        return await _shown(connection, context, site, endpoint_id, delivery_id)


async def replay(
    context: Context, site: Row, actor: str, endpoint_id: str, wanted: schemas.ReplayInput
) -> schemas.Replayed:
    """Send events once more, under the same ids: those of a filter, or since a time whether they were owed or not."""
    since, until = _bounds(wanted, context.now())
    check_patterns("types", wanted.types or ())
    async with context.database.reading() as connection:
        await _active(connection, site, endpoint_id, lock=False)
        await _check_ids(connection, site, endpoint_id, wanted.delivery_ids or ())
    after = None if wanted.after is None else requested_cursor(wanted.after)
    replayed = await (
        _replay_since(context, site, endpoint_id, wanted, since, until, after)
        if since is not None and wanted.states is None and wanted.delivery_ids is None
        else _replay_owed(context, site, endpoint_id, wanted, since, until, after)
    )
    async with context.database.writing() as connection:
        said: dict[str, Any] = {"deliveries": replayed.deliveries}
        await audit(connection, context, site.id, actor, "webhook.replayed", endpoint_id, **said)
    return replayed


def _bounds(wanted: schemas.ReplayInput, now: datetime) -> tuple[datetime | None, datetime | None]:
    since, until = checked_moment("since", wanted.since), checked_moment("until", wanted.until)
    if since is None and wanted.states is None and wanted.delivery_ids is None:
        raise refused("since", "is needed, or `states`, or `delivery_ids`")
    if since is not None and since > now:
        raise refused("since", f"lies in the future; here it is {now:%Y-%m-%dT%H:%M:%SZ}")
    if since is not None and until is not None and until <= since:
        raise refused("until", "must be later than `since`")
    return since, until


async def _check_ids(connection: AsyncConnection, site: Row, endpoint_id: str, ids: Sequence[str]) -> None:
    if missing := sorted(set(ids) - await deliveries.known_ids(connection, site.id, endpoint_id, ids)):
        said = f"Nothing was replayed; the webhook has no such deliveries: {', '.join(missing)}."
        raise Problem("delivery.unknown", said, extra={"delivery_ids": missing})


async def _replay_owed(
    context: Context,
    site: Row,
    endpoint_id: str,
    wanted: schemas.ReplayInput,
    since: datetime | None,
    until: datetime | None,
    after: int | None,
) -> schemas.Replayed:
    """Owe once more what the log has, from the oldest on, so that the order of each comment holds meanwhile."""
    number = 0
    types = None if wanted.types is None else types_of(wanted.types)
    named = None if wanted.delivery_ids is None else set(wanted.delivery_ids)
    while True:
        async with context.database.writing() as connection:
            rows = await deliveries.page(
                connection, site.id, endpoint_id, cursor=after, limit=_REPLAYED_AT_ONCE, states=wanted.states,
                oldest_first=True, types=types, comment_id=wanted.comment_id, since=since, until=until,
                ids=None if named is None else sorted(named),
            )  # fmt: skip
            await known(connection, site, endpoint_id, lock=True)
            ids = [row.id for row in rows]
            number += await deliveries.replay(connection, site.id, endpoint_id, ids, now=context.now())
        if len(rows) < _REPLAYED_AT_ONCE:
            return schemas.Replayed(number, None)
        after = rows[-1].seq
        if number >= MOST_REPLAYED:
            return schemas.Replayed(number, str(after))


async def _replay_since(
    context: Context,
    site: Row,
    endpoint_id: str,
    wanted: schemas.ReplayInput,
    since: datetime,
    until: datetime | None,
    after: int | None,
) -> schemas.Replayed:
    """Owe every event of a time that the receiver wants, also those that it was never owed."""
    position, number = after or 0, 0
    while True:
        async with context.database.writing() as connection:
            endpoint = await _active(connection, site, endpoint_id)
            types = [type_ for type_ in types_of(endpoint.events) if is_wanted(type_, wanted.types or ["*"])]
            rows = await outbox.since(
                connection, site.id, position=position, types=types, limit=_REPLAYED_AT_ONCE, created_since=since,
                created_until=until, comment_id=wanted.comment_id,
            )  # fmt: skip
            now = context.now()
            events = [row for row in rows if row.type != "webhook.test"]
            owed = await deliveries.of_events(connection, site.id, endpoint_id, [row.id for row in events])
            number += await deliveries.replay(connection, site.id, endpoint_id, list(owed.values()), now=now)
            new = [delivery_row(context, row, endpoint_id, now) for row in events if row.id not in owed]
            await deliveries.insert(connection, new)
        number += len(new)
        if len(rows) < _REPLAYED_AT_ONCE:
            return schemas.Replayed(number, None)
        position = rows[-1].position
        if number >= MOST_REPLAYED:
            return schemas.Replayed(number, str(position))


async def _views(
    connection: AsyncConnection, context: Context, endpoint: Row, rows: Sequence[Row]
) -> list[schemas.DeliveryView]:
    now = context.now()
    pending = [row.id for row in rows if row.state == "pending"]
    behind = await deliveries.kept_back(connection, endpoint.id, pending, now=now)
    told = await _told(connection, endpoint.site_id, rows)
    return [
        _view(row, endpoint, told.get(row.comment_id), *_waits(row, endpoint, now, is_behind=row.id in behind))
        for row in rows
    ]


async def _told(connection: AsyncConnection, site_id: str, rows: Sequence[Row]) -> dict[str, ToldComment]:
    found = await pages.in_full(connection, site_id, sorted({row.comment_id for row in rows if row.comment_id}))
    under = await threads.by_ids(connection, site_id, sorted({one.thread_id for one in found.values()}))
    told = {}
    for comment_id, one in found.items():
        is_gone, body = one.status == Status.DELETED.value, one.body or one.latest_body
        text = None if is_gone or body is None else body[:_SHOWN]
        name = None if is_gone else one.author_name
        told[comment_id] = ToldComment(comment_id, name, under[one.thread_id].page, text)
    return told


def _waits(row: Row, endpoint: Row, now: datetime, *, is_behind: bool) -> tuple[WaitsFor | None, datetime | None]:
    """Answer what keeps a delivery back, and when it is tried next, None where that cannot be said."""
    if row.state != "pending" or (row.lease_expires_at is not None and row.lease_expires_at > now):
        return None, None
    if is_behind:
        return "earlier", None
    if endpoint.status != "active":
        return "endpoint", None
    health = Health(endpoint.failures, endpoint.failing_since, endpoint.closed_until)
    if health.is_closed or not health.may_be_asked(now):
        return "endpoint", max(row.next_attempt_at, health.closed_until or row.next_attempt_at)
    return None, row.next_attempt_at


def _view(
    row: Row,
    endpoint: Row,
    comment: ToldComment | None,
    waits_for: WaitsFor | None,
    next_attempt_at: datetime | None,
) -> schemas.DeliveryView:
    return schemas.DeliveryView(
        id=row.id,
        event_id=row.event_id,
        event_type=row.event_type,
        comment_id=row.comment_id,
        state=row.state,
        attempts=row.attempts_before + row.attempts,
        waits_for=waits_for,
        next_attempt_at=next_attempt_at,
        last_status=row.last_status,
        last_error=row.last_error,
        created_at=row.created_at,
        finished_at=row.finished_at,
        endpoint_id=endpoint.id,
        endpoint_url=endpoint.url,
        endpoint_description=endpoint.description,
        comment=comment,
    )


def requested_cursor(text: str) -> int:
    """Answer the number in a cursor of deliveries or replays, or raise request.invalid."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise refused("after", "is no cursor that a page of these gave")
    return int(text)


async def _shown(
    connection: AsyncConnection, context: Context, site: Row, endpoint_id: str, delivery_id: str
) -> schemas.DeliveryView:
    row = await _delivery(connection, site, endpoint_id, delivery_id)
    [view] = await _views(connection, context, await known(connection, site, endpoint_id), [row])
    return view


async def _active(connection: AsyncConnection, site: Row, endpoint_id: str, *, lock: bool = True) -> Row:
    found = await known(connection, site, endpoint_id, lock=lock)
    if found.status == "disabled":
        raise Problem("webhook.disabled", "Make the webhook active first; nothing is sent to it.")
    return found


async def _delivery(connection: AsyncConnection, site: Row, endpoint_id: str, delivery_id: str) -> Row:
    await known(connection, site, endpoint_id)
    found = await deliveries.by_id(connection, site.id, endpoint_id, delivery_id)
    if found is None:
        raise Problem("delivery.unknown", "The webhook has no such delivery.")
    return found
