"""What a moderator sees of an item: the text, where it stands, what the model said, and the author's record."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from service import schemas
from service.flow import views
from service.store import commenters, comments, pages, review_items, scoring, threads
from service.store.paths import ancestor_ids
from service.store.types import Row


async def item_views(
    connection: AsyncConnection, site: Row, leases: Mapping[str, str], *, until: datetime, now: datetime
) -> list[schemas.ReviewItem]:
    """Answer leased items in the order they were taken; a fixed number of queries, however many they are."""
    if not leases:
        return []
    items = await review_items.by_ids(connection, site.id, leases)
    comment_ids = list(dict.fromkeys(item.comment_id for item in items.values()))
    revision_ids = [item.revision_id for item in items.values()]
    full = await views.full_views(connection, site.id, comment_ids)
    latest = await pages.in_full(connection, site.id, comment_ids)
    wanted = {ancestor for row in latest.values() for ancestor in ancestor_ids(row.path)}
    ancestors = {row.id: row for row in await pages.by_ids(connection, site.id, sorted(wanted))}
    gathered = _Gathered(
        full=full,
        latest=latest,
        ancestors=ancestors,
        revisions=await comments.revisions_by_ids(connection, site.id, revision_ids),
        scores=await scoring.latest_scores(connection, site.id, revision_ids),
        threads=await threads.by_ids(connection, site.id, list({item.thread_id for item in items.values()})),
        commenters=await commenters.commenters_by_ids(
            connection, site.id, {row.commenter_id for row in latest.values()}
        ),
        records=await comments.record_of(connection, site.id, {row.commenter_id for row in latest.values()}),
    )
    return [
        _item_view(site, items[item_id], gathered, schemas.Lease(token, until), now)
        for item_id, token in leases.items()
    ]


class _Gathered:
    """The rows of a claim, each by id."""

    def __init__(self, **rows: Any) -> None:
        self.full: dict[str, schemas.Comment] = rows["full"]
        self.latest: dict[str, Row] = rows["latest"]
        self.ancestors: dict[str, Row] = rows["ancestors"]
        self.revisions: dict[str, Row] = rows["revisions"]
        self.scores: dict[str, Row] = rows["scores"]
        self.threads: dict[str, Row] = rows["threads"]
        self.commenters: dict[str, Row] = rows["commenters"]
        self.records: dict[str, dict[str, int]] = rows["records"]


def _item_view(site: Row, item: Row, rows: _Gathered, lease: schemas.Lease, now: datetime) -> schemas.ReviewItem:
    latest, revision = rows.latest[item.comment_id], rows.revisions[item.revision_id]
    author = rows.commenters[latest.commenter_id]
    thread = rows.threads[item.thread_id]
    parents = [rows.ancestors[i] for i in ancestor_ids(latest.path) if i in rows.ancestors]
    return schemas.ReviewItem(
        item_id=item.id,
        kind=item.kind,
        opened_at=item.opened_at,
        comment=_as_revision(rows.full[item.comment_id], revision),
        revision=revision.number,
        thread=views.thread_view(site, thread, thread.page, now=now),
        parents=[views.reader_view(row) for row in parents],
        scores=_scores(rows.scores.get(item.revision_id)),
        spans=None if item.spans is None else [schemas.SpanView(**span) for span in item.spans],
        causes=item.causes,
        author_record=schemas.AuthorRecord(author.id, author.first_seen_at, rows.records.get(author.id, {})),
        lease=lease,
    )


def _as_revision(comment: schemas.Comment, revision: Row) -> schemas.Comment:
    """Show the text that is to be decided, which for an edit is not the one readers see."""
    return schemas.Comment(
        **{
            name: getattr(comment, name)
            for name in comment.__struct_fields__
            if name not in ("body", "html", "revision")
        },
        body=revision.body,
        html=revision.html,
        revision=revision.number,
    )


def _scores(row: Row | None) -> list[schemas.ScoreView]:
    if row is None:
        return []
    # Those that a stored calibration changed are calibrated, also where the model has others that it did not.
    mapped = row.raw or {}
    window = (row.window[0], row.window[1]) if row.window else None
    return [
        schemas.ScoreView(attribute, value, row.model_id, row.calibrated or attribute in mapped, window)
        for attribute, value in sorted(row.attributes.items(), key=lambda pair: -pair[1])
    ]
