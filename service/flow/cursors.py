"""Opaque cursors: where a page ended, in the order it was asked for."""

from __future__ import annotations

import base64
import binascii
import re

import msgspec

from service.errors import Problem
from service.store.pages import Cursor

#: Ids and paths are made of these; a key of anything else was not written here.
_KEY = re.compile(r"[A-Za-z0-9_-]{1,2000}")


class _Token(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    order: str
    value: int
    key: str


def write(order: str, value: int, key: str) -> str:
    """Answer the cursor behind a row, for the order it was read in."""
    return base64.urlsafe_b64encode(msgspec.json.encode(_Token(order, value, key))).decode().rstrip("=")


def read(order: str, text: str | None) -> Cursor | None:
    """Answer where to go on, or raise request.invalid for a cursor of another order or no cursor of ours."""
    if text is None:
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        token = msgspec.json.decode(raw, type=_Token)
    except (msgspec.DecodeError, binascii.Error, ValueError):
        token = None
    if token is None or token.order != order or not 0 <= token.value < 2**31 or not _KEY.fullmatch(token.key):
        raise Problem(
            "request.invalid", "The cursor is not one of this list's.", fields=[("after", "not a cursor of this list")]
        )
    return Cursor(token.value, token.key)
