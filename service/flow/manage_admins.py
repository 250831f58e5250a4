"""Admins of the whole installation; named and disabled by the operator's commands only, never over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from service import schemas
from service.errors import Problem
from service.flow.audit import audit
from service.flow.context import Context
from service.flow.identify import hash_token, new_api_token
from service.flow.manage_accounts import account_for, new_invitation, shut
from service.flow.manage_people import ALL_SCOPES
from service.store import accounts, people


class NewAdmin(NamedTuple):
    """An admin just made; the only time the token is known."""

    member_id: str
    token: str
    invitation: str | None = None


async def create_admin(
    context: Context, name: str, *, expires_at: datetime | None = None, email: str | None = None
) -> NewAdmin:
    """Make an admin of the whole installation with a first token, and an account to sign in with."""
    now, member_id, token = context.now(), context.new_id(), new_api_token()
    member: dict[str, Any] = {"id": member_id, "site_id": None, "name": name, "role": "admin", "created_at": now}
    key = {
        "id": context.new_id(),
        "site_id": None,
        "member_id": member_id,
        "name": name,
        "scopes": list(ALL_SCOPES),
        "token_hash": hash_token(token),
        "created_at": now,
        "expires_at": expires_at,
    }
    async with context.database.writing() as connection:
        invitation = None
        if email is not None:
            account = await account_for(connection, context, email.casefold(), name)
            if account.disabled_at is not None:
                raise Problem("account.disabled", "The operator disabled this account; enable it first.")
            if any(one.site_id is None for one in await accounts.memberships(connection, account.id)):
                raise Problem("member.exists", "This person is an admin of the installation already.")
            # A password that a site's admin may have set, or come by, must not open the whole installation.
            await shut(connection, context, account.id)
            member["account_id"] = account.id
            invitation = await new_invitation(connection, context, account.id, None)
        await people.insert_member(connection, member)
        await people.insert_token(connection, key)
        await audit(connection, context, None, "cli", "admin.created", member_id)
    return NewAdmin(member_id, token, invitation)


async def list_admins(context: Context) -> schemas.MemberList:
    """Answer the admins of the whole installation, the disabled ones too."""
    async with context.database.reading() as connection:
        rows = await people.installation_admins(connection)
    return schemas.MemberList(
        [schemas.MemberView(row.id, row.name, row.role, row.created_at, row.disabled_at, row.email) for row in rows]
    )


async def disable_admin(context: Context, member_id: str) -> None:
    """End an admin's access at once, with all tokens."""
    async with context.database.writing() as connection:
        if not await people.disable_installation_admin(connection, member_id, at=context.now()):
            raise Problem("member.unknown", "The installation has no such admin, or they are disabled already.")
        await audit(connection, context, None, "cli", "admin.disabled", member_id)
