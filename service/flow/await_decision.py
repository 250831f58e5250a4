"""Put a revision on the scoring stream and wait, bounded, for what becomes of it."""

from __future__ import annotations

import logging

from service import telemetry, tracing
from service.flow.context import Context
from service.queue.client import QueueUnavailable

logger = logging.getLogger(__name__)
MAXIMUM_WAIT_SECONDS = 10.0


async def enqueue_and_wait(context: Context, revision_id: str, wait_seconds: float) -> bool:
    """Answer whether the revision was decided in time. Redis being down loses nothing: the sweep puts it back."""
    wait_seconds = min(wait_seconds, MAXIMUM_WAIT_SECONDS)
    try:
        if wait_seconds <= 0 or not (await context.scorers.read()).accepts_waiting:
            await _enqueue(context, revision_id)
            return False
        # Registered before the entry exists, so that a fast worker's answer is not missed.
        with context.hub.expect(revision_id) as waiter:
            await _enqueue(context, revision_id)
            return await waiter.wait(wait_seconds) is not None
    except QueueUnavailable:
        telemetry.enqueue_failed_total.inc()
        logger.warning("scoring stream unavailable; the sweep will enqueue", extra={"revision_id": revision_id})
        return False


async def _enqueue(context: Context, revision_id: str) -> None:
    with tracing.span("enqueue comment", kind="producer", revision_id=revision_id) as span:
        await context.stream.enqueue([revision_id], trace=span.traceparent)
