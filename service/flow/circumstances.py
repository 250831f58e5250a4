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
from service.flow import fingerprints
from service.flow.commenters import rejected_share
from service.flow.ids import first_id_at
from service.flow.noticed import Noticed
from service.flow.outlive import BAN_NETWORK
from service.queue.recent_texts import WINDOW_SECONDS
from service.store import author_facts, commenters, sanctions
from service.store import fingerprints as store
from service.store.types import Row

_WINDOW = timedelta(seconds=WINDOW_SECONDS)
_MINUTE = timedelta(minutes=1)
_ASKED_OF_RECORDS = frozenset({Signal.APPROVED, Signal.REJECTED_SHARE})
_DAY_SECONDS = 86_400
#: What a submit may have left on a revision; another version of ours may have left more.
_NOTICED_AT_SUBMIT = frozenset({"honeypot", "seconds_to_write"})
_Facts = dict[str, dict[str, Any]]


async def of_batch(
    connection: AsyncConnection,
    rows: Sequence[Row],
    noticed: Mapping[str, Noticed],
    policies: Sequence[Policy],
    now: datetime,
) -> dict[str, Circumstances]:
    """Answer the circumstances of each revision; what costs counting is asked only where a policy looks at it.

    They are a moment old when they are judged; what must not be, the sanctions, `restricted` adds in the transaction.
    """
    ids, near, facts = sorted({row.commenter_id for row in rows}), set[str](), _Gathered()
    records = await author_facts.records(connection, ids) if any(map(_counts, policies)) else None
    for site_id, group in groupby(sorted(rows, key=lambda row: row.site_id), key=lambda row: row.site_id):
        of_site = list(group)
        near |= await _near_the_banned(connection, site_id, of_site, now)
        await facts.gather(connection, site_id, of_site, noticed, now)
    return {row.revision_id: _of(row, near, records, facts, now) for row in rows}


async def of_author(
    connection: AsyncConnection, site_id: str, commenter_id: str | None, policy: Policy, now: datetime
) -> Circumstances:
    """Answer what is known of who writes before anything was sent; None stands for a guest who is new."""
    row = await commenters.commenter(connection, site_id, commenter_id) if commenter_id is not None else None
    if row is None:
        return Circumstances(guest=True, verified=False, trusted=False, account_days=0.0, approved=0)
    more: dict[str, Any] = {}
    if _counts(policy):
        record = (await author_facts.records(connection, [row.id])).get(row.id, {})
        more = {"approved": record.get("published", 0), "rejected_share": rejected_share(record)}
    return Circumstances(
        guest=row.kind == "guest",
        verified=row.verified,
        trusted=row.trusted,
        account_days=(now - row.first_seen_at).total_seconds() / _DAY_SECONDS,
        **more,
    )


async def restricted(connection: AsyncConnection, rows: Sequence[Row], now: datetime) -> set[str]:
    """Answer the authors in a batch that a sanction restricts now."""
    return await sanctions.restricted(connection, sorted({row.commenter_id for row in rows}), now=now)


def noticed_at_submit(submission: Mapping[str, Any] | None) -> dict[str, Any]:
    """Answer what a submit left of how it was sent."""
    return {name: value for name, value in (submission or {}).items() if name in _NOTICED_AT_SUBMIT}


def _counts(policy: Policy) -> bool:
    return any(condition.signal in _ASKED_OF_RECORDS for rule in policy.rules for condition in rule.when)


async def _near_the_banned(connection: AsyncConnection, site_id: str, rows: Sequence[Row], now: datetime) -> set[str]:
    """Answer the guests that write from a network of a guest who was shut out: perhaps the same person anew."""
    guests = [row for row in rows if row.author_kind == "guest" and row.network_hash]
    if not guests:
        return set()
    hashes, since = {row.network_hash for row in guests}, now - BAN_NETWORK
    near = await sanctions.networks_of_banned_guests(connection, site_id, hashes, since=since, now=now)
    return {row.commenter_id for row in guests if row.network_hash in near}


class _Gathered:
    """What is known of each revision's text and of how it was sent."""

    def __init__(self) -> None:
        self.of: _Facts = {}

    async def gather(
        self,
        connection: AsyncConnection,
        site_id: str,
        rows: Sequence[Row],
        noticed: Mapping[str, Noticed],
        now: datetime,
    ) -> None:
        """Ask for all texts of one site at once."""
        hashes = {row.body_hash for row in rows if row.body_hash}
        networks = {row.network_hash for row in rows if row.network_hash}
        repeats = await store.repeats(connection, site_id, hashes, since_id=first_id_at(now - _WINDOW))
        bursts = await store.bursts(connection, site_id, networks, since=now - _MINUTE) if networks else {}
        seen = {row.revision_id: noticed.get(row.revision_id, Noticed()) for row in rows}
        sketches = {revision_id: one.sketch for revision_id, one in seen.items() if one.sketch is not None}
        known = await fingerprints.known(connection, site_id, sketches) if sketches else {}
        for row in rows:
            again, one = known.get(row.revision_id), seen[row.revision_id]
            self.of[row.revision_id] = {
                **noticed_at_submit(row.submission),
                # Itself among them.
                "duplicates": max(0, repeats.get(row.body_hash or "", 0) - 1),
                "near_duplicates": one.near_duplicates,
                "burst": bursts.get(row.network_hash) if row.network_hash else None,
                "stay_down": again.likeness if again else 0.0,
                "stay_down_reason": again.reason if again else None,
                "spam_service": one.spam_service,
            }


def _of(
    row: Row,
    near_the_banned: set[str],
    records: Mapping[str, dict[str, int]] | None,
    facts: _Gathered,
    now: datetime,
) -> Circumstances:
    more = dict(facts.of[row.revision_id])
    if records is not None:
        record = records.get(row.commenter_id, {})
        more |= {"approved": record.get("published", 0), "rejected_share": rejected_share(record)}
    return Circumstances(
        guest=row.commenter_kind == "guest",
        verified=row.verified,
        trusted=row.trusted,
        account_days=(now - row.first_seen_at).total_seconds() / _DAY_SECONDS,
        near_restricted=row.commenter_id in near_the_banned,
        **more,
    )
