"""What a policy may ask about the author of a comment and how it was sent, gathered for a whole batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.circumstances import Circumstances
from moderation.policy import Policy
from moderation.rules import Signal
from service.flow.commenters import rejected_share
from service.store import author_facts, sanctions
from service.store.types import Row

BAN_NETWORK = timedelta(hours=24)
"""So long a guest's ban holds what other guests send from the same network, as far as the day's key tells it."""
_ASKED_OF_RECORDS = frozenset({Signal.APPROVED, Signal.REJECTED_SHARE})
_DAY_SECONDS = 86_400
#: What a submit noticed, under the names of the signals (`service.flow.noticed`).
_NOTICED = (
    "duplicates", "near_duplicates", "stay_down", "stay_down_reason", "burst", "honeypot", "seconds_to_write",
    "spam_service",
)  # fmt: skip


async def of_batch(
    connection: AsyncConnection, rows: Sequence[Row], policies: Sequence[Policy], now: datetime
) -> dict[str, Circumstances]:
    """Answer the circumstances of each revision; what costs counting is asked only where a policy looks at it."""
    ids = sorted({row.commenter_id for row in rows})
    known = await author_facts.authors(connection, ids)
    restricted = await sanctions.restricted(connection, ids, now=now) | await _near_the_banned(connection, rows, now)
    records = await author_facts.records(connection, ids) if any(map(_counts, policies)) else None
    return {row.revision_id: _of(row, known[row.commenter_id], restricted, records, now) for row in rows}


def _counts(policy: Policy) -> bool:
    return any(condition.signal in _ASKED_OF_RECORDS for rule in policy.rules for condition in rule.when)


async def _near_the_banned(connection: AsyncConnection, rows: Sequence[Row], now: datetime) -> set[str]:
    """Answer the guests that write from a network of a guest who was shut out: perhaps the same person anew."""
    since, found = now - BAN_NETWORK, set()
    guests = [row for row in rows if row.author_kind == "guest" and row.network_hash]
    for site_id, group in groupby(sorted(guests, key=lambda row: row.site_id), key=lambda row: row.site_id):
        of_site = list(group)
        hashes = {row.network_hash for row in of_site}
        near = await sanctions.networks_of_banned_guests(connection, site_id, hashes, since=since, now=now)
        found |= {row.commenter_id for row in of_site if row.network_hash in near}
    return found


def _of(
    row: Row, author: Row, restricted: set[str], records: Mapping[str, dict[str, int]] | None, now: datetime
) -> Circumstances:
    noticed: dict[str, Any] = {name: (row.submission or {}).get(name) for name in _NOTICED}
    if records is not None:
        record = records.get(row.commenter_id, {})
        noticed |= {"approved": record.get("published", 0), "rejected_share": rejected_share(record)}
    return Circumstances(
        guest=author.kind == "guest",
        verified=author.verified,
        trusted=author.trusted,
        account_days=(now - author.first_seen_at).total_seconds() / _DAY_SECONDS,
        pre_moderated=row.commenter_id in restricted,
        **noticed,
    )
