"""Threads as moderators see them: what waits and what was taken down in each, and every comment of one."""

from __future__ import annotations

from typing import Final

from service import schemas
from service.errors import Problem
from service.flow import cursors, views
from service.flow.context import Context
from service.flow.find_thread import existing
from service.flow.search import PATIENCE_SECONDS, found_page
from service.store import search
from service.store.search import Wanted
from service.store.types import Row

_STEP: Final = 500
_STEPS: Final = 8
_ORDER: Final = "threads"


async def list_threads(
    context: Context, site: Row, *, q: str | None, after: str | None, limit: int
) -> schemas.ModeratedThreads:
    """Answer threads, the newest first, or those whose title or page holds a text."""
    if q is not None and "\x00" in q:
        raise Problem("request.nul", "Remove the NUL characters.")
    cursor = cursors.read(_ORDER, after)
    before, found, last = cursor.key if cursor else None, list[Row](), None
    async with context.database.reading(patience_seconds=PATIENCE_SECONDS) as connection:
        for _ in range(_STEPS):
            rows = await search.threads(connection, site.id, text=q or None, before=before, limit=_STEP)
            found += [row for row in rows if row.fits]
            last = str(rows[-1].id) if len(rows) == _STEP else None
            if len(found) > limit or last is None:
                break
            before = last
        if len(found) > limit:
            found, last = found[:limit], str(found[limit - 1].id)
        hidden = await search.unpublished(connection, site.id, [row.id for row in found])
    threads = [_view(context, site, row, hidden.get(row.id, {})) for row in found]
    return schemas.ModeratedThreads(threads, None if last is None else cursors.write(_ORDER, 0, last))


async def comments_of(
    context: Context, site: Row, page: str, *, status: str | None, after: str | None, limit: int
) -> schemas.FoundComments:
    """Answer the comments of a thread in every status, or in one, the newest first."""
    async with context.database.reading(patience_seconds=PATIENCE_SECONDS) as connection:
        thread = await existing(connection, site.id, page)
        wanted = Wanted(thread_id=thread.id, status=status)
        return await found_page(connection, context, site, wanted, after=after, limit=limit)


def _view(context: Context, site: Row, row: Row, hidden: dict[str, int]) -> schemas.ModeratedThread:
    thread = views.thread_view(site, row, row.page, now=context.now())
    said = {name: getattr(thread, name) for name in thread.__struct_fields__}
    counts = {"published": row.published_count, **hidden}
    shown = {status: number for status, number in sorted(counts.items()) if number}
    return schemas.ModeratedThread(**said, id=row.id, created_at=row.created_at, counts=shown)
