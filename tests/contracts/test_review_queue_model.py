"""Any sequence of steps leaves the review queue where a plain model of it stands."""

import asyncio
import uuid
from collections.abc import Awaitable
from typing import TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from service.embedded_redis import EmbeddedRedis
from service.queue.client import connect
from service.queue.review import ReviewQueue, Standing

T = TypeVar("T")
SITE = "site"
QUEUES = ["q", "r"]
ITEMS = st.sampled_from("abcdefgh")
ORDERS = st.sampled_from([-3.5, 0.0, 1.0, 2.0, 2.25, 1e12])
UNTIL = st.integers(0, 12)


class ReviewMachine(RuleBasedStateMachine):
    """Runs each step on Redis and on two dictionaries: ready item to its place, leased item to its place and end."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.client = connect(url)
        self.queue = ReviewQueue(self.client, uuid.uuid4().hex)
        self.ready: dict[str, Standing] = {}
        self.leased: dict[str, tuple[Standing, int]] = {}
        self.now_ms = 0

    def run(self, step: Awaitable[T]) -> T:
        """Run one step on Redis."""

        async def complete() -> T:
            return await step

        return self.runner.run(complete())

    @rule(items=st.lists(st.builds(Standing, ITEMS, ORDERS, st.sampled_from(QUEUES)), max_size=6))
    def add(self, items: list[Standing]) -> None:
        added = 0
        for item in items:
            if item.item_id in self.leased:
                self.leased[item.item_id] = (item, self.leased[item.item_id][1])
                continue
            added += item.item_id not in self.ready
            self.ready[item.item_id] = item
        assert self.run(self.queue.add(SITE, items)) == added

    @rule(
        queues=st.sampled_from([["q"], ["r"], ["q", "r"], ["r", "q"]]),
        limit=st.integers(0, 4),
        passed_ms=st.integers(0, 4),
        lease_ms=st.integers(0, 8),
    )
    def take(self, queues: list[str], limit: int, passed_ms: int, lease_ms: int) -> None:
        self.now_ms += passed_ms
        until_ms = self.now_ms + lease_ms
        for item in [item for item, (_, end) in self.leased.items() if end <= self.now_ms]:
            self.ready[item] = self.leased.pop(item)[0]
        named = [place for place in self.ready.values() if place.queue in queues]
        expected = [place.item_id for place in sorted(named, key=lambda place: (place.order, place.item_id))[:limit]]
        for item in expected:
            self.leased[item] = (self.ready.pop(item), until_ms)
        assert self.run(self.queue.take(SITE, queues, limit, now_ms=self.now_ms, until_ms=until_ms)) == expected

    @rule(item=ITEMS, until_ms=UNTIL)
    def renew(self, item: str, until_ms: int) -> None:
        if item in self.leased:
            self.leased[item] = (self.leased[item][0], until_ms)
        elif item in self.ready:
            self.leased[item] = (self.ready.pop(item), until_ms)
        self.run(self.queue.renew(SITE, item, until_ms))

    @rule(item=ITEMS)
    def put_back(self, item: str) -> None:
        if item in self.leased:
            self.ready[item] = self.leased.pop(item)[0]
        self.run(self.queue.put_back(SITE, item))

    @rule(items=st.lists(ITEMS, max_size=3))
    def remove(self, items: list[str]) -> None:
        for item in items:
            self.ready.pop(item, None)
            self.leased.pop(item, None)
        self.run(self.queue.remove(SITE, items))

    @rule(place=st.builds(Standing, ITEMS, ORDERS, st.sampled_from(QUEUES)), until_ms=UNTIL)
    def mark_leased(self, place: Standing, until_ms: int) -> None:
        self.ready.pop(place.item_id, None)
        _, end = self.leased.get(place.item_id, (place, until_ms))
        self.leased[place.item_id] = (place, max(end, until_ms))
        self.run(self.queue.mark_leased(SITE, place, until_ms))

    @rule()
    def flush(self) -> None:
        self.ready.clear()
        self.leased.clear()
        self.run(self.client.flushall())

    @invariant()
    def counts_agree(self) -> None:
        """Redis holds as many items as the model."""
        assert self.run(self.queue.counts(SITE)) == (len(self.ready), len(self.leased))

    def teardown(self) -> None:
        self.runner.run(self.client.aclose())
        self.runner.close()


@pytest.mark.slow
def test_review_queue_equals_its_model(redis_server: EmbeddedRedis) -> None:
    """No sequence of steps, flushes included, tells the queue from the model."""

    class Machine(ReviewMachine):
        def __init__(self) -> None:
            super().__init__(redis_server.url)

    run_state_machine_as_test(Machine, settings=settings(max_examples=60, stateful_step_count=40, deadline=None))
