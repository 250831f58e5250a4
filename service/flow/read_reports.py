"""What came of a report, for who made it; and the reports of a site, for who decides."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from service import schemas
from service.errors import Problem
from service.flow.context import Context
from service.flow.identify import Commenter, hash_token
from service.flow.reporters import NotCounted as NotCountedCode
from service.flow.reporters import not_counted
from service.flow.review_settings import review_of
from service.flow.search import found_views
from service.schemas.reports import NotCounted, ReportOfComment
from service.store import open_reports, reports, sites
from service.store.types import Row

_OPEN = "A moderator will look at the comment. Ask again later what came of it."
_OUTCOMES = {
    "taken_down": "A moderator looked at the comment and took it down.",
    "kept": "A moderator looked at the comment and let it stand: it follows the guidelines of this site.",
    "deleted": "The comment is gone: its author deleted it.",
}
_NOT_COUNTED: dict[NotCountedCode, str] = {
    "reporter_restricted": "Whoever reported is banned or suspended.",
    "network_restricted": "It came from the network of a guest who is banned or suspended.",
    "counted_before": "The same reader, or the same network, counts once, and not again for a text that was answered.",
}
_NOTICE_KEPT = "A moderator looked at the comment and did not find it to be illegal content, so it stays."


async def read_own(
    context: Context, site: Row, commenter: Commenter | None, report_id: str, token: str | None
) -> schemas.ReportView:
    """Answer a report to who made it, known by the report's token or as its commenter."""
    async with context.database.reading() as connection:
        row = await reports.by_id(connection, site.id, report_id)
        current = await sites.by_slug(connection, site.slug)
    if row is None or current is None or not _is_of(row, commenter, token):
        raise Problem("report.unknown", "You have no report with this id here; send its token as X-Report-Token.")
    redress = review_of(current.review).redress if row.outcome == "kept" else None
    return schemas.ReportView(**_fields(row), text=_text(row), redress=redress)


def _is_of(row: Row, commenter: Commenter | None, token: str | None) -> bool:
    if commenter is not None and row.commenter_id == commenter.commenter_id:
        return True
    if token is None or row.token_hash is None:
        return False
    return hmac.compare_digest(row.token_hash, hash_token(token))


def _text(row: Row) -> str:
    if row.outcome is None:
        return _OPEN
    return _NOTICE_KEPT if row.outcome == "kept" and row.reason == reports.NOTICE else _OUTCOMES[row.outcome]


async def listed(
    context: Context,
    site: Row,
    *,
    state: schemas.State | None,
    asked: bool | None = None,
    after: str | None,
    limit: int,
) -> schemas.ReportList:
    """Answer the reports of a site, the newest first; `asked`: open ones that an item asks about, or that none does."""
    is_open = None if state is None else state == "open"
    async with context.database.reading() as connection:
        rows = await reports.page(
            connection, site.id, is_open=is_open, is_asked=asked, before_id=after, limit=limit + 1
        )
        shown = rows[:limit]
        ids = list(dict.fromkeys(row.comment_id for row in shown))
        why_not = await not_counted(connection, site.id, shown, context.now())
        items = await open_reports.open_items(connection, site.id, ids)
        found = {one.id: one for one in await found_views(connection, context, site, ids)}
    asking = {comment_id: one.id for comment_id, of in items.items() for one in of if one.kind == "reported"}
    views = [
        schemas.ReportDetail(**_details(row, why_not.get(row.id), asking), comment=found[row.comment_id])
        for row in shown
    ]
    return schemas.ReportList(views, shown[-1].id if len(rows) > limit else None)


def _fields(row: Row) -> dict[str, Any]:
    return {
        "id": row.id,
        "comment_id": row.comment_id,
        "reason": row.reason,
        "state": "open" if row.closed_at is None else "closed",
        "outcome": row.outcome,
        "created_at": row.created_at,
        "closed_at": row.closed_at,
    }


async def open_reports_of(
    connection: AsyncConnection, context: Context, site: Row, comment_id: str, items: Iterable[Row]
) -> list[ReportOfComment]:
    """Answer the open reports about a comment, the first one first; `items`: what asks about it."""
    rows = (await reports.open_of(connection, site.id, [comment_id])).get(comment_id, [])
    why_not = await not_counted(connection, site.id, rows, context.now())
    asking = {one.comment_id: one.id for one in items if one.kind == "reported"}
    return [ReportOfComment(**_details(row, why_not.get(row.id), asking)) for row in rows]


def _details(row: Row, why_not: NotCountedCode | None, asking: Mapping[str, str]) -> dict[str, Any]:
    is_open = row.closed_at is None
    said = {
        "revision": row.revision,
        "detail": row.detail,
        "law": row.law,
        "good_faith": row.good_faith,
        "contact": row.contact_sealed is not None,
        "commenter_id": row.commenter_id,
        "decision_id": row.decision_id,
        "counts": why_not is None if is_open else None,
        "not_counted": NotCounted(why_not, _NOT_COUNTED[why_not]) if why_not is not None else None,
        "review_item_id": asking.get(row.comment_id) if is_open else None,
    }
    return _fields(row) | said
