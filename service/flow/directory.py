"""Sites by their public key, remembered for two seconds: every reader's request asks for one."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from service.errors import Problem
from service.store import sites
from service.store.database import Database
from service.store.types import Row

FRESH_SECONDS = 2.0
_SLUG = re.compile(r"[a-z0-9-]{1,63}")
_KEPT = 10_000


class Directory:
    """Answers sites to readers; another process's change of origins or limits is seen within two seconds.

    What decides about a comment (policy, emergency switch) is never read from here, but in the deciding transaction.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        # Not the time of day, for one that steps back would keep what is known fresh until it has caught up.
        self._clock = clock
        self._known: dict[str, tuple[Row, float]] = {}

    async def find(self, slug: str) -> Row:
        """Answer the site, or raise site.unknown."""
        found, now = self._known.get(slug), self._clock()
        if found is not None and now - found[1] < FRESH_SECONDS:
            return found[0]
        self._known.pop(slug, None)
        site = await self.read(slug)
        if len(self._known) >= _KEPT:
            self._known.clear()
        self._known[slug] = (site, now)
        return site

    async def read(self, slug: str) -> Row:
        """Answer the site as it is now, or raise site.unknown."""
        site = None
        # What cannot be a slug may hold what no database takes for a text.
        if _SLUG.fullmatch(slug):
            async with self._database.reading() as connection:
                site = await sites.by_slug(connection, slug)
        if site is None:
            raise Problem("site.unknown", "No site has this slug.")
        return site

    def forget(self, slug: str) -> None:
        """Let this process see a change that it made itself at once."""
        self._known.pop(slug, None)
