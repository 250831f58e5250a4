"""Everything kept on a commenter as one JSON document, written page by page, whatever its length."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from service.errors import Problem
from service.flow.audit import audit
from service.flow.context import Context
from service.flow.data_map import DATA_MAP
from service.store import commenters, export
from service.store.types import Row

FORMAT = 1
_PAGE = 100
#: What is kept once for a commenter, and the column that leads to it.
_OF_COMMENTER = {
    "reactions": "commenter_id", "sanctions": "commenter_id", "reports": "commenter_id", "appeals": "commenter_id",
    "commenter_notes": "commenter_id", "mail_addresses": "commenter_id", "mails": "commenter_id",
    "audit_events": "subject",
}  # fmt: skip
#: What is kept under each comment; scores hang on its revisions.
_OF_COMMENT = ("revisions", "decisions", "review_items", "fingerprints")


async def begin(
    context: Context, site: Row, commenter_id: str, actor: str, *, kind: str = "admin"
) -> AsyncIterator[bytes]:
    """Audit that somebody exports a commenter and answer the document in pieces, or raise commenter.unknown."""
    async with context.database.writing() as connection:
        if await commenters.commenter(connection, site.id, commenter_id) is None:
            raise Problem("commenter.unknown", "No commenter of this site has this id.")
        await audit(connection, context, site.id, actor, "commenter.exported", commenter_id, kind=kind)
    return _pieces(context, site, commenter_id)


async def _pieces(context: Context, site: Row, commenter_id: str) -> AsyncIterator[bytes]:
    # Each page is its own snapshot: a slow reader must not keep a connection of the database.
    async with context.database.reading() as connection:
        (commenter,) = await _rows(connection, site.id, "commenters", "id", [commenter_id])
        head: dict[str, Any] = {"format": FORMAT, "site": site.slug, "exported_at": context.now()}
        head["commenter"] = _shown("commenters", commenter)
        for table, by in _OF_COMMENTER.items():
            rows = await _rows(connection, site.id, table, by, [commenter_id])
            head[table] = [_shown(table, row) for row in rows]
    yield msgspec.json.encode(head)[:-1] + b',"comments":['
    after, separator = "", b""
    while True:
        async with context.database.reading() as connection:
            ids = await export.comments_after(connection, site.id, commenter_id, after=after, limit=_PAGE)
            page = await _comments(connection, site.id, ids) if ids else []
        if page:
            yield separator + b",".join(msgspec.json.encode(comment) for comment in page)
            after, separator = ids[-1], b","
        if len(ids) < _PAGE:
            break
    # Without it a document that broke off could not be told from a short one.
    yield b'],"complete":true}\n'


async def _comments(connection: AsyncConnection, site_id: str, ids: Sequence[str]) -> list[dict[str, Any]]:
    found = {row["id"]: _shown("comments", row) for row in await _rows(connection, site_id, "comments", "id", ids)}
    revision_ids: list[str] = []
    for table in _OF_COMMENT:
        under: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in await _rows(connection, site_id, table, "comment_id", ids):
            under[row["comment_id"]].append(_shown(table, row))
            if table == "revisions":
                revision_ids.append(row["id"])
        for comment_id, comment in found.items():
            comment[table] = under[comment_id]
    scores: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in await _rows(connection, site_id, "scores", "revision_id", revision_ids):
        scores[row["revision_id"]].append(_shown("scores", row))
    for comment in found.values():
        comment["scores"] = [score for revision in comment["revisions"] for score in scores[revision["id"]]]
    return list(found.values())


async def _rows(
    connection: AsyncConnection, site_id: str, table: str, by: str, values: Sequence[str]
) -> list[dict[str, Any]]:
    return await export.rows_of(connection, site_id, table, DATA_MAP[table].exported, by, values)


def _shown(table: str, row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in DATA_MAP[table].exported}


async def find(
    context: Context, site: Row, *, name: str | None = None, subject: str | None = None, comment_id: str | None = None
) -> list[dict[str, Any]]:
    """Answer who a request is about: commenters of a name, of a publisher's subject, or of a comment."""
    async with context.database.reading() as connection:
        return await export.find_commenters(connection, site.id, name=name, subject=subject, comment_id=comment_id)
