"""People who sign in: accounts, invitations and sessions. They are the installation's; memberships say where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.tables import accounts, invitations, members, sessions, sites
from service.store.types import Row


async def by_email(connection: AsyncConnection, email: str, *, lock: bool = False) -> Row | None:
    """Answer the account with this address, in lower case; with `lock` as `by_id`."""
    query = sa.select(accounts).where(accounts.c.email == email)
    return (await connection.execute(query.with_for_update() if lock else query)).first()


async def by_id(connection: AsyncConnection, account_id: str, *, lock: bool = False) -> Row | None:
    """Answer an account; with `lock` nobody else changes it before this transaction ends."""
    query = sa.select(accounts).where(accounts.c.id == account_id)
    return (await connection.execute(query.with_for_update() if lock else query)).first()


async def by_oidc(connection: AsyncConnection, issuer: str, subject: str) -> Row | None:
    """Answer the account that is linked to an identity of a provider."""
    query = sa.select(accounts).where(accounts.c.oidc_issuer == issuer, accounts.c.oidc_subject == subject)
    return (await connection.execute(query)).first()


async def every(connection: AsyncConnection) -> Sequence[Row]:
    """Answer all accounts, by address."""
    return (await connection.execute(sa.select(accounts).order_by(accounts.c.email))).all()


async def insert(connection: AsyncConnection, values: Mapping[str, Any]) -> None:
    """Add an account, unless another request just did."""
    make = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
    await connection.execute(make(accounts).values(dict(values)).on_conflict_do_nothing(index_elements=["email"]))


async def change(connection: AsyncConnection, account_id: str, values: Mapping[str, Any]) -> bool:
    """Change columns of an account; answer whether there is one."""
    changed = await connection.execute(accounts.update().where(accounts.c.id == account_id).values(**values))
    return changed.rowcount == 1


async def delete(connection: AsyncConnection, account_id: str) -> None:
    """Delete an account with its sessions and invitations; no member may point at it any more."""
    for column in (sessions.c.account_id, invitations.c.account_id, accounts.c.id):
        await connection.execute(sa.delete(column.table).where(column == account_id))


async def take_step(connection: AsyncConnection, account_id: str, step: int) -> bool:
    """Use up a time step of the second factor; False where it, or a later one, was used before."""
    changed = await connection.execute(
        accounts.update()
        .where(accounts.c.id == account_id, sa.or_(accounts.c.totp_step.is_(None), accounts.c.totp_step < step))
        .values(totp_step=step)
    )
    return changed.rowcount == 1


async def memberships(connection: AsyncConnection, account_id: str) -> Sequence[Row]:
    """Answer where an account may do what: member, role, and the site or None for the installation."""
    query = (
        sa.select(members.c.id, members.c.name, members.c.role, members.c.site_id, sites.c.slug)
        .select_from(members.outerjoin(sites, sites.c.id == members.c.site_id))
        .where(members.c.account_id == account_id, members.c.disabled_at.is_(None))
        .order_by(members.c.id)
    )
    return (await connection.execute(query)).all()


async def insert_invitation(connection: AsyncConnection, values: Mapping[str, Any]) -> None:
    """Add an invitation; those before it to the same membership are useless from now on."""
    await connection.execute(
        invitations.update()
        .where(
            invitations.c.account_id == values["account_id"],
            invitations.c.member_id.is_not_distinct_from(values["member_id"]),
            invitations.c.used_at.is_(None),
        )
        .values(used_at=values["created_at"])
    )
    await connection.execute(invitations.insert(), dict(values))


async def invited(connection: AsyncConnection, token_hash: str, *, now: datetime) -> Row | None:
    """Answer the account and the `member_id` that an invitation is for, None where it is unknown, used or over."""
    query = (
        sa.select(accounts, invitations.c.member_id)
        .join(invitations, invitations.c.account_id == accounts.c.id)
        .where(invitations.c.token_hash == token_hash, invitations.c.used_at.is_(None), invitations.c.expires_at > now)
    )
    return (await connection.execute(query)).first()


async def take_invitations(connection: AsyncConnection, account_id: str, *, at: datetime) -> Sequence[str]:
    """Use up what waits for an account whose address somebody else vouches for; answer the members."""
    query = (
        invitations.update()
        .where(
            invitations.c.account_id == account_id,
            invitations.c.member_id.is_not(None),
            invitations.c.used_at.is_(None),
            invitations.c.expires_at > at,
        )
        .values(used_at=at)
        .returning(invitations.c.member_id)
    )
    return list((await connection.execute(query)).scalars())


async def void_invitations(connection: AsyncConnection, account_id: str, *, at: datetime) -> None:
    """Make every link useless by which the account's password could be set."""
    await connection.execute(
        invitations.update()
        .where(
            invitations.c.account_id == account_id, invitations.c.member_id.is_(None), invitations.c.used_at.is_(None)
        )
        .values(used_at=at)
    )


