"""The queue in front of a scorer: many callers, one call at a time, each as large as the model can do in a second."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from moderation.scorers.score_cache import ScoreCache
from moderation.scores import Scores
from service import telemetry
from service.workers.batch_lines import Call, Line, Priority, Request
from service.workers.scorer_process import ScorerFailed, ScorerFailure

MOST_CHARACTERS = 65_536
"""The largest call, whatever the model's speed."""
LEAST_CHARACTERS = 2_000
"""What may be gathered for one call however slow the model is; a single text may be longer."""
_FIRST_CHARACTERS = LEAST_CHARACTERS
_CALL_SECONDS = 1.0
_SHORT_CALL_SECONDS = 0.25
"""Somebody who waits for an answer waits for the call in progress first."""
_SHORT_FOR_SECONDS = 10.0
"""Calls stay short for so long after a question: whoever asked once asks again."""
_CALL_COST = 200
"""A call costs about as much as so many characters, whatever is in it; short texts do not tell how long others take."""
_REMEMBERED = 0.8
_SHORTEST_RETRY_SECONDS, _LONGEST_RETRY_SECONDS = 1.0, 60.0

logger = logging.getLogger(__name__)


class ScorerBusy(Exception):  # noqa: N818 - Named for the fact.
    """So much waits already that this request was not taken; it may come again after `retry_after_seconds`."""

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__("too much waits to be scored")
        self.retry_after_seconds = retry_after_seconds


class BatchScorer(Protocol):
    """What the batcher needs of a scorer: the child process, or a fake of it."""

    @property
    def model_id(self) -> str | None:
        """The model that answered last, None before the first."""

    def languages_of(self, model_id: str) -> frozenset[str]:
        """Answer the languages that a model supports which has answered."""

    async def score(self, texts: Sequence[str]) -> list[Scores]:
        """Answer one Scores per text, or raise ScorerFailed."""


class _Wish(NamedTuple):
    texts: list[str]
    priority: Priority
    timeout_seconds: float | None
    remember: bool


