"""One comment as moderators find it outside the queue: where it stands, what is reported of it, what asks about it."""

from __future__ import annotations

from datetime import datetime

from service.errors import Problem
from service.flow import views
from service.flow.context import Context
from service.flow.identify import Principal
from service.flow.read_reports import open_reports_of
from service.flow.review_settings import ESCALATED
from service.flow.reviewer import is_admin
from service.flow.search import found_views
from service.schemas.reports import CommentOnDesk, WaitingItem
from service.store import comments, open_reports, pages
from service.store.paths import ancestor_ids
from service.store.types import Row


async def comment_on_desk(context: Context, site: Row, principal: Principal, comment_id: str) -> CommentOnDesk:
    """Answer a comment in any status; of the items not the blind ones, nor to moderators those of the admins."""
    async with context.database.reading() as connection:
        row = (await pages.in_full(connection, site.id, [comment_id])).get(comment_id)
        if row is None:
            raise Problem("comment.unknown", "No comment of this site has this id.")
        [found] = await found_views(connection, context, site, [comment_id])
        above = {one.id: one for one in await pages.by_ids(connection, site.id, ancestor_ids(row.path))}
        items = (await open_reports.open_items(connection, site.id, [comment_id])).get(comment_id, [])
        reported = await open_reports_of(connection, context, site, comment_id, items)
        shown = [one for one in items if not one.blind and (one.queue != ESCALATED or is_admin(principal, site))]
        numbers = await comments.revisions_by_ids(connection, site.id, [one.revision_id for one in shown])
    now = context.now()
    return CommentOnDesk(
        **{name: getattr(found, name) for name in found.__struct_fields__},
        ancestors=[views.reader_view(above[one]) for one in ancestor_ids(row.path) if one in above],
        reports=reported,
        items=[_item(one, numbers[one.revision_id].number, now) for one in shown],
    )


def _item(row: Row, revision: int, now: datetime) -> WaitingItem:
    claimed = row.lease_expires_at is not None and row.lease_expires_at > now
    return WaitingItem(row.id, row.kind, row.queue, revision, row.opened_at, claimed)
