"""Sessions of people who signed in: opaque tokens kept as hashes, over after idleness or in the end, and revocable."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from service import schemas
from service.errors import Problem
from service.flow import second_factor
from service.flow.audit import audit
from service.flow.context import Context
from service.flow.identify import Principal, hash_token
from service.store import accounts
from service.store.types import Row

IDLE: Final = timedelta(hours=12)
LONGEST: Final = timedelta(days=14)
TOUCH_EVERY = timedelta(minutes=1)
_SCOPES: Final = {"moderator": frozenset({"review"}), "admin": frozenset({"admin", "events", "review", "threads"})}
#: A hash is renewed once; whoever finds a third one had better try again.
_CHECKS: Final = 3
_REFUSED = "Address, password or code are not right."


@dataclass(frozen=True, slots=True)
class Session:
    """A session in force and its account."""

    id: str
    account_id: str
    email: str
    name: str
    second_factor: bool
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Opened:
    """A session just opened; the only time its token is known."""

    token: str
    session: Session


async def sign_in(context: Context, wanted: schemas.SignIn) -> Opened:
    """Open a session, or raise session.refused; who asks learns nothing of which addresses there are."""
    for _ in range(_CHECKS):
        account = await _by_password(context, wanted)
        try:
            opened = await _open_as_proven(context, account, wanted)
        except Problem as problem:
            if problem.code in ("session.refused", "session.code_required"):
                await note_refusal(context, account.id, problem.code)
            raise
        if opened is not None:
            return opened
    await note_refusal(context, account.id, "session.refused")
    raise Problem("session.refused", _REFUSED)


async def _open_as_proven(context: Context, proven: Row, wanted: schemas.SignIn) -> Opened | None:
    """Open a session and renew a hash that is outdated; None where another hash is stored than was proven.

    It is of a new password, or of the same one, renewed by a sign-in beside this one.
    """
    outdated = context.passwords.is_outdated(proven.password_hash)
    renewed = await context.passwords.hash(wanted.password) if outdated else None
    async with context.database.writing() as connection:
        # As it is now: the check of the password took long, and meanwhile anything may have changed.
        current = await accounts.by_id(connection, proven.id, lock=True)
        if current is not None and current.password_hash != proven.password_hash:
            return None
        current = await _proven(connection, context, current, wanted.code)
        if renewed is not None:
            await accounts.change(connection, current.id, {"password_hash": renewed})
        return await open_for(connection, context, current)


async def _by_password(context: Context, wanted: schemas.SignIn) -> Row:
    """Answer the account whose password was sent; raise session.refused for every other."""
    async with context.database.reading() as connection:
        account = await accounts.by_email(connection, wanted.email.casefold())
    known = account is not None and account.disabled_at is None
    fits = await context.passwords.fits(wanted.password, account.password_hash if account and known else None)
    if account is None or not fits:
        await note_refusal(context, account.id if account else None, "session.refused")
        raise Problem("session.refused", _REFUSED)
    return account


async def _proven(connection: AsyncConnection, context: Context, current: Row | None, code: str | None) -> Row:
    """Answer an account whose password was proven; raise where it is shut, or the second factor does not pass."""
    if current is None or current.disabled_at is not None:
        raise Problem("session.refused", _REFUSED)
    if current.totp_confirmed_at is None:
        return current
    if code is None:
        raise Problem("session.code_required", "Enter the code of the second factor, or a recovery code.")
    if not await second_factor.passes(connection, context, current, code):
        raise Problem("session.refused", _REFUSED)
    return current


async def open_for(connection: AsyncConnection, context: Context, account: Row) -> Opened:
    """Open a session for an account that proved itself in this transaction; its token is always a new one."""
    token, now = secrets.token_urlsafe(32), context.now()
    row = {
        "id": context.new_id(),
        "account_id": account.id,
        "token_hash": hash_token(token),
        "created_at": now,
        "last_used_at": now,
        "expires_at": now + LONGEST,
    }
    await accounts.insert_session(connection, row)
    await audit(connection, context, None, account.id, "session.opened", str(row["id"]), kind="person")
    has_factor = account.totp_confirmed_at is not None
    session = Session(str(row["id"]), account.id, account.email, account.name, has_factor, now + LONGEST)
    return Opened(token, session)


async def session_of(context: Context, token: str) -> Session:
    """Answer the session of a token, or raise auth.invalid for one that is unknown, revoked or over."""
    now = context.now()
    async with context.database.reading() as connection:
        row = await accounts.session_by_hash(connection, hash_token(token))
    over = row is None or row.revoked_at is not None or row.disabled_at is not None
    if row is None or over or row.expires_at <= now or now - row.last_used_at > IDLE:
        raise Problem("auth.invalid", "The session is over; sign in again.")
    if now - row.last_used_at > TOUCH_EVERY:
        async with context.database.writing() as connection:
            await accounts.touch_session(connection, row.id, at=now)
    return Session(row.id, row.account_id, row.email, row.name, row.totp_confirmed_at is not None, row.expires_at)


def csrf_token(context: Context, session: Session) -> str:
    """Answer the token that goes with every change under a session; it is of no use with another one."""
    return hmac.new(context.box.key_for("csrf"), session.id.encode(), sha256).hexdigest()


async def principal_on(context: Context, session: Session, site_id: str | None) -> Principal:
    """Answer what a signed-in person may do on a site; the installation's role counts everywhere."""
    async with context.database.reading() as connection:
        rows = await accounts.memberships(connection, session.account_id)
    fitting = [row for row in rows if row.site_id in (None, site_id)]
    # The installation's first, then an admin's before a moderator's.
    best = min(fitting, key=lambda row: (row.site_id is not None, row.role != "admin"), default=None)
    if best is None:
        raise Problem("auth.forbidden", "You have no role here.")
    return Principal(session.id, best.site_id, best.id, best.name, best.role, _SCOPES[best.role])


