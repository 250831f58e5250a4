"""The words of erased texts leave the index file too: FTS5 keeps them beside a mark until its parts are merged."""

from __future__ import annotations

import logging

from service.flow.context import Context
from service.store import search

#: Pages of the index in one transaction, some milliseconds long: submits wait for it.
PAGES = 500
#: Steps of one call; the sweep does what is left.
_AT_ONCE = 200

logger = logging.getLogger(__name__)


async def forget_words(context: Context) -> bool:
    """Wipe what was erased from the index; answer whether nothing is left of it. PostgreSQL has nothing to wipe."""
    if not context.database.is_sqlite:
        return True
    async with context.database.reading() as connection:
        erased = await search.owed_wipe(connection)
    if not erased:
        return True
    for number in range(_AT_ONCE):
        async with context.database.writing(heavy=True) as connection:
            if not await search.wipe(connection, first=number == 0, pages=PAGES):
                await search.wiped(connection, erased=erased)
                return True
    logger.warning("the search index is not wiped of erased words yet; the sweep goes on")
    return False
