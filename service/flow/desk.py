"""What lies on a moderator's desk beside the queue: the site's name, its reasons, the words to blur."""

from __future__ import annotations

from service import schemas
from service.flow import policies
from service.flow.context import Context
from service.flow.review_settings import review_of
from service.store import sites
from service.store.types import Row


async def desk_of(context: Context, site: Row) -> schemas.DeskView:
    """Answer what a moderator may know of the site's policy and settings without being its admin."""
    async with context.database.reading() as connection:
        current = await sites.by_slug(connection, site.slug)
        assert current is not None
        key = (current.id, current.policy_version)
        policy = (await policies.prepared(connection, [key]))[key].policy
    settings = review_of(current.review)
    return schemas.DeskView(
        site=current.slug,
        name=current.name,
        reasons=[schemas.ReasonView(reason.code, reason.text) for reason in policy.reasons],
        words=list(policy.words),
        blur=settings.blur,
        undo_seconds=settings.undo_seconds,
        policy_version=current.policy_version,
    )
