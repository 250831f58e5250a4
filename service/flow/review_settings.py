"""Admins say how their site's comments are reviewed."""

from __future__ import annotations

from typing import Any

import msgspec

from service import schemas
from service.errors import Problem
from service.flow.audit import audit
from service.flow.context import Context
from service.store import review_items, sites
from service.store.types import Row

DEFAULT, ESCALATED = "default", "escalated"
"""The queue of what no other takes, and that of what a moderator hands to the admins."""
_RESERVED = (DEFAULT, ESCALATED)


def review_of(stored: Any) -> schemas.ReviewSettings:
    """Answer a site's settings, the defaults where it chose none."""
    return msgspec.convert(stored or {}, schemas.ReviewSettings)


async def read_review_settings(context: Context, site: Row) -> schemas.ReviewSettings:
    """Answer how the site's comments are reviewed, as it is now."""
    return review_of((await context.directory.read(site.slug)).review)


async def set_review_settings(
    context: Context, site: Row, actor: str, wanted: schemas.ReviewSettings
) -> schemas.ReviewSettings:
    """Put settings in force as a whole; what waits in a queue that is gone goes to `default`."""
    names = [queue.name for queue in wanted.queues]
    for place, name in enumerate(names):
        message = "is there already" if name in names[:place] else "is taken" if name in _RESERVED else None
        if message:
            field = f"queues[{place}].name"
            raise Problem("request.invalid", f"{field}: {name} {message}.", fields=[(field, message)])
    async with context.database.writing() as connection:
        await sites.change(connection, site.id, {"review": msgspec.to_builtins(wanted)})
        await review_items.empty_queues(connection, site.id, keep=[*names, *_RESERVED], into=DEFAULT)
        told = {name: value for name, value in msgspec.to_builtins(wanted).items() if name != "queues"}
        await audit(connection, context, site.id, actor, "review.changed", site.slug, queues=names, **told)
    context.directory.forget(site.slug)
    return wanted


def queue_names(settings: schemas.ReviewSettings, *, is_admin: bool) -> list[str]:
    """Answer the queues that a member works on, in the order in which the site names them."""
    names = [*(queue.name for queue in settings.queues), DEFAULT]
    return [ESCALATED, *names] if is_admin else names


def service_level_of(settings: schemas.ReviewSettings, queue: str) -> int:
    """Answer within how many seconds the least pressing item of a queue is to be looked at."""
    own = next((one.service_level_seconds for one in settings.queues if one.name == queue), None)
    return own or settings.service_level_seconds
