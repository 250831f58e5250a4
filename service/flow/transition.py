"""The change of a status, in one transaction: standings, revision, decision row, thread version, outbox event."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.decision import Action, ActorKind, Status
from moderation.policy import Reason
from service import tracing
from service.errors import Problem
from service.flow.context import Context
from service.flow.standings import Standing, Standings
from service.store import comments, outbox, reactions, scoring, threads
from service.store.paths import ancestor_ids
from service.store.types import Row


class Actor(msgspec.Struct, frozen=True):
    """Who decided: a machine, a moderator, an author or the system, and the stable id of a person."""

    kind: ActorKind
    id: str | None = None


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """One decision, as it is about to be recorded; every one carries its causes (promise 5)."""

    id: str
    site_id: str
    thread_id: str
    comment_id: str
    revision_id: str
    action: Action
    actor: Actor
    from_status: Status
    to_status: Status
    at: datetime
    reasons: Sequence[Reason] = ()
    causes: Sequence[Mapping[str, Any]] = ()
    policy_version: str | None = None
    model_id: str | None = None
    note: str | None = None
    item_id: str | None = None
    automated_detection: bool = False
    ground: str | None = None
    ground_clause: str | None = None
    on_notice: bool = False
    act_id: str | None = None
    undoes_id: str | None = None
    stood: Mapping[str, Any] | None = None

    def row(self) -> dict[str, Any]:
        """Answer the row to append. The ground is the site's guidelines unless a person names a law."""
        restricts = self.action in (Action.HOLD, Action.REJECT, Action.REMOVE)
        return {
            "id": self.id,
            "site_id": self.site_id,
            "thread_id": self.thread_id,
            "comment_id": self.comment_id,
            "revision_id": self.revision_id,
            "review_item_id": self.item_id,
            "actor_kind": self.actor.kind.value,
            "actor": self.actor.id,
            "action": self.action.value,
            "from_status": self.from_status.value,
            "to_status": self.to_status.value,
            "reasons": [{"code": reason.code, "text": reason.text} for reason in self.reasons],
            "causes": list(self.causes),
            "policy_version": self.policy_version,
            "model_id": self.model_id,
            "note": self.note,
            "ground": (self.ground or "guideline") if restricts else None,
            "ground_clause": self.ground_clause if restricts else None,
            "on_notice": self.on_notice,
            "automated_detection": self.automated_detection,
            "automated_decision": self.actor.kind is ActorKind.MACHINE,
            "act_id": self.act_id,
            "undoes_id": self.undoes_id,
            "stood": dict(self.stood) if self.stood is not None else None,
            "created_at": self.at,
        }


async def locked_comment(connection: AsyncConnection, site_id: str, comment_id: str) -> Row:
    """Answer a comment with its thread locked, even when the thread is merged meanwhile; or raise comment.unknown."""
    for _ in range(3):
        found = await comments.by_id(connection, site_id, comment_id)
        if found is None:
            break
        await threads.lock(connection, [found.thread_id])
        again = await comments.by_id(connection, site_id, comment_id)
        if again is not None and again.thread_id == found.thread_id:
            return again
    raise Problem("comment.unknown", "No comment of this site has this id.")


async def standings_of(connection: AsyncConnection, site_id: str, comment_ids: Iterable[str]) -> Standings:
    """Load comments of one thread and all their ancestors; the thread must be locked."""
    rows = await comments.standing(connection, site_id, comment_ids)
    known = {row.id for row in rows}
    missing = {ancestor for row in rows for ancestor in ancestor_ids(row.path)} - known
    if missing:
        rows = [*rows, *await comments.standing(connection, site_id, sorted(missing))]
    return Standings.of(
        Standing(
            id=row.id,
            parent_id=row.parent_id,
            path=row.path,
            status=Status(row.status),
            status_by_person=row.status_by_person,
            shown_revision=row.shown_revision,
            visible=row.visible,
            visible_replies=row.visible_replies,
            reply_count=row.reply_count,
            edited_at=row.edited_at,
            deleted_at=row.deleted_at,
        )
        for row in rows
    )


async def save(connection: AsyncConnection, site_id: str, thread_id: str, standings: Standings) -> int | None:
    """Write what changed; answer the thread's new version if readers can see a difference."""
    changed = sorted(standings.changed.values(), key=lambda node: node.id)
    await comments.save_standing(connection, site_id, [node.values() for node in changed])
    if gone := [node.id for node in changed if node.status is Status.DELETED]:
        await reactions.forget_comments(connection, site_id, gone)
    if standings.seen_by_readers:
        return await threads.bump(connection, site_id, thread_id, standings.published_delta)
    return None


async def append(
    connection: AsyncConnection,
    context: Context,
    decisions: Sequence[Decision],
    *,
    event_of: Mapping[str, Sequence[str]],
) -> None:
    """Record decisions, and for each the events named by its id in `event_of`, in their order."""
    await scoring.insert_decisions(connection, [decision.row() for decision in decisions])
    await outbox.append(
        connection,
        [
            event_row(
                context,
                type_,
                site_id=decision.site_id,
                thread_id=decision.thread_id,
                comment_id=decision.comment_id,
                revision_id=decision.revision_id,
                decision_id=decision.id,
                at=decision.at,
            )
            for decision in decisions
            for type_ in event_of.get(decision.id, ())
        ],
    )


def event_row(
    context: Context,
    type_: str,
    *,
    site_id: str,
    at: datetime,
    thread_id: str | None = None,
    comment_id: str | None = None,
    revision_id: str | None = None,
    **data: Any,
) -> dict[str, Any]:
    """Answer an outbox row: ids only, so that an erased text can never leave."""
    if (place := tracing.place_of(revision_id)) is not None:
        data[outbox.TRACE] = place
    return {
        "id": context.new_id(),
        "site_id": site_id,
        "type": type_,
        "thread_id": thread_id,
        "comment_id": comment_id,
        "revision_id": revision_id,
        "data": data,
        "created_at": at,
    }
