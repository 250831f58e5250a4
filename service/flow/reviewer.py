"""Who looks at comments: which items they may decide, and as whom they write themselves."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from service import schemas
from service.errors import Problem
from service.flow.audit import audit
from service.flow.context import Context
from service.flow.identify import Principal
from service.flow.review_settings import ESCALATED, queue_names
from service.store import commenters, people
from service.store.review_items import Wish
from service.store.types import Row

_ANYTHING = schemas.ItemFilter()


def is_admin(principal: Principal, site: Row) -> bool:
    """Answer whether the caller is more than a moderator on the site."""
    return principal.may("admin", site.id)


async def wish_of(
    connection: AsyncConnection,
    site: Row,
    principal: Principal,
    *,
    now: datetime,
    wanted: schemas.ItemFilter = _ANYTHING,
) -> Wish:
    """Answer which items the caller wants and may decide."""
    age = wanted.older_than_seconds
    return Wish(
        actor=principal.actor,
        commenter_id=await own_commenter(connection, site, principal),
        page=wanted.page,
        rule=wanted.rule,
        attribute=wanted.attribute,
        language=wanted.language,
        trust=wanted.trust,
        kind=wanted.kind,
        opened_before=None if age is None else now - timedelta(seconds=age),
        author_id=wanted.commenter_id,
        item_id=wanted.item_id,
    )


def queues_wanted(settings: schemas.ReviewSettings, name: str | None, *, admin: bool) -> list[str]:
    """Answer the queues to take from, or raise for one that is not the caller's."""
    names = queue_names(settings, is_admin=admin)
    if name is None:
        return names
    if name == ESCALATED and not admin:
        raise Problem("auth.forbidden", "What was escalated is for admins.")
    if name not in names:
        raise Problem("request.invalid", f"The site has no queue {name}.", fields=[("queue", "unknown")])
    return [name]


async def own_commenter(connection: AsyncConnection, site: Row, principal: Principal) -> str | None:
    """Answer as whom the caller writes on the site, if that is known."""
    if principal.member_id is None:
        return None
    return await people.commenter_of_member(connection, site.id, principal.member_id)


async def refuse_own(
    connection: AsyncConnection, site: Row, principal: Principal, comment: Row, *, not_for: str | None = None
) -> None:
    """Raise for a moderator who would decide about their own comment, or a second time about their own decision."""
    if not_for is not None and not_for == principal.actor:
        raise Problem("review.own", "You decided this the first time; somebody else has to look.")
    if comment.commenter_id == await own_commenter(connection, site, principal):
        raise Problem("review.own", "This is your own comment; somebody else has to look.")


async def refuse_about_oneself(connection: AsyncConnection, site: Row, principal: Principal, commenter_id: str) -> None:
    """Raise for a moderator who would restrict themselves, or lift what restricts them."""
    if commenter_id == await own_commenter(connection, site, principal):
        raise Problem("review.own", "This is you; somebody else has to do that.")


async def me(context: Context, site: Row, principal: Principal) -> schemas.Reviewer:
    """Answer who the caller is for the site."""
    async with context.database.reading() as connection:
        return await _view(connection, site, principal)


async def write_as(context: Context, site: Row, principal: Principal, commenter_id: str | None) -> schemas.Reviewer:
    """Remember as whom the caller writes on the site."""
    if principal.member_id is None:
        raise Problem("auth.forbidden", "A token without a member writes as nobody.")
    async with context.database.writing() as connection:
        said = await own_commenter(connection, site, principal)
        if said is not None and said != commenter_id and not is_admin(principal, site):
            # Else who wants to decide about themselves would only have to take it back.
            raise Problem("auth.forbidden", "You said as whom you write; an admin can change that.")
        if commenter_id is not None:
            row = await commenters.commenter(connection, site.id, commenter_id)
            if row is None or row.erased_at is not None:
                raise Problem("commenter.unknown", "No commenter of this site has this id.")
        await people.write_as(connection, site.id, principal.member_id, commenter_id)
        await audit(
            connection, context, site.id, principal.actor, "member.writes_as", principal.member_id,
            kind="moderator", commenter_id=commenter_id,
        )  # fmt: skip
        return await _view(connection, site, principal)


async def _view(connection: AsyncConnection, site: Row, principal: Principal) -> schemas.Reviewer:
    role: Literal["moderator", "admin"] = "admin" if is_admin(principal, site) else "moderator"
    return schemas.Reviewer(principal.actor, principal.name, role, await own_commenter(connection, site, principal))
