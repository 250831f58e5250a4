"""A worker answers questions between its batches: neither waits for the other longer than its share says."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

import pytest

from moderation.scores import Scores
from service.flow.ask import Answered, ask
from service.queue.questions import NoAnswer, Unanswered
from service.queue.scorer_status import ScorerState, ScorerStatus
from service.workers.answering import Answerer
from service.workers.batch_lines import Priority
from service.workers.batcher import Batcher
from service.workers.loop import Parts
from service.workers.scorer_process import ScorerFailure
from tests.eventually import eventually
from tests.service.answering import answering
from tests.service.gated_scorer import GatedScorer, scored, started
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio

LONG_SECONDS = 10.0


@pytest.fixture
def database_kind() -> str:
    """Nothing here asks a database."""
    return "sqlite"


async def reason_of(asked: "asyncio.Task[Answered]") -> Unanswered:
    """Why a question has no answer."""
    with pytest.raises(NoAnswer) as none:
        await asked
    return none.value.reason


def asking(service: Service, *texts: str, within: float = LONG_SECONDS) -> "asyncio.Task[Answered]":
    """Ask in a task of its own."""
    return asyncio.create_task(ask(service.context, texts, within_seconds=within))


async def test_several_texts_are_answered_by_text(service: Service) -> None:
    """One question has several texts, some of them twice, and its answer has the scores of each and the languages."""
    scorer = GatedScorer()
    scorer.open = True
    async with answering(service.context, scorer):
        answer = await ask(service.context, ["one", "three", "one"], within_seconds=LONG_SECONDS)
    assert answer.scores == {text: scored(text) for text in ("one", "three")}
    assert answer.languages == {"fake-1": frozenset({"en"})}


async def test_questions_are_gathered(service: Service) -> None:
    """Questions that come while the scorer is busy go into one call, and what was asked before is remembered."""
    scorer = GatedScorer()
    batcher = Batcher(scorer, cache_entries=10)
    async with answering(service.context, scorer, batcher=batcher) as answerer:
        first = asking(service, "first")
        await eventually(lambda: scorer.calls == [["first"]])
        others = [asking(service, f"text {number}") for number in range(5)]
        await eventually(lambda: answerer.in_hand == 6)
        scorer.open = True
        scorer.let_go()
        await asyncio.gather(first, *others)
        assert len(scorer.calls) == 2
        assert sorted(scorer.calls[1]) == [f"text {number}" for number in range(5)]
        await ask(service.context, ["first"], within_seconds=LONG_SECONDS)
        assert len(scorer.calls) == 2
        await ask(service.context, ["unseen"], within_seconds=LONG_SECONDS, remember=False)
        await ask(service.context, ["unseen"], within_seconds=LONG_SECONDS, remember=False)
        assert len(scorer.calls) == 4


async def test_a_flood_of_questions_does_not_starve_comments(service: Service) -> None:
    """While questions flood in, of every four characters that are scored three are of comments, in every stretch."""
    scorer = GatedScorer()
    # Speed is not known, so every call has the same size: 20 texts of a hundred characters.
    batcher = Batcher(scorer, most_texts=20, clock=lambda: 0.0)
    async with answering(service.context, scorer, batcher=batcher) as answerer:
        flood = [asking(service, f"q{number:03}".ljust(100, ".")) for number in range(32)]
        await eventually(lambda: answerer.in_hand == 32)
        comments = [f"c{number:03}".ljust(100, ".") for number in range(120)]
        batch = await started(batcher.score(comments))
        scorer.open = True
        scorer.let_go()
        await batch
        await asyncio.gather(*flood)
    # The first call began before any comment was there.
    kinds = "".join("c" if call[0].startswith("c") else "q" for call in scorer.calls)[1:]
    assert kinds.count("c") == 6
    assert kinds.count("q") <= 2
    assert kinds.index("q") <= 4, "a question waits for a few calls at the most"
    assert kinds.index("c") <= 1, "comments come after one call at the most"


async def test_comments_do_not_starve_questions(service: Service) -> None:
    """A question that comes into a long batch of comments is in the next call but a few, not behind the batch."""
    scorer = GatedScorer()
    batcher = Batcher(scorer, most_texts=20, clock=lambda: 0.0)
    async with answering(service.context, scorer, batcher=batcher) as answerer:
        batch = await started(batcher.score([f"c{number:03}".ljust(100, ".") for number in range(400)]))
        question = asking(service, "question")
        await eventually(lambda: answerer.in_hand == 1)
        scorer.open = True
        scorer.let_go()
        await question
        await batch
    assert next(at for at, call in enumerate(scorer.calls) if call == ["question"]) <= 2
    assert len(scorer.calls) == 21


class SteadyScorer(GatedScorer):
    """Scores ten thousand characters in a second of its own time."""

    def __init__(self) -> None:
        super().__init__()
        self.open, self.now = True, 0.0

    async def score(self, texts: Sequence[str]) -> list[Scores]:
        """Answer, and let the time pass that it took."""
        self.now += sum(map(len, texts)) / 10_000
        return await super().score(texts)


async def test_calls_are_short_after_a_question() -> None:
    """For ten seconds after a question a call of comments takes a quarter of the time, so that the next waits less."""
    scorer = SteadyScorer()
    batcher = Batcher(scorer, most_texts=1_000, clock=lambda: scorer.now)

    async def largest() -> int:
        scorer.calls = []
        await batcher.score([f"{number:03}".ljust(100, ".") for number in range(400)])
        return max(map(len, scorer.calls[1:]))

    await batcher.score(["x" * 10_000])
    assert await largest() == 100
    await batcher.score(["question"], priority=Priority.QUESTIONS)
    assert await largest() == 25
    scorer.now += 10.0
    assert await largest() == 100
    await batcher.stop()


async def test_what_is_late_is_not_scored(service: Service) -> None:
    """A question whose time is over before its turn never reaches the scorer."""
    scorer = GatedScorer()
    batcher = Batcher(scorer)
    async with answering(service.context, scorer, batcher=batcher) as answerer:
        busy = await started(batcher.score(["comment"]))
        assert await reason_of(asking(service, "late", within=0.2)) is Unanswered.LATE
        await eventually(lambda: answerer.in_hand == 0)
        scorer.open = True
        scorer.let_go()
        await busy
        await ask(service.context, ["in time"], within_seconds=LONG_SECONDS)
    assert scorer.calls == [["comment"], ["in time"]]


async def test_a_worker_takes_no_more_than_it_can_hold(service: Service) -> None:
    """With its hands full a worker leaves questions to others, and those that come first have the next place."""
    scorer = GatedScorer()
    async with answering(service.context, scorer, most_in_hand=2) as answerer:
        asked = [asking(service, f"text {number}") for number in range(5)]
        await eventually(lambda: answerer.in_hand == 2)
        await eventually(lambda: is_waiting(service, 3))
        scorer.open = True
        scorer.let_go()
        await asyncio.gather(*asked)


async def is_waiting(service: Service, number: int) -> bool:
    """True when so many questions wait in Redis."""
    return await service.context.questions.waiting() == number


async def test_a_question_that_breaks_the_scorer_says_so(service: Service) -> None:
    """Who sent a text that cannot be scored is told at once; a neighbour in the same call is answered."""
    scorer = GatedScorer()
    scorer.open, scorer.breaking, scorer.reason = True, {"breaking"}, ScorerFailure.RAISED
    async with answering(service.context, scorer):
        broken, fine = asking(service, "breaking"), asking(service, "fine")
        assert await reason_of(broken) is Unanswered.FAILED
        assert (await fine).scores == {"fine": scored("fine")}


async def test_a_busy_scorer_says_so(service: Service) -> None:
    """What the batcher has no room for is refused at once."""
    scorer = GatedScorer()
    batcher = Batcher(scorer, waiting_texts=1)
    async with answering(service.context, scorer, batcher=batcher) as answerer:
        first = asking(service, "first")
        await eventually(lambda: scorer.calls == [["first"]])
        second = asking(service, "second")
        await eventually(lambda: answerer.in_hand == 2)
        assert await reason_of(asking(service, "third")) is Unanswered.BUSY
        scorer.open = True
        scorer.let_go()
        await asyncio.gather(first, second)


async def test_while_the_scorer_is_away_nobody_asks(service: Service) -> None:
    """With no worker up, or one that only starts, a question is refused without being put into Redis."""
    context = service.context
    await eventually(lambda: context.answers.hears)
    assert await reason_of(asking(service, "nobody is there")) is Unanswered.AWAY
    for state in (ScorerState.STARTING, ScorerState.STALLED, ScorerState.DOWN):
        await context.scorers.report("test", ScorerStatus(state), 60)
        assert await reason_of(asking(service, "not now")) is Unanswered.AWAY
    assert await context.questions.waiting() == 0


async def test_a_worker_without_a_scorer_takes_nothing(service: Service) -> None:
    """A worker whose scorer is down leaves the questions to others."""
    context = service.context
    await context.scorers.report("another", ScorerStatus(ScorerState.UP), 60)
    await eventually(lambda: context.answers.hears)
    asked = asking(service, "text", within=0.5)
    await eventually(lambda: is_waiting(service, 1))
    assert await Answerer(context, Batcher(GatedScorer()), Parts("scorer")).turn(block_ms=1) == 0
    assert await context.questions.waiting() == 1
    assert await reason_of(asked) is Unanswered.LATE


async def test_a_worker_that_ends_answers_what_it_has(service: Service) -> None:
    """A question in the hands of a worker that is told to stop is answered, or its asker is told that it failed."""
    scorer = GatedScorer()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(answering(service.context, scorer))
        asked = asking(service, "text")
        await eventually(lambda: scorer.calls == [["text"]])
    assert await reason_of(asked) is Unanswered.FAILED


async def test_what_is_sealed_otherwise_is_not_answered(service: Service) -> None:
    """What this installation has not sealed is no question: the scorer never sees it."""
    scorer = GatedScorer()
    async with answering(service.context, scorer):
        with pytest.raises(NoAnswer) as none:
            await service.context.answers.ask("nonsense", characters=8, within_seconds=LONG_SECONDS)
    assert none.value.reason is Unanswered.FAILED
    assert scorer.calls == []
