"""Tokens as requests carry them, and whether one is in force, for a network that must wait for its refusals."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Final

from service.errors import Problem
from service.flow.context import Context
from service.flow.identify import API_TOKEN_PREFIX, hash_token, is_well_formed, principal_of
from service.flow.sessions import session_of
from service.settings import Settings
from service.visits import Connection, context_of

TokenOf = Callable[[Connection], str | None]
_SECONDS: Final = 60.0
_MOST_KEPT: Final = 10_000


class UnknownTokens:
    """The hashes of tokens that nobody gave out, for a minute: who sends one again costs no look at SQL.

    In one process. A token that is in force again, its member enabled, is so after a minute here too.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}

    def note(self, token_hash: str) -> None:
        """Remember that a token was not in force a moment ago."""
        while len(self._until) >= _MOST_KEPT:
            del self._until[next(iter(self._until))]
        self._until[token_hash] = self._clock() + _SECONDS

    def has(self, token_hash: str) -> bool:
        """Answer whether a token was not in force within the last minute."""
        until = self._until.get(token_hash)
        if until is None:
            return False
        if until > self._clock():
            return True
        del self._until[token_hash]
        return False


def session_cookie(settings: Settings) -> tuple[str, bool]:
    """Answer the name of the session's cookie, and whether it goes over https alone."""
    secure = settings.url.startswith("https://")
    # Browsers refuse the prefix without https, and with it any other host's cookie of that name.
    return ("__Host-colloquy_session" if secure else "colloquy_session"), secure


def has_key(connection: Connection) -> bool:
    """Answer whether a request carries a token, wherever one may stand but in a cookie."""
    sent = connection.headers
    return "authorization" in sent or "x-goog-api-key" in sent or "key" in connection.query_params


def api_key(connection: Connection) -> str | None:
    """Answer the key of a client of somebody else's API, wherever that has it."""
    given: str | None = connection.query_params.get("key") or connection.headers.get("x-goog-api-key")
    return given or bearer(connection)


def bearer(connection: Connection) -> str | None:
    """Answer the token of the Authorization header, None without one; raise auth.invalid for another kind."""
    header = connection.headers.get("authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Problem("auth.invalid", "The Authorization header must be `Bearer TOKEN`.")
    return token.strip()


async def is_in_force(connection: Connection, token_of: TokenOf) -> bool:
    """Answer whether a request of a network that must wait has a token that was given out: one read, if it may be."""
    context = context_of(connection)
    try:
        token = token_of(connection)
    except Problem:
        return False
    look: Callable[[Context, str], Awaitable[object]] = principal_of
    if token is None:
        token, look = connection.cookies.get(session_cookie(context.settings)[0]), session_of
    elif not token.startswith(API_TOKEN_PREFIX):
        # An author's has a signature, whose check is the very work that is kept away.
        return False
    unknown: UnknownTokens = connection.app.state.unknown_tokens
    if token is None or not is_well_formed(token) or unknown.has(hashed := hash_token(token)):
        return False
    try:
        await look(context, token)
    except Problem as problem:
        if problem.code == "auth.invalid":
            unknown.note(hashed)
        return False
    return True
