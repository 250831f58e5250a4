"""Any sequence of claims, decisions, skips, undos, edits, expiries and losses leaves the queue where a model has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from service import schemas
from service.embedded_redis import EmbeddedRedis
from service.flow import decide, edit, review, undo
from service.flow.sweep import sweep
from service.flow.verify_audit import verify
from service.queue.client import connect
from service.settings import Settings
from service.store import comments
from service.store.recount import recount
from tests.service.state_machine import Ground, SiteMachine, follow

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


class QueueMachine(SiteMachine):
    """Three moderators, none of them an admin, and comments that are all held."""

    def __init__(self, configured: Settings) -> None:
        super().__init__(configured)
        self.people = [self.moderator(number) for number in range(3)]
        self.redis = connect(configured.redis_url)
        self.comments: dict[str, Held] = {}
        self.decided: list[str] = []

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
        self.run(self.walker.drain())
        self.comments[written.id] = Held(written)

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
            self.run(self.walker.drain())
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
        super().teardown()


@pytest.mark.slow
def test_the_queue_follows_the_model(
    sqlite_template: Path, redis_server: EmbeddedRedis, redis_prefix: str, tmp_path: Path
) -> None:
    """An item is in one hand at a time, is decided once, is never lost, and an undo brings it back to who decided."""
    ground = Ground(sqlite_template, redis_server.url, redis_prefix, tmp_path)
    follow(QueueMachine, ground, examples=20, steps=30)
