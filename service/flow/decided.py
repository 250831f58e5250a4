"""What was decided about a comment, by whom, and what others made of it who were asked blind."""

from __future__ import annotations

from service import schemas
from service.errors import Problem
from service.flow import views
from service.flow.context import Context
from service.flow.identify import Principal
from service.flow.reviewer import is_admin
from service.store import comments, names, opinions, review_items
from service.store.types import Row


async def history(context: Context, site: Row, principal: Principal, comment_id: str) -> schemas.DecisionList:
    """Answer every decision on a comment, the first one first; who was asked blind only admins are told."""
    async with context.database.reading() as connection:
        if await comments.by_id(connection, site.id, comment_id) is None:
            raise Problem("comment.unknown", "No comment of this site has this id.")
        rows = await review_items.decisions_of(connection, site.id, comment_id)
        revisions = await comments.revisions_by_ids(connection, site.id, {row.revision_id for row in rows})
        blind = await opinions.of_decisions(connection, site.id, [row.id for row in rows])
        asked = [one.actor for of in blind.values() for one in of]
        called = await names.of_actors(connection, site.id, [*(row.actor for row in rows), *asked])
    tells = is_admin(principal, site)
    return schemas.DecisionList(
        [
            views.decision_view(
                row,
                revision=revisions[row.revision_id].number,
                name=called.get(row.actor),
                opinions=[
                    views.opinion_view(one, name=called.get(one.actor) if tells else None)
                    for one in blind.get(row.id, ())
                ],
            )
            for row in rows
        ]
    )
