"""After the commit: what was decided is told to the queue and to those who wait. Losing this loses nothing."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import msgspec

from service.flow import live_news
from service.flow.context import Context
from service.flow.transition import Decision
from service.queue.client import QueueUnavailable
from service.queue.live import Decided
from service.queue.review import Standing

logger = logging.getLogger(__name__)


class Told(msgspec.Struct, frozen=True):
    """One decision that was committed, the review item it opened and the thread's new version, if any."""

    site_id: str
    thread_id: str
    comment_id: str
    revision_id: str
    status: str
    version: int | None
    item: Standing | None = None
    parent_id: str | None = None

    @classmethod
    def of(
        cls,
        decision: Decision,
        *,
        version: int | None,
        parent_id: str | None,
        item: Mapping[str, Any] | None = None,
    ) -> Told:
        """Tell of a decision on a comment that answers the one with `parent_id`."""
        return cls(
            decision.site_id,
            decision.thread_id,
            decision.comment_id,
            decision.revision_id,
            decision.to_status.value,
            version,
            standing_of(item) if item else None,
            parent_id,
        )

    @classmethod
    def of_item(cls, site_id: str, item: Mapping[str, Any]) -> Told:
        """Tell of an item that was opened without anything that was decided."""
        return cls(site_id, item["thread_id"], item["comment_id"], item["revision_id"], "", None, standing_of(item))

    def with_item(self, item: Mapping[str, Any]) -> Told:
        """Tell of an item too that the decision opened."""
        return msgspec.structs.replace(self, item=standing_of(item))


async def announce(context: Context, told: Sequence[Told]) -> None:
    """Queue the opened review items and wake those who wait; a Redis that is down leaves it to the sweep."""
    try:
        opened = sorted(((one.site_id, one.item) for one in told if one.item is not None), key=lambda one: one[0])
        for site_id, group in groupby(opened, key=lambda one: one[0]):
            await context.reviews.add(site_id, [item for _, item in group])
        decided = [one for one in told if one.status]
        if decided:
            await context.decisions.publish(
                [
                    Decided(one.revision_id, one.comment_id, one.thread_id, one.site_id, one.status, one.version)
                    for one in decided
                ]
            )
    except QueueUnavailable:
        logger.warning("decisions could not be announced; the sweep will queue them", extra={"number": len(told)})
        return
    opened_now = [
        live_news.of_item(one.site_id, live_news.OPENED, one.item.item_id, one.comment_id) for one in told if one.item
    ]
    seen = [
        live_news.of_comment(one.thread_id, one.comment_id, one.parent_id, one.status, one.version)
        for one in told
        if one.version is not None
    ]
    await live_news.tell(context, [*opened_now, *seen])


def standing_of(item: Mapping[str, Any]) -> Standing:
    """Answer where a review item stands, from its row."""
    return Standing(item["id"], item["order_key"], item["queue"])


async def queue_items(context: Context, site_id: str, items: Sequence[Standing]) -> None:
    """Tell Redis where items stand now that were opened or moved without a decision."""
    try:
        await context.reviews.add(site_id, items)
    except QueueUnavailable:
        logger.warning("items could not be queued; the sweep will queue them", extra={"number": len(items)})
        return
    await live_news.tell_items(context, site_id, live_news.OPENED, [(one.item_id, None) for one in items])


async def close_items(context: Context, site_id: str, item_ids: Sequence[str]) -> None:
    """Take closed review items out of the queue; one that stays is dropped when somebody claims it."""
    if item_ids:
        try:
            await context.reviews.remove(site_id, item_ids)
        except QueueUnavailable:
            logger.warning("closed items stay queued until claimed", extra={"number": len(item_ids)})
            return
        await live_news.tell_items(context, site_id, live_news.DECIDED, [(item_id, None) for item_id in item_ids])
