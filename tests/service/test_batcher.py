"""The queue in front of a scorer: every caller is answered, told why not, or gone; nobody starves."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from moderation.scores import Attribute, Scores
from service.workers.batch_lines import SHARES, Priority
from service.workers.batcher import LEAST_CHARACTERS, Batcher, ScorerBusy
from service.workers.scorer_process import ScorerFailed, ScorerFailure
from tests.eventually import eventually, turns

pytestmark = pytest.mark.anyio

T = TypeVar("T")
COMMENTS, OTHERS = Priority.COMMENTS, Priority.OTHERS


def scored(text: str) -> Scores:
    """The one right answer for a text."""
    return Scores("fake-1", True, {Attribute.TOXICITY: len(text) / 100_000})


class GatedScorer:
    """Answers a call when the test opens its gate, unless it holds a text that breaks it."""

    def __init__(self, *, model_id: str | None = "fake-1") -> None:
        self.model_id = model_id
        self.calls: list[list[str]] = []
        self.gates: list[asyncio.Future[Exception | None]] = []
        self.breaking: set[str] = set()
        self.reason = ScorerFailure.RAISED
        self.open = False
        self.under_way = 0

    def languages_of(self, model_id: str) -> frozenset[str]:
        """The languages of the one model."""
        return frozenset({"en"} if model_id == "fake-1" else ())

    async def score(self, texts: Sequence[str]) -> list[Scores]:
        """Answer, in the test's time."""
        assert self.under_way == 0, "one call at a time"
        self.calls.append(list(texts))
        self.under_way += 1
        try:
            if not self.open:
                self.gates.append(asyncio.get_running_loop().create_future())
                if error := await self.gates[-1]:
                    raise error
        finally:
            self.under_way -= 1
        if self.breaking & set(texts):
            raise ScorerFailed(self.reason, "ValueError")
        return [scored(text) for text in texts]

    def let_go(self, error: Exception | None = None) -> None:
        """Open the gate of the call in progress."""
        if not self.gates[-1].done():
            self.gates[-1].set_result(error)


class SlowScorer(GatedScorer):
    """Takes a time of its own, by the length of the texts."""

    SPEED = 2000.0

    def __init__(self) -> None:
        super().__init__()
        self.open = True
        self.now = 0.0

    async def score(self, texts: Sequence[str]) -> list[Scores]:
        self.now += sum(map(len, texts)) / self.SPEED
        return await super().score(texts)


