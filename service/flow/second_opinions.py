"""A share of decisions is made twice, blind: by the machine and a person, or by two persons who know nothing of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.policy import Reason
from service import schemas
from service.flow.audit import audit
from service.flow.context import Context
from service.flow.identify import Principal
from service.flow.open_items import open_item
from service.flow.review_settings import ESCALATED, review_of
from service.store import acts, opinions, people, review_items
from service.store.types import Row

KIND: Final = "second_opinion"
_ASKED_AGAIN: Final = frozenset({"held", "post_moderation", "reported"})
_AS_APPROVAL: Final = frozenset({"approve", "restore"})


def is_chosen(id_: str, share: float) -> bool:
    """Answer whether an id is among a share of all; the same id is always, or never."""
    digest = hashlib.sha256(f"sample:{id_}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


async def after(
    connection: AsyncConnection,
    context: Context,
    site: Row,
    principal: Principal,
    decision: schemas.DecisionView,
    kind: str,
) -> dict[str, Any] | None:
    """Open a second, blind item about a decision if it is chosen and somebody else is there; answer its row."""
    if kind not in _ASKED_AGAIN or not is_chosen(decision.id, review_of(site.review).second_opinion_share):
        return None
    if not await people.other_reviewers(connection, site.id, principal.actor, now=decision.created_at):
        return None
    [made] = await review_items.decisions_by_ids(connection, site.id, [decision.id])
    if await acts.open_about(connection, site.id, made.revision_id, KIND):
        return None
    return await open_item(
        connection, context, site.id, made.revision_id, KIND,
        now=decision.created_at, causes=made.causes, blind=True, not_for=principal.actor, decision_id=made.id,
    )  # fmt: skip


async def keep(
    connection: AsyncConnection,
    context: Context,
    site: Row,
    principal: Principal,
    item: Row,
    answer: str,
    reasons: Sequence[Reason],
    now: datetime,
) -> tuple[Row, Mapping[str, Any] | None]:
    """Keep what a second person would have decided; answer the first decision, and the item where they disagree."""
    [first] = await review_items.decisions_by_ids(connection, site.id, [item.decision_id])
    agrees = (first.action in _AS_APPROVAL) == (answer == "approve")
    row = {
        "id": context.new_id(),
        "site_id": site.id,
        "review_item_id": item.id,
        "decision_id": first.id,
        "actor": principal.actor,
        "answer": answer,
        "reasons": [{"code": reason.code, "text": reason.text} for reason in reasons],
        "agrees": agrees,
        "created_at": now,
    }
    await opinions.insert(connection, row)
    await audit(
        connection, context, site.id, principal.actor, "comment.second_opinion", item.comment_id,
        kind="moderator", agrees=agrees,
    )  # fmt: skip
    if agrees or await acts.open_about(connection, site.id, item.revision_id, "disagreement"):
        return first, None
    opened = await open_item(
        connection, context, site.id, item.revision_id, "disagreement",
        now=now, causes=item.causes, decision_id=first.id, not_for=await _first_decider(connection, site, first, now),
        queue=ESCALATED,
    )  # fmt: skip
    return first, opened


async def _first_decider(connection: AsyncConnection, site: Row, first: Row, now: datetime) -> str | None:
    """Answer who decided first, unless nobody else is there to decide what the two differ about."""
    found = await people.reviewers(connection, site.id, now=now)
    admins = {one for one, role in found.items() if role == "admin"}
    return str(first.actor) if admins - {first.actor} else None
