"""A scorer that answers when a test lets it, for what stands in front of a scorer."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from moderation.scores import Attribute, Scores
from service.workers.scorer_process import ScorerFailed, ScorerFailure
from tests.eventually import turns

T = TypeVar("T")


def scored(text: str) -> Scores:
    """The one right answer for a text."""
    return Scores("fake-1", True, {Attribute.TOXICITY: len(text) / 100_000})


class GatedScorer:
    """Answers a call when the test opens its gate, unless it holds a text that breaks it."""

    def __init__(self, *, model_id: str | None = "fake-1") -> None:
        self.model_id = model_id
        self.calls: list[list[str]] = []
        self.gates: list[asyncio.Future[Exception | None]] = []
        self.breaking: set[str] = set()
        self.reason = ScorerFailure.RAISED
        self.open = False
        self.under_way = 0

    def languages_of(self, model_id: str) -> frozenset[str]:
        """The languages of the one model."""
        return frozenset({"en"} if model_id == "fake-1" else ())

    async def score(self, texts: Sequence[str]) -> list[Scores]:
        """Answer, in the test's time."""
        assert self.under_way == 0, "one call at a time"
        self.calls.append(list(texts))
        self.under_way += 1
        try:
            if not self.open:
                self.gates.append(asyncio.get_running_loop().create_future())
                if error := await self.gates[-1]:
                    raise error
        finally:
            self.under_way -= 1
        if self.breaking & set(texts):
            raise ScorerFailed(self.reason, "ValueError")
        return [scored(text) for text in texts]

    def let_go(self, error: Exception | None = None) -> None:
        """Open the gate of the call in progress."""
        if not self.gates[-1].done():
            self.gates[-1].set_result(error)


async def started(waiting: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Start a request and let the batcher take it up."""
    task = asyncio.create_task(waiting)
    await turns(5)
    return task
