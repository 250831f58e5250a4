"""One decision on many items: those that cannot be decided any more say why, the others are decided together."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from service import schemas
from service.errors import Problem
from service.flow.context import Context
from service.flow.decide import Act, Outcome, decide_in, new_act, tell
from service.flow.identify import Principal
from service.store import review_items, threads
from service.store.types import Row

#: What one item may have become while it was looked at; anything else is wrong with all of them.
_ITS_OWN = frozenset({
    "item.unknown", "item.decided", "lease.expired", "revision.changed", "comment.final", "comment.unknown",
    "review.own",
})  # fmt: skip


async def decide_many(
    context: Context, site: Row, principal: Principal, wanted: schemas.DecideManyInput
) -> schemas.DecidedMany:
    """Decide items under their leases in one transaction and one act, which is undone as one."""
    ids = [chosen.item_id for chosen in wanted.items]
    if len(set(ids)) < len(ids):
        raise Problem("request.invalid", "An item is named twice.", fields=[("items", "each once")])
    done: dict[str, Outcome] = {}
    failed: list[schemas.FailedItem] = []
    async with context.database.writing() as connection:
        items = await _locked(connection, site.id, ids)
        act = new_act(context, site, principal)
        for chosen in wanted.items:
            outcome = await _decide_one(connection, context, act, items.get(chosen.item_id), chosen, wanted)
            if isinstance(outcome, Problem):
                failed.append(schemas.FailedItem(chosen.item_id, outcome.code, outcome.detail))
            else:
                done[chosen.item_id] = outcome
    await tell(context, site, [*done.values()])
    decided = [
        schemas.DecidedItem(item_id, one.answer.comment.id, one.answer.comment.status) for item_id, one in done.items()
    ]
    return schemas.DecidedMany(act.id, act.undo_until, decided, failed)


async def _locked(connection: AsyncConnection, site_id: str, item_ids: list[str]) -> dict[str, Row]:
    """Answer the items, locked behind their threads, which are locked in their order so that no two acts deadlock."""
    items = await review_items.by_ids(connection, site_id, item_ids)
    await threads.lock(connection, sorted({row.thread_id for row in items.values()}))
    if connection.dialect.name != "postgresql":
        return items
    held = [await review_items.by_id(connection, site_id, item_id, lock=True) for item_id in sorted(items)]
    return {row.id: row for row in held if row is not None}


async def _decide_one(
    connection: AsyncConnection,
    context: Context,
    act: Act,
    item: Row | None,
    chosen: schemas.ChosenItem,
    wanted: schemas.DecideManyInput,
) -> Outcome | Problem:
    try:
        async with connection.begin_nested():
            return await decide_in(connection, context, act, item, chosen.lease, chosen.revision, wanted)
    except Problem as problem:
        if problem.code not in _ITS_OWN:
            raise
        return problem
