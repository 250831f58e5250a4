"""A text that was taken down for cause stays down: its fingerprint is kept with the decision, and looked for later."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.decision import Status
from moderation.sketch import Sketch, likeness_of, sketch_of
from service.flow.context import Context
from service.flow.spam_settings import spam_of
from service.store import fingerprints

_DOWN = (Status.REJECTED, Status.REMOVED)


class Known(NamedTuple):
    """How like a text is to one that was taken down, and for what that was."""

    likeness: float
    reason: str


async def after_decision(
    connection: AsyncConnection,
    context: Context,
    site_id: str,
    comment_id: str,
    body: str | None,
    after: Status,
    reasons: Iterable[str],
    now: datetime,
) -> None:
    """Keep the fingerprint of what a person took down for cause, and let go of one that a person brought back."""
    if after not in _DOWN:
        await fingerprints.forget(connection, site_id, comment_id)
        return
    if body is None:
        return
    for_cause = set(spam_of(await fingerprints.spam_settings(connection, site_id)).stay_down_reasons)
    reason = next((code for code in reasons if code in for_cause), None)
    if reason is None:
        return
    if await fingerprints.is_authors_gone(connection, site_id, comment_id):
        return
    sketch = sketch_of(body)
    values = {
        "id": context.new_id(),
        "site_id": site_id,
        "comment_id": comment_id,
        "reason": reason,
        "text_hash": sketch.text_hash,
        "sketch": list(sketch.numbers),
        "created_at": now,
    }
    await fingerprints.keep(connection, values, sketch.bands)


async def known(connection: AsyncConnection, site_id: str, sketches: Mapping[str, Sketch]) -> dict[str, Known]:
    """Answer for each revision the text taken down that is most like its own, where there is one."""
    same = await fingerprints.same(connection, site_id, {one.text_hash for one in sketches.values()})
    found = {
        revision_id: Known(1.0, same[sketch.text_hash].reason)
        for revision_id, sketch in sketches.items()
        if sketch.text_hash in same
    }
    open_ = {revision_id: sketch for revision_id, sketch in sketches.items() if revision_id not in found}
    bands = {band for sketch in open_.values() for band in sketch.bands}
    if not bands:
        return found
    having = await fingerprints.sharing(connection, site_id, bands)
    for revision_id, sketch in open_.items():
        near = {row.id: row for band in sketch.bands for row in having.get(band, ())}
        if near:
            found[revision_id] = max(
                Known(likeness_of(sketch.numbers, row.sketch), row.reason) for row in near.values()
            )
    return found
