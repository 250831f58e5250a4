"""A model and the one that speaks while it cannot start; never in silence, and never longer than it must."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from moderation.scores import Scores
from service import telemetry
from service.workers.scorer_process import ScorerFailed, ScorerFailure, ScorerProcess

RETRY_SECONDS = 30.0
"""Between two tries to start a model whose fallback speaks."""


class ScorerWithFallback:
    """Scores by the model; by the fallback, where there is one, from a failed start of the model until a good one."""

    def __init__(
        self, model: ScorerProcess, fallback: ScorerProcess | None = None, *, retry_seconds: float = RETRY_SECONDS
    ) -> None:
        self._model = model
        self._fallback = fallback
        self._retry_seconds = retry_seconds
        self._trying: asyncio.Task[None] | None = None
        self._stopped = False
        self.in_fallback = False
        self.on_change: Callable[[], None] = lambda: None
        """Called when the other one begins to speak."""

    @property
    def model_id(self) -> str | None:
        """The id of the one that speaks, None before it has answered."""
        return self._speaking.model_id

    @property
    def fallback_id(self) -> str | None:
        """The fallback's id, None where there is none or it was never needed."""
        return self._fallback.model_id if self._fallback else None

    @property
    def busy_since(self) -> float | None:
        """The clock's time at which the call in progress began, or None when idle."""
        return self._speaking.busy_since

    def languages_of(self, model_id: str) -> frozenset[str]:
        """Answer the languages of either model."""
        known = self._model.languages_of(model_id)
        return known or (self._fallback.languages_of(model_id) if self._fallback else known)

    async def score(self, texts: Sequence[str]) -> list[Scores]:
        """Answer one Scores per text, all by one model, or raise ScorerFailed."""
        if not self.in_fallback:
            try:
                return await self._model.score(texts)
            except ScorerFailed as failure:
                if failure.reason is not ScorerFailure.START or self._fallback is None or self._stopped:
                    raise
            self._turn_to_fallback()
        return await self._speaking.score(texts)

    async def score_quickly(self, texts: Sequence[str]) -> list[Scores]:
        """Answer the fallback's scores, whoever speaks; raise ScorerFailed where there is none."""
        if self._fallback is None:
            raise ScorerFailed(ScorerFailure.START)
        return await self._fallback.score(texts)

    async def stop(self) -> None:
        """End both children."""
        self._stopped = True
        if self._trying:
            self._trying.cancel()
            await asyncio.gather(self._trying, return_exceptions=True)
        await self._model.stop()
        if self._fallback:
            await self._fallback.stop()

    @property
    def _speaking(self) -> ScorerProcess:
        return self._fallback if self.in_fallback and self._fallback else self._model

    def _turn_to_fallback(self) -> None:
        if not self.in_fallback:
            self._say(fallback=True)
            self._trying = asyncio.create_task(self._try_model())

    async def _try_model(self) -> None:
        """Start the model beside the work of the fallback, again and again."""
        while self.in_fallback:
            await asyncio.sleep(self._retry_seconds)
            with contextlib.suppress(ScorerFailed):
                await self._model.start()
                self._say(fallback=False)

    def _say(self, *, fallback: bool) -> None:
        self.in_fallback = fallback
        telemetry.scorer_fallback.set(1 if fallback else 0)
        self.on_change()
