"""Discussions whose time to close has come are told of, once; that they take no comments needs nobody."""

from __future__ import annotations

from service.flow import live_news
from service.flow.context import Context
from service.flow.transition import event_row
from service.store import outbox, threads

_AT_ONCE = 200


async def close_threads(context: Context) -> int:
    """Tell of the next discussions that closed by time; answer how many."""
    now, told = context.now(), 0
    async with context.database.reading() as connection:
        rows = await threads.to_close(connection, now=now, limit=_AT_ONCE)
    for row in rows:
        async with context.database.writing() as connection:
            thread = await threads.told_closing(connection, row.site_id, row.id, now=now)
            if thread is None or thread.state == "closed":
                # A person closed it before, and that was told then.
                continue
            event = event_row(context, "thread.closed", site_id=row.site_id, thread_id=row.id, at=now)
            await outbox.append(connection, [event])
            pages = await threads.pages_of(connection, row.site_id, row.id)
            told += 1
        await live_news.tell_pages(context, row.site_id, pages)
    return told
