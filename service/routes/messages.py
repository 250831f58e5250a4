"""What msgspec says of a field that it refuses, as a sentence for people and without a regular expression."""

from __future__ import annotations

import re
from typing import Any

from msgspec import inspect

from moderation.policy_reading import choices_of
from moderation.rules import CODE_PATTERN
from service.schemas import base
from service.schemas.accounts import EMAIL_PATTERN

_STEP = re.compile(r"\.?([^.\[\]]+)|\[[^\]]*\]")
_PATTERN = re.compile(r"^Expected `str` matching regex (.+)$", re.DOTALL)
_UUID = "must be a UUID in lower-case letters, such as 01a204d8-d366-7e3d-8b36-1c53f2a716ff"
_TIME = "must be a time of the years 1970 to 9998 with a zone, as in 2026-11-22T12:00:00Z"
_SLUG = "must be lower-case letters, digits and hyphens, 1 to 63 characters, without a hyphen at either end"
_EMPTY = "Expected `str` of length >= 1"
# msgspec shows a pattern as Python writes a text.
_SENTENCES = {
    repr(base.NAME_PATTERN): "must hold more than white space",
    repr(base.SLUG_PATTERN): _SLUG,
    repr(base.SITE_PATH_PATTERN): _SLUG,
    repr(base.URL_PATTERN): "must begin with https:// or http:// and a host",
    repr(base.ORIGIN_PATTERN): "must be https://host or http://host, without a path or slash at its end",
    repr(base.UUID_PATTERN): _UUID,
    repr(EMAIL_PATTERN): "must be an e-mail address, such as name@example.org",
    repr(CODE_PATTERN): "must be the code of a reason: 1 to 64 lower-case letters, digits, - and _",
}


def plainly(message: str) -> str:
    """Answer a message with the patterns of our own types put into words."""
    if message.startswith("Invalid RFC3339 encoded datetime"):
        return _TIME
    if message == _EMPTY:
        return "is needed"
    shown = _PATTERN.match(message)
    return _SENTENCES.get(shown.group(1), "has a form that is not allowed") if shown else message


def explained(message: str, path: str, wanted: Any) -> str:
    """Answer a message about the field at a path, such as `scopes[0]`, of a type; a wrong word gets the right ones."""
    if message.startswith("Expected `") and _is_time(_type_at(inspect.type_info(wanted), path)):
        return _TIME
    if not message.startswith("Invalid enum value"):
        return plainly(message)
    allowed = tuple(choices_of(_type_at(inspect.type_info(wanted), path)))
    if not allowed:
        return message
    # What is shown as a status and cannot be set is no slip of the pen.
    meant = "; to have nothing sent use paused" if "'disabled'" in message and "paused" in allowed else ""
    return f"{message}{meant}; use one of: {', '.join(allowed)}"


def _is_time(kind: inspect.Type) -> bool:
    kinds = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    return any(isinstance(one, inspect.DateTimeType) for one in kinds)


def _type_at(kind: inspect.Type, path: str) -> inspect.Type:
    for step in _STEP.finditer(path):
        kind = _inside(kind, step.group(1))
    return kind


def _inside(kind: inspect.Type, name: str | None) -> inspect.Type:
    """Answer the type of a field, or of an entry where there is no name."""
    for one in kind.types if isinstance(kind, inspect.UnionType) else (kind,):
        if name is None and isinstance(one, inspect.ListType):
            return one.item_type
        if name is not None and isinstance(one, inspect.StructType):
            return next((field.type for field in one.fields if field.encode_name == name), kind)
    return kind
