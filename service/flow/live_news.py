"""What open consoles and pages hear at once; losing it loses nothing, for whoever listens reads again by itself."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Sequence
from typing import Final

from service.flow.context import Context
from service.queue.client import QueueUnavailable
from service.queue.fanout import News

OPENED: Final = "opened"
CLAIMED: Final = "claimed"
DECIDED: Final = "decided"
RETURNED: Final = "returned"
COMMENT: Final = "comment"
REVIEW: Final = "review:"
THREAD: Final = "thread"

logger = logging.getLogger(__name__)


def review_topic(site_id: str) -> str:
    """Answer the topic of what happens in the queue of a site."""
    return f"{REVIEW}{site_id}"


def thread_topic(thread_id: str) -> str:
    """Answer the topic of what readers of a thread can see."""
    return f"thread:{thread_id}"


def of_item(site_id: str, event: str, item_id: str, comment_id: str | None = None) -> News:
    """Answer the news that something happened to a review item."""
    return News(review_topic(site_id), event, {"item_id": item_id, "comment_id": comment_id})


def page_topic(site_id: str, page: str) -> str:
    """Answer the topic under which it is told that the thread of a page is another one, or in another state."""
    return f"page:{site_id}:{hashlib.sha256(page.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def of_comment(thread_id: str, comment_id: str, parent_id: str | None, status: str, version: int) -> News:
    """Answer the news that readers of a thread see a comment change from this version on."""
    said = {"id": comment_id, "parent_id": parent_id, "status": status, "version": version}
    return News(thread_topic(thread_id), COMMENT, said)


async def tell_items(context: Context, site_id: str, event: str, items: Iterable[tuple[str, str | None]]) -> None:
    """Tell what happened to items, each with its comment where that is known."""
    await tell(context, [of_item(site_id, event, item_id, comment_id) for item_id, comment_id in items])


async def tell_pages(context: Context, site_id: str, pages: Iterable[str]) -> None:
    """Tell whoever listens to these pages to look at their thread again."""
    await tell(context, [News(page_topic(site_id, page), THREAD, {}) for page in pages])


async def tell(context: Context, news: Sequence[News]) -> None:
    """Tell all processes; a Redis that is down lets them find out by themselves."""
    try:
        await context.fanout.publish(news)
    except QueueUnavailable:
        logger.warning("live news could not be told", extra={"number": len(news)})
