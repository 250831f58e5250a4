"""Questions to the scorer: asked by an API process that waits for them, answered by a worker, kept by nobody.

A question lives in Redis until it is taken or its time is over, under a key of its own, sealed by whoever asks.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final

import msgspec
from redis.asyncio import Redis

from moderation.scores import Scores
from service.queue.client import MAX_BLOCK_MS, QueueUnavailable, load_script, only_unavailable

MOST_WAITING: Final = 200
LONGEST_SECONDS: Final = 10.0
#: A shorter question goes before a longer one that came so many milliseconds earlier for each character more.
MS_PER_CHARACTER: Final = 0.05

log = logging.getLogger(__name__)


class Unanswered(StrEnum):
    """Why a question has no answer."""

    AWAY = "away"
    FULL = "full"
    LATE = "late"
    BUSY = "busy"
    FAILED = "failed"


class NoAnswer(Exception):  # noqa: N818 - Named for the fact.
    """Nobody answers this question, for a reason that says nothing of its text."""

    def __init__(self, reason: Unanswered) -> None:
        super().__init__(reason.value)
        self.reason = reason


class Question(msgspec.Struct, frozen=True):
    """What a worker took: sealed texts, whose process waits, and for how long; `remember` what will be asked again."""

    question_id: str
    channel: str
    sealed: str
    remember: bool
    left_seconds: float


class Answer(msgspec.Struct, frozen=True):
    """One Scores per text, in order, and the languages of each model among them; or why there are none."""

    question_id: str
    scores: list[Scores] | None = None
    languages: dict[str, list[str]] = {}
    reason: Unanswered | None = None


class _Kept(msgspec.Struct, frozen=True):
    channel: str
    sealed: str
    remember: bool


class QuestionLine:
    """Where questions wait for a worker: a bounded number, short ones first, each no longer than it lives."""

    def __init__(
        self, client: Redis, blocking_client: Redis, prefix: str = "colloquy", *, most: int = MOST_WAITING
    ) -> None:
        self._client = client
        self._blocking = blocking_client
        self._line, self._ends = f"{prefix}:questions", f"{prefix}:questions:ends"
        self._text = f"{prefix}:questions:text:"
        self._most = most
        self._put = load_script(client, "questions_put")

    @only_unavailable
    async def put(
        self,
        question_id: str,
        channel: str,
        sealed: str,
        *,
        characters: int,
        life_seconds: float,
        remember: bool = True,
    ) -> bool:
        """Let a question wait; answer False where as many wait as may."""
        life_ms = max(1, round(min(life_seconds, LONGEST_SECONDS) * 1000))
        later_ms = round(min(characters * MS_PER_CHARACTER, life_ms / 2))
        kept = msgspec.json.encode(_Kept(channel, sealed, remember)).decode()
        keys = [self._line, self._ends, self._text + question_id]
        return int(await self._put(keys, [question_id, kept, life_ms, later_ms, self._most])) >= 0

    @only_unavailable
    async def take(self, count: int, block_ms: int) -> list[Question]:
        """Take up to `count` questions that are not over, waiting for the first for at most `block_ms`."""
        # 0 would wait for ever.
        seconds = min(max(block_ms, 1), MAX_BLOCK_MS) / 1000
        first: Any = await self._blocking.bzpopmin(self._line, timeout=seconds)
        if first is None:
            return []
        more: Any = await self._client.zpopmin(self._line, count - 1) if count > 1 else []
        return await self._open([first[1], *(one[0] for one in more)])

    @only_unavailable
    async def answer(self, channel: str, answers: Sequence[Answer]) -> None:
        """Tell the process that asked."""
        if answers:
            await self._client.publish(channel, msgspec.json.encode(answers))

    @only_unavailable
    async def waiting(self) -> int:
        """Answer how many wait, those that are over and not yet cleared away among them."""
        return int(await self._client.zcard(self._line))

    async def _open(self, ids: Sequence[str]) -> list[Question]:
        async with self._client.pipeline(transaction=True) as pipeline:
            for question_id in ids:
                pipeline.pttl(self._text + question_id)
                pipeline.getdel(self._text + question_id)
            pipeline.zrem(self._ends, *ids)
            *found, _ = await pipeline.execute()
        left, texts = found[::2], found[1::2]
        return [
            _read(question_id, text, ms / 1000)
            for question_id, ms, text in zip(ids, left, texts, strict=True)
            if text is not None and ms > 0
        ]


class Answers:
    """The ear of one API process: it asks, and hears over the connection of the DecisionHub it is a listener of."""

    def __init__(self, line: QuestionLine, prefix: str = "colloquy") -> None:
        self.channel = f"{prefix}:answers:{uuid.uuid4().hex}"
        self._line = line
        self._hears = False
        self._waiting: dict[str, asyncio.Future[Answer]] = {}
        self._decoder = msgspec.json.Decoder(list[Answer])

    @property
    def hears(self) -> bool:
        """Whether an answer would be heard now."""
        return self._hears

    @property
    def waiting(self) -> int:
        """How many of this process wait for an answer."""
        return len(self._waiting)

    async def ask(self, sealed: str, *, characters: int, within_seconds: float, remember: bool = True) -> Answer:
        """Answer what a worker says of sealed texts, or raise NoAnswer; nobody waits longer than `within_seconds`."""
        if not self._hears or within_seconds <= 0:
            raise NoAnswer(Unanswered.LATE if self._hears else Unanswered.AWAY)
        question_id, answer = uuid.uuid4().hex, asyncio.get_running_loop().create_future()
        within_seconds = min(within_seconds, LONGEST_SECONDS)
        until = time.monotonic() + within_seconds
        self._waiting[question_id] = answer
        try:
            async with asyncio.timeout(within_seconds):
                has_room = await self._line.put(
                    question_id,
                    self.channel,
                    sealed,
                    characters=characters,
                    life_seconds=until - time.monotonic(),
                    remember=remember,
                )
                if not has_room:
                    raise NoAnswer(Unanswered.FULL)
                heard: Answer = await answer
        except TimeoutError:
            raise NoAnswer(Unanswered.LATE) from None
        except QueueUnavailable:
            raise NoAnswer(Unanswered.AWAY) from None
        finally:
            del self._waiting[question_id]
        if heard.scores is None:
            raise NoAnswer(heard.reason or Unanswered.FAILED)
        return heard

    async def catch_up(self) -> None:
        """Begin to hear; what was answered before, nobody waits for."""
        self._hears = True

    def hear(self, data: str) -> None:
        """Hand answers to those who wait for them."""
        try:
            answers = self._decoder.decode(data)
        except msgspec.DecodeError:
            log.warning("an answer to a question cannot be read")
            return
        for one in answers:
            self._settle(one)

    def lapse(self) -> None:
        """End every wait: what is answered from now on is not heard."""
        self._hears = False
        for question_id in tuple(self._waiting):
            self._settle(Answer(question_id, reason=Unanswered.AWAY))

    def _settle(self, answer: Answer) -> None:
        waiting = self._waiting.get(answer.question_id)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)


def _read(question_id: str, text: str, left_seconds: float) -> Question:
    kept = msgspec.json.decode(text, type=_Kept)
    return Question(question_id, kept.channel, kept.sealed, kept.remember, left_seconds)
