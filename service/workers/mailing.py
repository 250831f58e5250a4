"""The loop that sends letters: a few at once, one to an address at a time, in turn."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from service import telemetry
from service.errors import Problem
from service.flow import send_mail
from service.flow.context import Context
from service.flow.sealing import SealBroken
from service.flow.send_mail import Taken
from service.flow.write_mail import Written, write
from service.mail.attempt import Outcome, Result, attempt
from service.mail.message import Letter
from service.workers.loop import Parts, wait_for_any

logger = logging.getLogger(__name__)
PART: Final = "mail"
AT_ONCE: Final = 4
POLL_SECONDS: Final = 1.0
_FIRST_PAUSE_SECONDS: Final = 5.0
_LONGEST_PAUSE_SECONDS: Final = 60.0
_MEASURE_EVERY: Final = 15
_STOP_SECONDS: Final = 5.0
_SETTLE_TRIES: Final = 5
_SETTLE_PAUSE_SECONDS: Final = 0.5
#: The codes of a server that says no to us; others stand for one that is not there.
_REFUSALS: Final = ("auth", "sender_", "recipient_", "status_", "not_supported")
Attempt = Callable[[Letter], Awaitable[Result]]


class Mailer:
    """Sends what is owed; any number of these share one database."""

    def __init__(
        self,
        context: Context,
        parts: Parts,
        *,
        attempt: Attempt | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._context = context
        self._parts = parts
        self._attempt = attempt or self._by_smtp
        self._clock = clock
        self._pause = 0.0
        self._paused_until = 0.0
        self._turns = 0
        # Nothing was tried yet, and a worker that has nothing to send is a whole one.
        parts.succeeded(PART)

    async def drain_once(self) -> int:
        """Send a letter to each of a few addresses; answer how many letters were begun, 0 while the server is down."""
        if self._clock() < self._paused_until:
            return 0
        # A server that was down is asked by one letter first.
        taken = await send_mail.take(self._context, limit=1 if self._pause else AT_ONCE)
        ended = await asyncio.gather(*(self._handle(one) for one in taken), return_exceptions=True)
        for error in ended:
            if isinstance(error, BaseException):
                # What was leased comes back when its lease is over.
                raise error
        return len(taken)

    async def turn(self, stop: asyncio.Event) -> None:
        """Do one turn of the loop, and wait a little when there was nothing to do; what is under way may end first."""
        if self._turns % _MEASURE_EVERY == 0:
            await send_mail.measure(self._context)
        self._turns += 1
        turn, stopping = asyncio.create_task(self.drain_once()), asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([turn, stopping], return_when=asyncio.FIRST_COMPLETED)
            if not turn.done():
                await asyncio.wait([turn], timeout=_STOP_SECONDS)
        finally:
            stopping.cancel()
            turn.cancel()
        [begun] = await asyncio.gather(turn, return_exceptions=True)
        if isinstance(begun, Exception):
            raise begun
        if begun == 0:
            await wait_for_any(stop, seconds=POLL_SECONDS)

    async def _handle(self, taken: Taken) -> None:
        try:
            written = await write(self._context, taken.rows)
        except SealBroken:
            logger.error("SECRET_KEY does not open a mail address", extra={"mail_id": taken.rows[0].id})
            await self._not_written(taken, "sealed")
            return
        except Problem:
            # The database is away, which says nothing of the letter.
            raise
        except Exception as error:
            said = {"mail_id": taken.rows[0].id, "error": type(error).__name__}
            logger.error("a letter cannot be written", extra=said)
            await self._not_written(taken, "unwritable")
            return
        await self._drop(taken, written)
        if written.letter is None:
            return
        result = await self._attempt(written.letter)
        telemetry.mail_attempts_total.labels(result.outcome.value).inc()
        self._note(result)
        await self._settle(taken, list(written.told), result)

    async def _not_written(self, taken: Taken, code: str) -> None:
        await send_mail.failed(self._context, taken, [row.id for row in taken.rows], code)

    async def _drop(self, taken: Taken, written: Written) -> None:
        told = set(written.told)
        await send_mail.drop(self._context, taken, [row.id for row in taken.rows if row.id not in told])

    async def _settle(self, taken: Taken, told: list[str], result: Result) -> None:
        """Write down what the server answered, even if the database is away for a moment: else it is sent again."""
        for tried in range(_SETTLE_TRIES):
            try:
                match result.outcome:
                    case Outcome.SENT:
                        await send_mail.sent(self._context, taken, told)
                    case Outcome.REFUSED:
                        await send_mail.refused(self._context, taken, told, result.code)
                    case Outcome.LATER | Outcome.DOWN:
                        await send_mail.failed(self._context, taken, told, result.code)
                return
            except Exception:
                if tried == _SETTLE_TRIES - 1:
                    raise
                await asyncio.sleep(_SETTLE_PAUSE_SECONDS * 2**tried)

    def _note(self, result: Result) -> None:
        """Say once that the server is down, and once that it is back; meanwhile it is asked seldom."""
        if result.outcome is not Outcome.DOWN:
            self._pause = self._paused_until = 0.0
            self._parts.succeeded(PART)
            telemetry.mail_down.set(0)
            return
        telemetry.mail_down.set(1)
        if self._clock() >= self._paused_until:
            # Once for all that were under way together.
            self._pause = min(max(_FIRST_PAUSE_SECONDS, self._pause * 2), _LONGEST_PAUSE_SECONDS)
            self._paused_until = self._clock() + self._pause
        reason = "mail.refused" if result.code.startswith(_REFUSALS) else "mail.unavailable"
        self._parts.degraded(PART, reason)

    async def _by_smtp(self, letter: Letter) -> Result:
        settings = self._context.settings
        assert settings.mail_server is not None
        return await attempt(
            settings.mail_server, settings.sender.address, letter, timeout_seconds=send_mail.ATTEMPT_SECONDS
        )
