"""After the commit: what was decided is told to the queue and to those who wait. Losing this loses nothing."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import msgspec

from service.flow.context import Context
from service.flow.transition import Decision
from service.queue.client import QueueUnavailable
from service.queue.live import Decided

logger = logging.getLogger(__name__)


class Told(msgspec.Struct, frozen=True):
    """One decision that was committed, the review item it opened and the thread's new version, if any."""

    site_id: str
    thread_id: str
    comment_id: str
    revision_id: str
    status: str
    version: int | None
    item_id: str | None = None
    order_key: float = 0.0

    @classmethod
    def of(cls, decision: Decision, *, version: int | None, item: Mapping[str, Any] | None = None) -> Told:
        """Tell of a decision."""
        return cls(
            decision.site_id,
            decision.thread_id,
            decision.comment_id,
            decision.revision_id,
            decision.to_status.value,
            version,
            item["id"] if item else None,
            item["order_key"] if item else 0.0,
        )


async def announce(context: Context, told: Sequence[Told]) -> None:
    """Queue the opened review items and wake those who wait; a Redis that is down leaves it to the sweep."""
    try:
        opened = sorted((one for one in told if one.item_id is not None), key=lambda one: one.site_id)
        for site_id, group in groupby(opened, key=lambda one: one.site_id):
            await context.reviews.add(site_id, [(str(one.item_id), one.order_key) for one in group])
        if told:
            await context.decisions.publish(
                [
                    Decided(one.revision_id, one.comment_id, one.thread_id, one.site_id, one.status, one.version)
                    for one in told
                ]
            )
    except QueueUnavailable:
        logger.warning("decisions could not be announced; the sweep will queue them", extra={"number": len(told)})


async def close_items(context: Context, site_id: str, item_ids: Sequence[str]) -> None:
    """Take closed review items out of the queue; one that stays is dropped when somebody claims it."""
    if item_ids:
        try:
            await context.reviews.remove(site_id, item_ids)
        except QueueUnavailable:
            logger.warning("closed items stay queued until claimed", extra={"number": len(item_ids)})