async def use_invitation(connection: AsyncConnection, token_hash: str, *, at: datetime) -> str | None:
    """Use up an invitation; answer its account, None where it is unknown, used or over."""
    query = (
        invitations.update()
        .where(invitations.c.token_hash == token_hash, invitations.c.used_at.is_(None), invitations.c.expires_at > at)
        .values(used_at=at)
        .returning(invitations.c.account_id)
    )
    found: str | None = (await connection.execute(query)).scalar()
    return found


async def insert_session(connection: AsyncConnection, values: Mapping[str, Any]) -> None:
    """Add a session by its hash."""
    await connection.execute(sessions.insert(), dict(values))


async def session_by_hash(connection: AsyncConnection, token_hash: str) -> Row | None:
    """Answer a session and its account."""
    query = (
        sa.select(
            sessions,
            accounts.c.email,
            accounts.c.name,
            accounts.c.disabled_at,
            accounts.c.totp_confirmed_at,
        )
        .join(accounts, accounts.c.id == sessions.c.account_id)
        .where(sessions.c.token_hash == token_hash)
    )
    return (await connection.execute(query)).first()


async def touch_session(connection: AsyncConnection, session_id: str, *, at: datetime) -> None:
    """Remember that a session was used."""
    await connection.execute(sessions.update().where(sessions.c.id == session_id).values(last_used_at=at))


async def sessions_of(connection: AsyncConnection, account_id: str, *, now: datetime) -> Sequence[Row]:
    """Answer an account's sessions that are neither revoked nor over, the newest first."""
    query = (
        sa.select(sessions)
        .where(sessions.c.account_id == account_id, sessions.c.revoked_at.is_(None), sessions.c.expires_at > now)
        .order_by(sessions.c.id.desc())
    )
    return (await connection.execute(query)).all()


async def revoke_sessions(
    connection: AsyncConnection, account_id: str, *, at: datetime, but: str | None = None, only: str | None = None
) -> int:
    """End an account's sessions, all but one, or one alone; answer how many."""
    query = sessions.update().where(sessions.c.account_id == account_id, sessions.c.revoked_at.is_(None))
    if but is not None:
        query = query.where(sessions.c.id != but)
    if only is not None:
        query = query.where(sessions.c.id == only)
    return (await connection.execute(query.values(revoked_at=at))).rowcount


async def forget_old(connection: AsyncConnection, *, before: datetime) -> int:
    """Delete sessions and invitations that were over before a time; answer how many.

    An invitation that somebody could have taken stays until `people.untaken` told of its member.
    """
    waits = sa.exists().where(
        members.c.id == invitations.c.member_id, members.c.account_id.is_(None), members.c.disabled_at.is_(None)
    )
    over = (
        sessions.delete().where(sessions.c.expires_at < before),
        invitations.delete().where(
            invitations.c.expires_at < before, sa.or_(invitations.c.used_at.is_not(None), sa.not_(waits))
        ),
    )
    return sum([(await connection.execute(gone)).rowcount for gone in over])


async def forget_invitation(connection: AsyncConnection, invitation_id: str) -> bool:
    """Delete an invitation that nobody took; False where it is gone, or useless since a newer one was given."""
    gone = invitations.delete().where(invitations.c.id == invitation_id, invitations.c.used_at.is_(None))
    return (await connection.execute(gone)).rowcount == 1
