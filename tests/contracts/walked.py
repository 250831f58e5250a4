"""What state machines over a walker share: one loop, one time, a site of their own, closed in the end."""

import asyncio
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from typing import TypeVar

from hypothesis import HealthCheck
from hypothesis import settings as bounded
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from service.composition import open_context
from service.settings import Settings
from tests.contracts.walker import Walker, Written
from tests.service_fixture import Clock

T = TypeVar("T")


class Walked(RuleBasedStateMachine):
    """A site in use, in a database that other examples use too; time passes only when a rule says so."""

    walked: Settings

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.clock = Clock()
        self.walker = self.run(self._open())

    async def _open(self) -> Walker:
        context = await self.stack.enter_async_context(open_context(self.walked, consumer="walk", now=self.clock))
        await context.author_tokens.ensure_key(now=self.clock())
        return await Walker(context).begin()

    def run(self, step: Awaitable[T]) -> T:
        """Run one step to its end."""

        async def complete() -> T:
            return await step

        return self.runner.run(complete())

    def one(self, choice: int) -> Written:
        """One of the comments."""
        return self.walker.written[choice % len(self.walker.written)]

    def has_comments(self) -> bool:
        """Answer whether there is a comment to do something with."""
        return bool(self.walker.written)

    def teardown(self) -> None:
        """Close what was opened."""
        self.run(self.stack.aclose())
        self.runner.close()


def walk(machine: type[Walked], settings: Settings) -> None:
    """Run ten sequences of a machine's rules."""

    class Machine(machine):  # type: ignore[misc,valid-type]
        walked = settings

    unhurried = [HealthCheck.too_slow, HealthCheck.data_too_large]
    run_state_machine_as_test(
        Machine,
        settings=bounded(max_examples=10, stateful_step_count=30, deadline=None, suppress_health_check=unhurried),
    )
