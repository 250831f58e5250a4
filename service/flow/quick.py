"""The quick model of an API process: it answers where the model in force would not, in a bounded time or not at all."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from moderation.scores import Scores

_CALL_CHARACTERS: Final = 8_000
"""What is gathered for one call: more would let the first of them wait for the last."""
_WAKE_AGAIN_SECONDS: Final = 10.0
"""A model that did not start is not started for everybody who comes."""
_FIRST_CHARACTERS_PER_SECOND: Final = 50_000.0
"""Before the first answer; a small machine does more."""
_COST_OF_A_CALL: Final = 200
"""A call costs as much as so many characters, whatever is in it."""
_REMEMBERED: Final = 0.8
_LEAST_RETRY_SECONDS: Final = 1.0

logger = logging.getLogger(__name__)


class TooMany(Exception):  # noqa: N818 - Named for the fact.
    """Nobody answers within the time: so much waits already. It may come again after `retry_after_seconds`."""

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__("too much waits to be scored")
        self.retry_after_seconds = max(retry_after_seconds, _LEAST_RETRY_SECONDS)


class QuickScorer(Protocol):
    """The model behind it: a child process, or a fake of one."""

    @property
    def languages(self) -> frozenset[str]:
        """The languages that the model is good for."""

    @property
    def running(self) -> bool:
        """Whether it is loaded, so that a call is the model's work alone."""

    async def start(self) -> None:
        """Load the model."""

    async def score(self, texts: Sequence[str]) -> list[Scores]:
        """Answer one Scores per text, or raise."""

    async def stop(self) -> None:
        """End it."""


class _Request:
    __slots__ = ("characters", "done", "texts")

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = list(texts)
        self.characters = _COST_OF_A_CALL + sum(map(len, texts))
        self.done: asyncio.Future[list[Scores]] = asyncio.get_running_loop().create_future()


class Quick:
    """Answers in order of coming; whoever would not be answered in time is refused at once."""

    def __init__(self, scorer: QuickScorer, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._scorer = scorer
        self._clock = clock
        self._line: deque[_Request] = deque()
        self._waiting = 0
        self._characters, self._seconds = _FIRST_CHARACTERS_PER_SECOND, 1.0
        self._knows_its_speed = False
        self._woken_at = -math.inf
        self._waking: asyncio.Task[None] | None = None
        self._running: asyncio.Task[None] | None = None

    @property
    def languages(self) -> frozenset[str]:
        """The languages that the quick model is good for; none before it was started."""
        return self._scorer.languages

    def wake(self) -> None:
        """Load the model beside everything else, if it is not: it is there then when it is needed."""
        if self._scorer.running or (self._waking is not None and not self._waking.done()):
            return
        if self._clock() - self._woken_at >= _WAKE_AGAIN_SECONDS:
            self._woken_at = self._clock()
            self._waking = asyncio.create_task(self._wake())

    def seconds_for(self, texts: Sequence[str]) -> float:
        """Answer how long these texts take, were nobody before them."""
        return self._seconds_of(_COST_OF_A_CALL + sum(map(len, texts)))

    async def score(self, texts: Sequence[str], *, within_seconds: float) -> list[Scores]:
        """Answer one Scores per text, in order; raise TooMany when that takes longer than there is time."""
        request = _Request(texts)
        before = self._seconds_of(self._waiting)
        fits = before + self._seconds_of(request.characters) <= within_seconds
        if within_seconds <= 0 or not (fits or self._is_let_in_anyway(request)):
            raise TooMany(before)
        self._line.append(request)
        self._waiting += request.characters
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
        try:
            async with asyncio.timeout(within_seconds):
                return await request.done
        except TimeoutError:
            raise TooMany(self._seconds_of(self._waiting)) from None

    async def stop(self) -> None:
        """Fail all who wait, and end the model."""
        tasks = [task for task in (self._running, self._waking) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for request in self._line:
            request.done.cancel()
        await self._scorer.stop()

    def _is_let_in_anyway(self, request: _Request) -> bool:
        """Whether one is tried without being sure: it comes first, and teaches how fast we are without taking long.

        Else a machine that was slow once would never learn that it is no more.
        """
        return not self._waiting and (not self._knows_its_speed or request.characters <= _CALL_CHARACTERS)

    def _seconds_of(self, characters: float) -> float:
        return characters * self._seconds / self._characters

    async def _wake(self) -> None:
        try:
            await self._scorer.start()
        except Exception as error:
            # The next who needs it tries again, and is told then that there is no answer.
            logger.warning("the quick model does not start", extra={"exception": type(error).__name__})

    async def _run(self) -> None:
        while self._line:
            call = self._gather()
            try:
                await self._answer(call)
            finally:
                self._waiting -= sum(request.characters for request in call)

    def _gather(self) -> list[_Request]:
        call = [self._line.popleft()]
        characters = call[0].characters
        while self._line and characters + self._line[0].characters <= _CALL_CHARACTERS:
            call.append(self._line.popleft())
            characters += call[-1].characters
        return call

    async def _answer(self, call: list[_Request]) -> None:
        wanted = [request for request in call if not request.done.done()]
        if not wanted:
            return
        ran, began = self._scorer.running, self._clock()
        try:
            scores = await self._scorer.score([text for request in wanted for text in request.texts])
        except Exception as error:
            await self._after_failure(wanted, error)
            return
        # A call that had to start the child first tells nothing about the next one.
        if ran:
            self._learn(sum(request.characters for request in wanted), self._clock() - began)
        at = 0
        for request in wanted:
            if not request.done.done():
                request.done.set_result(scores[at : at + len(request.texts)])
            at += len(request.texts)

    async def _after_failure(self, wanted: list[_Request], error: Exception) -> None:
        """Try each alone, so that nobody's text harms another's; one that fails alone has no answer."""
        if len(wanted) > 1:
            for request in wanted:
                await self._answer([request])
            return
        logger.warning("the quick model failed", extra={"exception": type(error).__name__})
        if not wanted[0].done.done():
            wanted[0].done.set_exception(TooMany(_LEAST_RETRY_SECONDS))

    def _learn(self, characters: float, seconds: float) -> None:
        self._knows_its_speed = True
        self._characters = self._characters * _REMEMBERED + characters
        self._seconds = self._seconds * _REMEMBERED + max(seconds, 0.0)
