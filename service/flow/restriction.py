"""What restricts a comment now: the decision that hides it, or that refused or holds its edit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.decision import Action, Status
from service.store import comments, review_items
from service.store.types import Row

Code = Literal["held", "rejected", "removed", "edit_held", "edit_rejected"]
#: By which acts a comment comes into a status in which readers do not see it.
_ACTS = {
    Status.HELD.value: (Action.HOLD.value, Action.ESCALATE.value),
    Status.REJECTED.value: (Action.REJECT.value,),
    Status.REMOVED.value: (Action.REMOVE.value, Action.REJECT.value),
}
_CODES: dict[str, Code] = {"held": "held", "rejected": "rejected", "removed": "removed"}
_EDIT_CODES: dict[str, Code] = {"held": "edit_held", "rejected": "edit_rejected"}


class Restricted(NamedTuple):
    """The decision, and the text that it is about."""

    code: Code
    decision: Row
    revision: Row

    @property
    def is_final(self) -> bool:
        """Whether somebody decided, and not only that somebody has to."""
        return self.code in ("rejected", "removed", "edit_rejected")


async def restriction_of(connection: AsyncConnection, site_id: str, comment: Row) -> Restricted | None:
    """Answer what restricts a comment, None where nothing does."""
    if comment.status in _ACTS:
        decided = await review_items.decisions_of(connection, site_id, comment.id)
        decision = _last(decided, _ACTS[comment.status], to_status=comment.status)
        if decision is None:
            return None
        revision = (await comments.revisions_by_ids(connection, site_id, [decision.revision_id]))[decision.revision_id]
        return Restricted(_CODES[comment.status], decision, revision)
    if comment.status != Status.PUBLISHED.value or comment.latest_revision == comment.shown_revision:
        return None
    return await _of_edit(connection, site_id, comment)


async def _of_edit(connection: AsyncConnection, site_id: str, comment: Row) -> Restricted | None:
    edit = await comments.revision(connection, site_id, comment.id, comment.latest_revision)
    if edit is None or edit.superseded_at is not None or edit.status not in _EDIT_CODES:
        return None
    decided = await review_items.decisions_of(connection, site_id, comment.id)
    acts = (*_ACTS[Status.REJECTED.value], *_ACTS[Status.HELD.value])
    decision = _last([row for row in decided if row.revision_id == edit.id], acts)
    return Restricted(_EDIT_CODES[edit.status], decision, edit) if decision is not None else None


def _last(decided: Sequence[Row], acts: Sequence[str], *, to_status: str | None = None) -> Row | None:
    """Answer the newest decision by one of the acts; one that only took another back is none of itself."""
    return next(
        (
            row
            for row in reversed(decided)
            if row.action in acts and row.undoes_id is None and to_status in (None, row.to_status)
        ),
        None,
    )
