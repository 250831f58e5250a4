"""Who is asking: API tokens of members and systems, author tokens of commenters."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from service.errors import Problem
from service.flow.audit import audit
from service.flow.context import Context
from service.schemas.admin import PER_MINUTE
from service.store import commenters, people
from service.store.types import Row

API_TOKEN_PREFIX = "cq_"  # noqa: S105
_TOUCH_EVERY = timedelta(minutes=1)
_RANDOM = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Principal:
    """The holder of a valid API token. `site_id` None: of the whole installation."""

    token_id: str
    site_id: str | None
    member_id: str | None
    name: str
    role: str
    scopes: frozenset[str]
    per_minute: int = PER_MINUTE
    may_store: bool = False
    scale: str = "perspective"

    def may(self, scope: str, site_id: str | None) -> bool:
        """Answer whether the token allows a scope on a site; a moderator's token never more than review."""
        if self.site_id is not None and self.site_id != site_id:
            return False
        return scope in self.scopes and (self.role != "moderator" or scope == "review")

    @property
    def actor(self) -> str:
        """The stable id that records name: the member, or the token of a system."""
        return self.member_id or self.token_id


@dataclass(frozen=True, slots=True)
class Commenter:
    """The holder of a valid author token."""

    commenter_id: str
    kind: str
    name: str | None
    generation: int
    badges: tuple[str, ...] = ()
    avatar_url: str | None = None
    key: str | None = None


def new_api_token() -> str:
    """Answer a new API token: 256 random bits behind a recognisable prefix."""
    return API_TOKEN_PREFIX + secrets.token_urlsafe(32)


def is_well_formed(token: str) -> bool:
    """Answer whether this may be a token that was given out: of the API, or of a session, without the prefix."""
    return _RANDOM.fullmatch(token.removeprefix(API_TOKEN_PREFIX)) is not None


def hash_token(token: str) -> str:
    """Answer what is stored of a token; it has 256 random bits, so a plain SHA-256 is enough."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


async def find_site(context: Context, slug: str) -> Row:
    """Answer the site as it is now, or raise site.unknown."""
    return await context.directory.read(slug)


async def principal_of(context: Context, token: str) -> Principal:
    """Answer who holds an API token, or raise auth.invalid."""
    now = context.now()
    async with context.database.reading() as connection:
        row = await people.token_by_hash(connection, hash_token(token))
    if row is None or row.revoked_at is not None or row.member_disabled_at is not None:
        raise Problem("auth.invalid", "The API token is unknown or revoked.")
    if row.expires_at is not None and row.expires_at <= now:
        raise Problem("auth.invalid", "The API token has expired.")
    if row.last_used_at is None or now - row.last_used_at > _TOUCH_EVERY:
        await _touch(context, row, now)
    return Principal(
        token_id=row.id,
        site_id=row.site_id,
        member_id=row.member_id,
        name=row.member_name or row.name,
        role=row.member_role or "system",
        scopes=frozenset(row.scopes),
        per_minute=row.per_minute,
        may_store=row.may_store,
        scale=row.scale,
    )


async def _touch(context: Context, token: Row, now: datetime) -> None:
    """Remember the use of a token; the first one of each day is audited."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    async with context.database.writing() as connection:
        if await people.touch_token(connection, token.id, at=now, before=today):
            await audit(
                connection, context, token.site_id, token.member_id or token.id, "key.used", token.id, kind="key"
            )
        else:
            await people.touch_token(connection, token.id, at=now)


async def commenter_of(context: Context, site_id: str, token: str) -> Commenter:
    """Answer who holds an author token, or raise auth.invalid."""
    claims = await context.author_tokens.verify(site_id, token, now=context.now())
    async with context.database.reading() as connection:
        row = await commenters.commenter(connection, site_id, claims.commenter_id)
    if row is None or row.erased_at is not None or row.token_generation != claims.generation:
        raise Problem("auth.invalid", "The author token was revoked.")
    return Commenter(row.id, row.kind, row.name, row.token_generation, key=row.author_key)


def new_guest(context: Context, name: str | None) -> Commenter:
    """Answer a guest who was not here before."""
    return Commenter(context.new_id(), "guest", name, 1, key=new_author_key())


def new_author_key() -> str:
    """Answer the key of a new commenter: 64 random bits, so that it tells nothing of the id or the account."""
    return secrets.token_hex(8)


async def add_guest(connection: AsyncConnection, site_id: str, guest: Commenter, now: datetime) -> None:
    """Keep a new guest, in the transaction of what they do first."""
    row = {
        "id": guest.commenter_id, "site_id": site_id, "kind": "guest", "name": guest.name, "author_key": guest.key,
        "first_seen_at": now,
    }  # fmt: skip
    await commenters.insert_commenter(connection, row)
