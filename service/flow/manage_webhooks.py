"""Admins name the receivers of events and change them; what was sent is in service.flow.webhook_log."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from service import schemas
from service.egress import EgressRefused, check_url, is_loopback
from service.errors import Problem
from service.flow.audit import audit
from service.flow.context import Context
from service.flow.manage_sites import given
from service.store import deliveries, endpoints
from service.store.types import Row
from service.webhooks.attempt import OWN_HEADERS
from service.webhooks.catalog import is_pattern, overlap, why_no_pattern
from service.webhooks.signing import new_secret

MOST_ENDPOINTS = 50
MOST_SECRETS = 10
"""In force for one endpoint at the same time: each of them signs every event."""
_MOST_PATTERNS = 50
_LOOPBACK = (
    "names this machine, which is for development alone: the operator allows it by "
    "WEBHOOKS_ALLOW_LOOPBACK=1 in the environment of the service and, since it reads its own, of the command line"
)
_REFUSALS = {
    "url": "must be a URL with a host, without spaces, and in ASCII behind the host",
    "userinfo": "must have no name or password before the host; put what the receiver wants to know into `headers`",
    "scheme": "must begin with https://; only for this machine, and with WEBHOOKS_ALLOW_LOOPBACK=1, also with http://",
    "port": "must have port 443 or 8443, or none",
    "address": "must lead to a public address, and this one is inside a network",
}
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_HEADER_VALUE = re.compile(r"(?:[\x21-\x7e](?:[\x20-\x7e]{0,998}[\x21-\x7e])?)?")
_SIGNED = "webhook-"
_DELETED_AT_ONCE = 2_000
_UP = {"failures": 0, "failing_since": None, "closed_until": None, "reason": None}


async def create(context: Context, site: Row, actor: str, wanted: schemas.WebhookInput) -> schemas.WebhookCreated:
    """Name a receiver; its secret is answered this once."""
    _check(context, wanted.url, wanted.events, wanted.headers)
    now, endpoint_id, secret = context.now(), context.new_id(), new_secret()
    row = {
        "id": endpoint_id,
        "site_id": site.id,
        "url": wanted.url,
        "description": wanted.description,
        "events": list(dict.fromkeys(wanted.events)),
        **_headers(context, wanted.headers),
        "status": "active",
        "created_at": now,
        "changed_at": now,
    }
    async with context.database.writing() as connection:
        await endpoints.lock_site(connection, site.id)
        others = await endpoints.of_site(connection, site.id)
        if len(others) >= MOST_ENDPOINTS:
            raise Problem("webhook.too_many", f"A site has at most {MOST_ENDPOINTS} webhooks.")
        _check_twin(wanted.url, row["events"], others)
        await endpoints.insert(connection, row)
        await _insert_secret(connection, context, site, endpoint_id, secret, now)
        # A URL may hold a token of the receiver's, so the audit names the id alone.
        await audit(connection, context, site.id, actor, "webhook.created", endpoint_id, events=row["events"])
        view = await _view(connection, context, site, endpoint_id)
    return schemas.WebhookCreated(**msgspec.structs.asdict(view), secret=secret)


async def listed(context: Context, site: Row) -> schemas.WebhookList:
    """Answer a site's receivers and how they fare."""
    async with context.database.reading() as connection:
        rows = await endpoints.of_site(connection, site.id)
        counts = await deliveries.counts(connection, site.id)
        now = context.now()
        views = [
            _as_view(row, await endpoints.secrets_of(connection, site.id, row.id, now=now), counts, now) for row in rows
        ]
    return schemas.WebhookList(views)


async def read(context: Context, site: Row, endpoint_id: str) -> schemas.WebhookView:
    """Answer one receiver, or raise webhook.unknown."""
    async with context.database.reading() as connection:
        return await _view(connection, context, site, endpoint_id)


