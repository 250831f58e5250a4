"""UUIDv7 (RFC 9562, method 3) that never leaves the clock: ids are read as time, in cursors and in the twin check."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

#: Steps of a millisecond that the 12 bits behind it can tell apart: about 0.24 microseconds each.
_STEPS = 4096
_NANOSECONDS_IN_A_MILLISECOND = 1_000_000


class Uuid7:
    """Makes ids that grow within a process and stay with its clock up to four million a second."""

    def __init__(self, nanoseconds: Callable[[], int] = time.time_ns) -> None:
        self._nanoseconds = nanoseconds
        self._last = 0

    def __call__(self) -> str:
        """Answer a new id."""
        self._last = max(self._nanoseconds() * _STEPS // _NANOSECONDS_IN_A_MILLISECOND, self._last + 1)
        milliseconds, step = divmod(self._last, _STEPS)
        return str(UUID(int=milliseconds << 80 | 7 << 76 | step << 64 | 2 << 62 | secrets.randbits(62)))


def first_id_at(moment: datetime) -> str:
    """Answer the smallest UUIDv7 of a time; ids from then on are greater."""
    milliseconds = int(moment.timestamp() * 1000)
    return str(UUID(int=(milliseconds << 80) | (7 << 76) | (2 << 62)))
