"""Admins name members and give out API tokens; a token's secret is shown once and kept as a hash."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from service import schemas
from service.errors import Problem
from service.flow.audit import audit
from service.flow.context import Context
from service.flow.identify import hash_token, new_api_token
from service.flow.manage_accounts import account_for, new_invitation
from service.flow.moments import checked_moment
from service.store import commenters, people
from service.store.types import Row

ALL_SCOPES = ("admin", "events", "review", "threads")


async def add_member(context: Context, site: Row, actor: str, wanted: schemas.MemberInput) -> schemas.MemberView:
    """Name a moderator or admin of a site; with an address they can sign in, once they took the invitation.

    Naming somebody again whose invitation waits answers a new one; raises member.exists for who is a member already.
    """
    if wanted.email is not None:
        return await _invite_member(context, site, actor, wanted, wanted.email.casefold())
    async with context.database.writing() as connection:
        member_id = await _insert_member(connection, context, site, actor, wanted)
    return schemas.MemberView(member_id, wanted.name, wanted.role, context.now(), None)


async def _invite_member(
    context: Context, site: Row, actor: str, wanted: schemas.MemberInput, email: str
) -> schemas.MemberView:
    async with context.database.writing() as connection:
        account = await account_for(connection, context, email, wanted.name)
        if account.disabled_at is not None:
            raise Problem("account.disabled", "The operator disabled this account.")
        there = await people.member_of_account(connection, site.id, account.id)
        if there is not None and not there.pending:
            raise Problem("member.exists", f"The site has this person already, as {there.role}.")
        if there is None:
            member_id, created_at = await _insert_member(connection, context, site, actor, wanted), context.now()
        else:
            member_id, created_at = there.id, there.created_at
            await people.change_member(connection, member_id, {"name": wanted.name, "role": wanted.role})
            await audit(connection, context, site.id, actor, "member.invited", member_id, role=wanted.role)
        invitation = await new_invitation(connection, context, account.id, member_id)
    return schemas.MemberView(member_id, wanted.name, wanted.role, created_at, None, email, True, invitation)


async def _insert_member(
    connection: AsyncConnection, context: Context, site: Row, actor: str, wanted: schemas.MemberInput
) -> str:
    member_id = context.new_id()
    row = {"id": member_id, "site_id": site.id, "name": wanted.name, "role": wanted.role, "created_at": context.now()}
    await people.insert_member(connection, row)
    await audit(connection, context, site.id, actor, "member.added", member_id, role=wanted.role)
    return member_id


async def list_members(context: Context, site: Row) -> schemas.MemberList:
    """Answer the members of a site."""
    async with context.database.reading() as connection:
        rows = await people.members_of(connection, site.id)
    return schemas.MemberList(
        [
            schemas.MemberView(row.id, row.name, row.role, row.created_at, row.disabled_at, row.email, row.pending)
            for row in rows
        ]
    )


async def disable_member(context: Context, site: Row, actor: str, member_id: str) -> None:
    """End a member's access at once; what they decided stays."""
    async with context.database.writing() as connection:
        if not await people.disable_member(connection, site.id, member_id, at=context.now()):
            raise Problem("member.unknown", "The site has no such member, or they are disabled already.")
        await audit(connection, context, site.id, actor, "member.disabled", member_id)


async def create_key(context: Context, site: Row, actor: str, wanted: schemas.KeyInput) -> schemas.KeyCreated:
    """Give out an API token, of a member (never more than the role allows) or of one of the publisher's systems."""
    now, key_id, token = context.now(), context.new_id(), new_api_token()
    expires_at = checked_moment("expires_at", wanted.expires_at)
    if expires_at is not None and expires_at <= now:
        message = "must be in the future"
        raise Problem("request.invalid", f"expires_at {message}.", fields=[("expires_at", message)])
    scopes: list[str] = sorted(set(wanted.scopes))
    row = {
        "id": key_id,
        "site_id": site.id,
        "member_id": wanted.member_id,
        "name": wanted.name,
        "scopes": scopes,
        "token_hash": hash_token(token),
        "created_at": now,
        "expires_at": expires_at,
        "per_minute": wanted.per_minute,
        "may_store": wanted.may_store,
        "scale": wanted.scale,
    }
    async with context.database.writing() as connection:
        if wanted.member_id is not None:
            member = await people.member(connection, site.id, wanted.member_id)
            if member is None or member.disabled_at is not None:
                raise Problem(
                    "member.unknown", "The site has no such active member.", fields=[("member_id", "unknown")]
                )
            if member.role == "moderator" and scopes != ["review"]:
                message = "a moderator's token can only have the scope review"
                raise Problem("request.invalid", f"{message.capitalize()}.", fields=[("scopes", message)])
        await people.insert_token(connection, row)
        await audit(connection, context, site.id, actor, "key.created", key_id, scopes=scopes)
    may = (wanted.per_minute, wanted.may_store, wanted.scale)
    view = schemas.KeyView(key_id, wanted.name, scopes, wanted.member_id, now, expires_at, None, None, *may)
    return schemas.KeyCreated(view, token)


async def list_keys(context: Context, site: Row) -> schemas.KeyList:
    """Answer the API tokens of a site without their secrets."""
    async with context.database.reading() as connection:
        rows = await people.tokens_of(connection, site.id)
    fields = schemas.KeyView.__struct_fields__
    return schemas.KeyList([schemas.KeyView(**{name: getattr(row, name) for name in fields}) for row in rows])


async def revoke_key(context: Context, site: Row, actor: str, key_id: str) -> None:
    """Make an API token useless at once."""
    async with context.database.writing() as connection:
        if not await people.revoke_token(connection, site.id, key_id, at=context.now()):
            raise Problem("key.unknown", "The site has no such key, or it is revoked already.")
        await audit(connection, context, site.id, actor, "key.revoked", key_id)


async def revoke_author_tokens(
    context: Context, site: Row, actor: str, commenter_id: str, *, kind: str = "admin"
) -> None:
    """Make every author token of a commenter useless at once."""
    async with context.database.writing() as connection:
        if not await commenters.revoke_tokens(connection, site.id, commenter_id):
            raise Problem("comment.unknown", "The site has no such commenter.")
        await audit(connection, context, site.id, actor, "commenter.tokens_revoked", commenter_id, kind=kind)