async def change(
    context: Context, site: Row, actor: str, endpoint_id: str, wanted: schemas.WebhookChange
) -> schemas.WebhookView:
    """Change a receiver; to make one active forgets its failures, and what it is owed is sent at once."""
    values = given(wanted)
    _check(context, values.get("url"), values.get("events", ()), values.get("headers", {}))
    now, fields = context.now(), sorted(values)
    if "headers" in values:
        values |= _headers(context, values.pop("headers"))
    if values.get("status") == "active":
        values |= _UP
    elif "status" in values:
        values["reason"] = None
    async with context.database.writing() as connection:
        await endpoints.lock_site(connection, site.id)
        before = await known(connection, site, endpoint_id, lock=True)
        is_moved = _host(values.get("url", before.url)) != _host(before.url)
        if is_moved and before.headers_sealed is not None and "header_names" not in values:
            # Else whoever may change a URL could have the receiver's secrets sent to another.
            raise refused("headers", "must be given again for another host, an empty object for none")
        if {"url", "events", "status"} & values.keys() and values.get("status", before.status) == "active":
            others = [row for row in await endpoints.of_site(connection, site.id) if row.id != endpoint_id]
            _check_twin(values.get("url", before.url), values.get("events", before.events), others)
        if values:
            await endpoints.change(connection, site.id, endpoint_id, values | {"changed_at": now})
            if values.get("status") == "active":
                await deliveries.hasten(connection, site.id, endpoint_id, now=now)
            said = {"status": values["status"]} if "status" in values else {}
            await audit(connection, context, site.id, actor, "webhook.changed", endpoint_id, fields=fields, **said)
        return await _view(connection, context, site, endpoint_id)


async def delete(context: Context, site: Row, actor: str, endpoint_id: str) -> None:
    """Forget a receiver, and what it was and is owed."""
    async with context.database.writing() as connection:
        await known(connection, site, endpoint_id, lock=True)
        await endpoints.change(connection, site.id, endpoint_id, {"status": "disabled", "changed_at": context.now()})
    # Bit by bit, so that nobody waits for it; interrupted, it is a disabled one that can be deleted again.
    gone = _DELETED_AT_ONCE
    while gone == _DELETED_AT_ONCE:
        async with context.database.writing(heavy=True) as connection:
            await known(connection, site, endpoint_id, lock=True)
            gone = await deliveries.delete_some(connection, site.id, endpoint_id, limit=_DELETED_AT_ONCE)
    async with context.database.writing(heavy=True) as connection:
        # A relay that saw it active has ended before this.
        await endpoints.hold_for_deletion(connection, endpoint_id)
        await known(connection, site, endpoint_id)
        await endpoints.delete(connection, site.id, endpoint_id)
        await audit(connection, context, site.id, actor, "webhook.deleted", endpoint_id)


async def rotate(
    context: Context, site: Row, actor: str, endpoint_id: str, wanted: schemas.RotateInput
) -> schemas.SecretCreated:
    """Make a new secret; the old ones sign beside it for a while, so that no event is refused in between."""
    now, secret = context.now(), new_secret()
    until = now + timedelta(seconds=wanted.overlap_seconds)
    async with context.database.writing() as connection:
        await known(connection, site, endpoint_id, lock=True)
        await endpoints.expire_secrets(connection, site.id, endpoint_id, at=until)
        await endpoints.forget_secrets(connection, site.id, endpoint_id, now=now)
        if len(await endpoints.secrets_of(connection, site.id, endpoint_id, now=now)) >= MOST_SECRETS:
            most = f"leaves {MOST_SECRETS} older secrets in force, which is the most; 0 ends them all now"
            raise refused("overlap_seconds", most)
        secret_id = await _insert_secret(connection, context, site, endpoint_id, secret, now)
        await audit(
            connection, context, site.id, actor, "webhook.secret_rotated", endpoint_id,
            overlap_seconds=wanted.overlap_seconds,
        )  # fmt: skip
    return schemas.SecretCreated(secret_id, secret, until)


async def _insert_secret(
    connection: AsyncConnection, context: Context, site: Row, endpoint_id: str, secret: str, now: datetime
) -> str:
    row = {
        "id": context.new_id(),
        "site_id": site.id,
        "endpoint_id": endpoint_id,
        "sealed": context.box.seal(secret.encode()),
        "created_at": now,
    }
    await endpoints.insert_secret(connection, row)
    return str(row["id"])