class Batcher:
    """Scores for many callers through one scorer.

    Requests of one priority are gathered into a call, identical texts once. A call that fails is tried once more
    for each of its requests alone, so that nobody's text harms another's request; an error then reaches its caller.
    """

    def __init__(
        self,
        scorer: BatchScorer,
        *,
        most_texts: int = 64,
        waiting_texts: int = 10_000,
        waiting_characters: int = 4_000_000,
        cache_entries: int = 0,
        uncached: frozenset[str] = frozenset(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._scorer = scorer
        self._most_texts = most_texts
        self._waiting_texts, self._waiting_characters = waiting_texts, waiting_characters
        self.cache = ScoreCache(cache_entries)
        self._uncached = uncached
        self._clock = clock
        self._lines = {priority: Line(priority) for priority in Priority}
        self._served = 0.0
        self._short_until: float | None = None
        self._scored_characters, self._scored_seconds, self._scored_calls = 0.0, 0.0, 0.0
        self._task: asyncio.Task[None] | None = None
        self._stopped = False

    @property
    def model_id(self) -> str | None:
        """The scorer's model, None before it answered."""
        return self._scorer.model_id

    def languages_of(self, model_id: str) -> frozenset[str]:
        """Answer the languages of one of the scorer's models."""
        return self._scorer.languages_of(model_id)

    def characters_waiting(self, priority: Priority) -> int:
        """Answer how many characters wait to be sent."""
        return self._lines[priority].characters

    @property
    def characters_per_second(self) -> float | None:
        """How fast the scorer was lately, None before its first answer."""
        return self._scored_characters / self._scored_seconds if self._scored_seconds else None

    def seconds_for(self, characters: int, priority: Priority) -> float:
        """Answer how long so many characters more would take in a line; 0 for what is tried however slow it was.

        That is what the next call takes in with all that waits before it, and no longer for it than calls are anyway:
        else a scorer that was slow once, or with one text at a time, would never be seen to be faster.
        """
        line = self._lines[priority]
        mine = line.characters + characters
        if not self._scored_seconds or mine <= LEAST_CHARACTERS:
            return 0.0
        others = [other for other in self._lines.values() if other is not line and other.texts]
        # While the others wait they have their shares, but no more than what waits there.
        theirs = sum(min(other.characters, mine * other.share / line.share) for other in others)
        done = self._scored_characters + self._scored_calls * _CALL_COST
        return (mine + theirs + _CALL_COST) * self._scored_seconds / done

    async def score(
        self,
        texts: Sequence[str],
        *,
        priority: Priority = Priority.COMMENTS,
        timeout_seconds: float | None = None,
        remember: bool = True,
    ) -> list[Scores]:
        """Answer one Scores per text, in order; what nobody will ask again need not be remembered.

        Raises ScorerFailed, ScorerBusy when too much waits, TimeoutError when the time is over first.
        """
        known = self._remembered(texts) if remember else {}
        # By length, since a call may hold a part of them only and a model pads to the longest of its neighbours.
        missing = sorted((text for text in dict.fromkeys(texts) if text not in known), key=len)
        if missing:
            known |= await self._ask(_Wish(missing, priority, timeout_seconds, remember))
        return [known[text] for text in texts]

    async def stop(self) -> None:
        """Fail all who wait, and give up the call in progress; later calls fail at once."""
        self._stopped = True
        task, self._task = self._task, None
        if task:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        for line in self._lines.values():
            for request in line.requests:
                request.fail(ScorerFailed(ScorerFailure.START))

    def _remembered(self, texts: Sequence[str]) -> dict[str, Scores]:
        model_id = self._scorer.model_id
        if model_id is None:
            return {}
        asked = [text for text in dict.fromkeys(texts) if text not in self._uncached]
        known = {text: found for text in asked if (found := self.cache.find(model_id, text)) is not None}
        telemetry.scorer_cache_total.labels("hit").inc(len(known))
        telemetry.scorer_cache_total.labels("miss").inc(len(asked) - len(known))
        return known

    async def _ask(self, wish: _Wish) -> dict[str, Scores]:
        if self._stopped:
            raise ScorerFailed(ScorerFailure.START)
        line = self._lines[wish.priority]
        if wish.priority is Priority.QUESTIONS:
            self._short_until = self._clock() + _SHORT_FOR_SECONDS
        self._admit(line, wish.texts)
        request = Request(wish.texts, self._clock(), remember=wish.remember)
        if not line.texts:
            # Who was away has saved nothing up: else its return would starve the others.
            line.served = max(line.served, self._served)
        line.add(request)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        try:
            async with asyncio.timeout(wish.timeout_seconds):
                return await request.done
        finally:
            if not request.done.done() or request.done.cancelled():
                request.done.cancel()
                telemetry.scorer_abandoned_total.labels(wish.priority.value).inc()
            line.drop(request)

    def _admit(self, line: Line, texts: Sequence[str]) -> None:
        """Refuse what would wait too long. A line that is empty takes a request of any size, else it never could."""
        characters = line.characters + sum(map(len, texts))
        if not line.texts or (
            line.texts + len(texts) <= self._waiting_texts and characters <= self._waiting_characters
        ):
            return
        telemetry.scorer_refused_total.labels(line.priority.value).inc()
        raise ScorerBusy(self._retry_after(line))

    def _retry_after(self, line: Line) -> float:
        """Answer how long the line needs at the scorer's speed and its share, when others wait too."""
        speed = self.characters_per_second
        if not speed:
            return _SHORTEST_RETRY_SECONDS
        shares = sum(other.share for other in self._lines.values() if other.texts or other is line)
        seconds = line.characters / speed * shares / line.share
        return min(max(seconds, _SHORTEST_RETRY_SECONDS), _LONGEST_RETRY_SECONDS)

    async def _run(self) -> None:
        """Call after call until nobody waits; the next request starts it again."""
        while call := self._next_call():
            await self._make(call)

    def _next_call(self) -> Call | None:
        """Gather for the line that had the least for its share (start-time fair queueing)."""
        for line in sorted((line for line in self._lines.values() if line.texts), key=lambda line: line.served):
            call = Call(line, self._most_texts, self._call_characters())
            call.gather()
            if call.texts:
                self._served = line.served
                # A text costs something even when it is empty.
                line.served += (call.characters + len(call.texts)) / line.share
                return call
        return None

    def _call_characters(self) -> float:
        speed = self.characters_per_second
        is_short = self._short_until is not None and self._clock() < self._short_until
        seconds = _SHORT_CALL_SECONDS if is_short else _CALL_SECONDS
        wanted = _FIRST_CHARACTERS if speed is None else speed * seconds
        return min(max(wanted, LEAST_CHARACTERS), MOST_CHARACTERS)

    async def _make(self, call: Call) -> None:
        began = self._clock()
        priority = call.line.priority.value
        for request in call.requests:
            telemetry.scorer_seconds.labels("wait", priority).observe(max(0.0, began - request.since))
        try:
            scores = await self._scorer.score(list(call.texts))
            call.answer(scores)
        except ScorerFailed as failure:
            self._after_failure(call, failure)
            return
        except BaseException as error:
            for request in call.requests:
                request.fail(error if isinstance(error, Exception) else ScorerFailed(ScorerFailure.CRASHED))
            if not isinstance(error, Exception):
                raise
            logger.error("the scorer failed in a way that nobody foresaw", extra={"exception": type(error).__name__})
            return
        seconds = max(0.0, self._clock() - began)
        telemetry.scorer_seconds.labels("score", priority).observe(seconds)
        self._scored_characters = self._scored_characters * _REMEMBERED + call.characters
        self._scored_seconds = self._scored_seconds * _REMEMBERED + seconds
        self._scored_calls = self._scored_calls * _REMEMBERED + 1
        for (text, requests), one in zip(call.texts.items(), scores, strict=True):
            if text not in self._uncached and any(request.remember for request in requests):
                self.cache.keep(text, one)

    def _after_failure(self, call: Call, failure: ScorerFailed) -> None:
        """Tell who waited, or try each alone where only one of them may be at fault."""
        waiting = [request for request in call.requests if not request.done.done()]
        # A start that failed is nobody's fault, and what timed out once costs the whole time again.
        apart = len(waiting) > 1 and failure.reason not in (ScorerFailure.START, ScorerFailure.TIMEOUT)
        for request in reversed(waiting):
            if not apart:
                request.fail(ScorerFailed(failure.reason, failure.exception))
                continue
            call.line.drop(request)
            again = [text for text in request.texts if text not in request.answers]
            request.texts, request.at, request.left, request.alone = again, 0, len(again), True
            call.line.add(request, first=True)
