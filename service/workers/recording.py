"""What becomes of scores: recorded model by model; those of a fallback only where the policy accepts them."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from moderation.scores import Scores
from service import telemetry, tracing
from service.flow.context import Context
from service.flow.score import Owed, record
from service.workers.loop import Parts
from service.workers.scorer_process import ScorerFailed

logger = logging.getLogger(__name__)

DEGRADED = "scorer.fallback"
"""The reason of a worker whose model cannot start, while the fallback scores in its place."""


class Fallback(Protocol):
    """What the worker needs to know of a second model."""

    @property
    def in_fallback(self) -> bool:
        """True while it speaks because the model cannot start."""

    @property
    def fallback_id(self) -> str | None:
        """Its id, None before it was needed."""

    async def score_quickly(self, texts: Sequence[str]) -> list[Scores]:
        """Answer its scores, or raise ScorerFailed."""


class Recorder:
    """Commits what was scored, each text with the languages of the model that spoke."""

    def __init__(
        self,
        context: Context,
        parts: Parts,
        languages_of: Callable[[str], frozenset[str]],
        fallback: Fallback | None,
    ) -> None:
        self._context = context
        self._parts = parts
        self._languages_of = languages_of
        self._fallback = fallback

    def note_scorer_works(self) -> None:
        """Say so to whoever watches: as it was meant to, or by the fallback."""
        if self._fallback and self._fallback.in_fallback:
            self._parts.degraded("scorer", DEGRADED)
        else:
            self._parts.succeeded("scorer")

    async def record(self, scored: Iterable[tuple[Owed, Scores | None]], *, why: str = "start") -> None:
        """Commit what may be judged; what only the model may judge is left to the sweep, or to its policy."""
        groups: defaultdict[str | None, dict[str, Scores | None]] = defaultdict(dict)
        since: dict[str, datetime] = {}
        aside = []
        for one, scores in scored:
            since[one.revision_id] = one.created_at
            if scores and self._is_by_fallback(scores) and not one.accepts(scores.model_id):
                aside.append(one)
            else:
                groups[scores.model_id if scores else None][one.revision_id] = scores
        for model_id, group in groups.items():
            if self._fallback and model_id and model_id == self._fallback.fallback_id:
                telemetry.fallback_comments_total.labels(why).inc(len(group))
            # An empty set is not None: of a model whose languages nobody knows every known language is held.
            languages = None if model_id is None else self._languages_of(model_id)
            facts = tracing.Facts(model_id=model_id, comments=len(group))
            with telemetry.stage_seconds.labels("record").time(), tracing.span("record decisions", **facts):
                await record(self._context, group, languages=languages)
            now = self._context.now()
            for revision_id in group:
                telemetry.decision_seconds.observe(max(0.0, (now - since[revision_id]).total_seconds()))
        await self._set_aside(aside)

    async def record_late(self, owed: Sequence[Owed]) -> Sequence[Owed]:
        """Let the fallback decide what has waited too long for the model; answer what the model shall decide."""
        limit = self._context.settings.scorer_overload_seconds
        if not limit or self._fallback is None or self._fallback.in_fallback:
            return owed
        before = self._context.now() - timedelta(seconds=limit)
        late = [one for one in owed if one.fallback_model and one.created_at < before]
        if not late:
            return owed
        try:
            scores = await self._fallback.score_quickly([one.body for one in late])
        except ScorerFailed:
            return owed
        quick = [(one, said) for one, said in zip(late, scores, strict=True) if one.fallback_model == said.model_id]
        await self.record(quick, why="overload")
        decided = {one.revision_id for one, _ in quick}
        return [one for one in owed if one.revision_id not in decided]

    def _is_by_fallback(self, scores: Scores) -> bool:
        return self._fallback is not None and scores.model_id == self._fallback.fallback_id

    async def _set_aside(self, owed: Sequence[Owed]) -> None:
        """Wait for the model with these; in a long outage do what each policy says in writing, as in any outage."""
        if not owed:
            return
        logger.warning("comments wait for the model; their policies accept no fallback", extra={"number": len(owed)})
        if self._parts.failing_seconds("scorer") < self._context.settings.scorer_grace_seconds:
            return
        chosen = {one.revision_id: None for one in owed if one.on_scorer_failure != "wait"}
        if chosen:
            await record(self._context, chosen, languages=None, outage=True)
