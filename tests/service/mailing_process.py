"""The mailing part of a worker as a process of its own, which a test can kill; it sends what is due, and ends."""

import asyncio
import os

from service.composition import open_context
from service.settings import Settings
from service.telemetry import configure_logging
from service.workers.loop import Parts
from service.workers.mailing import PART, Mailer


async def send() -> None:
    """Send what is due."""
    async with open_context(Settings.from_environment(os.environ), consumer="mailing") as context:
        await Mailer(context, Parts(PART)).drain_once()


if __name__ == "__main__":
    configure_logging("WARNING")
    asyncio.run(send())
