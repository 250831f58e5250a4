"""The scoring worker: entries from the stream, scores from the model, decisions into SQL, then acknowledge."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

import msgspec

from moderation.scores import Scores
from service import telemetry, tracing
from service.errors import Problem
from service.flow.context import Context
from service.flow.score import Owed, read_owed, record
from service.flow.sweep import owed_pages
from service.queue.client import QueueUnavailable
from service.queue.scoring import Entry
from service.workers.batch_trace import traced
from service.workers.loop import Parts
from service.workers.recording import Fallback, Recorder
from service.workers.scorer_child import WARM_UP
from service.workers.scorer_process import ScorerFailed, ScorerFailure

logger = logging.getLogger(__name__)

CANARY = WARM_UP
#: An entry that came back this often is one that ends workers; it goes to a person.
MAXIMUM_DELIVERIES = 5
_KEEP_EVERY_SECONDS = 5.0
_LOST_AFTER_MS = 20_000
_RECOVER_EVERY_SECONDS = 5.0
_BLOCK_MS = 1_000


class AsyncScorer(Protocol):
    """What the worker needs of a scorer; the child process is the real one."""

    def languages_of(self, model_id: str) -> frozenset[str]:
        """Answer the languages that a model supports which has answered."""

    async def score(self, texts: Sequence[str]) -> list[Scores]:
        """Answer one Scores per text, or raise ScorerFailed."""


class ScorerIsDown(Exception):  # noqa: N818 - Named for the fact.
    """Not even the canary can be scored; nothing is wrong with the batch."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ScoringWorker:
    """Takes a batch at a time. While the scorer is down it keeps its batch in hand and takes no other."""

    def __init__(
        self,
        context: Context,
        scorer: AsyncScorer,
        parts: Parts,
        *,
        batch_size: int,
        fallback: Fallback | None = None,
    ) -> None:
        self._context = context
        self._scorer = scorer
        self._recorder = Recorder(context, parts, scorer.languages_of, fallback)
        self._parts = parts
        self._batch_size = batch_size
        self._in_hand: list[Entry] = []
        self._idle = False
        self._recovered_own = False
        self._recover_at = 0.0
        self._graced_at = 0.0

    async def drain_once(self, *, block_ms: int = _BLOCK_MS) -> int:
        """Decide one batch, if there is one; answer how many entries were settled.

        Raises ScorerIsDown, QueueUnavailable or Problem for the part that is down; no entry is lost by that.
        """
        if not self._parts.ok("scorer"):
            await self._probe()
        if not self._in_hand:
            self._in_hand = await self._take(block_ms)
        entries = self._in_hand
        self._idle = not entries
        if entries:
            async with self._keeping(entries):
                await self._settle(entries)
        self._in_hand = []
        return len(entries)

    async def apply_grace(self, *, grace_seconds: float) -> int:
        """While the scorer is down for longer, do what each policy says in writing: hold, publish, or go on waiting."""
        down_for = self._parts.failing_seconds("scorer")
        if down_for < grace_seconds or time.monotonic() < self._graced_at:
            return 0
        self._graced_at = time.monotonic() + _RECOVER_EVERY_SECONDS
        settled = 0
        async for ids in owed_pages(self._context):
            owed = await read_owed(self._context, ids)
            chosen = {one.revision_id: None for one in owed if one.on_scorer_failure != "wait"}
            if chosen:
                settled += len(await record(self._context, chosen, languages=None, outage=True))
        return settled

    @property
    def is_idle(self) -> bool:
        """True while the scorer works and the last look at the stream found nothing to decide."""
        return self._idle and self._parts.ok("scorer")

    def note_scorer_works(self) -> None:
        """Say to whoever watches which model speaks."""
        self._recorder.note_scorer_works()

    async def _take(self, block_ms: int) -> list[Entry]:
        if not self._recovered_own:
            own = await self._context.stream.recover_own(self._batch_size)
            self._recovered_own = not own
            if own:
                return own
        if time.monotonic() >= self._recover_at:
            self._recover_at = time.monotonic() + _RECOVER_EVERY_SECONDS
            lost = await self._context.stream.recover(self._batch_size, _LOST_AFTER_MS)
            if lost:
                self._recover_at = 0.0
                return lost
        try:
            return await self._context.stream.fetch(self._batch_size, block_ms)
        except QueueUnavailable:
            # What was handed out while the line broke is in our name; it is asked for again, not left to run idle.
            self._recovered_own = False
            raise

    async def _settle(self, entries: Sequence[Entry]) -> None:
        """Score, record, acknowledge. Entries that came back are taken alone, so that one cannot harm another."""
        fresh = [entry for entry in entries if entry.deliveries <= 1]
        again = [entry for entry in entries if entry.deliveries > 1]
        for group in [fresh, *([entry] for entry in again)]:
            if group:
                await self._settle_apart(group)

    async def _settle_apart(self, entries: Sequence[Entry]) -> None:
        """Settle a group; what fails for a reason that nobody foresaw must not stop the others."""
        try:
            with traced(entries):
                if entries[0].deliveries > MAXIMUM_DELIVERIES:
                    await self._give_to_person(entries[0])
                else:
                    await self._settle_group(entries)
        except Exception as error:
            if failure_of(error) is not None:
                raise
            if len(entries) > 1:
                for entry in entries:
                    await self._settle_apart([entry])
                return
            extra = {"revision_id": entries[0].revision_id}
            logger.error("entry failed; the sweep tries again", exc_info=error, extra=extra)
            telemetry.buried_total.labels("error").inc()
            await self._context.stream.bury(entries, "error")

    async def _settle_group(self, entries: Sequence[Entry]) -> None:
        with telemetry.stage_seconds.labels("read").time():
            owed = await read_owed(self._context, [entry.revision_id for entry in entries])
        telemetry.batch_comments.observe(len(owed))
        if owed:
            await self._decide(owed)
        with telemetry.stage_seconds.labels("acknowledge").time():
            await self._context.stream.acknowledge(entries)

    async def _give_to_person(self, entry: Entry) -> None:
        logger.error("entry buried", extra={"revision_id": entry.revision_id, "deliveries": entry.deliveries})
        await record(self._context, {entry.revision_id: None}, languages=None)
        telemetry.buried_total.labels("deliveries").inc()
        await self._context.stream.bury([entry], "deliveries")

    async def _decide(self, owed: Sequence[Owed]) -> None:
        """Score and record a batch; one that fails is halved until the text that fails alone is found."""
        owed = await self._recorder.record_late(owed)
        if not owed:
            return
        try:
            with telemetry.stage_seconds.labels("score").time(), tracing.span("score", comments=len(owed)):
                scores = await self._scorer.score([one.body for one in owed])
        except ScorerFailed as failure:
            telemetry.scorer_failures_total.labels(failure.reason.value).inc()
            await self._probe()
            if len(owed) == 1:
                await self._recorder.record([(owed[0], await self._score_alone(owed[0]))])
                return
            for part in _parts_of(owed, failure):
                await self._decide(part)
            return
        await self._recorder.record(zip(owed, scores, strict=True))

    async def _score_alone(self, one: Owed) -> Scores | None:
        """Try a text that failed alone once more, for the scorer may have been killed by somebody else."""
        try:
            return (await self._scorer.score([one.body]))[0]
        except ScorerFailed as failure:
            await self._probe()
            extra = {"revision_id": one.revision_id, "reason": failure.reason.value}
            logger.error("text cannot be scored; held for a person", extra=extra)
            return None

    async def _probe(self) -> None:
        """Raise ScorerIsDown unless the canary can be scored."""
        try:
            await self._scorer.score([CANARY])
        except ScorerFailed as failure:
            reason = f"scorer.{failure.reason.value}"
            self._parts.failed("scorer", reason)
            raise ScorerIsDown(reason) from None
        self._recorder.note_scorer_works()

    @asynccontextmanager
    async def _keeping(self, entries: Sequence[Entry]) -> AsyncIterator[None]:
        """Tell the other workers that these entries are in living hands."""
        task = asyncio.create_task(self._keep(entries))
        try:
            yield
        finally:
            task.cancel()
            # Unlike the task itself, this raises nothing but the cancellation of whoever waits here.
            [ended] = await asyncio.gather(task, return_exceptions=True)
            if isinstance(ended, Exception):
                logger.error("entries could not be kept", exc_info=ended)

    async def _keep(self, entries: Sequence[Entry]) -> None:
        while True:
            await asyncio.sleep(_KEEP_EVERY_SECONDS)
            try:
                await self._context.stream.keep(entries)
            except QueueUnavailable:
                logger.warning("entries could not be kept")


def _parts_of(owed: Sequence[Owed], failure: ScorerFailed) -> list[Sequence[Owed]]:
    """Answer what to try next: halves, or single texts where each failure costs the whole timeout."""
    if failure.reason is ScorerFailure.TIMEOUT:
        return [[one] for one in owed]
    middle = len(owed) // 2
    return [owed[:middle], owed[middle:]]


class Failure(msgspec.Struct, frozen=True):
    """Which part was down when a loop's turn failed, and the stable reason."""

    part: str
    reason: str


def failure_of(error: Exception) -> Failure | None:
    """Answer which part an expected error speaks of; None for one that nobody foresaw."""
    if isinstance(error, ScorerIsDown):
        return Failure("scorer", error.reason)
    if isinstance(error, QueueUnavailable):
        return Failure("redis", "redis.unavailable")
    if isinstance(error, Problem) and error.code == "service.unavailable":
        return Failure("database", "database.unavailable")
    return None
