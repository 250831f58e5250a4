"""The delivering part of a worker as a process of its own, on a clock that runs faster: `python -m ... SPEED EPOCH`."""

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime

from service.composition import open_context
from service.settings import Settings
from service.telemetry import configure_logging
from service.workers.delivering import Deliverer
from service.workers.loop import turn_until


class FastClock:
    """Since an epoch, time goes so many times as fast; every process with the same two numbers agrees."""

    def __init__(self, speed: float, epoch: float) -> None:
        self._speed = speed
        self._epoch = epoch

    def __call__(self) -> datetime:
        """Answer the time."""
        real = datetime.now(UTC).timestamp()
        return datetime.fromtimestamp(self._epoch + (real - self._epoch) * self._speed, UTC)

    def nanoseconds(self) -> int:
        """Answer it as ids take it."""
        return int(self().timestamp() * 1_000_000_000)


async def _wait(_error: Exception) -> None:
    """What fails is tried again, as in a worker."""


async def deliver(speed: float, epoch: float) -> None:
    """Relay and deliver until a signal."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    settings = Settings.from_environment(os.environ)
    clock = FastClock(speed, epoch)
    async with open_context(settings, consumer=f"deliverer-{os.getpid()}", now=clock) as context:
        deliverer = Deliverer(context, context.webhook_egress, poll_seconds=0.05)

        async def turn() -> None:
            await deliverer.turn(stop)

        await turn_until(stop, turn, _wait)
        await deliverer.stop()


if __name__ == "__main__":
    configure_logging("WARNING")
    asyncio.run(deliver(float(sys.argv[1]), float(sys.argv[2])))
