"""How long a service that does not answer is left alone, so that its silence does not slow everything that asks it."""

from __future__ import annotations

from datetime import datetime, timedelta

FAILURES = 3
ALONE = timedelta(seconds=60)


class Patience:
    """Counts failures in a row, in one process; after three nobody is asked for a minute, and then by one again."""

    def __init__(self) -> None:
        self._failures = 0
        self._until: datetime | None = None

    def may_ask(self, now: datetime) -> bool:
        """Answer whether it is to be asked; whoever is told so after a silence is the one that finds out."""
        if self._until is None:
            return True
        if now < self._until:
            return False
        self._until = now + ALONE
        return True

    def answered(self) -> None:
        """Note that it is there."""
        self._failures, self._until = 0, None

    def failed(self, now: datetime) -> None:
        """Note that it was not."""
        self._failures += 1
        if self._failures >= FAILURES:
            self._until = now + ALONE
