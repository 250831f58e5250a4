"""Any sequence of steps and losses leaves the scoring stream where a plain model of it stands."""

import asyncio
import uuid
from collections.abc import Awaitable
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from service.embedded_redis import EmbeddedRedis
from service.queue.client import connect, connect_blocking
from service.queue.scoring import Entry, ScoringStream

T = TypeVar("T")
REVISIONS = st.lists(st.sampled_from("abcdefgh"), max_size=6)
CONSUMERS = st.sampled_from(["one", "two", "three"])
COUNTS = st.integers(1, 4)
PICKS = st.sets(st.integers(0, 5), max_size=3)


class Placed:
    """An entry of the model: its revision, who holds it, and how often it was handed out."""

    def __init__(self, revision_id: str) -> None:
        self.revision_id = revision_id
        self.holder: str | None = None
        self.deliveries = 0

    def hand_to(self, holder: str) -> None:
        self.holder = holder
        self.deliveries += 1


class StreamMachine(RuleBasedStateMachine):
    """Runs each step on Redis and on an ordered dictionary of entries."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.client, self.blocking = connect(url), connect_blocking(url)
        self.prefix = uuid.uuid4().hex
        self.streams = {name: self.consumer(name) for name in ("one", "two", "three")}
        self.entries: dict[str, Placed] = {}
        self.hands: dict[str, list[Entry]] = {name: [] for name in self.streams}
        self.dead = 0
        self.markers_lost = False

    def consumer(self, name: str) -> ScoringStream:
        """Start a consumer under a name."""
        return ScoringStream(self.client, self.blocking, consumer=name, prefix=self.prefix)

    def run(self, step: Awaitable[T]) -> T:
        """Run one step on Redis."""

        async def complete() -> T:
            return await step

        return self.runner.run(complete())

    def key(self, name: str) -> str:
        """The name of a key of the stream under test."""
        return f"{self.prefix}:scoring:{name}"

    @rule(revision_ids=REVISIONS)
    def enqueue(self, revision_ids: list[str]) -> None:
        queued = {placed.revision_id for placed in self.entries.values()}
        missing = list(dict.fromkeys(name for name in revision_ids if name not in queued))
        assert self.run(self.streams["one"].enqueue(revision_ids)) == len(missing)
        stored: Any = self.run(self.client.xrange(self.key("stream")))
        added = [(entry_id, fields["revision_id"]) for entry_id, fields in stored if entry_id not in self.entries]
        assert [revision_id for _, revision_id in added] == missing
        self.entries |= {entry_id: Placed(revision_id) for entry_id, revision_id in added}
        self.markers_lost = self.markers_lost and not revision_ids

    @rule(name=CONSUMERS, count=COUNTS)
    def fetch(self, name: str, count: int) -> None:
        fresh = [entry_id for entry_id, placed in self.entries.items() if placed.holder is None][:count]
        self.hand_over(name, fresh, self.run(self.streams[name].fetch(count, 0)))

    @rule(name=CONSUMERS, count=COUNTS)
    def recover(self, name: str, count: int) -> None:
        pending = [entry_id for entry_id, placed in self.entries.items() if placed.holder is not None][:count]
        self.hand_over(name, pending, self.run(self.streams[name].recover(count, 0)))

    @rule(name=CONSUMERS)
    def restart(self, name: str) -> None:
        self.streams[name] = self.consumer(name)
        self.hands[name] = []
        held = [entry_id for entry_id, placed in self.entries.items() if placed.holder == name]
        recovered: list[Entry] = []
        while page := self.run(self.streams[name].recover_own(2)):
            recovered += page
        self.hand_over(name, held, recovered)

    def hand_over(self, name: str, expected: list[str], entries: list[Entry]) -> None:
        """Hold what Redis handed out, once it is what the model hands out."""
        for entry_id in expected:
            self.entries[entry_id].hand_to(name)
        told = [(entry_id, self.entries[entry_id]) for entry_id in expected]
        assert entries == [Entry(entry_id, placed.revision_id, placed.deliveries) for entry_id, placed in told]
        self.hands[name] += entries

    def pick(self, name: str, picks: set[int]) -> list[Entry]:
        """Let go of some of the entries in a consumer's hands, stale ones among them."""
        picked = [entry for number, entry in enumerate(self.hands[name]) if number in picks]
        self.hands[name] = [entry for entry in self.hands[name] if entry not in picked]
        return picked

    def settle(self, entries: list[Entry]) -> int:
        """Take out of the model what is still there, and say how many that were."""
        # After a flush within one millisecond another revision may have the id.
        there = [entry for entry in entries if self.holds(entry)]
        for entry in there:
            del self.entries[entry.entry_id]
        return len(there)

    def holds(self, entry: Entry) -> bool:
        """Whether the model still has this entry for this revision."""
        placed = self.entries.get(entry.entry_id)
        return placed is not None and placed.revision_id == entry.revision_id

    @rule(name=CONSUMERS, picks=PICKS)
    def acknowledge(self, name: str, picks: set[int]) -> None:
        picked = self.pick(name, picks)
        self.settle(picked)
        self.run(self.streams[name].acknowledge(picked))

    @rule(name=CONSUMERS, picks=PICKS)
    def bury(self, name: str, picks: set[int]) -> None:
        picked = self.pick(name, picks)
        self.dead += self.settle(picked)
        self.run(self.streams[name].bury(picked, "poison"))

    @rule(name=CONSUMERS, picks=PICKS)
    def keep(self, name: str, picks: set[int]) -> None:
        kept = [entry for number, entry in enumerate(self.hands[name]) if number in picks]
        self.run(self.streams[name].keep(kept))

    @rule(name=CONSUMERS)
    def forget_consumers(self, name: str) -> None:
        self.run(self.streams[name].forget_consumers(0))

    @rule()
    def lose_markers(self) -> None:
        self.run(self.client.delete(self.key("queued")))
        self.markers_lost = True

    @rule()
    def lose_stream(self) -> None:
        self.run(self.client.delete(self.key("stream")))
        self.entries.clear()
        self.markers_lost = True

    @rule()
    def flush(self) -> None:
        self.run(self.client.flushall())
        self.entries.clear()
        self.dead = 0

    @invariant()
    def redis_agrees(self) -> None:
        """The stream holds the model's entries, one marker each, and counts them rightly."""
        depth = self.run(self.streams["one"].depth(0))
        held = sum(placed.holder is not None for placed in self.entries.values())
        assert (depth.waiting, depth.in_flight, depth.dead) == (len(self.entries) - held, held, self.dead)
        markers: Any = self.run(self.client.hgetall(self.key("queued")))
        if not self.markers_lost:
            assert markers == {placed.revision_id: entry_id for entry_id, placed in self.entries.items()}

    def teardown(self) -> None:
        self.runner.run(self.client.aclose())
        self.runner.run(self.blocking.aclose())
        self.runner.close()


@pytest.mark.slow
def test_scoring_stream_equals_its_model(redis_server: EmbeddedRedis) -> None:
    """No sequence of steps and losses loses a revision, doubles one, or tells the stream from the model."""

    class Machine(StreamMachine):
        def __init__(self) -> None:
            super().__init__(redis_server.url)

    run_state_machine_as_test(Machine, settings=settings(max_examples=60, stateful_step_count=40, deadline=None))
