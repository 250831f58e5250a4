"""The loop that relays events and sends webhooks: one task for each endpoint, so that none waits for another."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final, NamedTuple

from service import telemetry, tracing
from service.egress import Egress
from service.flow.context import Context
from service.flow.deliver import Done, Taken, drop, due_endpoints, letters, measure, turn
from service.flow.relay import relay
from service.store.types import Row
from service.webhooks.attempt import Letter, attempt
from service.webhooks.retries import Result
from service.workers.loop import wait_for_any

logger = logging.getLogger(__name__)
ENDPOINTS_AT_ONCE: Final = 200
POLL_SECONDS: Final = 0.05
"""Between two looks for committed events, which take an index and a moment."""
_DUE_EVERY = 5
_SETTLE_TRIES = 6
_SETTLE_PAUSE_SECONDS = 0.5
_STOP_SECONDS = 5.0
_TOGETHER_SECONDS = 0.003
_MEASURE_EVERY = 200

_Attempt = asyncio.Task[Result | None]


class Sent(NamedTuple):
    """A delivery under way, and where to."""

    row: Row
    url: str


class Deliverer:
    """Relays events and delivers what is owed; any number of these share one database."""

    def __init__(self, context: Context, egress: Egress, *, poll_seconds: float = POLL_SECONDS) -> None:
        self._context = context
        self._egress = egress
        self._poll_seconds = poll_seconds
        self._serving: dict[str, asyncio.Task[None]] = {}
        self._stopping = asyncio.Event()
        self._turns = 0

    async def drain_once(self) -> int:
        """Relay what was committed, begin to serve every endpoint that something is due to; answer how many of both."""
        return await self._relay() + await self._start_serving()

    async def settle_all(self) -> None:
        """Do everything that is due now, and wait until it is done."""
        while await self.drain_once():
            await asyncio.gather(*self._serving.values())

    async def turn(self, stop: asyncio.Event) -> None:
        """Do one turn of the loop, and wait a little when there was nothing to do."""
        self._turns += 1
        if self._turns % _MEASURE_EVERY == 1:
            await self._measure()
        relayed = await self._relay()
        if relayed or self._turns % _DUE_EVERY == 0:
            # What other processes relayed, and what is to be tried again, can wait a little longer.
            await self._start_serving()
        if relayed == 0:
            # Also when endpoints were begun with: they need nobody, and one that others serve is due all the while.
            await wait_for_any(stop, seconds=self._poll_seconds)

    async def stop(self) -> None:
        """Take nothing more, give what is under way a moment, and end."""
        self._stopping.set()
        if self._serving:
            await asyncio.wait(list(self._serving.values()), timeout=_STOP_SECONDS)
        for task in list(self._serving.values()):
            task.cancel()
        await asyncio.gather(*self._serving.values(), return_exceptions=True)

    async def _measure(self) -> None:
        """A number that cannot be had keeps no event back."""
        try:
            await measure(self._context)
        except Exception as error:
            logger.warning("what is owed cannot be measured", extra={"error": type(error).__name__})

    async def _relay(self) -> int:
        relayed = await relay(self._context)
        telemetry.events_relayed_total.inc(relayed)
        return relayed

    async def _start_serving(self) -> int:
        """Start a task for each endpoint that is due and has none here; answer how many."""
        room = ENDPOINTS_AT_ONCE - len(self._serving)
        if room <= 0:
            return 0
        started = 0
        # Those being served may be due too, so more are asked for than there is room.
        for endpoint_id in await due_endpoints(self._context, limit=ENDPOINTS_AT_ONCE + room):
            if endpoint_id not in self._serving and started < room:
                task = asyncio.create_task(self._serve(endpoint_id))
                self._serving[endpoint_id] = task
                task.add_done_callback(partial(self._served, endpoint_id))
                started += 1
        return started

    def _served(self, endpoint_id: str, _task: asyncio.Task[None]) -> None:
        self._serving.pop(endpoint_id, None)

    async def _serve(self, endpoint_id: str) -> None:
        """Send to one endpoint for as long as there is something to send."""
        under_way: dict[_Attempt, Sent] = {}
        done: list[Done] = []
        try:
            while True:
                taken = await self._turn(endpoint_id, done)
                done = []
                if taken is not None:
                    begun, done = await self._begin(taken)
                    under_way |= begun
                if not under_way and not done:
                    return
                if not done:
                    done = await self._next_done(under_way)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            # What was leased comes back when its lease is over.
            logger.error("an endpoint's deliveries failed", exc_info=(type(error), error, error.__traceback__))
        finally:
            for task in under_way:
                task.cancel()

    async def _turn(self, endpoint_id: str, done: Sequence[Done]) -> Taken | None:
        """Settle and claim; what a receiver has answered is written down even if the database is away for a moment."""
        for tried in range(_SETTLE_TRIES):
            try:
                return await turn(self._context, endpoint_id, done, may_claim=not self._stopping.is_set())
            except Exception:
                if not done or tried == _SETTLE_TRIES - 1:
                    raise
                await asyncio.sleep(_SETTLE_PAUSE_SECONDS * 2**tried)
        return None

    async def _begin(self, taken: Taken) -> tuple[dict[_Attempt, Sent], list[Done]]:
        """Begin what can be sent; answer it, and what has failed already."""
        written, url = await letters(self._context, taken), taken.endpoint.url
        await self._drop(taken.endpoint, [row.id for row in taken.rows if written[row.id] is None])
        begun: dict[_Attempt, Sent] = {}
        failed: list[Done] = []
        for row in taken.rows:
            letter = written[row.id]
            if isinstance(letter, Letter):
                begun[asyncio.create_task(self._attempt(letter, row))] = Sent(row, url)
            elif letter is not None:
                failed.append(Done(row, letter, url))
        return begun, failed

    async def _drop(self, endpoint: Row, delivery_ids: Iterable[str]) -> None:
        if gone := list(delivery_ids):
            logger.warning("events that cannot be told are owed no more", extra={"number": len(gone)})
            await drop(self._context, endpoint, gone)

    async def _attempt(self, letter: Letter, row: Row) -> Result | None:
        timeout = self._context.settings.webhook_timeout_seconds
        with tracing.span("deliver webhook", kind="client", parent=letter.trace, **_facts(row)) as span:
            letter = letter.within(span.traceparent)
            result = await attempt(self._egress, letter, at=self._context.now(), timeout_seconds=timeout)
            span.note(status=result.status)
            if result.error is not None:
                span.failed(str(result.error))
            return result

    async def _next_done(self, under_way: dict[_Attempt, Sent]) -> list[Done]:
        """Wait for the first attempt that ends, and take what else ended with it."""
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait([*under_way, stopping], return_when=asyncio.FIRST_COMPLETED)
            # What ends a moment later is written down in the same transaction.
            await asyncio.wait(list(under_way), timeout=_TOGETHER_SECONDS)
            if self._stopping.is_set():
                await asyncio.wait(list(under_way), timeout=_STOP_SECONDS / 2)
                for task in under_way:
                    task.cancel()
                await asyncio.wait(list(under_way))
        finally:
            stopping.cancel()
        ended = [task for task in under_way if task.done()]
        return [
            # One that was cut off may have arrived: it is owed as before, and comes again under the same id.
            Done(sent.row, None if task.cancelled() else task.result(), sent.url)
            for task in ended
            for sent in [under_way.pop(task)]
        ]


def _facts(row: Row) -> tracing.Facts:
    return tracing.Facts(
        site_id=row.site_id,
        comment_id=row.comment_id,
        event_id=row.event_id,
        event_type=row.event_type,
        endpoint_id=row.endpoint_id,
        delivery_id=row.id,
        attempt=row.attempts_before + row.attempts + 1,
    )
