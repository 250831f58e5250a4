"""The worker's idle moments: held items get the words that made their score, and no decision waits for that."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from moderation.scores import Scores
from service import telemetry
from service.flow.context import Context
from service.flow.explain import explain_item, unexplained
from service.store.types import Row
from service.workers.batch_lines import Priority
from service.workers.batcher import Batcher, ScorerBusy
from service.workers.scorer_process import ScorerFailed

BUDGET_SECONDS = 2.0
"""After so long what was found of a text is stored; the scorer is shared all the while, comments first."""
_PAGE = 20
_MOST_GIVEN_UP = 1_000

logger = logging.getLogger(__name__)


class Explainer:
    """Looks into items one by one while nothing waits to be decided; a text that the scorer fails on is left alone."""

    def __init__(self, context: Context, batcher: Batcher, *, is_idle: Callable[[], bool]) -> None:
        self._context = context
        self._batcher = batcher
        self._is_idle = is_idle
        self._after: Row | None = None
        self._given_up: set[str] = set()

    async def explain_some(self) -> int:
        """Look into a page of items at the most, for as long as the worker is idle; answer how many were."""
        done = 0
        if not self._is_idle():
            return done
        items = await unexplained(self._context, after=self._after, limit=_PAGE)
        # At the end it begins again, for items of an earlier site or order may have come.
        self._after = items[-1] if len(items) == _PAGE else None
        for item in items:
            if not self._is_idle():
                self._after = None
                return done
            if item.id not in self._given_up:
                done += await self._explain(item)
        return done

    async def _explain(self, item: Row) -> int:
        try:
            with telemetry.stage_seconds.labels("explain").time():
                await explain_item(self._context, item, self._score, budget_seconds=BUDGET_SECONDS)
        except (ScorerFailed, ScorerBusy, TimeoutError) as failure:
            extra = {"item_id": item.id, "exception": type(failure).__name__}
            logger.warning("an item cannot be explained", extra=extra)
            if len(self._given_up) >= _MOST_GIVEN_UP:
                self._given_up.clear()
            self._given_up.add(item.id)
            return 0
        return 1

    async def _score(self, texts: Sequence[str]) -> list[Scores]:
        return await self._batcher.score(texts, priority=Priority.OTHERS, remember=False)
