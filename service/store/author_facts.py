"""What is known of the authors of a batch, in a bounded number of bounded queries."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import comments
from service.store.types import Row

MOST_COUNTED = 200
"""Of an author with more comments the newest are counted."""
_AT_ONCE = 200


async def records(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, dict[str, int]]:
    """Answer how many of each author's newest comments have each status."""
    record: dict[str, dict[str, int]] = {}
    distinct = list(dict.fromkeys(ids))
    # A compound of more selects than this is one that SQLite does not take.
    for start in range(0, len(distinct), _AT_ONCE):
        for commenter_id, status, number in await _counted(connection, distinct[start : start + _AT_ONCE]):
            record.setdefault(commenter_id, {})[status] = number
    return record


async def _counted(connection: AsyncConnection, ids: Sequence[str]) -> Sequence[Row]:
    newest = [
        sa.select(comments.c.commenter_id, comments.c.status)
        .where(comments.c.commenter_id == commenter_id)
        .order_by(comments.c.id.desc())
        .limit(MOST_COUNTED)
        .subquery()
        for commenter_id in ids
    ]
    found = sa.union_all(*(sa.select(part) for part in newest)).subquery()
    query = sa.select(found.c.commenter_id, found.c.status, sa.func.count()).group_by(
        found.c.commenter_id, found.c.status
    )
    return (await connection.execute(query)).all()
