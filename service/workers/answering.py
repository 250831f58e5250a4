"""The worker's ear for questions: taken as they come, scored between the batches of comments, answered at once."""

from __future__ import annotations

import asyncio
import logging

import msgspec

from service import telemetry
from service.flow.context import Context
from service.flow.sealing import SealBroken
from service.queue.client import QueueUnavailable
from service.queue.questions import Answer, Question, Unanswered
from service.workers.batch_lines import Priority
from service.workers.batcher import Batcher, ScorerBusy
from service.workers.loop import Parts
from service.workers.scorer_process import ScorerFailed

MOST_IN_HAND = 32
"""So many at once; the others wait where another worker may take them, and where short ones go first."""
_BLOCK_MS = 1_000
_PAUSE_SECONDS = 0.1
_LAST_SECONDS = 1.0

logger = logging.getLogger(__name__)


class Answerer:
    """Takes questions while the scorer works, and gives them to the batcher, which shares the scorer fairly."""

    def __init__(self, context: Context, batcher: Batcher, parts: Parts, *, most_in_hand: int = MOST_IN_HAND) -> None:
        self._context = context
        self._batcher = batcher
        self._parts = parts
        self._most_in_hand = most_in_hand
        self._in_hand: set[asyncio.Task[None]] = set()

    @property
    def in_hand(self) -> int:
        """How many questions wait for the scorer here."""
        return len(self._in_hand)

    async def turn(self, *, block_ms: int = _BLOCK_MS) -> int:
        """Take what there is room for; answer how many were taken. Raises QueueUnavailable."""
        room = self._most_in_hand - len(self._in_hand)
        if not room:
            await asyncio.wait(self._in_hand, timeout=block_ms / 1000, return_when=asyncio.FIRST_COMPLETED)
            return 0
        if not self._parts.ok("scorer"):
            await asyncio.sleep(_PAUSE_SECONDS)
            return 0
        taken = await self._context.questions.take(room, block_ms)
        for question in taken:
            task = asyncio.create_task(self._answer(question))
            self._in_hand.add(task)
            task.add_done_callback(self._in_hand.discard)
        return len(taken)

    async def stop(self) -> None:
        """Answer what is in hand, if that does not take long."""
        if not self._in_hand:
            return
        _, left = await asyncio.wait(self._in_hand, timeout=_LAST_SECONDS)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _answer(self, question: Question) -> None:
        answer = await self._scored(question)
        telemetry.questions_taken_total.labels(answer.reason.value if answer.reason else "answered").inc()
        if answer.reason is Unanswered.LATE:
            return
        try:
            await self._context.questions.answer(question.channel, [answer])
        except QueueUnavailable:
            # Whoever asked hears of the outage by itself.
            logger.warning("a question's answer cannot be told")

    def _admit(self, texts: list[str], left_seconds: float) -> None:
        """Refuse at once what would not be scored in time: a call that nobody waits for holds up all others."""
        seconds = self._batcher.seconds_for(sum(map(len, texts)), Priority.QUESTIONS)
        if seconds > left_seconds:
            raise ScorerBusy(seconds)

    async def _scored(self, question: Question) -> Answer:
        try:
            texts = msgspec.json.decode(self._context.box.open(question.sealed), type=list[str])
            self._admit(texts, question.left_seconds)
            scores = await self._batcher.score(
                texts,
                priority=Priority.QUESTIONS,
                timeout_seconds=question.left_seconds,
                remember=question.remember,
            )
        except TimeoutError:
            return Answer(question.question_id, reason=Unanswered.LATE)
        except ScorerBusy:
            return Answer(question.question_id, reason=Unanswered.BUSY)
        except (ScorerFailed, SealBroken, msgspec.DecodeError) as failure:
            logger.warning("a question cannot be answered", extra={"exception": type(failure).__name__})
            return Answer(question.question_id, reason=Unanswered.FAILED)
        except Exception as failure:
            logger.error("a question failed in a way nobody foresaw", extra={"exception": type(failure).__name__})
            return Answer(question.question_id, reason=Unanswered.FAILED)
        languages = {one: sorted(self._batcher.languages_of(one)) for one in {said.model_id for said in scores}}
        return Answer(question.question_id, scores, languages)
