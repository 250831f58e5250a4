"""The queue in front of a scorer against any sequence of requests, cancellations, answers and failures."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from moderation.scores import Scores
from service.workers.batch_lines import Priority
from service.workers.batcher import Batcher, ScorerBusy
from service.workers.scorer_process import ScorerFailed, ScorerFailure
from tests.eventually import turns
from tests.service.gated_scorer import GatedScorer, scored, started

T = TypeVar("T")
TEXTS = st.lists(st.sampled_from(["", "a", "bb", "ccc", "bad", "d" * 30, "e" * 60]), min_size=1, max_size=6)


@hypothesis_settings(deadline=None, max_examples=60)
class BatcherMachine(RuleBasedStateMachine):
    """Any sequence of requests, cancellations, answers and failures."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.scorer = GatedScorer()
        self.scorer.breaking = {"bad"}
        self.batcher = self.run(self._new())
        self.asked: list[tuple[Priority, list[str], asyncio.Task[list[Scores]]]] = []
        self.given_up: set[int] = set()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run in the machine's loop."""
        return self.runner.run(coroutine)

    async def _new(self) -> Batcher:
        return Batcher(self.scorer, most_texts=4, waiting_texts=8, waiting_characters=200)

    @rule(texts=TEXTS, priority=st.sampled_from(Priority))
    def ask(self, texts: list[str], priority: Priority) -> None:
        """Somebody asks."""
        waiting = self.batcher.score(texts, priority=priority)
        self.asked.append((priority, texts, self.run(started(waiting))))

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        """Somebody leaves."""
        number = data.draw(st.integers(0, len(self.asked) - 1))
        if not self.asked[number][2].done():
            self.asked[number][2].cancel()
            self.given_up.add(number)
        self.run(turns(3))

    @precondition(lambda self: self.scorer.under_way)
    @rule(error=st.sampled_from([None, None, ScorerFailure.CRASHED, ScorerFailure.TIMEOUT]))
    def answer(self, error: ScorerFailure | None) -> None:
        """The scorer answers, or fails."""

        async def let_go() -> None:
            self.scorer.let_go(ScorerFailed(error) if error else None)
            await turns(5)

        self.run(let_go())

    @invariant()
    def calls_are_bounded_and_without_doubles(self) -> None:
        """Never more texts than allowed, never one twice, never two calls at once."""
        for call in self.scorer.calls:
            assert 1 <= len(call) == len(set(call)) <= 4
        assert self.scorer.under_way <= 1

    @invariant()
    def what_waits_is_counted(self) -> None:
        """The counts of waiting texts are those of a recount, and who waits is being served."""
        for line in self.batcher._lines.values():
            waiting = {id(one): one for one in line.requests if not one.done.done()}.values()
            assert line.texts == sum(len(one.texts) - one.at for one in waiting)
            assert line.characters == sum(len(text) for one in waiting for text in one.texts[one.at :])
            assert not line.texts or self.scorer.under_way

    @invariant()
    def answers_are_right(self) -> None:
        """Who was answered has the scores of their own texts; who failed was refused, or met an error."""
        for number, (_, texts, task) in enumerate(self.asked):
            if not task.done():
                continue
            if task.cancelled():
                assert number in self.given_up
            elif task.exception() is None:
                assert task.result() == [scored(text) for text in texts]
            else:
                assert isinstance(task.exception(), ScorerFailed | ScorerBusy)

    def teardown(self) -> None:
        """In the end everybody is answered: with an open scorer no request is left over."""
        self.scorer.open = True

        async def finish() -> None:
            if self.scorer.under_way:
                self.scorer.let_go()
            await asyncio.wait_for(asyncio.gather(*(task for *_, task in self.asked), return_exceptions=True), 5)
            await self.batcher.stop()

        self.run(finish())
        self.answers_are_right()
        self.what_waits_is_counted()
        self.runner.close()


TestBatcherMachine = BatcherMachine.TestCase
