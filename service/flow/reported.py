"""What the reports of a comment ask for: that a person looks, and that it is out of sight until then."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.decision import Action, ActorKind, Status, next_status
from moderation.rules import REVIEW
from service import telemetry
from service.flow import transition
from service.flow.aftermath import REPORTED, cause, causes_of
from service.flow.announce import Told, announce, queue_items, standing_of
from service.flow.context import Context
from service.flow.judgement import policy_of, reasons_named
from service.flow.open_items import open_item, reprioritise
from service.flow.outlive import BAN_NETWORK
from service.flow.reporters import counted_of, counting_comments
from service.flow.review_settings import review_of
from service.flow.transition import Actor, Decision
from service.queue.review import Standing
from service.store import comments, open_reports, reports, review_items, sanctions, sites
from service.store.types import Row

_PAGE = 500
MOST_AT_ONCE = 200
"""Comments that a lifted sanction has looked at anew at once; the sweep finds those that are left."""


class Asked(NamedTuple):
    """What is to be told after the commit: that a comment is out of sight, and where its item stands."""

    told: Told | None
    item: Standing | None


async def tell(context: Context, site_id: str, asked: Asked) -> None:
    """After the commit: wake who waits, and queue the item."""
    if asked.item is not None:
        await queue_items(context, site_id, [asked.item])
    if asked.told is not None:
        await announce(context, [asked.told])


async def ask_where_they_count(context: Context) -> int:
    """Ask about comments whose reports count by now and that no item asks about; answer how many.

    So it is where a sanction, or the time in which a network is known, is over.
    """
    number, after = 0, None
    while True:
        async with context.database.reading() as connection:
            rows = await open_reports.unasked(connection, after=after, limit=_PAGE)
            found = await _counting(connection, rows, context.now())
        for site_id, comment_id in found:
            number += await _ask(context, site_id, comment_id)
        if len(rows) < _PAGE:
            return number
        after = (rows[-1].site_id, rows[-1].comment_id)


async def ask_again_of(context: Context, site_id: str, commenter_id: str) -> None:
    """Look anew at what a commenter reports whose sanction was lifted, and at what guests of their networks report."""
    now = context.now()
    async with context.database.reading() as connection:
        networks = await sanctions.networks_of(connection, site_id, commenter_id, since=now - BAN_NETWORK)
        found = await open_reports.reported_by(connection, site_id, commenter_id, networks, limit=MOST_AT_ONCE)
        counting = await counting_comments(connection, site_id, found, now)
    for comment_id in sorted(counting):
        await _ask(context, site_id, comment_id)


async def _counting(connection: AsyncConnection, rows: Sequence[Row], now: datetime) -> list[tuple[str, str]]:
    of_sites: dict[str, list[str]] = {}
    for row in rows:
        of_sites.setdefault(row.site_id, []).append(row.comment_id)
    return [
        (site_id, comment_id)
        for site_id, ids in of_sites.items()
        for comment_id in sorted(await counting_comments(connection, site_id, ids, now))
    ]


async def _ask(context: Context, site_id: str, comment_id: str) -> bool:
    asked = None
    async with context.database.writing() as connection:
        comment = await transition.locked_comment(connection, site_id, comment_id)
        now = context.now()
        # Behind the lock: somebody may have answered meanwhile.
        if comment.status == Status.PUBLISHED.value and await counting_comments(connection, site_id, [comment_id], now):
            shown = await comments.revision(connection, site_id, comment_id, comment.shown_revision or 1)
            assert shown is not None
            site = await sites.by_id(connection, site_id)
            asked = await look_again(connection, context, site, comment, shown, now)
    if asked is not None:
        await tell(context, site_id, asked)
    return asked is not None


async def look_again(
    connection: AsyncConnection,
    context: Context,
    site: Row,
    comment: Row,
    shown: Row,
    now: datetime,
) -> Asked:
    """Put the text before a person, or further to the front, and out of sight where enough different readers say so."""
    current = await sites.by_slug(connection, site.slug)
    assert current is not None
    hold_from = review_of(current.review).reports_hold_from
    counted = await counted_of(connection, site.id, comment.id, now)
    causes, at_once = causes_of(counted.reasons, hold_from or None), reports.NOTICE in counted.reasons
    asked = await reports.open_items(connection, site.id, comment.id, REPORTED)
    asked = [row for row in asked if row.revision_id == shown.id]
    if asked:
        await reports.set_causes(connection, site.id, asked[0].id, causes)
        item = (await review_items.by_ids(connection, site.id, [asked[0].id]))[asked[0].id]
        place = await reprioritise(connection, site.id, item, reports=counted.readers, at_once=at_once)
        stands = Standing(item.id, place.order_key, place.queue)
    else:
        stands = standing_of(
            await open_item(
                connection, context, site.id, shown.id, REPORTED, now=now, causes=causes, reports=counted.readers,
                at_once=at_once,
            )
        )  # fmt: skip
    told = None
    enough = bool(hold_from) and counted.readers >= hold_from
    if enough and not await reports.is_approved(connection, site.id, comment.id, shown.id):
        told = await _hold(connection, context, site, comment, shown, counted.readers, hold_from, now)
    return Asked(told, stands)


async def _hold(
    connection: AsyncConnection,
    context: Context,
    site: Row,
    comment: Row,
    shown: Row,
    number: int,
    hold_from: int,
    now: datetime,
) -> Told:
    """Take a comment out of sight until a person has decided."""
    standings = await transition.standings_of(connection, site.id, [comment.id])
    node = standings.nodes[comment.id]
    before, after = node.status, next_status(node.status, Action.HOLD, ActorKind.SYSTEM, by_person=False)
    standings.set_status(comment.id, after, by_person=False)
    await comments.set_revision_status(connection, site.id, shown.id, after)
    version = await transition.save(connection, site.id, comment.thread_id, standings)
    policy_version, policy = await policy_of(connection, site, comment.thread_id)
    decision = Decision(
        id=context.new_id(),
        site_id=site.id,
        thread_id=comment.thread_id,
        comment_id=comment.id,
        revision_id=shown.id,
        action=Action.HOLD,
        actor=Actor(ActorKind.SYSTEM),
        from_status=before,
        to_status=after,
        at=now,
        reasons=reasons_named(policy, [REVIEW], required=True),
        causes=[cause(None, number, hold_from, REVIEW)],
        policy_version=policy_version,
    )
    await transition.append(connection, context, [decision], event_of={decision.id: ["comment.held"]})
    telemetry.decided_total.labels("system", after.value).inc()
    return Told.of(decision, version=version, parent_id=comment.parent_id)
