"""Accounts of moderators and admins: made by invitation, never by signing up."""

from __future__ import annotations

import secrets
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from service import schemas
from service.errors import Problem
from service.flow.audit import audit
from service.flow.context import Context
from service.flow.identify import hash_token
from service.flow.passwords import check_password
from service.flow.second_factor import NO_SECOND_FACTOR
from service.flow.sessions import Session
from service.store import accounts
from service.store.types import Row

INVITATION_DAYS = 7


async def invite(
    connection: AsyncConnection, context: Context, email: str, name: str, *, site_id: str | None
) -> tuple[str, str | None]:
    """Answer the account of an address, made where there is none, and the token of an invitation.

    Who has a password already needs none and gets none: an admin of one site must not set the password of somebody
    who works for another one too.
    """
    email = email.casefold()
    account = await accounts.by_email(connection, email)
    if account is None:
        row = {"id": context.new_id(), "email": email, "name": name, "created_at": context.now()}
        await accounts.insert(connection, row)
        return str(row["id"]), await _new_invitation(connection, context, str(row["id"]))
    if account.disabled_at is not None:
        raise Problem("account.disabled", "The operator disabled this account.")
    if site_id is None:
        # A password that a site's admin may have set, or come by, must not open the whole installation.
        await accounts.change(connection, account.id, {"password_hash": None, **NO_SECOND_FACTOR})
        await accounts.revoke_sessions(connection, account.id, at=context.now())
        return account.id, await _new_invitation(connection, context, account.id)
    if account.password_hash is not None or account.oidc_subject is not None:
        return account.id, None
    if any(one.site_id is None or one.site_id != site_id for one in await accounts.memberships(connection, account.id)):
        # Whoever may name people on one site must not set the password of somebody who may more.
        return account.id, None
    return account.id, await _new_invitation(connection, context, account.id)


async def _new_invitation(connection: AsyncConnection, context: Context, account_id: str) -> str:
    token, now = secrets.token_urlsafe(32), context.now()
    await accounts.insert_invitation(
        connection,
        {
            "id": context.new_id(),
            "account_id": account_id,
            "token_hash": hash_token(token),
            "created_at": now,
            "expires_at": now + timedelta(days=INVITATION_DAYS),
        },
    )
    return token


async def invite_again(context: Context, email: str) -> str:
    """Answer a new invitation for an account that is there, by which its password is set anew."""
    async with context.database.writing() as connection:
        account = await accounts.by_email(connection, email.casefold())
        if account is None:
            raise Problem("member.unknown", "There is no account with this address.")
        token = await _new_invitation(connection, context, account.id)
        await audit(connection, context, None, "cli", "account.invited", account.id)
    return token


async def accept(context: Context, wanted: schemas.AcceptInvitation) -> None:
    """Set the password that an invitation is for; every session of the account ends."""
    token_hash = hash_token(wanted.token)
    async with context.database.reading() as connection:
        account = await accounts.invited(connection, token_hash, now=context.now())
    if account is None or account.disabled_at is not None:
        raise _not_invited()
    # Before the transaction: a hash takes long, and a writer waits for the one before it.
    check_password(wanted.password, account.email)
    hashed = await context.passwords.hash(wanted.password)
    async with context.database.writing() as connection:
        now = context.now()
        if await accounts.use_invitation(connection, token_hash, at=now) != account.id:
            raise _not_invited()
        await accounts.change(connection, account.id, {"password_hash": hashed})
        await accounts.revoke_sessions(connection, account.id, at=now)
        await audit(connection, context, None, account.id, "password.set", account.id, kind="person")


def _not_invited() -> Problem:
    return Problem("invitation.invalid", "The invitation is unknown, used or over; ask for a new one.")


async def check_own_password(context: Context, session: Session, password: str) -> Row:
    """Answer the own account where the password is right, else raise session.refused."""
    account = await account_of(context, session)
    if not await context.passwords.fits(password, account.password_hash):
        raise Problem("session.refused", "The password is not right.")
    return account


async def change_password(context: Context, session: Session, wanted: schemas.ChangePassword) -> None:
    """Change the own password; every other session ends."""
    account = await check_own_password(context, session, wanted.password)
    check_password(wanted.new_password, account.email)
    hashed = await context.passwords.hash(wanted.new_password)
    async with context.database.writing() as connection:
        await accounts.change(connection, account.id, {"password_hash": hashed})
        await accounts.revoke_sessions(connection, account.id, at=context.now(), but=session.id)
        await audit(connection, context, None, account.id, "password.changed", account.id, kind="person")


async def account_of(context: Context, session: Session) -> Row:
    """Answer the account of a session, as it is now."""
    async with context.database.reading() as connection:
        account = await accounts.by_id(connection, session.account_id)
    assert account is not None
    return account


async def list_accounts(context: Context) -> list[schemas.AccountView]:
    """Answer every account."""
    async with context.database.reading() as connection:
        rows = await accounts.every(connection)
    return [
        schemas.AccountView(
            row.id,
            row.email,
            row.name,
            row.password_hash is not None,
            row.totp_confirmed_at is not None,
            row.created_at,
            row.disabled_at,
        )
        for row in rows
    ]


async def disable(context: Context, email: str) -> None:
    """End an account's access on every site at once."""
    async with context.database.writing() as connection:
        account = await _known(connection, email)
        await accounts.change(connection, account.id, {"disabled_at": context.now()})
        await accounts.revoke_sessions(connection, account.id, at=context.now())
        await audit(connection, context, None, "cli", "account.disabled", account.id)


async def end_sessions(context: Context, email: str) -> int:
    """Sign an account out everywhere; answer how many sessions that were."""
    async with context.database.writing() as connection:
        account = await _known(connection, email)
        ended = await accounts.revoke_sessions(connection, account.id, at=context.now())
        await audit(connection, context, None, "cli", "session.closed_everywhere", account.id)
    return ended


async def reset_second_factor(context: Context, email: str) -> None:
    """Let an account whose device and recovery codes are lost in with its password alone."""
    async with context.database.writing() as connection:
        account = await _known(connection, email)
        await accounts.change(connection, account.id, NO_SECOND_FACTOR)
        await audit(connection, context, None, "cli", "second_factor.reset", account.id)


async def _known(connection: AsyncConnection, email: str) -> Row:
    account = await accounts.by_email(connection, email.casefold())
    if account is None:
        raise Problem("member.unknown", "There is no account with this address.")
    return account
