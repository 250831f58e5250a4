"""One worker process: its loops, its reports, its health page; it ends after the batch in progress."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import time
from functools import partial
from pathlib import Path

from service import telemetry
from service.flow.context import Context
from service.flow.pulse import beating
from service.flow.sweep import sweep
from service.queue.client import QueueUnavailable
from service.queue.scorer_status import ScorerState, ScorerStatus
from service.workers.answering import Answerer
from service.workers.batch_lines import Priority
from service.workers.batcher import Batcher
from service.workers.delivering import Deliverer
from service.workers.explaining import Explainer
from service.workers.fallback import ScorerWithFallback
from service.workers.health import serve_health
from service.workers.loop import Parts, starting, turn_until, wait_for_any
from service.workers.mailing import PART as MAIL
from service.workers.mailing import Mailer
from service.workers.measuring import Measurer
from service.workers.scoring import CANARY, ScoringWorker, failure_of

logger = logging.getLogger(__name__)
_REPORT_EVERY_SECONDS = 1.0
_REPORT_TTL_SECONDS = 4.0
_SLOW_BATCH_SECONDS = 2.0
_LEAST_TEXTS = 64
_EXPLAIN_EVERY_SECONDS = 1.0


def worker_name(configured: str) -> str:
    """Answer the consumer's name: the configured one comes back for its own entries after a restart."""
    return configured or f"{socket.gethostname()}-{os.getpid()}"


