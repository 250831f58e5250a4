"""The publisher's systems make, change, close, move and merge threads: the URLs of articles change."""

from __future__ import annotations

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from service import schemas
from service.errors import Problem
from service.flow import live_news
from service.flow.audit import audit
from service.flow.context import Context
from service.flow.find_thread import being_moved, create, existing, locked
from service.flow.manage_sites import given
from service.flow.moments import checked_moment
from service.flow.transition import event_row
from service.store import outbox, threads
from service.store.types import Row


async def create_thread(context: Context, site: Row, actor: str, wanted: schemas.ThreadInput) -> schemas.AdminThread:
    """Make a thread before its first comment."""
    values = {name: getattr(wanted, name) for name in ("title", "prompt", "url", "closes_at")}
    checked_moment("closes_at", wanted.closes_at)
    async with context.database.writing() as connection:
        if not await create(connection, context, site.id, wanted.page, values):
            raise Problem("thread.exists", "The page has a thread; change it instead.")
        await audit(connection, context, site.id, actor, "thread.created", wanted.page)
        made = await _view(connection, context, site, wanted.page)
    return await _told(context, site, made)


async def change_thread(
    context: Context, site: Row, actor: str, page: str, wanted: schemas.ThreadChange
) -> schemas.AdminThread:
    """Change title, prompt, URL, state or closing time; readers see it with the thread's next version."""
    values = given(wanted)
    checked_moment("closes_at", values.get("closes_at"))
    async with context.database.writing() as connection:
        thread = await locked(connection, site.id, page)
        if values:
            now = context.now()
            before = threads.state_at(thread, now)
            if "closes_at" in values:
                values["closing_told_at"] = None
            await threads.change(connection, site.id, thread.id, values)
            after = threads.state_at(await existing(connection, site.id, page), now)
            if after == "closed" and "closes_at" in values:
                # It is told below, so the sweep has nothing to tell.
                await threads.told_closing(connection, site.id, thread.id, now=now)
            values.pop("closing_told_at", None)
            changed = {name: values[name] for name in ("state",) if name in values}
            await audit(connection, context, site.id, actor, "thread.changed", page, fields=sorted(values), **changed)
            if after != before:
                event = "thread.closed" if after == "closed" else "thread.opened"
                row = event_row(context, event, site_id=site.id, thread_id=thread.id, at=now)
                await outbox.append(connection, [row])
        changed_thread = await _view(connection, context, site, page)
    return await _told(context, site, changed_thread)


async def move_thread(
    context: Context, site: Row, actor: str, page: str, wanted: schemas.ThreadMove
) -> schemas.AdminThread:
    """Give a thread another page key; where that page has a thread both become one. Old keys keep working."""
    for _ in range(3):
        try:
            async with context.database.writing(heavy=True) as connection:
                await _move(connection, site.id, page, wanted)
                await audit(connection, context, site.id, actor, "thread.moved", page, to_page=wanted.to_page)
                moved = await _view(connection, context, site, wanted.to_page)
            return await _told(context, site, moved)
        except (_MovedMeanwhile, IntegrityError):
            # Another move, or the first comment under the new page, came between our reading and writing.
            continue
    raise being_moved()


class _MovedMeanwhile(Exception):  # noqa: N818 - Named for the fact.
    """A page led elsewhere once its thread was locked; begun again, lest locks be taken out of order."""


async def _move(connection: AsyncConnection, site_id: str, page: str, wanted: schemas.ThreadMove) -> None:
    source, target = await _ends(connection, site_id, page, wanted.to_page)
    await threads.lock(connection, [source.id, *([target.id] if target else [])], to_remove=True)
    again, to = await _ends(connection, site_id, page, wanted.to_page)
    if again.id != source.id or (to and to.id) != (target and target.id):
        raise _MovedMeanwhile
    if target is None:
        await threads.rename(connection, site_id, source.id, wanted.to_page, url=wanted.url)
    elif target.id != source.id:
        await threads.absorb(connection, site_id, source.id, target.id)
        if wanted.url:
            await threads.change(connection, site_id, target.id, {"url": wanted.url})
    else:
        changes = {"page": wanted.to_page} | ({"url": wanted.url} if wanted.url else {})
        await threads.change(connection, site_id, source.id, changes)


async def _ends(connection: AsyncConnection, site_id: str, page: str, to_page: str) -> tuple[Row, Row | None]:
    return await existing(connection, site_id, page), await threads.by_page(connection, site_id, to_page)


async def read_thread(context: Context, site: Row, page: str) -> schemas.AdminThread:
    """Answer a thread as the publisher's systems see it."""
    async with context.database.reading() as connection:
        return await _view(connection, context, site, page)


async def _told(context: Context, site: Row, thread: schemas.AdminThread) -> schemas.AdminThread:
    """Let open pages hear, after the commit, that the thread under them is another one or in another state."""
    await live_news.tell_pages(context, site.id, thread.pages)
    return thread


async def _view(connection: AsyncConnection, context: Context, site: Row, page: str) -> schemas.AdminThread:
    thread = await existing(connection, site.id, page)
    return schemas.AdminThread(
        page=thread.page,
        pages=await threads.pages_of(connection, site.id, thread.id),
        title=thread.title,
        prompt=thread.prompt,
        url=thread.url,
        state="closed" if threads.state_at(thread, context.now()) == "closed" else "open",
        closes_at=thread.closes_at,
        count=thread.published_count,
        version=threads.version_at(thread, context.now()),
        policy_version=thread.policy_version,
        created_at=thread.created_at,
    )
