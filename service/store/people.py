"""Members and API tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import accounts, api_tokens, invitations, members
from service.store.types import Row

#: A member has at most one invitation that waits: a newer one ends those before it.
_WITH_ADDRESS = sa.select(
    members, accounts.c.email, (members.c.account_id.is_(None) & invitations.c.id.is_not(None)).label("pending")
).select_from(
    members.outerjoin(
        invitations,
        sa.and_(
            invitations.c.member_id == members.c.id, invitations.c.used_at.is_(None), members.c.account_id.is_(None)
        ),
    ).outerjoin(accounts, accounts.c.id == sa.func.coalesce(members.c.account_id, invitations.c.account_id))
)


async def insert_member(connection: AsyncConnection, values: Mapping[str, Any]) -> None:
    """Add a member of a site, or of the installation where `site_id` is None."""
    await connection.execute(members.insert(), dict(values))


async def members_of(connection: AsyncConnection, site_id: str) -> Sequence[Row]:
    """Answer the members of a site with their addresses, and whether their invitation waits."""
    query = _WITH_ADDRESS.where(members.c.site_id == site_id).order_by(members.c.id)
    return (await connection.execute(query)).all()


async def member_of_account(connection: AsyncConnection, site_id: str, account_id: str) -> Row | None:
    """Answer who an account is on a site, or would be by an invitation that waits."""
    query = _WITH_ADDRESS.where(
        members.c.site_id == site_id, members.c.disabled_at.is_(None), accounts.c.id == account_id
    )
    return (await connection.execute(query.order_by(members.c.account_id.is_(None)))).first()


async def change_member(connection: AsyncConnection, member_id: str, values: Mapping[str, Any]) -> None:
    """Change columns of a member."""
    await connection.execute(members.update().where(members.c.id == member_id).values(**values))


def _works_on(site_id: str) -> sa.ColumnElement[bool]:
    """Answer, as a condition on `members`, who is a member of a site or of the installation."""
    return sa.or_(members.c.site_id == site_id, members.c.site_id.is_(None))


async def commenter_of_member(connection: AsyncConnection, site_id: str, member_id: str) -> str | None:
    """Answer as whom a member of a site, or of the installation, writes on the site."""
    query = sa.select(members.c.commenter_id).where(members.c.id == member_id, _works_on(site_id))
    return (await connection.execute(query)).scalar()


async def write_as(connection: AsyncConnection, site_id: str, member_id: str, commenter_id: str | None) -> None:
    """Remember as whom a member writes on the site."""
    await connection.execute(
        members.update().where(members.c.id == member_id, _works_on(site_id)).values(commenter_id=commenter_id)
    )


def may_review(now: datetime) -> sa.ColumnElement[bool]:
    """Answer, as a condition on `members`, who can look at comments: active, and able to come in.

    They sign in, or hold a token for review that works. Who was invited and never came is not there to look.
    """
    tokens = sa.exists().where(
        api_tokens.c.member_id == members.c.id,
        api_tokens.c.revoked_at.is_(None),
        sa.or_(api_tokens.c.expires_at.is_(None), api_tokens.c.expires_at > now),
        sa.cast(api_tokens.c.scopes, sa.String).contains('"review"'),
    )
    account = sa.exists().where(accounts.c.id == members.c.account_id)
    return sa.and_(
        members.c.disabled_at.is_(None),
        members.c.role.in_(("moderator", "admin")),
        # An account that is disabled is out everywhere, with the tokens of all its members.
        sa.not_(account.where(accounts.c.disabled_at.is_not(None))),
        sa.or_(account, tokens),
    )


async def reviewers(connection: AsyncConnection, site_id: str, *, now: datetime) -> dict[str, str]:
    """Answer who can look at comments of a site now, with their roles, those of the installation among them."""
    query = sa.select(members.c.id, members.c.role).where(_works_on(site_id), may_review(now))
    return {row.id: row.role for row in await connection.execute(query)}


async def other_reviewers(connection: AsyncConnection, site_id: str, actor: str, *, now: datetime) -> set[str]:
    """Answer the members beside an actor who can look at comments of a site now."""
    return {*await reviewers(connection, site_id, now=now)} - {actor}


async def disable_members_of(connection: AsyncConnection, account_id: str, *, at: datetime) -> None:
    """Disable every membership of an account, those that wait too, and take the account from it."""
    waiting = sa.select(invitations.c.member_id).where(
        invitations.c.account_id == account_id, invitations.c.used_at.is_(None), invitations.c.member_id.is_not(None)
    )
    mine = sa.or_(
        members.c.account_id == account_id, sa.and_(members.c.account_id.is_(None), members.c.id.in_(waiting))
    )
    await connection.execute(
        members.update().where(mine).values(disabled_at=sa.func.coalesce(members.c.disabled_at, at), account_id=None)
    )


async def join(connection: AsyncConnection, member_id: str, account_id: str) -> bool:
    """Let an account be a member; False where the member was disabled, or the account is a member there already."""
    here = sa.select(members.c.site_id).where(members.c.id == member_id).scalar_subquery()
    other = members.alias()
    taken = sa.select(other.c.id).where(
        other.c.site_id == here, other.c.account_id == account_id, other.c.disabled_at.is_(None)
    )
    changed = await connection.execute(
        members.update()
        .where(
            members.c.id == member_id,
            members.c.account_id.is_(None),
            members.c.disabled_at.is_(None),
            ~taken.exists(),
        )
        .values(account_id=account_id)
    )
    return changed.rowcount == 1


async def untaken(connection: AsyncConnection, *, before: datetime, limit: int) -> Sequence[Row]:
    """Answer members of all sites whose invitation was over before a time and never taken; each row names its site.

    `has_token`: an API token was given out that is not revoked, so they may be at work without signing in.
    """
    tokens = sa.exists().where(api_tokens.c.member_id == members.c.id, api_tokens.c.revoked_at.is_(None))
    query = (
        sa.select(
            members.c.id,
            members.c.site_id,
            invitations.c.account_id,
            invitations.c.id.label("invitation_id"),
            tokens.label("has_token"),
        )
        .join(invitations, invitations.c.member_id == members.c.id)
        .where(
            invitations.c.used_at.is_(None),
            invitations.c.expires_at < before,
            members.c.account_id.is_(None),
            members.c.disabled_at.is_(None),
        )
        .order_by(members.c.id)
        .limit(limit)
    )
    return (await connection.execute(query)).all()


async def member(connection: AsyncConnection, site_id: str, member_id: str) -> Row | None:
    """Answer a member of the site."""
    query = sa.select(members).where(members.c.site_id == site_id, members.c.id == member_id)
    return (await connection.execute(query)).first()


async def disable_member(connection: AsyncConnection, site_id: str, member_id: str, *, at: datetime) -> bool:
    """Disable a member, whose tokens stop working; answer whether there was one to disable."""
    changed = await connection.execute(
        members.update()
        .where(members.c.site_id == site_id, members.c.id == member_id, members.c.disabled_at.is_(None))
        .values(disabled_at=at)
    )
    return changed.rowcount == 1


async def installation_admins(connection: AsyncConnection) -> Sequence[Row]:
    """Answer the members of the installation."""
    query = _WITH_ADDRESS.where(members.c.site_id.is_(None)).order_by(members.c.id)
    return (await connection.execute(query)).all()


async def disable_installation_admin(connection: AsyncConnection, member_id: str, *, at: datetime) -> bool:
    """Disable a member of the installation, whose tokens stop working; answer whether there was one to disable."""
    changed = await connection.execute(
        members.update()
        .where(members.c.site_id.is_(None), members.c.id == member_id, members.c.disabled_at.is_(None))
        .values(disabled_at=at)
    )
    return changed.rowcount == 1


async def insert_token(connection: AsyncConnection, values: Mapping[str, Any]) -> None:
    """Add an API token by its hash."""
    await connection.execute(api_tokens.insert(), dict(values))


_BY_HASH = (
    sa.select(
        api_tokens,
        members.c.role.label("member_role"),
        members.c.name.label("member_name"),
        # An account that is disabled is out everywhere, with the tokens of all its members.
        sa.func.coalesce(members.c.disabled_at, accounts.c.disabled_at).label("member_disabled_at"),
    )
    .select_from(
        api_tokens.outerjoin(members, members.c.id == api_tokens.c.member_id).outerjoin(
            accounts, accounts.c.id == members.c.account_id
        )
    )
    .where(api_tokens.c.token_hash == sa.bindparam("token_hash"))
)


async def token_by_hash(connection: AsyncConnection, token_hash: str) -> Row | None:
    """Answer the API token with this hash and its member. The one query without a site: it finds the site."""
    return (await connection.execute(_BY_HASH, {"token_hash": token_hash})).first()


async def tokens_of(connection: AsyncConnection, site_id: str) -> Sequence[Row]:
    """Answer the API tokens of a site, without their hashes' use to anyone."""
    query = sa.select(api_tokens).where(api_tokens.c.site_id == site_id).order_by(api_tokens.c.id)
    return (await connection.execute(query)).all()


async def is_in_use(connection: AsyncConnection, scope: str) -> bool:
    """Answer whether a token of any site that is not revoked has a scope."""
    query = sa.select(api_tokens.c.scopes).where(api_tokens.c.revoked_at.is_(None))
    return any(scope in scopes for scopes in (await connection.execute(query)).scalars())


async def revoke_token(connection: AsyncConnection, site_id: str, token_id: str, *, at: datetime) -> bool:
    """Revoke an API token; answer whether there was one to revoke."""
    changed = await connection.execute(
        api_tokens.update()
        .where(api_tokens.c.site_id == site_id, api_tokens.c.id == token_id, api_tokens.c.revoked_at.is_(None))
        .values(revoked_at=at)
    )
    return changed.rowcount == 1


async def touch_token(
    connection: AsyncConnection, token_id: str, *, at: datetime, before: datetime | None = None
) -> bool:
    """Remember when a token was last used, or only where that was before a time; answer whether it was changed."""
    change = api_tokens.update().where(api_tokens.c.id == token_id)
    if before is not None:
        change = change.where(sa.or_(api_tokens.c.last_used_at.is_(None), api_tokens.c.last_used_at < before))
    return (await connection.execute(change.values(last_used_at=at))).rowcount == 1
