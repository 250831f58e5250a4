"""The delivering part of a worker, in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.egress import Egress
from service.flow.context import Context
from service.workers.delivering import Deliverer


@asynccontextmanager
async def delivering(context: Context) -> AsyncIterator[Deliverer]:
    """Give what delivers to receivers on loopback too, and end it."""
    egress = Egress(allow_loopback=True)
    made = Deliverer(context, egress)
    yield made
    await made.stop()
    await egress.close()
