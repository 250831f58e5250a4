"""A commenter is erased: identity at once, likes and comments in bounded batches that go on after a crash.

Under `anonymise` what readers see stays without a name; under `remove` it goes too, leaving a tombstone where others
answered. What readers do not see goes in both. Decisions stay, with codes and numbers, without text and notes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby

from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.decision import Action, ActorKind, Status, next_status
from service import schemas
from service.errors import Problem
from service.flow import aftermath, live_news, outlive, transition
from service.flow.announce import Told, announce, close_items
from service.flow.audit import audit
from service.flow.context import Context
from service.flow.forget_words import forget_words
from service.flow.react import forget_likes
from service.flow.retention import retention_of
from service.flow.standings import Standings
from service.flow.transition import Actor, Decision
from service.queue.fanout import News
from service.store import audit as audit_store
from service.store import commenters, comments, erasure, fingerprints, outbox, review_items, sanctions, threads
from service.store.types import Row

BATCH = 100
#: Batches that the request itself does; the sweep does what is left.
_AT_ONCE = 10
#: A submit that had passed the door before the erasure is committed long before this is over.
SETTLED = timedelta(minutes=2)


@dataclass(slots=True)
class _Batch:
    """One bounded part of an erasure, and what it changed, to be told after its commit."""

    context: Context
    site_id: str
    commenter_id: str
    mode: schemas.ErasureMode
    now: datetime
    told: list[Told] = field(default_factory=list)
    nameless: list[News] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)

    def stays(self, row: Row) -> bool:
        """Answer whether readers go on seeing a comment, without a name."""
        return self.mode == "anonymise" and bool(row.status == Status.PUBLISHED.value)


async def erase(
    context: Context,
    site: Row,
    commenter_id: str,
    actor: str,
    *,
    mode: schemas.ErasureMode | None = None,
    kind: str = "admin",
) -> schemas.Erasure:
    """Erase a commenter, as the site chooses unless told otherwise; doing it again does what is left.

    By the commenter's own wish, sanctions in force and the fingerprints of what was removed for cause go on; by an
    admin's they go.
    """
    now, mode = context.now(), mode or retention_of(site).erasure
    async with context.database.writing() as connection:
        await sanctions.lock_commenter(connection, site.id, commenter_id)
        known = await commenters.commenter(connection, site.id, commenter_id)
        if known is None:
            raise Problem("commenter.unknown", "No commenter of this site has this id.")
        # What was to be removed is not kept because somebody asks for less meanwhile.
        mode = "remove" if known.erasure == "remove" else mode
        left = await erasure.left_of(connection, site.id, commenter_id, mode, after=None, limit=1)
        if kind == "author" and known.erased_at is None:
            await outlive.keep(connection, context, known)
        elif kind != "author":
            await fingerprints.forget_all_of(connection, site.id, commenter_id)
            await sanctions.unmark(connection, site.id, commenter_id)
        if known.erased_at is None or (left and known.erasure != mode):
            await erasure.begin(connection, site.id, commenter_id, mode, at=now)
            await audit_store.erase_data(connection, site.id, [commenter_id], at=now)
            await audit(connection, context, site.id, actor, "commenter.erased", commenter_id, kind=kind, mode=mode)
    finished = await _erase_acts(context, site.id, commenter_id, mode)
    finished = await forget_words(context) and finished
    return schemas.Erasure(commenter_id, mode, finished)


async def erase_what_is_left(context: Context, *, limit: int = 20) -> int:
    """Go on with erasures that were interrupted, large or too young to be sure of; answer how many are finished."""
    async with context.database.reading() as connection:
        rows = await erasure.unfinished(connection, limit=limit)
    finished = 0
    for row in rows:
        done = await _erase_acts(context, row.site_id, row.id, row.erasure)
        if done and context.now() - row.erased_at >= SETTLED:
            finished += await _finish(context, row)
    return finished


async def _finish(context: Context, row: Row) -> int:
    async with context.database.writing() as connection:
        if not await erasure.finish(connection, row.site_id, row.id):
            return 0
        event = transition.event_row(
            context, "commenter.erased", site_id=row.site_id, at=context.now(), commenter_id=row.id, mode=row.erasure
        )
        await outbox.append(connection, [event])
    return 1


async def _erase_acts(context: Context, site_id: str, commenter_id: str, mode: schemas.ErasureMode) -> bool:
    """Erase likes and comments, up to a bound; answer whether none is left."""
    no_likes = await forget_likes(context, site_id, commenter_id)
    return await _erase_comments(context, site_id, commenter_id, mode) and no_likes


async def _erase_comments(context: Context, site_id: str, commenter_id: str, mode: schemas.ErasureMode) -> bool:
    """Erase comments batch by batch, up to a bound; answer whether none is left."""
    after: str | None = None
    for _ in range(_AT_ONCE):
        async with context.database.reading() as connection:
            rows = await erasure.left_of(connection, site_id, commenter_id, mode, after=after, limit=BATCH)
        if not rows:
            return True
        batch = _Batch(context, site_id, commenter_id, mode, context.now())
        whole = await _erase_batch(batch, rows)
        await close_items(context, site_id, batch.closed)
        await announce(context, batch.told)
        await live_news.tell(context, batch.nameless)
        if whole and len(rows) < BATCH:
            return True
        after = rows[-1].id if whole else after
    return False


async def _erase_batch(batch: _Batch, found: Sequence[Row]) -> bool:
    """Erase some comments in one transaction; answer False, changing nothing, where a thread was merged meanwhile."""
    site_id, ids, locked = batch.site_id, [row.id for row in found], {row.thread_id for row in found}
    async with batch.context.database.writing(heavy=True) as connection:
        await threads.lock(connection, locked)
        rows = sorted(await comments.standing(connection, site_id, ids), key=lambda row: (row.thread_id, row.id))
        if not {row.thread_id for row in rows} <= locked:
            return False
        for thread_id, group in groupby(rows, key=lambda row: row.thread_id):
            await _erase_in_thread(connection, batch, thread_id, list(group))
        shown = {(row.id, row.shown_revision) for row in rows if batch.stays(row)}
        texts = await erasure.revisions_of(connection, site_id, ids)
        gone = [one.id for one in texts if (one.comment_id, one.number) not in shown]
        await erasure.forget_texts(connection, site_id, gone, at=batch.now)
        await erasure.forget_traces(connection, site_id, ids)
        await erasure.forget_names(connection, site_id, ids)
    return True


async def _erase_in_thread(connection: AsyncConnection, batch: _Batch, thread_id: str, rows: Sequence[Row]) -> None:
    """Delete what does not stay, and let readers see a new version of the thread."""
    site_id = batch.site_id
    for row in rows:
        # Of what stays too: an edit that nobody decided is not shown, so it goes.
        keep = row.shown_revision if batch.stays(row) else None
        batch.closed += await review_items.supersede(connection, site_id, row.id, at=batch.now, keep=keep)
        await comments.supersede(connection, site_id, row.id, at=batch.now)
    going = [row.id for row in rows if not batch.stays(row) and row.status != Status.DELETED.value]
    standings = await transition.standings_of(connection, site_id, going)
    latest = await comments.latest_revision_ids(connection, site_id, going)
    decisions = [_delete(batch, thread_id, standings, comment_id, latest[comment_id]) for comment_id in going]
    version = await transition.save(connection, site_id, thread_id, standings)
    if version is None:
        version = await threads.bump(connection, site_id, thread_id, 0)
    events = {decision.id: ["comment.deleted"] for decision in decisions}
    await transition.append(connection, batch.context, decisions, event_of=events)
    await aftermath.of_end(connection, batch.context, site_id, decisions, now=batch.now)
    batch.nameless += [
        live_news.of_comment(thread_id, row.id, row.parent_id, row.status, version)
        for row in rows
        if batch.stays(row) and row.visible
    ]
    batch.told += [
        Told.of(decision, version=version, parent_id=standings.nodes[decision.comment_id].parent_id)
        for decision in decisions
    ]


def _delete(batch: _Batch, thread_id: str, standings: Standings, comment_id: str, revision_id: str) -> Decision:
    """Delete as the author does, whoever carries the wish out; the audit names that one."""
    node = standings.nodes[comment_id]
    before, node.deleted_at = node.status, batch.now
    after = next_status(before, Action.DELETE, ActorKind.AUTHOR, by_person=node.status_by_person)
    standings.set_status(comment_id, after, by_person=True)
    return Decision(
        id=batch.context.new_id(),
        site_id=batch.site_id,
        thread_id=thread_id,
        comment_id=comment_id,
        revision_id=revision_id,
        action=Action.DELETE,
        actor=Actor(ActorKind.AUTHOR, batch.commenter_id),
        from_status=before,
        to_status=after,
        at=batch.now,
    )
