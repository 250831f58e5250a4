"""Signed author tokens (JWT, RFC 7519, HS256): usable for six months, revocable, with keys that rotate."""

from __future__ import annotations

import asyncio
import secrets
import time
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import jwt

from service.errors import Problem
from service.flow.sealing import Box, SealBroken
from service.settings import SettingsError
from service.store import records
from service.store.database import Database

TOKEN_DAYS = 184
ISSUER = "colloquy"
_MOST_CHARACTERS = 8_192
_REFRESH_SECONDS = 60.0


class AuthorClaims(NamedTuple):
    """What a valid author token says."""

    commenter_id: str
    generation: int


class _Keys(NamedTuple):
    signing_id: str
    by_id: dict[str, bytes]
    read_at: float


class AuthorTokens:
    """Issues and verifies the tokens of guests; the keys are in SQL, sealed with SECRET_KEY."""

    def __init__(self, database: Database, box: Box) -> None:
        self._database = database
        self._box = box
        self._keys: _Keys | None = None
        self._reading = asyncio.Lock()

    async def issue(self, site_id: str, commenter_id: str, generation: int, *, now: datetime) -> str:
        """Answer a token for a commenter of one site."""
        keys = await self._current()
        claims = {
            "iss": ISSUER,
            "aud": site_id,
            "sub": commenter_id,
            "gen": generation,
            "iat": now,
            "exp": now + timedelta(days=TOKEN_DAYS),
        }
        return jwt.encode(claims, keys.by_id[keys.signing_id], algorithm="HS256", headers={"kid": keys.signing_id})

    async def verify(self, site_id: str, token: str, *, now: datetime) -> AuthorClaims:
        """Answer what the token says, or raise auth.invalid; revocation is the caller's to check."""
        try:
            key_id = str(jwt.get_unverified_header(token).get("kid"))
            claims = _decode(token, await self._key(key_id), site_id)
            valid_until = float(claims["exp"])
            found = AuthorClaims(str(claims["sub"]), int(claims["gen"]))
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError, RecursionError):
            raise Problem("auth.invalid", "The author token is not one of this site's.") from None
        if valid_until <= now.timestamp():
            raise Problem("auth.invalid", "The author token has expired.")
        return found

    async def rotate(self, *, now: datetime) -> str:
        """Make a new key that signs from now on; the older ones go on verifying. Answer the new key's id."""
        key_id = secrets.token_hex(6)
        sealed = self._box.seal(secrets.token_bytes(32))
        async with self._database.writing() as connection:
            await records.insert_signing_key(connection, {"id": key_id, "sealed": sealed, "created_at": now})
            await records.retire_signing_keys(connection, at=now, except_id=key_id)
        self._keys = None
        return key_id

    async def ensure_key(self, *, now: datetime) -> None:
        """Make the first key if there is none, and refuse to start if SECRET_KEY does not open those there are."""
        async with self._database.reading() as connection:
            rows = await records.all_signing_keys(connection)
        if not rows:
            await self.rotate(now=now)
        await self._current()

    async def _key(self, key_id: str) -> bytes:
        keys = await self._current()
        if key_id not in keys.by_id:
            # A key that another process made a moment ago; asked at most once a second.
            keys = await self._current(older_than_seconds=1.0)
        return keys.by_id[key_id]

    async def _current(self, older_than_seconds: float = _REFRESH_SECONDS) -> _Keys:
        async with self._reading:
            if self._keys is None or time.monotonic() - self._keys.read_at > older_than_seconds:
                self._keys = await self._read()
            return self._keys

    async def _read(self) -> _Keys:
        async with self._database.reading() as connection:
            rows = await records.all_signing_keys(connection)
        try:
            by_id = {row.id: self._box.open(row.sealed) for row in rows}
        except SealBroken:
            raise SettingsError("SECRET_KEY: it does not open the signing keys in the database") from None
        current = [row.id for row in rows if row.retired_at is None]
        if not current:
            raise SettingsError("there is no signing key; run `python -m service keys rotate`")
        return _Keys(current[-1], by_id, time.monotonic())


def is_own(token: str) -> bool:
    """Answer whether a token says that it is one of ours, which only decides by which rules it is checked."""
    try:
        claims = jwt.decode(token[:_MOST_CHARACTERS], options={"verify_signature": False})
    except (jwt.InvalidTokenError, ValueError, TypeError, RecursionError):
        return False
    return claims.get("iss") == ISSUER


def _decode(token: str, key: bytes, site_id: str) -> dict[str, Any]:
    """Check everything but the time: the library reads the machine's clock, and time is the caller's argument."""
    return jwt.decode(
        token,
        key,
        algorithms=["HS256"],
        audience=site_id,
        issuer=ISSUER,
        options={"require": ["exp", "iat", "sub", "aud", "iss"], "verify_exp": False, "verify_iat": False},
    )
