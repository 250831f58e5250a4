"""Network addresses as keyed hashes: the same network can be told from others for a while, and never found again.

Each day has a key of its own, sealed in SQL so that every process uses the same one. Once a key is deleted nobody can
tell whose hash one was, not even by trying all addresses.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

from service.flow.sealing import Box, SealBroken
from service.settings import SettingsError
from service.store import network_keys
from service.store.database import Database

_HASH_BYTES = 16
_KEY_BYTES = 32
_KEYS_HELD = 4


class Networks:
    """Hashes networks (`service.addresses.network_of`) with the key of the day."""

    def __init__(self, database: Database, box: Box) -> None:
        self._database = database
        self._box = box
        self._keys: dict[str, bytes] = {}
        self._making = asyncio.Lock()

    async def hash_of(self, network: str, *, now: datetime) -> str:
        """Answer the hash of a network under today's key."""
        return _hash(await self._key_of(_day(now), now), network)

    async def hashes_of(self, network: str, *, now: datetime, days: int) -> list[str]:
        """Answer its hashes under the keys of today and of so many days before, as far as there are any."""
        wanted = [_day(now - timedelta(days=back)) for back in range(1, days + 1)]
        async with self._database.reading() as connection:
            rows = await network_keys.by_ids(connection, wanted)
        return [await self.hash_of(network, now=now), *(_hash(self._open(row.sealed), network) for row in rows)]

    async def _key_of(self, day: str, now: datetime) -> bytes:
        if found := self._keys.get(day):
            return found
        async with self._making:
            if day not in self._keys:
                key = await self._read_or_make(day, now)
                self._keys = dict([*list(self._keys.items())[1 - _KEYS_HELD :], (day, key)])
        return self._keys[day]

    async def _read_or_make(self, day: str, now: datetime) -> bytes:
        async with self._database.reading() as connection:
            rows = await network_keys.by_ids(connection, [day])
        if not rows:
            sealed = self._box.seal(secrets.token_bytes(_KEY_BYTES))
            async with self._database.writing() as connection:
                await network_keys.keep(connection, {"id": day, "sealed": sealed, "created_at": now})
                rows = await network_keys.by_ids(connection, [day])
        return self._open(rows[0].sealed)

    def _open(self, sealed: str) -> bytes:
        try:
            return self._box.open(sealed)
        except SealBroken:
            raise SettingsError("SECRET_KEY: it does not open the keys of network addresses in the database") from None


def _day(now: datetime) -> str:
    return now.strftime("%Y-%m-%d")


def _hash(key: bytes, network: str) -> str:
    return hmac.new(key, network.encode(), hashlib.sha256).hexdigest()[: 2 * _HASH_BYTES]
