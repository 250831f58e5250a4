"""Passwords: hashed with argon2id apart from the event loop, checked in constant work, refused where they are weak."""

from __future__ import annotations

import asyncio
import secrets
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from service.errors import Problem

LEAST_CHARACTERS = 12
#: The library's parameters (RFC 9106, 64 MiB): so many at once, or sign-ins would take the machine's memory.
_AT_ONCE = 2
_hasher = PasswordHasher()
_TRIED_BY_EVERYBODY = """
passwordpassword password1234 password12345 password123456 123456789012 1234567890123 qwertyuiop12
qwertyuiop123 qwertyuiopasdf iloveyouiloveyou letmeinletmein welcome12345 welcome123456 administrator
adminadminadmin changemechangeme changeme12345 correcthorsebatterystaple trustno1trustno1 abcdefghijkl
abcdefghijklm abc123abc123 passw0rd1234 p@ssw0rd1234 p@ssword1234 monkeymonkey12 dragondragon12 football12345
baseball12345 moderator1234 colloquy1234 colloquycolloquy 111111111111 000000000000 q1w2e3r4t5y6 1q2w3e4r5t6y
zaq12wsxcde3 superman12345
"""
_COMMON = frozenset(_TRIED_BY_EVERYBODY.split())


class Passwords:
    """Hashes and checks passwords of one process, a few at a time."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(_AT_ONCE)

    async def hash(self, password: str) -> str:
        """Answer the hash to store."""
        async with self._turn:
            return await asyncio.to_thread(_hasher.hash, password)

    async def fits(self, password: str, stored: str | None) -> bool:
        """Answer whether a password fits a hash; without a hash it takes as long and fits never."""
        async with self._turn:
            fits = await asyncio.to_thread(_fits, password, stored or _nobodys())
        return fits and stored is not None

    @staticmethod
    def is_outdated(stored: str) -> bool:
        """Answer whether a hash was made with weaker parameters than today's."""
        return _hasher.check_needs_rehash(stored)


def check_password(password: str, email: str) -> None:
    """Raise for a password that is short, common, or the address."""
    message = None
    if len(password) < LEAST_CHARACTERS:
        message = f"needs {LEAST_CHARACTERS} characters or more"
    elif password.casefold() in _COMMON or len(set(password)) < 4:
        message = "is one that everybody tries"
    elif email.casefold().partition("@")[0] in password.casefold() and len(password) < 2 * LEAST_CHARACTERS:
        message = "must not hold the address"
    if message is not None:
        raise Problem("request.invalid", f"The password {message}.", fields=[("password", message)])


def _fits(password: str, stored: str) -> bool:
    try:
        return _hasher.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


@lru_cache(maxsize=1)
def _nobodys() -> str:
    return _hasher.hash(secrets.token_urlsafe(32))
