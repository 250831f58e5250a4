"""The one place where review items are made: with the queue they belong to and their place in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from service import schemas
from service.flow.context import Context
from service.flow.priority import Facts, Place, place_in, place_of
from service.flow.review_settings import ESCALATED, review_of
from service.store import review_facts, review_items, scoring
from service.store.types import Row


def item_row(
    context: Context,
    site_id: str,
    ids: Mapping[str, str],
    facts: Facts,
    settings: schemas.ReviewSettings,
    *,
    causes: Sequence[Mapping[str, Any]],
    now: datetime,
    **more: Any,
) -> dict[str, Any]:
    """Answer the row of a new item; `ids` are thread_id, comment_id and revision_id, `more` other columns."""
    place = place_of(facts, settings, now)
    return {
        "id": context.new_id(),
        "site_id": site_id,
        **ids,
        "kind": facts.kind,
        "state": "open",
        "causes": list(causes),
        **_columns(place),
        "rule": facts.rule,
        "attribute": facts.attribute,
        "language": facts.language,
        "trust": facts.trust,
        "opened_at": now,
        **more,
    }


async def open_item(
    connection: AsyncConnection,
    context: Context,
    site_id: str,
    revision_id: str,
    kind: str,
    *,
    now: datetime,
    causes: Sequence[Mapping[str, Any]] = (),
    reports: int = 0,
    at_once: bool = False,
    queue: str | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Insert an item about a revision and answer its row; its thread must be locked. `queue`: that one and no other.

    Announce it after the commit (`Told.of(..., item=row)`, or `announce.queue_items`). `at_once` puts it first whatever
    its scores. `more`: blind, not_for, decision_id, lease columns.
    """
    known = await review_facts.of_revision(connection, site_id, revision_id)
    # A blind one's queue must not tell what the machine found.
    facts = _facts_of(known, kind, () if more.get("blind") else causes, reports=reports, at_once=at_once)
    ids = {"thread_id": known.thread_id, "comment_id": known.comment_id, "revision_id": revision_id}
    settings = review_of(known.review)
    if queue is not None:
        more |= _columns(place_in(queue, facts, settings, now))
    row = item_row(context, site_id, ids, facts, settings, causes=causes, now=now, **more)
    await scoring.insert_items(connection, [row])
    return row


async def reprioritise(
    connection: AsyncConnection, site_id: str, item: Row, *, reports: int, at_once: bool = False
) -> Place:
    """Move an open item to where it stands with so many reports; tell Redis with `announce.queue_items` afterwards."""
    known = await review_facts.of_revision(connection, site_id, item.revision_id)
    settings, urgent = review_of(known.review), at_once or bool((item.priority or {}).get("at_once"))
    facts = _facts_of(known, item.kind, item.causes, reports=reports, at_once=urgent)
    place = place_in(item.queue, facts, settings, item.opened_at)
    await review_items.move(connection, site_id, item.id, _columns(place))
    return place


async def escalate_item(
    connection: AsyncConnection, site_id: str, item: Row, *, by: str, note: str | None, now: datetime
) -> Place:
    """Hand an open item to the admins, with the place that it has by its own facts."""
    known = await review_facts.of_revision(connection, site_id, item.revision_id)
    kept = item.priority or {}
    facts = _facts_of(known, item.kind, item.causes, reports=kept.get("reports", 0), at_once=bool(kept.get("at_once")))
    place = place_in(ESCALATED, facts, review_of(known.review), item.opened_at)
    freed = {"lease_hash": None, "lease_expires_at": None, "claimed_by": None}
    said = {"escalated_at": now, "escalated_by": by, "escalation_note": note}
    await review_items.move(connection, site_id, item.id, _columns(place) | freed | said)
    return place


def trust_of(kind: str, *, trusted: bool) -> str:
    """Answer how far an author is known, as queues filter by it."""
    return "trusted" if trusted else "guest" if kind == "guest" else "signed"


def spoken(causes: Sequence[Mapping[str, Any]]) -> tuple[str | None, str | None]:
    """Answer the rule that spoke first, and the attribute that it, or another, spoke of."""
    rule = next((cause.get("rule") for cause in causes), None)
    attribute = next((cause.get("name") for cause in causes if cause.get("kind") == "attribute"), None)
    return rule, attribute


def _facts_of(
    known: Row, kind: str, causes: Sequence[Mapping[str, Any]], *, reports: int, at_once: bool = False
) -> Facts:
    rule, attribute = spoken(causes)
    return Facts(
        kind=kind,
        page=known.page,
        scores=known.attributes or {},
        rule=rule,
        attribute=attribute,
        language=known.language,
        trust=trust_of(known.author_kind, trusted=known.trusted),
        reports=reports,
        published_in_thread=known.published_count,
        at_once=at_once,
    )


def _columns(place: Place) -> dict[str, Any]:
    return {
        "queue": place.queue,
        "order_key": place.order_key,
        "due_at": place.due_at,
        "priority": place.priority,
    }
