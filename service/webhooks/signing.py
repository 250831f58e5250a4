"""Signatures of Standard Webhooks 1.0.0 (https://www.standardwebhooks.com): `v1`, HMAC-SHA256."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime

SECRET_PREFIX = "whsec_"  # noqa: S105 - What is secret comes behind it.
_SECRET_BYTES = 32


def new_secret() -> str:
    """Answer a new secret as receivers' libraries take it: 32 random bytes in base64 behind `whsec_`."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signed_headers(keys: Sequence[str], event_id: str, body: bytes, *, at: datetime) -> dict[str, str]:
    """Answer `webhook-id`, `webhook-timestamp` (seconds) and `webhook-signature`, with one for each secret in force."""
    timestamp = str(int(at.timestamp()))
    content = f"{event_id}.{timestamp}.".encode() + body
    return {
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{_signature(key, content)}" for key in keys),
    }


def _signature(key: str, content: bytes) -> str:
    raw = base64.b64decode(key.removeprefix(SECRET_PREFIX))
    return base64.b64encode(hmac.new(raw, content, hashlib.sha256).digest()).decode()
