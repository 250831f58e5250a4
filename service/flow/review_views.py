"""What a moderator sees of an item: the text, where it stands, what the model said, and the author's record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.decision import ActorKind, Status
from service import schemas
from service.flow import views
from service.flow.review_settings import review_of, service_level_of
from service.schemas.review import OpinionView
from service.store import (
    commenters,
    comments,
    names,
    opinions,
    pages,
    reports,
    review_facts,
    review_items,
    scoring,
    threads,
)
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
    decided = await review_facts.decisions_of(connection, site.id, comment_ids)
    actors = [row.actor for rows in decided.values() for row in rows if row.actor_kind == ActorKind.MODERATOR.value]
    differing = [item.decision_id for item in items.values() if item.kind == _DISAGREEMENT]
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
        decisions=decided,
        opinions=await opinions.of_decisions(connection, site.id, differing),
        names=await names.of_actors(connection, site.id, [*actors, *(item.escalated_by for item in items.values())]),
        reports=await reports.open_of(connection, site.id, comment_ids),
        appeals=await review_facts.appeals_of(connection, site.id, [*items]),
    )
    return [
        _item_view(site, items[item_id], gathered, schemas.Lease(token, until), now)
        for item_id, token in leases.items()
    ]


_DISAGREEMENT = "disagreement"


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
        self.decisions: dict[str, list[Row]] = rows["decisions"]
        self.reports: dict[str, list[Row]] = rows["reports"]
        self.appeals: dict[str, Row] = rows["appeals"]
        self.opinions: dict[str, list[Row]] = rows["opinions"]
        self.names: dict[str, str] = rows["names"]


def _item_view(site: Row, item: Row, rows: _Gathered, lease: schemas.Lease, now: datetime) -> schemas.ReviewItem:
    latest, revision = rows.latest[item.comment_id], rows.revisions[item.revision_id]
    author = rows.commenters[latest.commenter_id]
    thread = rows.threads[item.thread_id]
    parents = [rows.ancestors[i] for i in ancestor_ids(latest.path) if i in rows.ancestors]
    return schemas.ReviewItem(
        item_id=item.id,
        kind=item.kind,
        opened_at=item.opened_at,
        comment=as_revision(rows.full[item.comment_id], revision, blind=item.blind),
        revision=revision.number,
        thread=views.thread_view(site, thread, thread.page, now=now),
        parents=[views.reader_view(row) for row in parents],
        scores=[] if item.blind else score_views(rows.scores.get(item.revision_id)),
        spans=_spans(item),
        causes=[] if item.blind else item.causes,
        author_record=schemas.AuthorRecord(author.id, author.first_seen_at, _counts(item, latest, rows.records)),
        lease=lease,
        queue=item.queue,
        priority=_priority(site, item),
        blind=item.blind,
        language=revision.language,
        escalation=_escalation(item, rows.names),
        reports=[] if item.blind else [_report(row) for row in rows.reports.get(item.comment_id, ())],
        appeal=_appeal(rows.appeals.get(item.id), rows.names),
        decisions=[] if item.blind else [_decision(row, rows.names) for row in rows.decisions.get(item.comment_id, ())],
        opinions=_opinions(item, rows),
    )


def _counts(item: Row, latest: Row, records: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """Count an author's comments; of a blind one not itself, for that would tell where it stands."""
    counts = Counter(records.get(latest.commenter_id, {}))
    if item.blind:
        counts.subtract([latest.status])
    return dict(+counts)


def _spans(item: Row) -> list[schemas.SpanView] | None:
    if item.blind:
        return []
    return None if item.spans is None else [schemas.SpanView(**span) for span in item.spans]


def _priority(site: Row, item: Row) -> schemas.PriorityView:
    kept = item.priority or {}
    parts = kept.get("parts", {})
    if item.blind:
        # Its place tells of its scores, so it is shown as the least pressing one.
        level = service_level_of(review_of(site.review), item.queue)
        return schemas.PriorityView(0.0, dict.fromkeys(parts, 0.0), item.opened_at + timedelta(seconds=level))
    due_at = datetime.fromtimestamp(item.order_key, UTC)
    return schemas.PriorityView(kept.get("value", 0.0), parts, due_at, bool(kept.get("at_once")))


def _opinions(item: Row, rows: _Gathered) -> list[OpinionView]:
    first = next((row for row in rows.decisions.get(item.comment_id, ()) if row.id == item.decision_id), None)
    if item.kind != _DISAGREEMENT or first is None:
        return []
    return [views.first_opinion(first), *map(views.opinion_view, rows.opinions.get(first.id, ()))]


def _escalation(item: Row, called: Mapping[str, str]) -> schemas.Escalation | None:
    if item.escalated_at is None:
        return None
    name = called.get(item.escalated_by)
    return schemas.Escalation(item.escalated_by, item.escalation_note, item.escalated_at, name)


def _report(row: Row) -> schemas.ReportOnItem:
    return schemas.ReportOnItem(row.id, row.reason, row.detail, row.law, row.created_at)


def _appeal(row: Row | None, called: Mapping[str, str]) -> schemas.AppealOnItem | None:
    if row is None:
        return None
    return schemas.AppealOnItem(row.appeal_id, row.text, row.appealed_at, _decision(row, called))


def _decision(row: Row, called: Mapping[str, str]) -> schemas.DecisionView:
    return views.decision_view(row, revision=row.number, name=called.get(row.actor))


def as_revision(comment: schemas.Comment, revision: Row, *, blind: bool = False) -> schemas.Comment:
    """Show the text that is to be decided, which for an edit is not the one readers see.

    Of a blind one not what became of it: it is shown as one that waits and that no reader has seen.
    """
    shown: dict[str, Any] = {"body": revision.body, "html": revision.html, "revision": revision.number}
    if blind:
        edited_at = revision.created_at if revision.number > 1 else None
        shown |= {"status": Status.HELD, "reasons": [], "pending_edit": None, "edited_at": edited_at}
        shown |= {"likes": 0, "reply_count": 0}
    return msgspec.structs.replace(comment, **shown)


def score_views(row: Row | None) -> list[schemas.ScoreView]:
    """Answer what a model said, the highest first."""
    if row is None:
        return []
    # Those that a stored calibration changed are calibrated, also where the model has others that it did not.
    mapped = row.raw or {}
    window = (row.window[0], row.window[1]) if row.window else None
    return [
        schemas.ScoreView(attribute, value, row.model_id, row.calibrated or attribute in mapped, window)
        for attribute, value in sorted(row.attributes.items(), key=lambda pair: -pair[1])
    ]
