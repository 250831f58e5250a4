"""What state machines over the real service share: a home of its own for each example, one loop, one time."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from service import schemas
from service.composition import open_context
from service.errors import Problem
from service.flow import manage_people
from service.flow.identify import Principal
from service.flow.ids import Uuid7
from service.settings import Settings
from tests.contracts.walker import Walker
from tests.service_fixture import Clock

T = TypeVar("T")


class ServiceMachine(RuleBasedStateMachine):
    """One process of the service, whose time passes only when a rule says so."""

    def __init__(self, configured: Settings) -> None:
        super().__init__()
        self.configured = configured
        self.runner = asyncio.Runner()
        self.clock = Clock()
        self.opening = open_context(configured, consumer="model", now=self.clock, new_id=Uuid7(self.clock.nanoseconds))
        self.context = self.run(self.opening.__aenter__())

    def run(self, step: Awaitable[T]) -> T:
        """Run one step on the real flows."""

        async def complete() -> T:
            return await step

        return self.runner.run(complete())

    def attempt(self, step: Awaitable[T]) -> tuple[T | None, str | None]:
        """Run one step that may be refused; answer what came of it, or the code of the refusal."""
        try:
            return self.run(step), None
        except Problem as problem:
            return None, problem.code

    def teardown(self) -> None:
        """Close what the machine opened."""
        self.run(self.opening.__aexit__(None, None, None))
        self.runner.close()


class SiteMachine(ServiceMachine):
    """The same with a site, and a worker that decides what is on the stream."""

    def __init__(self, configured: Settings) -> None:
        super().__init__(configured)
        self.run(self.context.author_tokens.ensure_key(now=self.clock()))
        self.walker = self.run(Walker(self.context).begin())
        self.site = self.walker.site

    def moderator(self, number: int) -> Principal:
        """Name a moderator of the site, with a token, since who cannot come in is not asked."""

        async def name() -> Principal:
            wanted = schemas.MemberInput(name=f"M{number}", role="moderator")
            made = await manage_people.add_member(self.context, self.site, "test", wanted)
            key = schemas.KeyInput(name=made.name, scopes=["review"], member_id=made.id)
            await manage_people.create_key(self.context, self.site, "test", key)
            return Principal("token", self.site.id, made.id, made.name, "moderator", frozenset({"review"}))

        return self.run(name())


class Ground(NamedTuple):
    """What a machine stands on: a migrated database to copy, a Redis, and a folder for the homes."""

    template: Path
    redis_url: str
    redis_prefix: str
    homes: Path


def follow(machine: type[ServiceMachine], ground: Ground, *, examples: int, steps: int, **environment: str) -> None:
    """Run sequences of a machine's rules, each with a home and keys of its own."""
    numbers = count(1)

    def settings() -> Settings:
        number = next(numbers)
        home = ground.homes / str(number)
        home.mkdir()
        shutil.copy(ground.template, home / "colloquy.db")
        said = {"COLLOQUY_HOME": str(home), "REDIS_URL": ground.redis_url}
        return Settings.from_environment({**said, "REDIS_PREFIX": f"{ground.redis_prefix}-{number}", **environment})

    class Machine(machine):  # type: ignore[misc,valid-type]
        def __init__(self, *_: Any) -> None:
            super().__init__(settings())

    chosen = hypothesis_settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        # A machine that others use too is slow at times, which says nothing of the service.
        suppress_health_check=[HealthCheck.too_slow],
    )
    run_state_machine_as_test(Machine, settings=chosen)
    assert next(numbers) > examples, "fewer sequences were tried than wanted"
