"""Any sequence of events, workers, their deaths, answers, acts of admins and time loses no event and mixes up none."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from service import schemas
from service.embedded_redis import EmbeddedRedis
from service.errors import Problem
from service.flow import manage_sites, manage_webhooks, webhook_log
from service.flow.deliver import Done, turn
from service.flow.identify import find_site
from service.flow.relay import relay_all
from service.flow.transition import event_row
from service.settings import Settings
from service.store import outbox
from service.store import tables as t
from service.store.types import Row
from service.webhooks.retries import DISABLED_AFTER, PLAN, Result, error_of
from tests.service.state_machine import Ground, ServiceMachine, follow

COMMENTS = [f"0190a0a0-0000-7000-8000-00000000000{number}" for number in range(3)]
CONCURRENCY = 3
ANSWERS = {"ok": 204, "error": 500, "busy": 503, "redirect": 302, "timeout": None}


class DeliveryMachine(ServiceMachine):
    """One endpoint, two workers. The model is what the receiver has taken, and what it must still get."""

    def __init__(self, configured: Settings) -> None:
        super().__init__(configured)
        self.site = self.run(self._begin())
        wanted = schemas.WebhookInput(url="https://receiver.example/", events=["comment.*"])
        self.endpoint = self.run(manage_webhooks.create(self.context, self.site, "model", wanted)).id
        #: What each worker has in its hands: deliveries as they were leased.
        self.hands: dict[str, list[Row]] = {"one": [], "two": []}
        self.sent: dict[str, str] = {}
        self.owed: set[str] = set()
        self.status = "active"
        self.last_taken: dict[str, int] = {}
        self.out_of_turn: set[str] = set()

    async def _begin(self) -> Row:
        await manage_sites.create_site(self.context, "model", schemas.SiteInput(slug="model", name="Model"))
        return await find_site(self.context, "model")

    @rule(comment=st.sampled_from(COMMENTS), number=st.integers(1, 4))
    def something_happens(self, comment: str, number: int) -> None:
        for _ in range(number):
            event = event_row(
                self.context, "comment.submitted", site_id=self.site.id, at=self.clock(), comment_id=comment
            )
            self.run(self._append(event))
            self.sent[event["id"]] = comment
            if self.status != "disabled":
                self.owed.add(event["id"])
        # Before the endpoint can change, since who is disabled when the relay looks is owed nothing.
        self.run(relay_all(self.context))

    async def _append(self, event: dict[str, Any]) -> None:
        async with self.context.database.writing() as connection:
            await outbox.append(connection, [event])

    @rule(worker=st.sampled_from(["one", "two"]))
    def a_worker_takes(self, worker: str) -> None:
        taken = self.run(turn(self.context, self.endpoint, [], may_claim=True, sample=lambda: 0.5))
        assert self.row().status == self.status
        if taken is not None:
            assert self.status == "active"
            self.hands[worker] += taken.rows
            comments = [row.comment_id for row in taken.rows]
            assert len(set(comments)) == len(comments)

    @precondition(lambda self: any(self.hands.values()))
    @rule(worker=st.sampled_from(["one", "two"]), answer=st.sampled_from(sorted(ANSWERS)), goes_on=st.booleans())
    def an_answer_comes(self, worker: str, answer: str, goes_on: bool) -> None:
        if not self.hands[worker]:
            return
        row, status = self.hands[worker].pop(0), ANSWERS[answer]
        error = "timeout" if status is None else error_of(status)
        before = self.state_of(row.id)
        result = Result(status, error, None, self.clock(), 0.1)
        taken = self.run(
            turn(
                self.context, self.endpoint, [Done(row, result, self.row().url)], may_claim=goes_on, sample=lambda: 0.5
            )
        )
        self.hands[worker] += taken.rows if taken is not None else []
        is_mine = before.state == "pending" and before.lease == row.lease
        after = self.state_of(row.id)
        if not is_mine:
            assert (after.state, after.attempts) == (before.state, before.attempts)
            assert after.lease != row.lease, "what was given up keeps others back after its attempt"
            return
        assert after.attempts == before.attempts + 1
        if result.ok:
            assert after.state == "delivered"
            self.owed.discard(row.event_id)
            if row.event_id not in self.out_of_turn:
                assert row.seq > self.last_taken.get(row.comment_id, 0), "a later event of the comment came before"
                self.last_taken[row.comment_id] = row.seq
        elif after.state == "dead" and after.last_error is not None and not after.last_error.startswith("endpoint."):
            assert after.attempts == len(PLAN) + 1
            self.owed.discard(row.event_id)
            self.out_of_turn.add(row.event_id)
        self._note_disabling()

    @precondition(lambda self: self.hands["two"])
    @rule()
    def a_worker_dies(self) -> None:
        self.hands["two"].clear()

    @precondition(lambda self: self.hands["one"])
    @rule()
    def the_endpoint_is_gone(self) -> None:
        row = self.hands["one"].pop(0)
        mine = self.state_of(row.id)
        result = Result(410, error_of(410), None, self.clock(), 0.1)
        self.run(turn(self.context, self.endpoint, [Done(row, result, self.row().url)], may_claim=False))
        if mine.state == "pending" and mine.lease == row.lease and self.status != "disabled":
            assert self.row().status == "disabled"
        self._note_disabling()

    @rule(seconds=st.sampled_from([1.0, 10.0, 60.0, 3600.0, 86_400.0, DISABLED_AFTER.total_seconds()]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(status=st.sampled_from(["active", "paused"]))
    def an_admin_switches(self, status: Any) -> None:
        change = manage_webhooks.change(
            self.context, self.site, "model", self.endpoint, schemas.WebhookChange(status=status)
        )
        assert self.run(change).status == status
        self.status = status

    @rule(state=st.sampled_from(["dead", "delivered", "cancelled"]))
    def an_admin_replays(self, state: Any) -> None:
        # What was given up while it is under way is left to its worker.
        found = [row for row in self.rows() if row.state == state and not self._is_leased(row)]
        wanted = schemas.ReplayInput(states=[state])
        act = webhook_log.replay(self.context, self.site, "model", self.endpoint, wanted)
        if self.status == "disabled":
            with pytest.raises(Problem):
                self.run(act)
            return
        assert self.run(act).deliveries == len(found)
        self.owed |= {row.event_id for row in found}
        self.out_of_turn |= {row.event_id for row in found}

    @precondition(lambda self: self.owed)
    @rule(data=st.data())
    def an_admin_gives_one_up(self, data: st.DataObject) -> None:
        pending = [row for row in self.rows() if row.state == "pending"]
        if not pending:
            return
        row = data.draw(st.sampled_from(pending))
        self.run(webhook_log.cancel_delivery(self.context, self.site, "model", self.endpoint, row.id))
        self.owed.discard(row.event_id)
        self.out_of_turn.add(row.event_id)

    def _is_leased(self, row: Row) -> bool:
        return bool(row.lease and row.lease_expires_at > self.clock())

    def _note_disabling(self) -> None:
        if self.status != "disabled" and self.row().status == "disabled":
            self.status = "disabled"
            self.out_of_turn |= self.owed
            self.owed.clear()

    def row(self) -> Row:
        """The endpoint as it is."""

        async def read() -> Row:
            async with self.context.database.reading() as connection:
                return (await connection.execute(sa.select(t.webhook_endpoints))).one()

        return self.run(read())

    def rows(self) -> list[Row]:
        """Every delivery as it is."""

        async def read() -> list[Row]:
            async with self.context.database.reading() as connection:
                query = sa.select(t.webhook_deliveries).order_by(t.webhook_deliveries.c.seq)
                return list((await connection.execute(query)).all())

        return self.run(read())

    def state_of(self, delivery_id: str) -> Row:
        """One delivery as it is."""
        return next(row for row in self.rows() if row.id == delivery_id)

    @invariant()
    def nothing_owed_is_lost(self) -> None:
        assert {row.event_id for row in self.rows() if row.state == "pending"} == self.owed

    @invariant()
    def no_more_is_under_way_than_allowed(self) -> None:
        leased = [row for row in self.rows() if self._is_leased(row)]
        assert len(leased) <= CONCURRENCY
        comments = [row.comment_id for row in leased]
        assert len(set(comments)) == len(comments), "two events of one comment are under way together"

    def teardown(self) -> None:
        """Let everything be taken in the end, then close what the machine opened."""
        self.an_admin_switches("active")
        self.hands = {"one": [], "two": []}
        for _ in range(5 * len(self.sent) + 5):
            # Longer than any lease, and than an endpoint stays closed.
            self.clock.advance(3600)
            self.a_worker_takes("one")
            while self.hands["one"]:
                self.an_answer_comes("one", "ok", True)
            if not self.owed:
                break
        assert not self.owed
        super().teardown()


@pytest.mark.slow
def test_deliveries_follow_the_model(
    sqlite_template: Path, redis_server: EmbeddedRedis, redis_prefix: str, tmp_path: Path
) -> None:
    """What is owed is delivered in the end, in the order of each comment, whoever dies and whatever is answered."""
    ground = Ground(sqlite_template, redis_server.url, redis_prefix, tmp_path)
    follow(DeliveryMachine, ground, examples=40, steps=40, WEBHOOK_CONCURRENCY=str(CONCURRENCY))
