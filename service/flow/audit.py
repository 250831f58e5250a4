"""Who did what: events that are only ever added, each chained to the one before it, and their list.

Write them last in a transaction. The chain's end is held until the commit, so whoever takes another lock behind it
may wait for somebody who waits for this one.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from service import schemas
from service.flow import audit_chain
from service.flow.context import Context
from service.store import audit as store
from service.store.types import Row

_SALT_BYTES = 16
_PATIENCE_SECONDS = 10.0


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that somebody did; `data` holds settings and ids, never text of readers, names or tokens."""

    actor: str
    action: str
    subject: str | None
    kind: str = "admin"
    data: Mapping[str, Any] = {}


async def audit(
    connection: AsyncConnection,
    context: Context,
    site_id: str | None,
    actor: str,
    action: str,
    subject: str | None,
    *,
    kind: str = "admin",
    **data: Any,
) -> None:
    """Write who did what, in the transaction that does it; the data holds settings and ids, never text or tokens."""
    act = Act(actor=actor, action=action, subject=subject, kind=kind, data=data)
    await audit_all(connection, context, site_id, [act])


async def audit_all(connection: AsyncConnection, context: Context, site_id: str | None, acts: Sequence[Act]) -> None:
    """Write several acts on one site, or on the installation, in their order."""
    if not acts:
        return
    chain = audit_chain.chain_of(site_id)
    sequence, previous = await store.hold_head(connection, chain, start=audit_chain.START)
    # Taken behind the lock, so that the order of times and ids is that of the chain.
    now, rows = context.now(), []
    for act in acts:
        sequence += 1
        rows.append(_chained(context.new_id(), site_id, act, now, chain, sequence, previous))
        previous = rows[-1]["hash"]
    await store.append(connection, chain, rows)


async def list_events(
    context: Context,
    site: Row | None,
    *,
    after: str | None,
    limit: int,
    only: Mapping[str, str | None] | None = None,
) -> schemas.AuditList:
    """Answer the events of a site, or of the installation, the newest first; `only` names action, actor or subject."""
    wanted = {column: value for column, value in (only or {}).items() if value is not None}
    # A filter that little fits walks far along the index.
    patience = _PATIENCE_SECONDS if wanted else None
    async with context.database.reading(patience_seconds=patience) as connection:
        site_id = site.id if site else None
        rows = await store.newest(connection, site_id, before_id=after, limit=limit + 1, only=wanted)
    page = rows[:limit]
    return schemas.AuditList(
        [event_view(row) for row in page], next=page[-1].id if len(rows) > limit and page else None
    )


def event_view(row: Row) -> schemas.AuditEvent:
    """Answer an event as admins see it."""
    return schemas.AuditEvent(**{name: getattr(row, name) for name in schemas.AuditEvent.__struct_fields__})


def _chained(
    event_id: str, site_id: str | None, act: Act, now: datetime, chain: str, sequence: int, previous: str
) -> dict[str, Any]:
    salt, data = secrets.token_hex(_SALT_BYTES), msgspec.to_builtins(dict(act.data))
    row: dict[str, Any] = {
        "id": event_id,
        "site_id": site_id,
        "actor_kind": "operator" if act.actor == "cli" else act.kind,
        "actor": act.actor,
        "action": act.action,
        "subject": act.subject,
        "data": data,
        "created_at": now,
        "chain": chain,
        "sequence": sequence,
        "salt": salt,
        "data_hash": audit_chain.data_hash(salt, data),
        "previous_hash": previous,
    }
    return row | {"hash": audit_chain.event_hash(row)}
