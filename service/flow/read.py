"""What readers are served: pages of a thread, one comment, replies, counts; each is bounded."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Hashable, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from service import schemas
from service.errors import Problem
from service.flow import cursors, live_news, views
from service.flow.context import Context
from service.flow.page_cache import PageCache, Rendered, Shown
from service.store import comments, pages, picks, threads
from service.store.types import Row

MAXIMUM_COUNTED_PAGES = 500
MAXIMUM_REPLIES_ON_A_PAGE = 500


class PageWanted(NamedTuple):
    """Which page of a thread, in which order."""

    page: str
    sort: schemas.Sort
    limit: int
    replies: int
    after: str | None


class Form(NamedTuple):
    """What a page is written as; `key` names everything that the writing depends on beside the page."""

    key: Hashable
    write: Callable[[schemas.ThreadPage, Row | None], bytes]


_JSON = Form("json", lambda page, _: msgspec.json.encode(page))


async def thread_page(context: Context, cache: PageCache, site: Row, wanted: PageWanted, form: Form = _JSON) -> Shown:
    """Answer the page as bytes with its ETag; built once per version of the thread, from one snapshot."""
    after = cursors.read(wanted.sort, wanted.after)
    wanted = wanted._replace(replies=min(wanted.replies, MAXIMUM_REPLIES_ON_A_PAGE // wanted.limit))
    while True:
        found = await _page_or_wait(context, cache, site, wanted, after, form)
        if isinstance(found, Shown):
            return found
        # However many ask for a new version, one builds it. Who waits holds no connection to the database.
        other, thread, now = found
        if (rendered := await asyncio.shield(other)) is not None:
            return _shown(rendered, site, wanted.page, thread, now)


async def _page_or_wait(
    context: Context, cache: PageCache, site: Row, wanted: PageWanted, after: pages.Cursor | None, form: Form
) -> Shown | tuple[asyncio.Future[Rendered | None], Row, datetime]:
    """Answer the page; or the one that another request is about to build, with the thread that it is of."""
    async with context.database.reading() as connection:
        thread, now = await threads.by_page(connection, site.id, wanted.page), context.now()
        view = views.thread_view(site, thread, wanted.page, now=now)
        if thread is None:
            # Page keys without a thread are anybody's to make up, and their page costs nothing to build.
            return _shown(
                rendered_as(form.write(schemas.ThreadPage(view, [], None), None)), site, wanted.page, None, now
            )
        # The view is part of the key: a closing time that came, or a new prompt, changes the page too.
        key = (site.id, thread.id, view, wanted, form.key)
        if (rendered := cache.get(key)) is not None:
            return _shown(rendered, site, wanted.page, thread, now)
        if (other := cache.being_built(key)) is not None:
            return other, thread, now
        with cache.building(key) as done:
            page = await _build(connection, site.id, thread, view, wanted, after)
            rendered = rendered_as(form.write(page, thread))
            done(rendered)
    return _shown(rendered, site, wanted.page, thread, now)


def _shown(rendered: Rendered, site: Row, page: str, thread: Row | None, now: datetime) -> Shown:
    topics = [live_news.page_topic(site.id, page)]
    if thread is None:
        return Shown(rendered, tuple(topics))
    to_come = [at for at in (thread.closes_at, thread.likes_turn_at) if at is not None and at > now]
    return Shown(
        rendered,
        (*topics, live_news.thread_topic(thread.id)),
        (thread.id,),
        min(to_come, default=None),
        threads.version_at(thread, now),
    )


def rendered_as(body: bytes) -> Rendered:
    """Answer bytes with their ETag."""
    return Rendered(body, '"' + hashlib.sha256(body).hexdigest()[:32] + '"')


async def _build(
    connection: AsyncConnection,
    site_id: str,
    thread: Row,
    view: schemas.ThreadView,
    wanted: PageWanted,
    after: pages.Cursor | None,
) -> schemas.ThreadPage:
    found = await pages.roots(connection, site_id, thread.id, sort=wanted.sort, limit=wanted.limit + 1, after=after)
    roots = found[: wanted.limit]
    next_ = _cursor_behind(roots[-1], wanted.sort) if len(found) > len(roots) else None
    replies = await _first_replies(connection, site_id, thread.id, roots, wanted.replies)
    built = []
    for root in roots:
        under, more = replies.get(root.id, ([], None))
        built.append(views.reader_view(root, replies=under, replies_next=more))
    pinned = await _pinned(connection, site_id, thread.id) if wanted.after is None else []
    return schemas.ThreadPage(view, built, next_, pinned)


async def _pinned(connection: AsyncConnection, site_id: str, thread_id: str) -> list[schemas.Comment]:
    """Answer the pinned comments, the last pinned first, without replies but with the cursor to them."""
    ids = await picks.pinned_in(connection, site_id, thread_id)
    rows = {row.id: row for row in await pages.by_ids(connection, site_id, ids)}
    return [
        views.reader_view(
            row, replies_next=cursors.write("replies-of", 0, row.path) if row.visible_replies > 0 else None
        )
        for row in (rows[comment_id] for comment_id in ids)
    ]


def _cursor_behind(root: Row, sort: schemas.Sort) -> str:
    value = {"replies": root.reply_count, "likes": root.likes}.get(sort, 0)
    return cursors.write(sort, value, root.path if sort in ("oldest", "newest") else root.id)


async def _first_replies(
    connection: AsyncConnection, site_id: str, thread_id: str, roots: Sequence[Row], limit: int
) -> dict[str, tuple[list[schemas.Comment], str | None]]:
    """Answer, for each root that has any, its first visible descendants nested, and the cursor to the rest."""
    parents = [root for root in roots if root.visible_replies > 0]
    if limit == 0:
        return {root.id: ([], cursors.write("replies-of", 0, root.path)) for root in parents}
    starts = [(root.path, root.path) for root in parents]
    rows = await pages.subtrees(connection, site_id, thread_id, starts, limit=limit + 1)
    by_root: dict[str, list[Row]] = {}
    for row in rows:
        by_root.setdefault(row.path[: pages.ROOT_PATH], []).append(row)
    return {root.id: _page_of(by_root.get(root.path, []), limit) for root in parents}


def _page_of(rows: Sequence[Row], limit: int) -> tuple[list[schemas.Comment], str | None]:
    taken = rows[:limit]
    more = cursors.write("replies-of", 0, taken[-1].path) if len(rows) > limit else None
    return views.nested(taken), more


async def replies(
    context: Context, site: Row, comment_id: str, *, after: str | None, limit: int
) -> schemas.CommentList:
    """Answer what hangs under a comment, in pre-order, nested; the first ones without a cursor."""
    cursor = cursors.read("replies-of", after)
    async with context.database.reading() as connection:
        comment = await comments.by_id(connection, site.id, comment_id)
        if comment is None or not comment.visible:
            raise Problem("comment.unknown", "No comment that readers may see has this id.")
        start = cursor.key if cursor else comment.path
        if not start.startswith(comment.path):
            raise Problem("request.invalid", "The cursor belongs to another comment.", fields=[("after", "foreign")])
        rows = await pages.subtrees(connection, site.id, comment.thread_id, [(comment.path, start)], limit=limit + 1)
    under, more = _page_of(rows, limit)
    return schemas.CommentList(under, more)


async def comment(
    context: Context, site: Row, comment_id: str, *, commenter_id: str | None, is_moderator: bool
) -> schemas.CommentWithAncestors:
    """Answer one comment with its ancestors; what is not visible only to its author and to moderators."""
    async with context.database.reading() as connection:
        row = await comments.by_id(connection, site.id, comment_id)
        privileged = row is not None and (is_moderator or row.commenter_id == commenter_id)
        if row is None or not (row.visible or privileged):
            raise Problem("comment.unknown", "No comment that you may see has this id.")
        above = [views.reader_view(one) for one in await pages.ancestors(connection, site.id, row.path)]
        if privileged:
            shown = (await views.full_views(connection, site.id, [comment_id]))[comment_id]
        else:
            shown = views.reader_view((await pages.by_ids(connection, site.id, [comment_id]))[0])
    return schemas.CommentWithAncestors(shown, above)


async def mine(
    context: Context, site: Row, commenter_id: str, *, page: str | None, after: str | None, limit: int
) -> schemas.CommentList:
    """Answer the author's own comments in every status, newest first, with the reasons."""
    cursor = cursors.read("mine", after)
    async with context.database.reading() as connection:
        thread_id = None
        if page is not None:
            thread = await threads.by_page(connection, site.id, page)
            if thread is None:
                return schemas.CommentList([], None)
            thread_id = thread.id
        ids = await pages.of_commenter(
            connection,
            site.id,
            commenter_id,
            thread_id=thread_id,
            after=cursor.key if cursor else None,
            limit=limit + 1,
        )
        full = await views.full_views(connection, site.id, ids[:limit])
    more = cursors.write("mine", 0, ids[limit - 1]) if len(ids) > limit else None
    return schemas.CommentList([full[comment_id] for comment_id in ids[:limit]], more)


async def counts(context: Context, site: Row, wanted: Sequence[str]) -> Shown:
    """Answer how many comments are published under each page key; 0 where there is no thread."""
    if len(wanted) > MAXIMUM_COUNTED_PAGES:
        message = f"at most {MAXIMUM_COUNTED_PAGES} pages"
        raise Problem("request.invalid", f"Ask for {message} at once.", fields=[("page", message)])
    keys = list(dict.fromkeys(wanted))
    async with context.database.reading() as connection:
        known = await threads.counts(connection, site.id, keys) if keys else {}
    counted = schemas.Counts({key: known[key].published if key in known else 0 for key in keys})
    ids = tuple(sorted({one.thread_id for one in known.values()}))
    topics = [*(live_news.page_topic(site.id, key) for key in keys), *map(live_news.thread_topic, ids)]
    return Shown(rendered_as(msgspec.json.encode(counted)), tuple(topics), ids)