async def known(connection: AsyncConnection, site: Row, endpoint_id: str, *, lock: bool = False) -> Row:
    """Answer an endpoint of the site, or raise webhook.unknown."""
    found = await endpoints.by_id(connection, site.id, endpoint_id, lock=lock)
    if found is None:
        raise Problem("webhook.unknown", "The site has no such webhook.")
    return found


async def _view(connection: AsyncConnection, context: Context, site: Row, endpoint_id: str) -> schemas.WebhookView:
    row = await known(connection, site, endpoint_id)
    now = context.now()
    secrets = await endpoints.secrets_of(connection, site.id, endpoint_id, now=now)
    return _as_view(row, secrets, await deliveries.counts(connection, site.id), now)


def _as_view(
    row: Row, secrets: Sequence[Row], counts: Mapping[tuple[str, str], int], now: datetime
) -> schemas.WebhookView:
    others = {"closed_until", "pending", "dead", "secrets"}
    return schemas.WebhookView(
        **{name: getattr(row, name) for name in schemas.WebhookView.__struct_fields__ if name not in others},
        closed_until=row.closed_until if row.closed_until is not None and row.closed_until > now else None,
        pending=counts.get((row.id, "pending"), 0),
        dead=counts.get((row.id, "dead"), 0),
        secrets=[schemas.SecretView(one.id, one.created_at, one.expires_at) for one in secrets],
    )


def _headers(context: Context, headers: Mapping[str, str]) -> dict[str, Any]:
    sealed = context.box.seal(msgspec.json.encode(dict(headers))) if headers else None
    return {"header_names": sorted(headers), "headers_sealed": sealed}


def _check(context: Context, url: str | None, patterns: Sequence[str], headers: Mapping[str, str]) -> None:
    if url is not None:
        _check_url(url, allow_loopback=context.webhook_egress.allows_loopback)
    check_patterns("events", patterns)
    for name, value in headers.items():
        _check_header(name, value)
    if len({name.lower() for name in headers}) != len(headers):
        raise refused("headers", "name a header twice")


def _check_url(url: str, *, allow_loopback: bool) -> None:
    # Its name alone would pass the check, and every attempt would be refused for what it resolves to.
    if not allow_loopback and is_loopback(url):
        raise refused("url", _LOOPBACK)
    try:
        check_url(url, allow_loopback=allow_loopback)
    except EgressRefused as refusal:
        raise refused("url", _REFUSALS[refusal.reason]) from None


def _check_header(name: str, value: str) -> None:
    field = f"headers.{name[:100]}"
    if not _HEADER_NAME.fullmatch(name):
        raise refused(field, "must be the name of a header: 1 to 100 letters, digits and hyphens")
    if name.lower() in OWN_HEADERS or name.lower().startswith(_SIGNED):
        raise refused(field, "is set by us or by the connection")
    if not _HEADER_VALUE.fullmatch(value):
        raise refused(field, "must be up to 1,000 visible characters of ASCII, with spaces only between them")


def _check_twin(url: str, patterns: Sequence[str], others: Sequence[Row]) -> None:
    """Raise for a receiver that would get the same events twice, which is nearly always a creation that was retried."""
    for other in others:
        if other.status == "active" and _plain(other.url) == _plain(url) and overlap(patterns, other.events):
            said = f"The webhook {other.id} sends some of these events to this URL already; change or delete that one."
            raise Problem("webhook.exists", said, fields=[("url", "gets some of these events already")])


def _plain(url: str) -> str:
    """Answer a URL in the one way in which it is asked; one that was allowed and is not any more as it is."""
    try:
        return check_url(url, allow_loopback=True).geturl()
    except EgressRefused:
        return url


def check_patterns(field: str, patterns: Sequence[str]) -> None:
    """Raise request.invalid naming the field for a name that no event has, and for too many."""
    if len(patterns) > _MOST_PATTERNS:
        raise refused(field, f"may be given {_MOST_PATTERNS} times at most")
    for pattern in patterns:
        if not is_pattern(pattern):
            raise refused(field, why_no_pattern(pattern))


def _host(url: str) -> str:
    return urlsplit(url).netloc.lower()


def refused(name: str, message: str) -> Problem:
    """Answer the problem of one field."""
    return Problem("request.invalid", f"{name} {message}.", fields=[(name, message)])
