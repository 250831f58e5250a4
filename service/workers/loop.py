"""What the workers' loops share: turns that go on whatever fails, and what is known of each part."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from service.workers.health import Part, Readiness

logger = logging.getLogger(__name__)
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0


class Parts:
    """What a worker depends on, and since when each part fails; `changed` is set by every change of a reason."""

    def __init__(self, *names: str) -> None:
        self.changed = asyncio.Event()
        self._reasons: dict[str, str | None] = {name: starting(name) for name in names}
        self._down = set(names)
        self._since: dict[str, float] = {}

    def ok(self, part: str) -> bool:
        """Answer whether the part worked when it was last used."""
        return part not in self._down

    def succeeded(self, part: str) -> None:
        """The part works."""
        if self._reasons[part] not in (None, starting(part)):
            logger.warning("part is back", extra={"part": part})
        self._down.discard(part)
        self._set(part, None)
        self._since.pop(part, None)

    def failed(self, part: str, reason: str) -> None:
        """The part does not work, for a stable reason."""
        if self._reasons[part] != reason:
            logger.error("part is down", extra={"part": part, "reason": reason})
        self._down.add(part)
        self._set(part, reason)
        self._since.setdefault(part, time.monotonic())

    def degraded(self, part: str, reason: str) -> None:
        """The part works, but not as it was meant to, for a stable reason."""
        if self._reasons[part] != reason:
            logger.error("part is degraded", extra={"part": part, "reason": reason})
        self._down.discard(part)
        self._set(part, reason)
        self._since.setdefault(part, time.monotonic())

    def failing_seconds(self, part: str) -> float:
        """Answer for how long the part has been failing or degraded, 0 when it works."""
        since = self._since.get(part)
        return 0.0 if since is None else time.monotonic() - since

    def reason(self, part: str) -> str | None:
        """Answer why the part does not work as it was meant to, None when it does."""
        return self._reasons[part]

    def readiness(self) -> Readiness:
        """Answer what the health page shows."""
        return Readiness(tuple(Part(name, self.ok(name), reason) for name, reason in self._reasons.items()))

    def _set(self, part: str, reason: str | None) -> None:
        if self._reasons[part] != reason:
            self._reasons[part] = reason
            self.changed.set()


def starting(part: str) -> str:
    """Answer the reason of a part that was not used yet."""
    return f"{part}.starting"


async def turn_until(
    stop: asyncio.Event,
    turn: Callable[[], Awaitable[object]],
    on_error: Callable[[Exception], Awaitable[None]],
    *,
    every_seconds: float = 0.0,
) -> None:
    """Call `turn` again and again until `stop`; a turn that fails is tried again after a growing pause."""
    pause = _FIRST_PAUSE_SECONDS
    while not stop.is_set():
        try:
            await turn()
            wait, pause = every_seconds, _FIRST_PAUSE_SECONDS
        except Exception as error:
            await on_error(error)
            wait, pause = pause, min(pause * 2, _LONGEST_PAUSE_SECONDS)
        if wait:
            await wait_for_stop(stop, wait)


async def wait_for_stop(stop: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until the worker is told to stop."""
    await wait_for_any(stop, seconds=seconds)


async def wait_for_any(*events: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until one of the events is set."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
