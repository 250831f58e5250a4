"""The thread under a page: found by its key, made with the first comment."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from service.errors import Problem
from service.flow.context import Context
from service.flow.transition import event_row
from service.store import outbox, threads
from service.store.types import Row


async def find_or_create(
    connection: AsyncConnection, context: Context, site: Row, page: str, *, title: str | None, url: str | None
) -> Row:
    """Answer the thread of a page, made now if there is none; it cannot be merged away until the commit."""
    for _ in range(3):
        found = await threads.by_page(connection, site.id, page, keep=True)
        if found is not None:
            return found
        await create(connection, context, site.id, page, {"title": title, "url": url})
    raise being_moved()


async def create(
    connection: AsyncConnection, context: Context, site_id: str, page: str, values: dict[str, Any]
) -> bool:
    """Make a thread; answer False if the page has one."""
    now, thread_id = context.now(), context.new_id()
    row = {"id": thread_id, "site_id": site_id, "page": page, "state": "open", "created_at": now} | values
    made = await threads.create(connection, row)
    if made:
        event = event_row(context, "thread.opened", site_id=site_id, thread_id=thread_id, at=now)
        await outbox.append(connection, [event])
    return made


async def locked(connection: AsyncConnection, site_id: str, page: str) -> Row:
    """Answer the thread of a page, held until the commit, even when it is merged meanwhile; or raise thread.unknown."""
    for _ in range(3):
        found = await existing(connection, site_id, page)
        await threads.lock(connection, [found.id])
        again = await existing(connection, site_id, page)
        if again.id == found.id:
            return again
    raise being_moved()


def being_moved() -> Problem:
    """Answer the problem of a caller whose thread moved each time it was looked for."""
    return Problem("thread.unknown", "The thread is being moved; try again.")


async def existing(connection: AsyncConnection, site_id: str, page: str) -> Row:
    """Answer the thread of a page, or raise thread.unknown."""
    found = await threads.by_page(connection, site_id, page)
    if found is None:
        raise Problem("thread.unknown", "There is no thread under this page.")
    return found
