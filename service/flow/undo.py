"""A moderator takes an act back, soon after it: every comment stands where it stood, and waits in their hands again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from service import schemas
from service.errors import Problem
from service.flow.announce import announce, close_items, queue_items, standing_of
from service.flow.audit import audit
from service.flow.context import Context
from service.flow.identify import Principal
from service.flow.judgement import Applied
from service.flow.review import queue_straight
from service.flow.review_settings import review_of
from service.flow.review_views import item_views
from service.flow.sanctions import lift_undone
from service.flow.take_back import Hand, obstacle, take_back
from service.store import acts, review_items, sanctions, threads
from service.store.types import Row

_LEASE_SECONDS = 300


async def undo(context: Context, site: Row, principal: Principal, act_id: str) -> schemas.Undone:
    """Take back what is still the last word of an act; what was decided or edited since stays as it is."""
    async with context.database.writing() as connection:
        sanction = await sanctions.by_id(connection, site.id, act_id)
        made = await acts.decisions_of(connection, site.id, act_id)
        await _lock(connection, site, made, sanction)
        now = context.now()
        await _check(connection, site, principal, made, now)
        until = now + timedelta(seconds=_LEASE_SECONDS)
        back, left, leases = await _take_back(connection, context, site, principal, made, now, until)
        lifted = [] if sanction is None else await lift_undone(connection, context, site, principal, sanction, now)
        items = await item_views(connection, site, leases, until=until, now=now)
        held = await review_items.by_ids(connection, site.id, leases)
    done = [*back, *lifted]
    await close_items(context, site.id, [item_id for one in done for item_id in one.closed])
    await announce(context, [one.told for one in done])
    opened = [standing_of(row) for one in done for row in one.opened if row["id"] not in leases]
    await queue_items(context, site.id, opened)
    await queue_straight(context, site.id, held.values())
    return schemas.Undone(len(back), items, left)


async def _take_back(
    connection: AsyncConnection,
    context: Context,
    site: Row,
    principal: Principal,
    made: Sequence[Row],
    now: datetime,
    until: datetime,
) -> tuple[list[Applied], list[schemas.LeftAsItIs], dict[str, str]]:
    """Answer what came back, what stays, and the leases of the items that are in the caller's hands again."""
    back: list[Applied] = []
    left: list[schemas.LeftAsItIs] = []
    leases: dict[str, str] = {}
    # The newest first: of several on one comment each finds it as it had left it.
    for decision in reversed(made):
        code = await obstacle(connection, site.id, decision, {one.decision.id for one in back})
        if code is not None:
            left.append(schemas.LeftAsItIs(decision.comment_id, code))
            continue
        hand = Hand.of(principal.actor, until)
        one = await take_back(connection, context, site.id, principal.actor, decision, now, hand)
        await audit(
            connection, context, site.id, principal.actor, "comment.decision_undone", decision.comment_id,
            kind="moderator", decision_id=decision.id,
        )  # fmt: skip
        back.append(one)
        leases |= {row["id"]: hand.token for row in one.opened if row.get("lease_hash")}
    return back, left, leases


async def _lock(connection: AsyncConnection, site: Row, made: Sequence[Row], sanction: Row | None) -> None:
    """Take every lock in the order in which all take them: the commenter, then threads; audit comes last."""
    swept: Sequence[Row] = ()
    if sanction is not None:
        await sanctions.lock_commenter(connection, site.id, sanction.commenter_id)
        swept = await review_items.decisions_by_ids(connection, site.id, sanction.swept)
    await threads.lock(connection, sorted({row.thread_id for row in (*made, *swept)}))


async def _check(
    connection: AsyncConnection, site: Row, principal: Principal, made: Sequence[Row], now: datetime
) -> None:
    if not made:
        raise Problem("undo.unknown", "No act of this site has this id.")
    if any(row.actor != principal.actor for row in made):
        raise Problem("undo.not_yours", "Only who did this can undo it; decide anew, or appeal to an admin.")
    if now > made[0].created_at + timedelta(seconds=review_of(site.review).undo_seconds):
        raise Problem("undo.over", "The time to undo this is over; decide anew instead.")
    if await acts.undone(connection, site.id, [row.id for row in made]):
        raise Problem("undo.done", "This was undone before.")
