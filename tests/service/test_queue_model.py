"""Any sequence of claims, decisions, skips, undos, edits, expiries and losses leaves the queue where a model has it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable
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
from service.flow import decide, edit, manage_people, review, undo
from service.flow.identify import Principal
from service.flow.sweep import sweep
from service.flow.verify_audit import verify
from service.queue.client import connect
from service.settings import Settings
from service.store import comments
from service.store.recount import recount
from tests.contracts.walker import Walker
from tests.service_fixture import Clock

T = TypeVar("T")
PEOPLE = st.integers(0, 2)
LEASE_SECONDS, UNDO_SECONDS = 60, 300


class Held:
    """What the model knows of one comment: whether it waits, in whose hands until when, and who passed it on."""

    def __init__(self, written: Any) -> None:
        self.written = written
        self.waits = True
        self.lease: tuple[int, schemas.ReviewItem, float] | None = None
        self.passed: set[int] = set()
        self.act: tuple[int, str, float] | None = None
        self.status = "held"


class QueueMachine(RuleBasedStateMachine):
    """Three moderators, none of them an admin, and comments that are all held."""

    def __init__(self, configured: Settings) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = Clock()
        self.opening = open_context(configured, consumer="model", now=self.clock)
        self.context = self.run(self.opening.__aenter__())
        self.run(self.context.author_tokens.ensure_key(now=self.clock()))
        self.walker = self.run(Walker(self.context).begin())
        self.site = self.walker.site
        self.people = [self.run(self.member(number)) for number in range(3)]
        self.redis = connect(configured.redis_url)
        self.comments: dict[str, Held] = {}
        self.decided: list[str] = []

    async def member(self, number: int) -> Principal:
        """Name a moderator with a token, since who cannot come in is not asked."""
        wanted = schemas.MemberInput(name=f"M{number}", role="moderator")
        made = await manage_people.add_member(self.context, self.site, "test", wanted)
        key = schemas.KeyInput(name=f"M{number}", scopes=["review"], member_id=made.id)
        await manage_people.create_key(self.context, self.site, "test", key)
        return Principal("token", self.site.id, made.id, made.name, "moderator", frozenset({"review"}))

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

    @property
    def now(self) -> float:
        """The time in seconds."""
        return self.clock().timestamp()

    def in_hand(self, one: Held) -> bool:
        """Answer whether somebody holds it now."""
        return one.lease is not None and one.lease[2] > self.now

    async def status_of(self, comment_id: str) -> str:
        """Answer where a comment stands in SQL."""
        async with self.context.database.reading() as connection:
            row = await comments.by_id(connection, self.site.id, comment_id)
        assert row is not None
        return str(row.status)

    @rule()
    def write(self) -> None:
        written = self.run(self.walker.submit("rude", "page"))
        assert written is not None
        self.run(self.drain())
        self.comments[written.id] = Held(written)

    async def drain(self) -> None:
        """Let the worker decide everything."""
        while await self.walker.worker.drain_once(block_ms=1):
            continue

    @rule(who=PEOPLE, limit=st.integers(1, 4))
    def claim(self, who: int, limit: int) -> None:
        wanted = schemas.ClaimInput(limit=limit, lease_seconds=LEASE_SECONDS)
        items = self.run(review.claim(self.context, self.site, self.people[who], wanted))
        free = [one for one in self.comments.values() if one.waits and not self.in_hand(one) and who not in one.passed]
        assert len(items) == min(limit, len(free))
        for item in items:
            one = self.comments[item.comment.id]
            assert one in free
            one.lease = (who, item, self.now + LEASE_SECONDS)

    @precondition(lambda self: any(one.lease for one in self.comments.values()))
    @rule(data=st.data(), approve=st.booleans())
    def decide(self, data: st.DataObject, approve: bool) -> None:
        one = data.draw(st.sampled_from([one for one in self.comments.values() if one.lease]))
        assert one.lease is not None
        who, item, _ = one.lease
        wanted = schemas.DecideInput(
            lease=item.lease.token, revision=item.revision, action="approve" if approve else "reject",
            reasons=[] if approve else ["spam"],
        )  # fmt: skip
        found, code = self.attempt(decide.decide(self.context, self.site, self.people[who], item.item_id, wanted))
        if one.waits and self.in_hand(one):
            assert found is not None, code
            assert found.decision.act_id is not None
            one.waits, one.lease = False, None
            one.status = "published" if approve else "rejected"
            one.act = (who, found.decision.act_id, self.now + UNDO_SECONDS)
            self.decided.append(item.item_id)
        else:
            assert code in ("lease.expired", "item.decided", "revision.changed")
            one.lease = None

    @precondition(lambda self: any(self.in_hand(one) and one.waits for one in self.comments.values()))
    @rule(data=st.data(), keep=st.booleans())
    def let_go(self, data: st.DataObject, keep: bool) -> None:
        one = data.draw(st.sampled_from([one for one in self.comments.values() if self.in_hand(one) and one.waits]))
        assert one.lease is not None
        who, item, _ = one.lease
        one.lease = None
        if keep:
            self.run(review.release(self.context, self.site, item.item_id, lease=item.lease.token))
            return
        self.run(review.skip(self.context, self.site, self.people[who], item.item_id, lease=item.lease.token))
        one.passed.add(who)
        if len(one.passed) == len(self.people):
            # The admins' from now on, and none of these is one.
            one.waits = False

    @precondition(lambda self: any(one.act for one in self.comments.values()))
    @rule(data=st.data())
    def undo(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from([one for one in self.comments.values() if one.act]))
        assert one.act is not None
        who, act_id, until = one.act
        found, code = self.attempt(undo.undo(self.context, self.site, self.people[who], act_id))
        one.act = None
        if self.now > until:
            assert code == "undo.over"
            return
        assert found is not None, code
        [item] = found.items
        one.waits, one.status, one.passed = True, "held", set()
        one.lease = (who, item, self.now + 300)

    @rule(seconds=st.sampled_from([1, 61, 301]))
    def pass_time(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule()
    def forget(self) -> None:
        self.run(self.redis.flushall())
        self.run(sweep(self.context))

    @precondition(lambda self: any(one.status == "held" and one.waits for one in self.comments.values()))
    @rule(data=st.data())
    def edit(self, data: st.DataObject) -> None:
        waiting = [(id_, one) for id_, one in self.comments.items() if one.status == "held" and one.waits]
        comment_id, one = data.draw(st.sampled_from(waiting))
        body = f"rude once more {self.now}"
        step = edit.edit(self.context, self.site, one.written.commenter, comment_id, body, wait_seconds=0)
        _, code = self.attempt(step)
        if code is None:
            self.run(self.drain())
            one.lease, one.passed = None, set()
        else:
            assert code == "edit.too_late"

    @invariant()
    def statuses_agree(self) -> None:
        """Every comment stands where the model has it, and every counter is what a recount gives."""
        for comment_id, one in self.comments.items():
            assert self.run(self.status_of(comment_id)) == one.status

    def teardown(self) -> None:
        async def check() -> None:
            async with self.context.database.reading() as connection:
                assert await recount(connection, self.site.id) == []
            assert [walked.fault async for walked in verify(self.context, self.site)] == [None]
            await self.redis.aclose()

        assert len(self.decided) == len(set(self.decided))
        self.run(check())
        self.run(self.opening.__aexit__(None, None, None))
        self.runner.close()


@pytest.mark.slow
def test_the_queue_follows_the_model(
    sqlite_template: Path, redis_server: EmbeddedRedis, redis_prefix: str, tmp_path: Path
) -> None:
    """An item is in one hand at a time, is decided once, is never lost, and an undo brings it back to who decided."""
    shutil.copy(sqlite_template, tmp_path / "colloquy.db")
    configured = Settings.from_environment(
        {"COLLOQUY_HOME": str(tmp_path), "REDIS_URL": redis_server.url, "REDIS_PREFIX": redis_prefix}
    )

    class Machine(QueueMachine):
        def __init__(self) -> None:
            super().__init__(configured)

    run_state_machine_as_test(
        Machine, settings=hypothesis_settings(max_examples=20, stateful_step_count=30, deadline=None)
    )
