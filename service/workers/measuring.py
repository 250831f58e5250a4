"""The loop that counts what waits, for those who watch: as often as is of use, and never more than it may cost."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final

from service.errors import Problem
from service.flow import backlogs
from service.flow.context import Context
from service.workers.loop import wait_for_stop

EVERY_SECONDS: Final = 15.0
LONGEST_PAUSE_SECONDS: Final = 600.0
#: Backups and disks do not change in a minute.
HOME_EVERY_SECONDS: Final = 300.0
#: Of the time, which is one connection's and a part of one core's.
_SHARE: Final = 0.02

logger = logging.getLogger(__name__)


class Measurer:
    """Counts what waits. Each worker does, for any of them may be the last one; all show the same."""

    def __init__(self, context: Context, *, every_seconds: float = EVERY_SECONDS) -> None:
        self._context = context
        self._every_seconds = every_seconds
        self._home_at = 0.0

    async def turn(self, stop: asyncio.Event) -> None:
        """Count once, and wait until it is time again."""
        took = await self.measure()
        pause = min(max(self._every_seconds, took / _SHARE), max(self._every_seconds, LONGEST_PAUSE_SECONDS))
        await wait_for_stop(stop, pause)

    async def measure(self) -> float:
        """Count once; answer how long it took. Raises the problem of a database that is away."""
        await backlogs.measure_stream(self._context)
        try:
            took = await backlogs.measure(self._context)
            if time.monotonic() >= self._home_at:
                await backlogs.measure_home(self._context)
                self._home_at = time.monotonic() + HOME_EVERY_SECONDS
        except Problem as problem:
            if problem.code != "query.too_wide":
                raise
            # How old the numbers are is shown beside them.
            logger.warning("what waits takes too long to count")
            return backlogs.PATIENCE_SECONDS
        return took
