"""What is noticed of texts before they are judged: their sketches, near repeats, and what an outside service says."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import NamedTuple

from moderation.sketch import Sketch, likeness_of, sketch_of
from service.flow import spam_service
from service.flow.context import Context
from service.flow.spam_settings import spam_of
from service.queue.client import QueueUnavailable
from service.store.types import Row

NEAR = 0.8
"""Texts that share so much are nearly the same."""

logger = logging.getLogger(__name__)


class Noticed(NamedTuple):
    """What was noticed of one revision; None is not known."""

    sketch: Sketch | None = None
    near_duplicates: int | None = None
    spam_service: bool | None = None


async def notice(context: Context, rows: Sequence[Row]) -> dict[str, Noticed]:
    """Look at texts outside of any transaction; what fails is not known, and nobody waits for it long."""
    found, asked = {}, [row for row in rows if spam_of(row.spam).akismet_sealed is not None]
    said = dict(zip([row.revision_id for row in asked], await _ask(context, asked), strict=True))
    sketches = [_sketch(row) for row in rows]
    # One after the other where they stand in one batch: of near repeats that come together each sees those before it.
    for row, sketch in zip(rows, sketches, strict=True):
        near = await _near(context, row, sketch)
        found[row.revision_id] = Noticed(sketch, near, said.get(row.revision_id))
    return found


async def _ask(context: Context, rows: Sequence[Row]) -> list[bool | None]:
    return list(await asyncio.gather(*(spam_service.is_spam(context, row) for row in rows)))


def _sketch(row: Row) -> Sketch | None:
    try:
        return sketch_of(row.body or "")
    except Exception:
        # Whatever breaks it, the comment is judged without; a text must never stop its batch.
        logger.exception("a sketch cannot be made", extra={"revision_id": row.revision_id})
        return None


async def _near(context: Context, row: Row, sketch: Sketch | None) -> int | None:
    if sketch is None or not sketch.bands:
        return 0 if sketch is not None else None
    now_ms = int(context.now().timestamp() * 1000)
    try:
        others = await context.recent_texts.look(
            row.site_id, row.comment_id, sketch.bands, sketch.numbers, now_ms=now_ms
        )
    except QueueUnavailable:
        return None
    return sum(likeness_of(sketch.numbers, other) >= NEAR for other in others)
