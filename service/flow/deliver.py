"""What is owed to an endpoint is leased, written as letters, and settled by what came of each attempt."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from service import schemas, telemetry
from service.flow.audit import audit
from service.flow.context import Context
from service.flow.event_payloads import told
from service.flow.sealing import SealBroken
from service.flow.transition import event_row
from service.store import deliveries, endpoints, outbox, sites
from service.store.types import Row
from service.webhooks.attempt import Letter
from service.webhooks.retries import (
    OURS,
    Error,
    Fate,
    Health,
    Result,
    after_attempt,
    disabled_reason,
    health_after,
)
from service.webhooks.signing import signed_headers

#: A lease outlasts the attempt by this, so that a slow database does not make two of one.
_MARGIN = timedelta(seconds=10)
#: What an idle endpoint's last success is worth a write for.
_SUCCESS_EVERY = timedelta(seconds=60)

logger = logging.getLogger(__name__)


class Done(NamedTuple):
    """A leased delivery and what came of it; None: it was not attempted, and is owed as before.

    `url` is where it was sent to: what came from there says nothing of another that was named meanwhile.
    """

    delivery: Row
    result: Result | None
    url: str


class Taken(NamedTuple):
    """What a worker took over: the endpoint as it is now, and deliveries with a lease."""

    endpoint: Row
    rows: Sequence[Row]


async def due_endpoints(context: Context, *, limit: int) -> list[str]:
    """Answer the endpoints that something could be sent to now."""
    async with context.database.reading() as connection:
        most = context.settings.webhook_concurrency - _least_of(context)
        return await deliveries.due_endpoints(connection, now=context.now(), most_leased=most, limit=limit)


def _least_of(context: Context) -> int:
    """Half of what may be under way is what a worker begins with: two that share an endpoint work twice for each."""
    return (context.settings.webhook_concurrency + 1) // 2


async def turn(
    context: Context,
    endpoint_id: str,
    done: Sequence[Done],
    *,
    may_claim: bool,
    sample: Any = random.random,
) -> Taken | None:
    """Settle what came of attempts and lease what is next, in one transaction; None where there is nothing to do."""
    async with context.database.writing() as connection:
        endpoint = await endpoints.hold(connection, endpoint_id, wait=bool(done))
        if endpoint is None:
            return None
        now = context.now()
        health = await _settle(connection, context, endpoint, done, now, sample)
        if health is None or not may_claim or endpoint.status != "active" or not health.may_be_asked(now):
            return None
        rows = await deliveries.claim(
            connection,
            endpoint_id,
            now=now,
            until=now + timedelta(seconds=context.settings.webhook_timeout_seconds) + _MARGIN,
            lease=context.new_id(),
            # One that is down is asked by one at a time.
            concurrency=1 if health.is_closed else context.settings.webhook_concurrency,
            least=1 if done or health.is_closed else _least_of(context),
        )
    return Taken(endpoint, rows) if rows else None


async def _settle(
    connection: AsyncConnection, context: Context, endpoint: Row, done: Sequence[Done], now: datetime, sample: Any
) -> Health | None:
    """Write what became of deliveries and of their endpoint; answer its health, None when it is disabled now."""
    before = Health(endpoint.failures, endpoint.failing_since, endpoint.closed_until)
    leases = await deliveries.leases(connection, endpoint.id, [one.delivery.id for one in done])
    # What was taken over, cancelled or replayed meanwhile is not ours to settle any more.
    mine = [one for one in done if leases.get(one.delivery.id) == one.delivery.lease]
    given_up = [one.delivery for one in done if leases.get(one.delivery.id) != one.delivery.lease]
    await deliveries.let_go(connection, endpoint.id, [(row.id, row.lease) for row in given_up])
    await deliveries.settle(connection, [_settled_row(one, now, sample) for one in mine])
    made = [(one.delivery, one.result) for one in mine if one.result is not None]
    await deliveries.insert_attempts(connection, [_attempt_row(context, row, result) for row, result in made])
    for _, result in made:
        _count(result)
    # What we could not write is no fault of the receiver's.
    results = [
        one.result
        for one in mine
        if one.result is not None and one.url == endpoint.url and one.result.error not in OURS
    ]
    after = health_after(before, results, now)
    reason = disabled_reason(after, results, now)
    if reason is not None and endpoint.status != "disabled":
        await _disable(connection, context, endpoint, after, reason, now)
        return None
    if after.is_closed and not before.is_closed:
        said = await _named(connection, endpoint)
        logger.warning("a webhook endpoint fails", extra=said | {"error": str(results[-1].error)})
    is_test = any(one.delivery.event_type == "webhook.test" for one in mine)
    await _save_health(connection, endpoint, before, after, results, now, is_test=is_test)
    if before.failing_since is not None and before.is_closed and not after.is_closed:
        # Not what failed while others arrived: that goes on with its own plan.
        # What was under way when it began counts as kept back, so as much earlier as an attempt may take.
        since = before.failing_since - timedelta(seconds=context.settings.webhook_timeout_seconds) - _MARGIN
        await deliveries.hasten(connection, endpoint.site_id, endpoint.id, now=now, failing_since=since)
    return after


def _settled_row(one: Done, now: datetime, sample: Any) -> dict[str, Any]:
    row = one.delivery
    values = {
        "state": "pending",
        "attempts": row.attempts,
        "next_attempt_at": row.next_attempt_at,
        "last_status": row.last_status,
        "last_error": row.last_error,
        "finished_at": None,
    }
    if one.result is not None:
        attempts = row.attempts + 1
        fate, again_at = after_attempt(one.result, attempts=attempts, now=now, random=sample)
        if fate is Fate.DEAD:
            telemetry.webhook_dead_total.inc()
        values |= {
            "state": fate.value,
            "attempts": attempts,
            "next_attempt_at": again_at or row.next_attempt_at,
            "last_status": one.result.status,
            "last_error": one.result.error,
            "finished_at": None if fate is Fate.PENDING else now,
        }
    return {"of_id": row.id, "of_lease": row.lease} | {f"new_{name}": value for name, value in values.items()}


def _attempt_row(context: Context, row: Row, result: Result) -> dict[str, Any]:
    return {
        "id": context.new_id(),
        "site_id": row.site_id,
        "delivery_id": row.id,
        "number": row.attempts_before + row.attempts + 1,
        "started_at": result.started_at,
        "milliseconds": round(result.seconds * 1000),
        "status": result.status,
        "error": result.error,
    }


def _count(result: Result) -> None:
    telemetry.webhook_attempts_total.labels("ok" if result.ok else str(result.error)).inc()
    telemetry.webhook_seconds.observe(result.seconds)


async def _save_health(
    connection: AsyncConnection,
    endpoint: Row,
    before: Health,
    after: Health,
    results: Sequence[Result],
    now: datetime,
    *,
    is_test: bool,
) -> None:
    values: dict[str, Any] = {}
    if after != before:
        values = {
            "failures": after.failures, "failing_since": after.failing_since, "closed_until": after.closed_until
        }  # fmt: skip
    last, failed_at = endpoint.last_success_at, endpoint.last_failure_at
    if any(not result.ok for result in results):
        values["last_failure_at"] = failed_at = now
    if any(result.ok for result in results):
        # At once where somebody looks for it: after a test, and as the first one after a failure.
        is_news = is_test or bool(values) or last is None or (failed_at is not None and last <= failed_at)
        if is_news or now - last >= _SUCCESS_EVERY:
            values["last_success_at"] = now
    if values:
        await endpoints.change(connection, endpoint.site_id, endpoint.id, values)


async def _disable(
    connection: AsyncConnection, context: Context, endpoint: Row, health: Health, reason: str, now: datetime
) -> None:
    """End an endpoint that wants no more or has been away for days: visible, audited, and told to the others."""
    values = {"status": "disabled", "reason": reason, "changed_at": now, "last_failure_at": now}
    values |= {"failures": health.failures, "failing_since": health.failing_since, "closed_until": None}
    await endpoints.change(connection, endpoint.site_id, endpoint.id, values)
    dead = await deliveries.give_up(connection, endpoint.site_id, endpoint.id, error=f"endpoint.{reason}", now=now)
    telemetry.webhook_dead_total.inc(dead)
    named = await _named(connection, endpoint)
    said = {name: named[name] for name in ("endpoint_id", "host", "description")} | {"reason": reason, "dead": dead}
    event = event_row(context, "webhook.disabled", site_id=endpoint.site_id, at=now, **said)
    await outbox.append(connection, [event])
    await audit(
        connection, context, endpoint.site_id, "system", "webhook.disabled", endpoint.id, kind="system", reason=reason
    )
    logger.error("a webhook endpoint is disabled", extra=named | said)


async def _named(connection: AsyncConnection, endpoint: Row) -> dict[str, Any]:
    """Answer what an operator knows an endpoint by; the rest of its URL may hold a token of the receiver's."""
    return {
        "site": await sites.slug_of(connection, endpoint.site_id),
        "endpoint_id": endpoint.id,
        "host": urlsplit(endpoint.url).hostname or "",
        "description": endpoint.description,
    }