async def started(waiting: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Start a request and let the batcher take it up."""
    task = asyncio.create_task(waiting)
    await turns(5)
    return task


async def test_what_waits_is_gathered_into_one_call() -> None:
    """While one call is made others wait, and all of them go in the next, the same text once."""
    scorer = GatedScorer()
    batcher = Batcher(scorer)
    first = await started(batcher.score(["first"]))
    others = [await started(batcher.score([f"text {number}", "the same"])) for number in range(3)]
    scorer.open = True
    scorer.let_go()
    assert await first == [scored("first")]
    for number, task in enumerate(others):
        assert await task == [scored(f"text {number}"), scored("the same")]
    assert scorer.calls == [["first"], ["text 0", "the same", "text 1", "text 2"]]


async def test_a_text_is_asked_for_once_and_answered_as_often_as_it_stands() -> None:
    """Order and number of the answers are those of the texts."""
    scorer = GatedScorer()
    scorer.open = True
    batcher = Batcher(scorer, cache_entries=10, uncached=frozenset({"canary"}))
    assert await batcher.score(["b", "a", "b"]) == [scored("b"), scored("a"), scored("b")]
    assert await batcher.score(["a", "canary", "c"]) == [scored("a"), scored("canary"), scored("c")]
    assert await batcher.score(["a", "canary"]) == [scored("a"), scored("canary")]
    assert await batcher.score([]) == []
    assert scorer.calls == [["b", "a"], ["c", "canary"], ["canary"]]


async def test_a_large_request_goes_in_parts() -> None:
    """No call holds more texts or characters than allowed, and the caller sees one answer."""
    scorer = GatedScorer()
    scorer.open = True
    batcher = Batcher(scorer, most_texts=4)
    texts = [f"text {number}" for number in range(10)]
    assert await batcher.score(texts) == [scored(text) for text in texts]
    assert [len(call) for call in scorer.calls] == [4, 4, 2]


async def test_a_call_is_as_long_as_the_model_does_in_a_second() -> None:
    """A slow model is given small calls, so that nobody waits long behind one, but always at least one text."""
    scorer = SlowScorer()
    batcher = Batcher(scorer, clock=lambda: scorer.now)
    for number in range(5):
        await batcher.score([f"{number} {'x' * 1000}"])
    assert batcher.characters_per_second == pytest.approx(SlowScorer.SPEED)
    scorer.calls.clear()
    texts = [f"{number} {'y' * 900}" for number in range(10)]
    await batcher.score([*texts, "z" * (LEAST_CHARACTERS * 3)])
    assert [len(call) for call in scorer.calls] == [2, 2, 2, 2, 2, 1]


async def test_an_error_reaches_every_waiter() -> None:
    """When not even a single request can be scored, each of those who wait is told why."""
    scorer = GatedScorer()
    batcher = Batcher(scorer)
    first = await started(batcher.score(["first"]))
    others = [await started(batcher.score([f"text {number}"])) for number in range(3)]
    scorer.open, scorer.breaking = True, {"first", "text 0", "text 1", "text 2"}
    scorer.let_go()
    for task in (first, *others):
        with pytest.raises(ScorerFailed) as failed:
            await task
        assert (failed.value.reason, failed.value.exception) == (ScorerFailure.RAISED, "ValueError")
    assert len(scorer.calls) == 1 + 1 + 3


async def test_nobodys_text_harms_anothers_request() -> None:
    """Of requests that failed together each is tried alone, and only the one at fault is told so."""
    scorer = GatedScorer()
    batcher = Batcher(scorer)
    first = await started(batcher.score(["first"]))
    others = [await started(batcher.score([text])) for text in ("good", "bad", "fine")]
    scorer.open, scorer.breaking = True, {"bad"}
    scorer.let_go()
    assert await first == [scored("first")]
    assert await others[0] == [scored("good")]
    assert await others[2] == [scored("fine")]
    with pytest.raises(ScorerFailed):
        await others[1]
    assert scorer.calls[1:] == [["good", "bad", "fine"], ["good"], ["bad"], ["fine"]]


@pytest.mark.parametrize("reason", [ScorerFailure.START, ScorerFailure.TIMEOUT])
async def test_what_would_fail_again_is_not_tried_again(reason: ScorerFailure) -> None:
    """A model that does not start, or that hangs, is not asked once more for each request."""
    scorer = GatedScorer()
    batcher = Batcher(scorer)
    tasks = [await started(batcher.score([f"text {number}"])) for number in range(3)]
    scorer.let_go(ScorerFailed(reason))
    await turns(5)
    scorer.let_go(ScorerFailed(reason))
    for task in tasks:
        with pytest.raises(ScorerFailed) as failed:
            await task
        assert failed.value.reason is reason
    assert len(scorer.calls) == 2


async def test_an_error_nobody_foresaw_reaches_the_waiter_too() -> None:
    """Whatever is raised comes out, and the next request is served."""
    scorer = GatedScorer()
    batcher = Batcher(scorer)
    task = await started(batcher.score(["a"]))
    scorer.let_go(RuntimeError("unforeseen"))
    with pytest.raises(RuntimeError):
        await task
    scorer.open = True
    assert await batcher.score(["b"]) == [scored("b")]


async def test_who_left_is_passed_over() -> None:
    """A request that was cancelled, or whose time is over, is not scored."""
    scorer = GatedScorer()
    batcher = Batcher(scorer)
    first = await started(batcher.score(["first"]))
    gone = await started(batcher.score(["gone"]))
    late = await started(batcher.score(["late"], timeout_seconds=0.001))
    stays = await started(batcher.score(["stays"]))
    gone.cancel()
    with pytest.raises(TimeoutError):
        await late
    assert batcher.characters_waiting(COMMENTS) == len("stays")
    scorer.open = True
    scorer.let_go()
    assert await stays == [scored("stays")]
    assert scorer.calls == [["first"], ["stays"]]
    assert await first
    assert gone.cancelled()


async def test_a_call_that_its_caller_left_goes_on() -> None:
    """Giving up does not end the model: the call in progress is finished and its answer is nobody's."""
    scorer = GatedScorer()
    batcher = Batcher(scorer)
    first = await started(batcher.score(["first"]))
    first.cancel()
    await turns(3)
    assert scorer.under_way == 1
    scorer.open = True
    scorer.let_go()
    assert await batcher.score(["second"]) == [scored("second")]


async def test_too_much_is_refused_with_a_time_to_come_back() -> None:
    """Over the limit a request is refused at once, each priority by itself, and an empty line takes any size."""
    scorer = GatedScorer()
    batcher = Batcher(scorer, waiting_texts=3, waiting_characters=100)
    waits = [await started(batcher.score(["x" * 500], priority=OTHERS))]
    waits += [await started(batcher.score([f"text {number}"], priority=OTHERS)) for number in range(3)]
    for texts in (["one more"], ["y" * 200]):
        with pytest.raises(ScorerBusy) as busy:
            await batcher.score(texts, priority=OTHERS)
        assert busy.value.retry_after_seconds == 1.0
    comments = await started(batcher.score(["a comment"] * 5))
    scorer.open = True
    scorer.let_go()
    for task in (*waits, comments):
        assert await task


async def test_the_time_to_come_back_is_that_of_the_queue() -> None:
    """With a known speed the refusal says how long what waits will take at the share of its line."""
    scorer = GatedScorer()
    moments = iter([0.0, 0.0, 1.0, *[1.0] * 20])
    batcher = Batcher(scorer, waiting_characters=1000, clock=lambda: next(moments))
    task = await started(batcher.score(["x" * 100], priority=OTHERS))
    scorer.let_go()
    await task
    assert batcher.characters_per_second == pytest.approx(100)
    waits = [await started(batcher.score([text * 900], priority=OTHERS)) for text in "ab"]
    with pytest.raises(ScorerBusy) as alone:
        await batcher.score(["c" * 900], priority=OTHERS)
    assert alone.value.retry_after_seconds == pytest.approx(9.0)
    waits.append(await started(batcher.score(["d"])))
    with pytest.raises(ScorerBusy) as shared:
        await batcher.score(["c" * 900], priority=OTHERS)
    assert shared.value.retry_after_seconds == pytest.approx(36.0)
    await batcher.stop()
    for wait in waits:
        with pytest.raises(ScorerFailed):
            await wait


@pytest.mark.parametrize("first", Priority)
async def test_the_two_lines_share_fairly(first: Priority) -> None:
    """While both wait, comments get three characters for each of the others, and neither waits for all of the other."""
    scorer = GatedScorer()
    batcher = Batcher(scorer, most_texts=1)
    second = OTHERS if first is COMMENTS else COMMENTS
    tasks = [
        await started(batcher.score([f"{one.value[0]}{number:03}" for number in range(120)], priority=one))
        for one in (first, second)
    ]
    scorer.open = True
    scorer.let_go()
    await asyncio.gather(*tasks)
    order = "".join(call[0][0] for call in scorer.calls)
    for part in (order[4:44], order[44:84], order[84:124]):
        assert part.count("c") == pytest.approx(40 * SHARES[COMMENTS] / sum(SHARES.values()), abs=2)


async def test_who_was_away_has_saved_nothing_up() -> None:
    """A line that comes back after a long time alone for the other does not have the scorer to itself."""
    scorer = GatedScorer()
    scorer.open = True
    batcher = Batcher(scorer, most_texts=1)
    await batcher.score([f"c{number:03}" for number in range(200)])
    scorer.calls.clear()
    await asyncio.gather(
        batcher.score([f"d{number:03}" for number in range(40)]),
        batcher.score([f"o{number:03}" for number in range(40)], priority=OTHERS),
    )
    order = "".join(call[0][0] for call in scorer.calls)
    assert order[:40].count("d") >= 28


async def test_the_end_reaches_everybody() -> None:
    """Stopping fails the call in progress, those who wait and those who come later, and leaves no task."""
    scorer = GatedScorer()
    batcher = Batcher(scorer)
    before = asyncio.all_tasks()
    tasks = [await started(batcher.score([f"text {number}"])) for number in range(3)]
    await batcher.stop()
    for task in tasks:
        with pytest.raises(ScorerFailed):
            await task
    with pytest.raises(ScorerFailed) as late:
        await batcher.score(["late"])
    assert late.value.reason is ScorerFailure.START
    assert scorer.under_way == 0
    await eventually(lambda: asyncio.all_tasks() <= before)


async def test_it_is_what_the_scorer_is() -> None:
    """Model and languages are the scorer's, and before its first answer nothing is looked up under its name."""
    scorer = GatedScorer(model_id=None)
    scorer.open = True
    batcher = Batcher(scorer, cache_entries=5)
    assert (batcher.model_id, batcher.languages_of("fake-1")) == (None, frozenset({"en"}))
    assert await batcher.score(["a"]) == await batcher.score(["a"])
    assert len(scorer.calls) == 2


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
