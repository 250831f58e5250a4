"""The queue in front of a scorer: every caller is answered, told why not, or gone; nobody starves."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from moderation.scores import Scores
from service.workers.batch_lines import SHARES, Priority
from service.workers.batcher import LEAST_CHARACTERS, Batcher, ScorerBusy
from service.workers.scorer_process import ScorerFailed, ScorerFailure
from tests.eventually import eventually, turns
from tests.service.gated_scorer import GatedScorer, scored, started

pytestmark = pytest.mark.anyio

COMMENTS, OTHERS = Priority.COMMENTS, Priority.OTHERS


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


@pytest.mark.parametrize("is_first", [False, True])
@pytest.mark.parametrize("second", [OTHERS, Priority.QUESTIONS])
async def test_two_lines_share_fairly(second: Priority, is_first: bool) -> None:
    """While both wait, comments get three characters for each of the others, and neither waits for all of the other."""
    scorer = GatedScorer()
    batcher = Batcher(scorer, most_texts=1)
    tasks = [
        await started(batcher.score([f"{one.value[0]}{number:03}" for number in range(120)], priority=one))
        for one in ((second, COMMENTS) if is_first else (COMMENTS, second))
    ]
    scorer.open = True
    scorer.let_go()
    await asyncio.gather(*tasks)
    order = "".join(call[0][0] for call in scorer.calls)
    for part in (order[4:44], order[44:84], order[84:124]):
        assert part.count("c") == pytest.approx(40 * SHARES[COMMENTS] / (SHARES[COMMENTS] + SHARES[second]), abs=2)


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


async def test_it_says_how_long_more_would_take() -> None:
    """What fits into the next call is tried however slow the model was; more is told by its speed, by what waits before
    it, and by the shares of the others."""
    scorer = SlowScorer()
    batcher = Batcher(scorer, clock=lambda: scorer.now)
    assert batcher.seconds_for(1_000_000, Priority.QUESTIONS) == 0
    for _ in range(30):
        await batcher.score(["x" * 1_800])
    # A call costs as much as 200 characters more.
    assert batcher.seconds_for(LEAST_CHARACTERS, Priority.QUESTIONS) == 0
    assert batcher.seconds_for(19_800, Priority.QUESTIONS) == pytest.approx(9.0, rel=0.01)
    scorer.open = False
    under_way = await started(batcher.score(["first"], priority=Priority.QUESTIONS))
    waiting = [await started(batcher.score(["y" * 5_000], priority=Priority.QUESTIONS))]
    assert batcher.seconds_for(4_800, Priority.QUESTIONS) == pytest.approx(4.5, rel=0.01)
    waiting += [await started(batcher.score([f"{number}" * 10_000])) for number in range(9)]
    assert batcher.seconds_for(4_800, Priority.QUESTIONS) == pytest.approx(4.5 * 4 - 0.27, rel=0.01)
    await batcher.stop()
    await asyncio.gather(under_way, *waiting, return_exceptions=True)