async def letters(context: Context, taken: Taken) -> dict[str, Letter | Result | None]:
    """Write what is sent, by delivery; the texts in it are read now. None for an event that is not there any more.

    What cannot be written, or signed, is an attempt that failed: it goes the way of all failures, and is seen.
    """
    endpoint, now = taken.endpoint, context.now()
    async with context.database.reading() as connection:
        events = await outbox.by_ids(connection, [row.event_id for row in taken.rows])
        sealed = await endpoints.secrets_of(connection, endpoint.site_id, endpoint.id, now=now)
        readable = await told(context, connection, events.values(), now=now, box=context.box)
    try:
        keys = [context.box.open(row.sealed).decode() for row in sealed]
        custom = _custom_headers(context, endpoint)
    except SealBroken:
        logger.error("SECRET_KEY does not open an endpoint's secrets", extra={"endpoint_id": endpoint.id})
        return {row.id: Result(None, Error.SEALED, None, now, 0.0) for row in taken.rows}
    written: dict[str, Letter | Result | None] = {}
    for row in taken.rows:
        event = readable.get(row.event_id)
        if event is not None:
            trace = events[row.event_id].data.get(outbox.TRACE)
            written[row.id] = _letter(endpoint, event, keys, custom, now, trace)
        else:
            is_there = row.event_id in events
            written[row.id] = Result(None, Error.UNWRITABLE, None, now, 0.0) if is_there else None
    return written


