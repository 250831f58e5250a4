"""What a process can tell of itself at any time: how late its event loop is, and how many connections are in use."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from service import telemetry
from service.flow import health
from service.flow.context import Context
from service.store.database import Database

BEAT_SECONDS: Final = 0.5
#: Whether the parts work is asked of them, so more seldom.
READINESS_SECONDS: Final = 10.0

logger = logging.getLogger(__name__)


@asynccontextmanager
async def beating(context: Context, look: Callable[[], None] | None = None) -> AsyncIterator[None]:
    """Look at the process twice a second while the block runs, by `look` at more of it, and now and then at its parts.

    With `look` it is an API process; a worker knows of its parts by using them.
    """
    tasks = [asyncio.create_task(_beat(context.database, look), name="pulse")]
    if look is not None:
        tasks.append(asyncio.create_task(_ask(context), name="readiness"))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _beat(database: Database, look: Callable[[], None] | None) -> None:
    before = time.perf_counter()
    while True:
        await asyncio.sleep(BEAT_SECONDS)
        now = time.perf_counter()
        telemetry.loop_lag_seconds.observe(max(0.0, now - before - BEAT_SECONDS))
        show_connections(database, now - before)
        if look is not None:
            look()
        before = now


def show_connections(database: Database, seconds: float) -> None:
    """Show what is in use of each pool; the time since the last look counts as full where nothing is free now."""
    for pool, (in_use, most) in database.connections().items():
        telemetry.database_connections.labels(pool).set(in_use)
        telemetry.database_connections_most.labels(pool).set(most)
        telemetry.database_full_seconds_total.labels(pool).inc(seconds if in_use >= most else 0)


async def _ask(context: Context) -> None:
    while True:
        try:
            await health.readiness(context)
        except Exception as error:
            # What keeps it from asking is seen by whoever asks for something.
            logger.warning("parts cannot be asked", extra={"exception": type(error).__name__})
        await asyncio.sleep(READINESS_SECONDS)
