"""Moderators look comments up: by words, author, rule, status, page and time, the newest first, at a bounded cost."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from service import schemas
from service.errors import Problem
from service.flow import cursors, views
from service.flow.context import Context
from service.flow.ids import first_id_at
from service.flow.moments import checked_moment
from service.flow.review_views import score_views
from service.store import pages, scoring, search, threads
from service.store.search import Term, Wanted
from service.store.types import Row

#: Rows of one step, and steps of one request: a page may hold less than was asked for and still have a next one.
_STEP: Final = 200
_STEPS: Final = 10
#: Seconds that a search may take; what asks for more is told to ask for less.
PATIENCE_SECONDS = 5.0
MOST_CHARACTERS: Final = 200
_MOST_TERMS: Final = 16
_PIECE = re.compile(r'"([^"]*)"?(\*?)|([^\s"]+)')


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A search as it was sent."""

    q: str | None = None
    author: str | None = None
    commenter_id: str | None = None
    status: str | None = None
    rule: str | None = None
    page: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def find(context: Context, site: Row, asked: Asked, *, after: str | None, limit: int) -> schemas.FoundComments:
    """Answer the comments of a site that a search asks for; of a wide search one page may say only where to go on."""
    wanted = Wanted(
        words=terms_of("q", asked.q),
        author=terms_of("author", asked.author),
        commenter_id=asked.commenter_id,
        status=asked.status,
        rule=asked.rule,
        since=_bound("from", asked.since),
        until=_bound("to", asked.until),
    )
    async with context.database.reading(patience_seconds=PATIENCE_SECONDS) as connection:
        if asked.page is not None:
            thread = await threads.by_page(connection, site.id, asked.page)
            if thread is None:
                return schemas.FoundComments([], None)
            wanted = wanted._replace(thread_id=thread.id)
        return await found_page(connection, context, site, wanted, after=after, limit=limit)


async def found_page(
    connection: AsyncConnection, context: Context, site: Row, wanted: Wanted, *, after: str | None, limit: int
) -> schemas.FoundComments:
    """Answer one page of what is wanted, and the cursor of the next."""
    order = _order(wanted)
    cursor = cursors.read(order, after)
    ids, last = await _walk(connection, site.id, wanted, cursor.key if cursor else None, limit)
    found = await found_views(connection, context, site, ids)
    return schemas.FoundComments(found, None if last is None else cursors.write(order, 0, last))


async def _walk(
    connection: AsyncConnection, site_id: str, wanted: Wanted, before: str | None, limit: int
) -> tuple[list[str], str | None]:
    """Answer the ids of a page, and the key that the next one begins behind."""
    ids: dict[str, str] = {}
    for _ in range(_STEPS):
        rows = await search.walk(connection, site_id, wanted, before=before, limit=_STEP)
        for row in rows:
            if not row.fits:
                continue
            if len(ids) == limit:
                return list(ids), next(reversed(ids.values()))
            # The shown text and the one that shall replace it may both be found.
            ids.setdefault(row.comment_id, str(row.key))
        if len(rows) < _STEP:
            return list(ids), None
        before = str(rows[-1].key)
    return list(ids), before


async def found_views(
    connection: AsyncConnection, context: Context, site: Row, ids: Sequence[str]
) -> list[schemas.FoundComment]:
    """Answer comments with their threads and scores, in the order of their ids here."""
    full = await views.full_views(connection, site.id, ids)
    rows = await pages.in_full(connection, site.id, ids)
    of_threads = await threads.by_ids(connection, site.id, list({row.thread_id for row in rows.values()}))
    scores = await scoring.latest_scores(connection, site.id, [row.revision_id for row in rows.values()])
    now, found = context.now(), []
    for comment_id in ids:
        row, comment = rows[comment_id], full[comment_id]
        thread = of_threads[row.thread_id]
        said = {name: getattr(comment, name) for name in comment.__struct_fields__}
        found.append(
            schemas.FoundComment(
                **said,
                commenter_id=row.commenter_id,
                thread=views.thread_view(site, thread, thread.page, now=now),
                scores=score_views(scores.get(row.revision_id)),
            )
        )
    return found


def terms_of(field: str, text: str | None) -> tuple[Term, ...]:
    """Read words, "phrases" and begin*; anything can be asked for, and nothing is a mistake but to ask for no word."""
    if text is None:
        return ()
    if "\x00" in text:
        raise Problem("request.nul", "Remove the NUL characters.")
    terms = [term for piece in _PIECE.finditer(text) if (term := _term(*piece.groups())) is not None]
    if not terms or len(terms) > _MOST_TERMS:
        message = f"must hold 1 to {_MOST_TERMS} words" if terms else "must hold a word"
        raise Problem("request.invalid", f"{field} {message}.", fields=[(field, message)])
    return tuple(terms)


def _term(phrase: str | None, star: str | None, word: str | None) -> Term | None:
    text, is_prefix = (phrase or "", bool(star)) if word is None else (word, word.endswith("*"))
    return Term(text, is_prefix) if any(map(str.isalnum, text)) else None


def _bound(field: str, moment: datetime | None) -> str | None:
    checked = checked_moment(field, moment)
    return None if checked is None else first_id_at(checked)


def _order(wanted: Wanted) -> str:
    """A cursor is one search's: behind it another would begin anywhere."""
    said: Any = list(wanted)
    return "search " + hashlib.sha256(msgspec.json.encode(said)).hexdigest()[:16]
