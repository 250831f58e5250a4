"""Times that a caller sends: with a zone, and within the years that every part behind us can hold."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from service.errors import Problem

#: A day from either end of what Python can count, no zone can push a time over the edge.
_YEARS = range(1970, 9999)


def checked_moment(field: str, moment: Any) -> datetime | None:
    """Answer the time in UTC, None where none is given, or raise request.invalid naming the field."""
    if moment is None or moment is msgspec.UNSET:
        return None
    if not isinstance(moment, datetime) or moment.tzinfo is None or moment.year not in _YEARS:
        message = "must be a time of the years 1970 to 9998 with a zone, as in 2026-11-22T12:00:00Z"
        raise Problem("request.invalid", f"{field} {message}.", fields=[(field, message)])
    return moment.astimezone(UTC)
