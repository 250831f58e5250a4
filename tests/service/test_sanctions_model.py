"""Any sequence of sanctions, comments, decisions and time leaves a site where a plain model of it stands."""

import asyncio
import shutil
from collections.abc import Awaitable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from service import schemas
from service.composition import open_context
from service.embedded_redis import EmbeddedRedis
from service.errors import Problem
from service.flow import sanctions, submit
from service.flow.identify import Commenter
from service.settings import Settings
from service.store import comments
from service.store.recount import recount
from tests.contracts.walker import MODERATOR, Walker
from tests.service_fixture import Clock

T = TypeVar("T")
KINDS = ("ban", "suspension", "pre_moderation")
WORDS = {"civil": "published", "rude": "held", "vile": "rejected"}


class SanctionMachine(RuleBasedStateMachine):
    """One account on a site: what it may do, and what becomes of what it wrote, is told by a few dictionaries."""

    def __init__(self, configured: Settings) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = Clock()
        self.opening = open_context(configured, consumer="model", now=self.clock)
        self.context = self.run(self.opening.__aenter__())
        self.run(self.context.author_tokens.ensure_key(now=self.clock()))
        self.walker = self.run(Walker(self.context).begin())
        first = self.run(self.walker.submit("civil", "page"))
        assert first is not None
        self.run(self.drain())
        # Of the publisher, so that nothing is held for a network that it shares with a banned guest.
        self.author = Commenter(first.commenter.commenter_id, "signed", None, 1)
        self.status: dict[str, str] = {first.id: "published"}
        self.in_force: dict[str, Any] = {}
        self.ends: dict[str, Any] = {}
        self.swept: dict[str, dict[str, str]] = {}
        self.last_word: dict[str, str] = {}
        self.said = 100

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

    async def drain(self) -> None:
        """Let the worker decide everything."""
        while await self.walker.worker.drain_once(block_ms=1):
            continue

    def standing(self, kind: str) -> bool:
        """Answer whether the model has a sanction of a kind in force now."""
        return kind in self.in_force and (self.ends[kind] is None or self.ends[kind] > self.clock())

    @rule(word=st.sampled_from(sorted(WORDS)))
    def write(self, word: str) -> None:
        self.said += 1
        wanted = schemas.SubmitComment(body=f"A {word} opinion, the {self.said}th.")
        request = submit.Request(
            page="page", input=wanted, commenter=self.author, from_allowed_origin=True, idempotency_key=None,
            wait_seconds=0,
        )  # fmt: skip
        shut_out = [code for kind, code in (("ban", "banned"), ("suspension", "suspended")) if self.standing(kind)]
        done, refused = self.attempt(submit.submit(self.context, self.walker.site, request))
        assert refused == (f"commenter.{shut_out[0]}" if shut_out else None)
        if done is None:
            return
        self.run(self.drain())
        outcome = WORDS[word]
        self.status[done.comment.id] = "held" if outcome == "published" and self.standing("pre_moderation") else outcome

    @rule(kind=st.sampled_from(KINDS), hours=st.sampled_from([None, 1, 24]), lasts=st.integers(1, 5))
    def impose(self, kind: str, hours: int | None, lasts: int) -> None:
        until = self.clock() + timedelta(hours=lasts) if kind == "suspension" else None
        wanted = schemas.SanctionInput(kind=kind, reason="spam", until=until, reject_hours=hours)  # type: ignore[arg-type]
        act = sanctions.impose(self.context, self.walker.site, MODERATOR, self.author.commenter_id, wanted)
        view, refused = self.attempt(act)
        assert refused == ("sanction.exists" if self.standing(kind) else None)
        if view is None:
            return
        down: dict[str, str] = {}
        if hours is not None:
            ages = self.run(self._ages())
            down = {
                one: status
                for one, status in self.status.items()
                if status in ("published", "held") and ages[one] <= timedelta(hours=hours)
            }
            self.status |= {one: "removed" if status == "published" else "rejected" for one, status in down.items()}
        self.in_force[kind], self.ends[kind], self.swept[kind] = view.id, until, down
        self.last_word |= dict.fromkeys(down, kind)
        assert view.taken_down == len(down)

    async def _ages(self) -> dict[str, timedelta]:
        async with self.context.database.reading() as connection:
            found = {one: await comments.by_id(connection, self.walker.site.id, one) for one in self.status}
        return {one: self.clock() - row.created_at for one, row in found.items() if row is not None}

    @precondition(lambda self: self.in_force)
    @rule(pick=st.sampled_from(KINDS), restore=st.booleans())
    def lift(self, pick: str, restore: bool) -> None:
        kind = pick if pick in self.in_force else next(iter(self.in_force))
        sanction_id, me = self.in_force[kind], self.author.commenter_id
        act = sanctions.lift(self.context, self.walker.site, MODERATOR, me, sanction_id, restore=restore)
        _, refused = self.attempt(act)
        assert refused == (None if self.standing(kind) else "sanction.over")
        if restore and refused is None:
            # A later act may have taken the same comments down again; the last word on them is then that one's.
            self.status |= {one: before for one, before in self.swept[kind].items() if self.last_word[one] == kind}
            self.last_word |= dict.fromkeys(self.swept[kind], "")
        del self.in_force[kind]

    @rule(hours=st.integers(1, 30))
    def time_passes(self, hours: int) -> None:
        self.clock.advance(hours * 3600)

    @invariant()
    def statuses_are_as_the_model_says(self) -> None:
        async def read() -> dict[str, str]:
            async with self.context.database.reading() as connection:
                found = [await comments.by_id(connection, self.walker.site.id, one) for one in self.status]
                assert not await recount(connection, self.walker.site.id)
            return {row.id: row.status for row in found if row is not None}

        assert self.run(read()) == self.status

    def teardown(self) -> None:
        """Close what the machine opened."""
        self.run(self.opening.__aexit__(None, None, None))
        self.runner.close()


@pytest.mark.slow
def test_sanctions_follow_the_model(
    sqlite_template: Path, redis_server: EmbeddedRedis, redis_prefix: str, tmp_path: Path
) -> None:
    """Who is shut out writes nothing, who is under review waits, and undoing gives back exactly what was taken."""
    shutil.copy(sqlite_template, tmp_path / "colloquy.db")
    configured = Settings.from_environment(
        {"COLLOQUY_HOME": str(tmp_path), "REDIS_URL": redis_server.url, "REDIS_PREFIX": redis_prefix}
    )

    class Machine(SanctionMachine):
        def __init__(self) -> None:
            super().__init__(configured)

    run_state_machine_as_test(
        Machine, settings=hypothesis_settings(max_examples=20, stateful_step_count=25, deadline=None)
    )