async def administered(context: Context, session: Session) -> Principal | frozenset[str]:
    """Answer the installation admin that somebody is, else the sites that they administer."""
    async with context.database.reading() as connection:
        rows = await accounts.memberships(connection, session.account_id)
    for row in rows:
        if row.site_id is None:
            return Principal(session.id, None, row.id, row.name, row.role, _SCOPES[row.role])
    return frozenset(row.site_id for row in rows if row.role == "admin")


async def view(context: Context, session: Session) -> schemas.SessionView:
    """Answer who is signed in and what they may do where."""
    async with context.database.reading() as connection:
        rows = await accounts.memberships(connection, session.account_id)
    return schemas.SessionView(
        account_id=session.account_id,
        email=session.email,
        name=session.name,
        second_factor=session.second_factor,
        csrf_token=csrf_token(context, session),
        roles=[schemas.SiteRole(row.slug, row.role, row.id) for row in rows],
        expires_at=session.expires_at,
    )


async def listed(context: Context, session: Session) -> schemas.SessionList:
    """Answer one's own sessions."""
    now = context.now()
    async with context.database.reading() as connection:
        rows = await accounts.sessions_of(connection, session.account_id, now=now)
    return schemas.SessionList(
        [
            schemas.OpenSession(row.id, row.created_at, row.last_used_at, row.expires_at, row.id == session.id)
            for row in rows
            if now - row.last_used_at <= IDLE
        ]
    )


async def close(context: Context, session: Session, *, everywhere: bool) -> None:
    """End this session, or all of the account's."""
    async with context.database.writing() as connection:
        only = None if everywhere else session.id
        await accounts.revoke_sessions(connection, session.account_id, at=context.now(), only=only)
        action = "session.closed_everywhere" if everywhere else "session.closed"
        await audit(connection, context, None, session.account_id, action, session.id, kind="person")


async def note_refusal(context: Context, account_id: str | None, action: str) -> None:
    """Record an attempt that failed: session.refused, or session.code_required for a password without its code."""
    async with context.database.writing() as connection:
        await audit(connection, context, None, account_id or "unknown", action, account_id, kind="person")
