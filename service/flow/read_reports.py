"""What came of a report, for who made it; and the reports of a site, for who decides."""

from __future__ import annotations

import hmac
from typing import Any

from service import schemas
from service.errors import Problem
from service.flow.context import Context
from service.flow.identify import Commenter, hash_token
from service.flow.review_settings import review_of
from service.store import reports, sites
from service.store.types import Row

_OPEN = "A moderator will look at the comment. Ask again later what came of it."
_OUTCOMES = {
    "taken_down": "A moderator looked at the comment and took it down.",
    "kept": "A moderator looked at the comment and let it stand: it follows the guidelines of this site.",
    "deleted": "The comment is gone: its author deleted it.",
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
    context: Context, site: Row, *, state: schemas.State | None, after: str | None, limit: int
) -> schemas.ReportList:
    """Answer the reports of a site, the newest first."""
    is_open = None if state is None else state == "open"
    async with context.database.reading() as connection:
        rows = await reports.page(connection, site.id, is_open=is_open, before_id=after, limit=limit + 1)
    shown = rows[:limit]
    return schemas.ReportList([_detail(row) for row in shown], shown[-1].id if len(rows) > limit else None)


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


def _detail(row: Row) -> schemas.ReportDetail:
    return schemas.ReportDetail(
        **_fields(row),
        revision=row.revision,
        detail=row.detail,
        law=row.law,
        good_faith=row.good_faith,
        contact=row.contact_sealed is not None,
        commenter_id=row.commenter_id,
        decision_id=row.decision_id,
    )
