"""Public keys that publishers serve as JWKS (RFC 7517): fetched, remembered, and fetched again when they rotate."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import jwt
import msgspec

from service.egress import TIMEOUT_SECONDS, Egress, EgressFailed, EgressRefused
from service.errors import Problem

FRESH_SECONDS: Final = 600.0
"""A key that the publisher took away is good for so long at the most."""
STALE_SECONDS: Final = 86_400.0
"""While the URL does not answer, the keys that it gave last are used for so long."""
AGAIN_SECONDS: Final = 30.0
"""An unknown key id, or a failure, asks the URL again after so long: nobody can make us ask it all the time."""
_MOST_KEYS = 50
_MOST_KEPT = 1_000
_LEAST_RSA_BITS = 2048
#: Of each algorithm: the key type, the curve where there is one, and the public members (RFC 7518, RFC 8037).
_KINDS: Final[Mapping[str, tuple[str, str | None, tuple[str, ...]]]] = {
    "RS256": ("RSA", None, ("n", "e")),
    "ES256": ("EC", "P-256", ("x", "y")),
    "EdDSA": ("OKP", "Ed25519", ("x",)),
}

logger = logging.getLogger(__name__)


class _Known(NamedTuple):
    keys: dict[str | None, Any]
    read_at: float
    asked_at: float


class KeySets:
    """The key sets of all publishers, by URL and algorithm."""

    def __init__(
        self,
        egress: Egress,
        clock: Callable[[], float] = time.monotonic,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._egress = egress
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        self._known: dict[tuple[str, str], _Known] = {}
        self._asking: dict[tuple[str, str], asyncio.Lock] = {}

    async def key(self, url: str, algorithm: str, key_id: str | None) -> Any:
        """Answer the key; raise identity.unknown_key, or identity.unavailable while none can be had."""
        known = await self._fresh(url, algorithm)
        if (found := self._find(known, key_id)) is None:
            known = await self._ask(url, algorithm, unless_asked_within=AGAIN_SECONDS)
            found = self._find(known, key_id)
        if found is None:
            raise Problem("identity.unknown_key", "The publisher's key set has no such key for the site's algorithm.")
        return found

    @staticmethod
    def _find(known: _Known, key_id: str | None) -> Any:
        if key_id is None:
            return next(iter(known.keys.values())) if len(known.keys) == 1 else None
        return known.keys.get(key_id)

    async def _fresh(self, url: str, algorithm: str) -> _Known:
        known = self._known.get((url, algorithm))
        if known is not None and self._clock() - known.read_at < FRESH_SECONDS:
            return known
        return await self._ask(url, algorithm, unless_asked_within=AGAIN_SECONDS if known else 0.0)

    async def _ask(self, url: str, algorithm: str, *, unless_asked_within: float) -> _Known:
        name = (url, algorithm)
        if len(self._known) >= _MOST_KEPT:
            self._known.clear()
            self._asking.clear()
        seen = self._known.get(name)
        async with self._asking.setdefault(name, asyncio.Lock()):
            before = self._known.get(name)
            # Another request may have asked while this one waited.
            if before is seen and (before is None or self._clock() - before.asked_at >= unless_asked_within):
                self._known[name] = await self._read(url, algorithm, before)
            known = self._known[name]
        if not known.keys or self._clock() - known.read_at > STALE_SECONDS:
            raise Problem(
                "identity.unavailable",
                "The publisher's keys cannot be fetched right now; nothing is wrong with the token.",
                headers={"retry-after": str(round(AGAIN_SECONDS))},
            )
        return known

    async def _read(self, url: str, algorithm: str, before: _Known | None) -> _Known:
        now = self._clock()
        try:
            answer = await self._egress.request(
                "GET", url, headers={"accept": "application/json"}, timeout_seconds=self._timeout_seconds
            )
            if answer.status != 200:
                raise EgressFailed("status")
            return _Known(read_keys(answer.body, algorithm), now, now)
        except (EgressFailed, EgressRefused, ValueError) as error:
            reason = getattr(error, "reason", "content")
            logger.warning("a publisher's key set cannot be read", extra={"reason": reason})
            return before._replace(asked_at=now) if before else _Known({}, now, now)


def read_keys(body: bytes, algorithm: str) -> dict[str | None, Any]:
    """Answer the keys of a JWKS that fit the algorithm, by key id; ValueError where it is no JWKS."""
    try:
        document = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise ValueError("no JSON object") from None
    listed = document.get("keys")
    if not isinstance(listed, list):
        raise ValueError("no list of keys")
    found = {}
    for one in listed[:_MOST_KEYS]:
        if isinstance(one, dict) and (key := _public_key(one, algorithm)) is not None:
            key_id = one.get("kid")
            found[key_id if isinstance(key_id, str) else None] = key
    return found


def _public_key(entry: Mapping[str, Any], algorithm: str) -> Any:
    kind, curve, members = _KINDS[algorithm]
    uses = entry.get("key_ops")
    if (
        entry.get("kty") != kind
        or (curve is not None and entry.get("crv") != curve)
        or entry.get("use", "sig") != "sig"
        or entry.get("alg", algorithm) != algorithm
        or (uses is not None and not (isinstance(uses, list) and "verify" in uses))
    ):
        return None
    # Only what is public: a set that shows private parts by mistake must not make a signing key of ours.
    public = {name: entry[name] for name in ("kty", "crv", *members) if name in entry}
    try:
        key = jwt.PyJWK.from_dict(public, algorithm=algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None
    return None if kind == "RSA" and key.key_size < _LEAST_RSA_BITS else key
