"""Secrets that must be read again, kept encrypted with SECRET_KEY; and keys of one purpose each, derived from it."""

from __future__ import annotations

import base64
import hashlib
import hmac

from cryptography.fernet import Fernet, InvalidToken


class SealBroken(Exception):  # noqa: N818 - Named for the fact.
    """What was to be opened was changed, or sealed with another SECRET_KEY."""


class Box:
    """Seals and opens bytes (Fernet: AES-128-CBC with HMAC-SHA256), and derives keys."""

    def __init__(self, secret_key: str) -> None:
        self._secret = secret_key.encode()
        self._fernet = Fernet(base64.urlsafe_b64encode(hashlib.sha256(self._secret).digest()))

    def seal(self, secret: bytes) -> str:
        """Answer the secret as text that only the same SECRET_KEY opens."""
        return self._fernet.encrypt(secret).decode()

    def open(self, sealed: str) -> bytes:
        """Answer the secret again, or raise SealBroken."""
        try:
            return self._fernet.decrypt(sealed.encode())
        except InvalidToken:
            raise SealBroken from None

    def key_for(self, purpose: str) -> bytes:
        """Answer 32 bytes that are always the same for one purpose, and tell nothing of those for others."""
        return hmac.new(self._secret, b"colloquy:" + purpose.encode(), hashlib.sha256).digest()