class Worker:
    """The loops of one process around one scorer."""

    def __init__(
        self,
        context: Context,
        scorer: ScorerWithFallback,
        *,
        name: str,
        report_every_seconds: float = _REPORT_EVERY_SECONDS,
    ) -> None:
        self._context = context
        self._scorer = scorer
        self._name = name
        self._report_every_seconds = report_every_seconds
        settings = context.settings
        self.parts = Parts("scorer", "redis", "database", *([MAIL] if settings.smtp_url else []))
        self._batcher = Batcher(
            scorer,
            most_texts=max(_LEAST_TEXTS, settings.score_batch_size),
            cache_entries=settings.scorer_cache_entries,
            # An answer from memory would say that a dead scorer lives.
            uncached=frozenset({CANARY}),
        )
        self._scoring = ScoringWorker(
            context, self._batcher, self.parts, batch_size=settings.score_batch_size, fallback=scorer
        )
        self._deliverer = Deliverer(context, context.webhook_egress)
        self._mailer = Mailer(context, self.parts) if settings.smtp_url else None
        self._answerer = Answerer(context, self._batcher, self.parts)
        self._measurer = Measurer(context)
        self._explainer = Explainer(context, self._batcher, is_idle=lambda: self._scoring.is_idle)
        scorer.on_change = self._scoring.note_scorer_works
        self._state_since = (ScorerState.UNKNOWN, 0.0)

    async def run(self, stop: asyncio.Event, *, health_socket: Path | None) -> None:
        """Work until told to stop."""
        settings = self._context.settings
        async with beating(self._context), asyncio.TaskGroup() as group:
            health = group.create_task(
                serve_health(
                    readiness=self.parts.readiness,
                    host=settings.worker_host,
                    port=settings.worker_port,
                    socket_path=health_socket,
                )
            )
            report = group.create_task(self._report(stop))
            sweeping = group.create_task(
                turn_until(stop, self._sweep, self._on_error, every_seconds=settings.sweep_interval_seconds)
            )
            explaining = group.create_task(
                turn_until(stop, self._explainer.explain_some, self._on_error, every_seconds=_EXPLAIN_EVERY_SECONDS)
            )
            delivering = group.create_task(
                turn_until(stop, partial(self._deliverer.turn, stop), self._on_error, every_seconds=0.0)
            )
            measuring = group.create_task(
                turn_until(stop, partial(self._measurer.turn, stop), self._on_error, every_seconds=0.0)
            )
            answering = group.create_task(turn_until(stop, self._answerer.turn, self._on_error))
            mailing = group.create_task(self._send_mail(stop))
            await turn_until(stop, self._drain, self._on_error)
            await answering
            await self._answerer.stop()
            await delivering
            await mailing
            await self._deliverer.stop()
            await sweeping
            # An explanation may be in the middle of a long text, and whoever stops a worker does not wait for it.
            explaining.cancel()
            measuring.cancel()
            await report
            health.cancel()
        await self._batcher.stop()
        await self._scorer.stop()

    async def _send_mail(self, stop: asyncio.Event) -> None:
        if self._mailer is not None:
            await turn_until(stop, partial(self._mailer.turn, stop), self._on_error)

    async def _drain(self) -> None:
        settled = await self._scoring.drain_once()
        self.parts.succeeded("redis")
        if settled:
            # An idle turn asked nothing of SQL, so it says nothing of it.
            self.parts.succeeded("database")

    async def _sweep(self) -> None:
        swept = await sweep(self._context)
        self.parts.succeeded("database")
        await self._context.stream.forget_consumers(3_600_000)
        # Only now, because a sweep that finds nothing to put back asks nothing of Redis.
        self.parts.succeeded("redis")
        if swept.scoring or swept.review:
            logger.info("swept", extra={"scoring": swept.scoring, "review": swept.review})

    async def _on_error(self, error: Exception) -> None:
        failure = failure_of(error)
        telemetry.turn_failures_total.labels(failure.part if failure else "unforeseen").inc()
        if failure is None:
            logger.error("a turn failed", exc_info=(type(error), error, error.__traceback__))
            return
        self.parts.failed(failure.part, failure.reason)
        if failure.part == "scorer":
            await self._apply_grace()

    async def _apply_grace(self) -> None:
        try:
            grace = self._context.settings.scorer_grace_seconds
            if settled := await self._scoring.apply_grace(grace_seconds=grace):
                logger.warning("decided without scores, as policies say", extra={"number": settled})
        except Exception as error:
            logger.error("decisions without scores failed", exc_info=(type(error), error, error.__traceback__))

    async def _report(self, stop: asyncio.Event) -> None:
        """Tell the API of every change at once, and again and again that it still holds: nobody waits in vain."""
        while not stop.is_set():
            self.parts.changed.clear()
            status = self._status()
            telemetry.scorer_up.set(1 if status.state is ScorerState.UP else 0)
            self._show()
            await self._put_up(status)
            await wait_for_any(stop, self.parts.changed, seconds=self._report_every_seconds)
        await self._put_up(ScorerStatus(ScorerState.DOWN, "scorer.stopping", self._scorer.model_id, time.time()))

    def _show(self) -> None:
        for part in self.parts.readiness().parts:
            telemetry.part_up.labels(part.part).set(part.ok)
        for priority in Priority:
            waiting = self._batcher.characters_waiting(priority)
            telemetry.scorer_waiting_characters.labels(priority.value).set(waiting)

    async def _put_up(self, status: ScorerStatus) -> None:
        try:
            await self._context.scorers.report(self._name, status, _REPORT_TTL_SECONDS)
        except QueueUnavailable:
            self.parts.failed("redis", "redis.unavailable")

    def _status(self) -> ScorerStatus:
        state, reason = ScorerState.UP, self.parts.reason("scorer")
        busy_since = self._scorer.busy_since
        if not self.parts.ok("scorer"):
            state = ScorerState.STARTING if reason == starting("scorer") else ScorerState.DOWN
        elif busy_since is not None and time.monotonic() - busy_since > _SLOW_BATCH_SECONDS:
            state, reason = ScorerState.STALLED, "scorer.slow"
        if self._state_since[0] is not state:
            self._state_since = (state, time.time())
        return ScorerStatus(state, reason, self._scorer.model_id, self._state_since[1])


def stop_on_signals(stop: asyncio.Event) -> None:
    """End the worker on SIGTERM and SIGINT."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
