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
        self._missing: dict[str, float] = {}
        self._slugs: dict[str, str] = {}
        self._forgotten = 0

    async def find(self, slug: str) -> Row:
        """Answer the site, or raise site.unknown."""
        found, now = self._known.get(slug), self._clock()
        if found is not None and now - found[1] < FRESH_SECONDS:
            return found[0]
        if self._missing.get(slug, now - FRESH_SECONDS) > now - FRESH_SECONDS:
            raise _unknown()
        forgotten = self._forgotten
        try:
            site = await self.read(slug)
        except Problem as problem:
            if problem.code != "site.unknown" or not _SLUG.fullmatch(slug):
                raise
            self._known.pop(slug, None)
            if len(self._missing) >= _KEPT:
                self._missing.clear()
            self._missing[slug] = now
            raise
        if found is not None and found[0] == site:
            # The same row stays, so that whoever kept something with it sees at a glance that it did not change.
            site = found[0]
        if len(self._known) >= _KEPT:
            self._known.clear()
        # What was read before somebody changed it is not kept as news.
        if self._forgotten == forgotten:
            self._known[slug] = (site, now)
        return site

    def at_hand(self, slug: str) -> Row | None:
        """Answer a site that was read within two seconds; None asks to `find` it."""
        found = self._known.get(slug)
        return found[0] if found is not None and self._clock() - found[1] < FRESH_SECONDS else None

    async def find_by_id(self, site_id: str) -> Row:
        """Answer the site of a key, whose row names one that is there."""
        slug = self._slugs.get(site_id)
        if slug is None:
            async with self._database.reading() as connection:
                site = await sites.by_id(connection, site_id)
            if len(self._slugs) >= _KEPT:
                self._slugs.clear()
            # A site's slug never changes.
            slug = self._slugs[site_id] = site.slug
        return await self.find(slug)

    async def read(self, slug: str) -> Row:
        """Answer the site as it is now, or raise site.unknown."""
        site = None
        # What cannot be a slug may hold what no database takes for a text.
        if _SLUG.fullmatch(slug):
            async with self._database.reading() as connection:
                site = await sites.by_slug(connection, slug)
        if site is None:
            raise _unknown()
        return site

    def knows(self, slug: str) -> bool:
        """Answer whether a site was found lately."""
        return slug in self._known

    def forget(self, slug: str) -> None:
        """Let this process see a change that it made itself at once."""
        self._forgotten += 1
        self._missing.pop(slug, None)
        self._known.pop(slug, None)


def _unknown() -> Problem:
    return Problem("site.unknown", "No site has this slug.")
