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
from service.flow.sessions import Session, note_refusal
from service.store import accounts, people
from service.store.types import Row

INVITATION_DAYS = 7


async def account_for(connection: AsyncConnection, context: Context, email: str, name: str) -> Row:
    """Answer the account of an address in lower case, made where there is none; locked."""
    if await accounts.by_email(connection, email) is None:
        row = {"id": context.new_id(), "email": email, "name": name, "created_at": context.now()}
        await accounts.insert(connection, row)
    account = await accounts.by_email(connection, email, lock=True)
    assert account is not None
    return account


async def shut(connection: AsyncConnection, context: Context, account_id: str) -> None:
    """Take away everything that opens an account but the provider's word, and end its sessions."""
    await accounts.change(connection, account_id, {"password_hash": None, **NO_SECOND_FACTOR})
    await accounts.revoke_sessions(connection, account_id, at=context.now())
    await accounts.void_invitations(connection, account_id, at=context.now())


async def new_invitation(connection: AsyncConnection, context: Context, account_id: str, member_id: str | None) -> str:
    """Answer the token of an invitation to be a member, or, without one, to set the password anew."""
    token, now = secrets.token_urlsafe(32), context.now()
    await accounts.insert_invitation(
        connection,
        {
            "id": context.new_id(),
            "account_id": account_id,
            "member_id": member_id,
            "token_hash": hash_token(token),
            "created_at": now,
            "expires_at": now + timedelta(days=INVITATION_DAYS),
        },
    )
    return token


async def invite_again(context: Context, email: str) -> str:
    """Answer a new invitation for an account that is there, by which its password is set anew."""
    async with context.database.writing() as connection:
        account = await _known(connection, email)
        if account.disabled_at is not None:
            raise Problem("account.disabled", "The account is disabled; enable it first.")
        token = await new_invitation(connection, context, account.id, None)
        await audit(connection, context, None, "cli", "account.invited", account.id)
    return token


async def invited_address(context: Context, token: str) -> str | None:
    """Answer the address that an invitation is for, by which attempts are counted."""
    async with context.database.reading() as connection:
        account = await accounts.invited(connection, hash_token(token), now=context.now())
    return account.email if account is not None else None


async def accept(context: Context, wanted: schemas.AcceptInvitation) -> None:
    """Take an invitation: be a member, and set the password where the account has none.

    An invitation by a site's admin proves nothing of who holds it to an account that has a password: that password
    is asked for. The operator's sets the password anew, and every session of the account ends.
    """
    token_hash = hash_token(wanted.token)
    async with context.database.reading() as connection:
        account = await accounts.invited(connection, token_hash, now=context.now())
    if account is None or account.disabled_at is not None:
        raise _not_invited()
    if wanted.email is not None and wanted.email.casefold() != account.email:
        message = "is not the address that this invitation is for"
        raise Problem("request.invalid", f"email {message}; the invitation is still good.", fields=[("email", message)])
    joins = account.member_id is not None and account.password_hash is not None
    # Before the transaction: a hash takes long, and a writer waits for the one before it.
    if joins:
        if not await context.passwords.fits(wanted.password, account.password_hash):
            await note_refusal(context, account.id, "session.refused")
            raise Problem("session.refused", "The account has a password already; enter that one.")
        hashed = account.password_hash
    else:
        check_password(wanted.password, account.email)
        hashed = await context.passwords.hash(wanted.password)
    async with context.database.writing() as connection:
        current = await accounts.by_id(connection, account.id, lock=True)
        if current is None or current.disabled_at is not None or current.password_hash != account.password_hash:
            raise _not_invited()
        if await accounts.use_invitation(connection, token_hash, at=context.now()) != account.id:
            raise _not_invited()
        if account.member_id is not None:
            if not joins:
                await _check_may_set(connection, current, account.member_id)
            if not await people.join(connection, account.member_id, account.id):
                raise _not_invited()
            await audit(connection, context, None, account.id, "member.joined", account.member_id, kind="person")
        if not joins:
            await accounts.change(connection, account.id, {"password_hash": hashed})
            await accounts.revoke_sessions(connection, account.id, at=context.now())
            await audit(connection, context, None, account.id, "password.set", account.id, kind="person")


async def _check_may_set(connection: AsyncConnection, account: Row, member_id: str) -> None:
    """Whoever may name people on one site must not set the password of somebody who may more, or whom others know."""
    elsewhere = await accounts.memberships(connection, account.id)
    if account.oidc_subject is not None or any(one.id != member_id for one in elsewhere):
        raise Problem("invitation.invalid", "Sign in through the provider, or ask the operator for an invitation.")


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
        current = await accounts.by_id(connection, account.id, lock=True)
        if current is None or current.password_hash != account.password_hash:
            raise Problem("session.refused", "The password was changed meanwhile.")
        await accounts.change(connection, account.id, {"password_hash": hashed})
        await accounts.revoke_sessions(connection, account.id, at=context.now(), but=session.id)
        await audit(connection, context, None, account.id, "password.changed", account.id, kind="person")


async def account_of(context: Context, session: Session) -> Row:
    """Answer the account of a session, as it is now."""
    async with context.database.reading() as connection:
        account = await accounts.by_id(connection, session.account_id)
    if account is None:
        raise Problem("auth.invalid", "The account is gone.")
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


async def enable(context: Context, email: str) -> None:
    """Let a disabled account in again, by the password that it had and to the sites whose member it still is."""
    async with context.database.writing() as connection:
        account = await _known(connection, email)
        await accounts.change(connection, account.id, {"disabled_at": None})
        await audit(connection, context, None, "cli", "account.enabled", account.id)


async def delete(context: Context, email: str) -> None:
    """Delete an account and its address; its memberships end with their tokens, what they decided stays."""
    async with context.database.writing() as connection:
        account = await _known(connection, email)
        await people.disable_members_of(connection, account.id, at=context.now())
        await accounts.delete(connection, account.id)
        await audit(connection, context, None, "cli", "account.deleted", account.id)


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
    account = await accounts.by_email(connection, email.casefold(), lock=True)
    if account is None:
        raise Problem("member.unknown", "There is no account with this address.")
    return account