def _letter(
    endpoint: Row,
    event: schemas.StreamedEvent,
    keys: Sequence[str],
    custom: Mapping[str, str],
    now: datetime,
    trace: str | None,
) -> Letter | Result:
    try:
        body = msgspec.json.encode(schemas.EventBody(event.type, event.timestamp, event.data))
        headers = {**custom, **signed_headers(keys, event.id, body, at=now)}
    except Exception as error:
        logger.error("an event cannot be encoded", extra={"event_id": event.id, "error": type(error).__name__})
        return Result(None, Error.UNWRITABLE, None, now, 0.0)
    return Letter(endpoint.id, endpoint.url, body, headers, trace)


def _custom_headers(context: Context, endpoint: Row) -> dict[str, str]:
    if endpoint.headers_sealed is None:
        return {}
    return msgspec.json.decode(context.box.open(endpoint.headers_sealed), type=dict[str, str])


async def drop(context: Context, endpoint: Row, delivery_ids: Iterable[str]) -> None:
    """Owe no more what cannot be written."""
    async with context.database.writing() as connection:
        for delivery_id in delivery_ids:
            await deliveries.cancel(
                connection, endpoint.site_id, endpoint.id, delivery_id, now=context.now(), keep_lease=False
            )


async def measure(context: Context) -> None:
    """Show how much is owed, and for how long."""
    now = context.now()
    async with context.database.reading() as connection:
        rows = await deliveries.backlog(connection)
    telemetry.webhook_pending.set(sum(row.number for row in rows))
    oldest = min((row.oldest_at for row in rows), default=None)
    telemetry.webhook_oldest_seconds.set((now - oldest).total_seconds() if oldest else 0)
