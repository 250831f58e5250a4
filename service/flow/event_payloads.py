"""From events, which are ids, to what is told of them, read at the moment when it is told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET
from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.decision import Status
from service import schemas
from service.errors import Problem
from service.flow import views
from service.flow.context import Context
from service.flow.sealing import Box, SealBroken
from service.schemas import events as parts
from service.store import appeals, commenters, comments, pages, reports, review_items, sites, threads
from service.store.types import Row
from service.webhooks.catalog import EVENTS, Event, Part

logger = logging.getLogger(__name__)


async def payloads(
    connection: AsyncConnection, events: Iterable[Row], *, now: datetime, box: Box | None = None
) -> dict[str, schemas.StreamedEvent | None]:
    """Answer events by id as they are told now; a fixed number of queries for each site among them.

    `box` opens what is told to webhooks alone: the address that a reporter left.

    None for one that cannot be written, so that it does not keep the others back; none at all for a type that only a
    newer version knows.
    """
    told: dict[str, schemas.StreamedEvent | None] = {}
    of_site = sorted((event for event in events if event.type in EVENTS), key=lambda event: str(event.site_id))
    for site_id, group in groupby(of_site, key=lambda event: str(event.site_id)):
        mine = list(group)
        rows = (await _gather(connection, site_id, mine))._replace(box=box)
        for event in mine:
            told[event.id] = _written(event, rows, now)
    return told


async def told(
    context: Context, connection: AsyncConnection, events: Iterable[Row], *, now: datetime, box: Box | None = None
) -> dict[str, schemas.StreamedEvent | None]:
    """Answer events as `payloads` does, also where one among them breaks the reading of all: that one is None.

    The connection must not be used afterwards, since what broke may have broken it too.
    """
    events = list(events)
    try:
        return await payloads(connection, events, now=now, box=box)
    except Exception as error:
        logger.warning("events are read one by one", extra={"number": len(events), "error": type(error).__name__})
    found: dict[str, schemas.StreamedEvent | None] = {}
    for event in events:
        try:
            async with context.database.reading() as own:
                found |= await payloads(own, [event], now=now, box=box)
        except Problem:
            # The database is away, which says nothing of the event.
            raise
        except Exception as error:
            _log_unwritable(event, error)
            found[event.id] = None
    return found


def _log_unwritable(event: Row, error: Exception) -> None:
    # Without the message, which may quote what is told.
    said = {"event_id": event.id, "event_type": event.type, "error": type(error).__name__}
    logger.error("an event cannot be written", extra=said)


def _written(event: Row, rows: _Rows, now: datetime) -> schemas.StreamedEvent | None:
    try:
        data = _data(event, EVENTS[event.type], rows, now)
    except Exception as error:
        _log_unwritable(event, error)
        return None
    return schemas.StreamedEvent(event.id, event.type, event.created_at, data)


def placeholder(event: Row) -> schemas.StreamedEvent:
    """Answer what stands in the stream for an event that cannot be written: that there is one, and of which type."""
    data = schemas.EventData(version=EVENTS[event.type].version, site="")
    return schemas.StreamedEvent(event.id, event.type, event.created_at, data)


class _Rows(NamedTuple):
    """What the events of one site lead to, each by id; the review items by revision."""

    slug: str
    threads: Mapping[str, Row]
    comments: Mapping[str, Row]
    parents: Mapping[str, Row]
    revisions: Mapping[str, Row]
    decisions: Mapping[str, Row]
    items: Mapping[str, Row]
    commenters: Mapping[str, Row]
    reports: Mapping[str, Row]
    appeals: Mapping[str, Row]
    box: Box | None = None


async def _gather(connection: AsyncConnection, site_id: str, events: Sequence[Row]) -> _Rows:
    comment_ids = _ids(event.comment_id for event in events)
    revision_ids = _ids(event.revision_id for event in events)
    found = {row.id: row for row in await pages.by_ids(connection, site_id, comment_ids)}
    parents = {
        row.id: row for row in await pages.by_ids(connection, site_id, _ids(r.parent_id for r in found.values()))
    }
    # A thread that was merged away since is the one that the comment is in now.
    thread_ids = _ids([*(event.thread_id for event in events), *(row.thread_id for row in found.values())])
    people = _ids(
        [
            *(event.data.get("commenter_id") for event in events),
            *(row.commenter_id for row in (*found.values(), *parents.values())),
        ]
    )
    reviewed = _ids(event.comment_id for event in events if "review" in EVENTS[event.type].carries)
    decided = _ids(event.data.get("decision_id") for event in events)
    reported = _ids(event.data.get("report_id") for event in events)
    appealed = _ids(event.data.get("appeal_id") for event in events)
    return _Rows(
        slug=await sites.slug_of(connection, site_id),
        threads=await threads.by_ids(connection, site_id, thread_ids) if thread_ids else {},
        comments=found,
        parents=parents,
        revisions=await comments.revisions_by_ids(connection, site_id, revision_ids) if revision_ids else {},
        decisions={row.id: row for row in await review_items.decisions_by_ids(connection, site_id, decided)}
        if decided
        else {},
        items=await review_items.of_comments(connection, site_id, reviewed) if reviewed else {},
        commenters=await commenters.commenters_by_ids(connection, site_id, people) if people else {},
        reports=await reports.by_ids(connection, site_id, reported) if reported else {},
        appeals=await appeals.by_ids(connection, site_id, appealed) if appealed else {},
    )


def _ids(values: Iterable[str | None]) -> list[str]:
    return sorted({value for value in values if value is not None})


def _data(event: Row, kind: Event, rows: _Rows, now: datetime) -> schemas.EventData:
    carried = {part: _PARTS[part](event, kind, rows, now) for part in kind.carries}
    return schemas.EventData(version=kind.version, site=rows.slug, **carried)


def _thread(event: Row, _kind: Event, rows: _Rows, now: datetime) -> Any:
    comment = rows.comments.get(event.comment_id)
    row = rows.threads.get(comment.thread_id if comment is not None else event.thread_id)
    if row is None:
        return UNSET
    state = threads.state_at(row, now)
    if event.type in ("thread.opened", "thread.closed"):
        state = event.type.partition(".")[2].replace("opened", "open")
    return schemas.EventThread(row.page, row.title, row.url, "closed" if state == "closed" else "open")


def _comment(event: Row, _kind: Event, rows: _Rows, _now: datetime) -> Any:
    row = rows.comments.get(event.comment_id)
    if row is None:
        return UNSET
    above = rows.parents.get(row.parent_id)
    parent = parts.EventParent(above.id, Status(above.status), _author(above, rows)) if above is not None else UNSET
    status = _status(event, row, rows)
    return schemas.EventComment(row.id, row.parent_id, status, _author(row, rows), row.created_at, parent)


def _author(row: Row, rows: _Rows) -> schemas.EventAuthor:
    subject = _subject(rows.commenters.get(row.commenter_id))
    return schemas.EventAuthor(row.commenter_id, row.author_kind, row.author_name, subject)


def _status(event: Row, comment: Row, rows: _Rows) -> Status:
    """Answer the status that the event brought, so that a late or replayed one tells the same again."""
    decision = rows.decisions.get(event.data.get("decision_id"))
    if decision is not None:
        return Status(decision.to_status)
    said = event.data.get("comment_status")
    return Status(said if said is not None else comment.status)


def _revision(event: Row, kind: Event, rows: _Rows, _now: datetime) -> Any:
    row = rows.revisions.get(event.revision_id)
    if row is None or event.comment_id not in rows.comments:
        return UNSET
    told = _is_told(event, kind, rows)
    return schemas.EventRevision(
        id=row.id,
        number=row.number,
        status=Status(row.status),
        language=row.language,
        created_at=row.created_at,
        body=row.body if told else UNSET,
        html=row.html if told else UNSET,
    )


def _is_told(event: Row, kind: Event, rows: _Rows) -> bool:
    """Answer whether the text is told: as it is now, not as it was; while it may be seen, or waits for a decision."""
    row, comment = rows.revisions.get(event.revision_id), rows.comments.get(event.comment_id)
    if row is None or comment is None or row.superseded_at is not None:
        return False
    if not {comment.status, row.status} <= kind.text_while:
        return False
    return bool(row.status != Status.PUBLISHED.value or comment.shown_revision == row.number)


def _causes(row: Row, event: Row, kind: Event, rows: _Rows) -> list[parts.EventCause]:
    """Answer causes without the words that they quote, where the text itself is not told."""
    causes = msgspec.convert(row.causes, list[parts.EventCause])
    if _is_told(event, kind, rows):
        return causes
    return [msgspec.structs.replace(cause, detail=None) for cause in causes]


def _decision(event: Row, kind: Event, rows: _Rows, _now: datetime) -> Any:
    row = rows.decisions.get(event.data.get("decision_id"))
    if row is None:
        return UNSET
    return schemas.EventDecision(
        id=row.id,
        action=row.action,
        actor_kind=row.actor_kind,
        actor=row.actor,
        from_status=Status(row.from_status),
        to_status=Status(row.to_status),
        reasons=views.reasons_of(row),
        causes=_causes(row, event, kind, rows),
        policy_version=row.policy_version,
        model_id=row.model_id,
        created_at=row.created_at,
    )


def _review(event: Row, kind: Event, rows: _Rows, _now: datetime) -> Any:
    row = rows.items.get(event.revision_id)
    if row is None:
        return UNSET
    return schemas.EventReview(row.id, row.kind, row.state, _causes(row, event, kind, rows))


def _commenter(event: Row, _kind: Event, rows: _Rows, _now: datetime) -> Any:
    row = rows.commenters.get(event.data.get("commenter_id"))
    if row is None:
        return UNSET
    mode = event.data.get("mode") if event.type == "commenter.erased" else None
    return schemas.EventCommenter(row.id, row.kind, row.name, _subject(row), mode or UNSET)


def _subject(row: Row | None) -> str | None:
    return None if row is None or row.erased_at is not None else row.subject


def _report(event: Row, _kind: Event, rows: _Rows, _now: datetime) -> Any:
    row = rows.reports.get(event.data.get("report_id"))
    if row is None:
        return UNSET
    outcome = event.data.get("outcome")
    return parts.EventReport(
        report_id=row.id,
        reason=row.reason,
        state="closed" if outcome else "open",
        outcome=outcome,
        detail=row.detail,
        law=row.law,
        created_at=row.created_at,
        contact=_contact(row, rows.box) if outcome and rows.box is not None else UNSET,
    )


def _contact(row: Row, box: Box | None) -> Any:
    if box is None or row.contact_sealed is None:
        return UNSET
    try:
        return msgspec.json.decode(box.open(row.contact_sealed), type=parts.EventContact)
    except SealBroken:
        logger.error("SECRET_KEY does not open a reporter's address", extra={"report_id": row.id})
        return UNSET


def _appeal(event: Row, _kind: Event, rows: _Rows, _now: datetime) -> Any:
    row = rows.appeals.get(event.data.get("appeal_id"))
    if row is None:
        return UNSET
    outcome = event.data.get("outcome")
    return parts.EventAppeal(
        appeal_id=row.id,
        decision_id=row.decision_id,
        state="closed" if outcome else "open",
        outcome=outcome,
        text=row.text,
        answer=row.answer if outcome else None,
        created_at=row.created_at,
    )


def _said_as(wanted: type[msgspec.Struct]) -> Callable[[Row, Event, _Rows, datetime], Any]:
    """Answer how a part is written that is in the event itself."""

    def write(event: Row, _kind: Event, _rows: _Rows, _now: datetime) -> Any:
        return msgspec.convert(event.data, wanted)

    return write


_PARTS: Mapping[Part, Callable[[Row, Event, _Rows, datetime], Any]] = {
    "thread": _thread,
    "comment": _comment,
    "revision": _revision,
    "decision": _decision,
    "review": _review,
    "commenter": _commenter,
    "sanction": _said_as(parts.EventSanction),
    "policy": _said_as(parts.EventPolicy),
    "endpoint": _said_as(parts.EventEndpoint),
    "queue": _said_as(parts.EventQueue),
    "scorer": _said_as(parts.EventScorer),
    "report": _report,
    "appeal": _appeal,
}
