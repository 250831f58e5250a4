"""What a widget asks beside the thread itself: the site's settings, and what is the author's own."""

from __future__ import annotations

from typing import get_args

from service import schemas
from service.flow import views
from service.flow.context import Context
from service.flow.identify import Commenter
from service.flow.spam_settings import spam_of
from service.store import pages, reactions, threads
from service.store.types import Row

_MOST_COMMENTS = 50
_MOST_LIKED = 1_000


def embed(context: Context, site: Row) -> schemas.EmbedView:
    """Answer what a widget must know of a site."""
    return schemas.EmbedView(
        name=site.name,
        guests_allowed=site.guests_allowed,
        body_min_characters=site.body_min_characters,
        body_max_characters=site.body_max_characters,
        max_depth=site.max_depth,
        edit_window_seconds=site.edit_window_seconds,
        reaction=site.reaction,
        second_chance=site.second_chance,
        report_reasons=list(get_args(schemas.ReportReason)),
        challenge=spam_of(site.spam).challenge != "never",
        mail=bool(context.settings.smtp_url),
    )


async def own(context: Context, site: Row, author: Commenter, page: str) -> schemas.OwnView:
    """Answer what others do not see of an author's comments in a thread, the newest first, and what the author likes.

    Bounded: the newest 50 comments and the last 1,000 likes.
    """
    async with context.database.reading() as connection:
        thread = await threads.by_page(connection, site.id, page)
        if thread is None:
            return schemas.OwnView([], [], author.key)
        ids = await pages.unsettled_of(connection, site.id, author.commenter_id, thread.id, limit=_MOST_COMMENTS)
        full = await views.full_views(connection, site.id, ids)
        liked = await reactions.liked_in(connection, site.id, author.commenter_id, thread.id, limit=_MOST_LIKED)
    return schemas.OwnView([full[comment_id] for comment_id in ids], liked, author.key)
