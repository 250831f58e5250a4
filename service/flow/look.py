"""What can be known of a batch before its transaction, which holds a lock that every submit waits for."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.circumstances import Circumstances
from moderation.signals import Signals, read_signals
from moderation.words import WordList
from service.flow import circumstances, policies
from service.flow.context import Context
from service.flow.noticed import Noticed, notice
from service.flow.policies import Prepared
from service.store import scoring
from service.store.types import Row

_Key = tuple[str, str]

logger = logging.getLogger(__name__)


class Looked(NamedTuple):
    """Signals and circumstances by revision and policy version; signals are None where they cannot be read."""

    signals: dict[_Key, Signals | None]
    circumstances: dict[_Key, Circumstances]
    noticed: Mapping[str, Noticed]


async def look(context: Context, revision_ids: Iterable[str]) -> Looked:
    """Look at what a batch says, who wrote it and how it was sent."""
    async with context.database.reading() as connection:
        rows = await scoring.owed(connection, revision_ids)
        known = await policies_of(connection, rows)
    looked = Looked({}, {}, await notice(context, rows))
    async with context.database.reading() as connection:
        await look_again(connection, looked, rows, known, context.now())
    return looked


async def look_again(
    connection: AsyncConnection, looked: Looked, rows: Sequence[Row], known: Mapping[_Key, Prepared], now: datetime
) -> None:
    """Add those that stand under another policy by now, or were not looked at."""
    fresh = [row for row in rows if key_of(row) not in looked.signals]
    if not fresh:
        return
    of_policies = [known[pair].policy for pair in {_policy_of(row) for row in fresh}]
    facts = await circumstances.of_batch(connection, fresh, looked.noticed, of_policies, now)
    for row in fresh:
        looked.signals[key_of(row)] = _signals_of(row, known[_policy_of(row)].words)
        looked.circumstances[key_of(row)] = facts[row.revision_id]


def key_of(row: Row) -> _Key:
    """Answer what a row is looked up by."""
    return row.revision_id, row.policy_version


async def policies_of(connection: AsyncConnection, rows: Iterable[Row]) -> dict[_Key, Prepared]:
    """Answer the policies that judge a batch, by site and version."""
    return await policies.prepared(connection, {_policy_of(row) for row in rows})


def _policy_of(row: Row) -> _Key:
    return row.site_id, row.policy_version


def _signals_of(row: Row, words: WordList) -> Signals | None:
    """Read one text's signals; None for a text that they cannot be read from, which a person then looks at."""
    try:
        return read_signals(row.body or "", words)
    except Exception:
        logger.exception("signals cannot be read", extra={"revision_id": row.revision_id})
        return None
