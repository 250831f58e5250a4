"""What the links in letters carry: tokens that only we make, so that a made-up one is refused without a look at SQL."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import uuid
from typing import Final, NamedTuple

from service.flow.sealing import Box
from service.schemas import MailTopic

_MAC_BYTES: Final = 16
_RANDOM_BYTES: Final = 24
_CONFIRM, _UNSUBSCRIBE = "mail confirmation", "mail unsubscribing"
_TOPICS: Final[dict[bytes, MailTopic]] = {b"r": "replies", b"d": "decisions", b"a": "all"}
_LETTERS: Final = {topic: letter for letter, topic in _TOPICS.items()}
_ID_BYTES: Final = 16


class Unsubscribing(NamedTuple):
    """What an unsubscribing link is for: an address of ours by its id, and which mail."""

    address_id: str
    topic: MailTopic


def new_confirmation(box: Box) -> str:
    """Answer a token for one confirmation: 192 random bits, signed."""
    return _signed(box, _CONFIRM, secrets.token_bytes(_RANDOM_BYTES))


def is_confirmation(box: Box, token: str) -> bool:
    """Answer whether a token is one that we made."""
    return _opened(box, _CONFIRM, token) is not None


def unsubscribing(box: Box, address_id: str, topic: MailTopic) -> str:
    """Answer the token of a link that ends mail to an address; it works for as long as the address is kept."""
    return _signed(box, _UNSUBSCRIBE, _LETTERS[topic] + uuid.UUID(address_id).bytes)


def read_unsubscribing(box: Box, token: str) -> Unsubscribing | None:
    """Answer what a token unsubscribes from, None for one that we did not make."""
    payload = _opened(box, _UNSUBSCRIBE, token)
    if payload is None or len(payload) != 1 + _ID_BYTES or payload[:1] not in _TOPICS:
        return None
    return Unsubscribing(str(uuid.UUID(bytes=payload[1:])), _TOPICS[payload[:1]])


def _mac(box: Box, purpose: str, payload: bytes) -> bytes:
    return hmac.new(box.key_for(purpose), payload, hashlib.sha256).digest()[:_MAC_BYTES]


def _signed(box: Box, purpose: str, payload: bytes) -> str:
    return base64.urlsafe_b64encode(_mac(box, purpose, payload) + payload).decode().rstrip("=")


def _opened(box: Box, purpose: str, token: str) -> bytes | None:
    try:
        raw = base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    mac, payload = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
    return payload if hmac.compare_digest(mac, _mac(box, purpose, payload)) else None
