"""The one place where a test lets time pass: it waits on a condition, never on a duration."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable

POLL_SECONDS = 0.005


async def eventually(condition: Callable[[], bool | Awaitable[bool]], within_seconds: float = 15.0) -> None:
    """Return once the condition holds, plain or awaited; fail when it does not in time."""
    deadline = time.monotonic() + within_seconds
    while True:
        holds = condition()
        if await holds if inspect.isawaitable(holds) else holds:
            return
        assert time.monotonic() < deadline, f"still not so after {within_seconds} s"
        await asyncio.sleep(POLL_SECONDS)


def eventually_now(condition: Callable[[], bool], within_seconds: float = 15.0) -> None:
    """Do the same where no event loop runs."""
    deadline = time.monotonic() + within_seconds
    while not condition():
        assert time.monotonic() < deadline, f"still not so after {within_seconds} s"
        time.sleep(POLL_SECONDS)


async def turns(number: int) -> None:
    """Let the event loop go round that many times, which takes no time of its own."""
    for _ in range(number):
        await asyncio.sleep(0)
