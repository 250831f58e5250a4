"""A worker's Answerer beside the application of a test, over the test's own scorer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.flow.context import Context
from service.queue.client import QueueUnavailable
from service.queue.scorer_status import ScorerState, ScorerStatus
from service.workers.answering import MOST_IN_HAND, Answerer
from service.workers.batcher import Batcher, BatchScorer
from service.workers.loop import Parts, turn_until
from tests.eventually import eventually


async def _raise_unforeseen(error: Exception) -> None:
    # A worker outlives a Redis that is away, or too slow for a moment.
    if not isinstance(error, QueueUnavailable):
        raise error


@asynccontextmanager
async def answering(
    context: Context, scorer: BatchScorer, *, most_in_hand: int = MOST_IN_HAND, batcher: Batcher | None = None
) -> AsyncIterator[Answerer]:
    """Answer questions until the block is left, and say that the scorer is up; an unforeseen error ends the test."""
    batcher, parts, stop = batcher or Batcher(scorer), Parts("scorer"), asyncio.Event()
    parts.succeeded("scorer")
    answerer = Answerer(context, batcher, parts, most_in_hand=most_in_hand)
    await context.scorers.report("answering", ScorerStatus(ScorerState.UP), 60)
    await eventually(lambda: context.answers.hears)

    async def turn() -> int:
        return await answerer.turn(block_ms=50)

    turning = asyncio.create_task(turn_until(stop, turn, _raise_unforeseen))
    try:
        yield answerer
    finally:
        stop.set()
        await batcher.stop()
        await turning
        await answerer.stop()
