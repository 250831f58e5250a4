"""Texts are scored for who waits: in time, by one model, and never at the cost of the comments that wait too."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from moderation.scores import Attribute, Scores
from service.flow.analyse import MOST_ASKED, WITHIN_SECONDS, Analysed, Quickly, Scale, TooMany, analyse, value_on
from service.flow.context import Context
from service.flow.identify import find_site
from service.workers.batcher import Batcher
from service.workers.scoring import ScoringWorker
from tests.eventually import eventually
from tests.service.analysing import QUICK_ID, Client, QuickModel, SeveralScorer, key_of, with_quick
from tests.service.answering import answering
from tests.service.test_calibration_in_force import STERN, put
from tests.service_fixture import FakeScorer, Service

pytestmark = pytest.mark.anyio

GENEROUS_SECONDS = 10.0
LONG = "So it goes on and on. " * 900


class TimedScorer(SeveralScorer):
    """A model that takes a second for every thousand characters, on a clock of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    async def score(self, texts: Sequence[str]) -> list[Scores]:
        """Answer, and let the time pass."""
        self.now += sum(map(len, texts)) / 1_000
        return await super().score(texts)


class WaitingScorer(FakeScorer):
    """A model that never answers."""

    async def score(self, texts: Sequence[str]) -> list[Scores]:
        """Wait for ever."""
        self.batches.append(list(texts))
        await asyncio.Event().wait()
        return []


@pytest.fixture
def quick() -> QuickModel:
    """The quick model."""
    return QuickModel()


@pytest.fixture
async def context(context: Context, quick: QuickModel) -> AsyncIterator[Context]:
    """A process whose quick model is the test's."""
    mine = with_quick(context, quick)
    yield mine
    await mine.quick.stop()


async def analysed(service: Service, *texts: str, within: float = GENEROUS_SECONDS) -> list[Analysed]:
    """Ask for texts."""
    return await analyse(service.context, await find_site(service.context, "test"), texts, within_seconds=within)


async def test_texts_are_answered_in_order(service: Service) -> None:
    """Several texts, some of them twice, are one question, answered one by one with the model and its languages."""
    async with answering(service.context, service.scorer):
        found = await analysed(service, "a rude one", "a civil one", "a rude one")
    assert [one.scores.values[Attribute.TOXICITY] for one in found] == [0.7, 0.01, 0.7]
    assert {(one.model_id, one.is_quick, one.why) for one in found} == {(service.scorer.model_id, False, None)}
    assert found[0].languages == {"en"}
    assert len(service.scorer.batches) == 1


async def test_the_sites_calibration_is_put_on_probabilities_alone(service: Service) -> None:
    """What the model said stays beside it, and an attribute that it does not score has no value on any scale."""
    await put(service, STERN)
    async with answering(service.context, service.scorer):
        [found] = await analysed(service, "a civil one")
    assert value_on(Scale.PROBABILITY, found, Attribute.TOXICITY) == found.scores.values[Attribute.TOXICITY]
    assert found.said.values[Attribute.TOXICITY] == 0.01
    assert found.scores.values[Attribute.TOXICITY] > 0.5
    assert [value_on(scale, found, Attribute.THREAT) for scale in Scale] == [None, None]


async def test_a_long_text_that_would_be_late_is_answered_quickly(service: Service, quick: QuickModel) -> None:
    """A worker that knows its speed refuses at once what it would not score in time, and goes on with short texts."""
    scorer = TimedScorer()
    batcher = Batcher(scorer, clock=lambda: scorer.now)
    async with answering(service.context, scorer, batcher=batcher):
        await analysed(service, "a civil one, from which the speed is known")
        [long] = await analysed(service, LONG, within=2.0)
        [short] = await analysed(service, "a rude one")
    assert (long.model_id, long.why) == (QUICK_ID, Quickly.OVERLOAD)
    assert (short.model_id, short.why) == (scorer.model_id, None)
    assert [LONG] in quick.calls
    assert all(LONG not in batch for batch in scorer.batches)


async def test_a_long_texts_own_estimate_keeps_nobody_from_asking(service: Service, quick: QuickModel) -> None:
    """However long the quick model would take, half of the time is for the model in force."""
    context = service.context
    context.quick._characters, context.quick._seconds = 1_000.0, 1.0
    async with answering(context, service.scorer):
        [found] = await analysed(service, LONG)
    assert (found.model_id, found.why) == (service.scorer.model_id, None)
    assert quick.calls == []


async def test_a_scorer_that_was_slow_once_is_asked_again(service: Service) -> None:
    """A first call that took long, as while a model starts, keeps nobody's short text from being scored later."""
    scorer = TimedScorer()
    batcher = Batcher(scorer, clock=lambda: scorer.now)
    await batcher.score(["x"])
    batcher._scored_seconds = 60.0
    async with answering(service.context, scorer, batcher=batcher):
        [found] = await analysed(service, "a rude one")
    assert found.why is None


async def test_who_is_late_is_answered_quickly(service: Service, quick: QuickModel) -> None:
    """A model that does not answer costs a part of the time, and the rest is enough for the quick one."""
    async with answering(service.context, WaitingScorer()):
        [found] = await analysed(service, "a rude one", within=WITHIN_SECONDS)
    assert (found.model_id, found.why, found.is_quick) == (QUICK_ID, Quickly.LATE, True)
    assert found.languages == quick.languages


async def test_so_many_wait_and_no_more(service: Service, quick: QuickModel) -> None:
    """Who comes when a process has as many questions under way as may be does not ask one more."""
    scorer = WaitingScorer()
    async with answering(service.context, scorer):
        waiting = [asyncio.create_task(analysed(service, f"number {number}")) for number in range(MOST_ASKED)]
        await eventually(lambda: service.context.answers.waiting == MOST_ASKED)
        [found] = await analysed(service, "one more")
        assert found.why is Quickly.OVERLOAD
        assert quick.calls == [["one more"]]
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_without_time_there_is_no_answer(service: Service) -> None:
    """A request whose time was over before it came so far is refused at once."""
    async with answering(service.context, service.scorer):
        with pytest.raises(TooMany):
            await analysed(service, "a rude one", within=-0.1)


async def test_a_flood_does_not_starve_the_comments(service: Service, quick: QuickModel) -> None:
    """While many clients have long and short texts scored without a pause, comments are decided as they come, by the
    same scorer; and every client has an answer or is told when to come again."""
    scorer = SeveralScorer()
    batcher = Batcher(scorer)
    worker = ScoringWorker(service.context, batcher, service.parts, batch_size=32)
    client = Client(service, await key_of(service, per_minute=1_000_000))
    met: list[int] = []
    flooding = True

    async def flood(text: str) -> None:
        body = {"comment": {"text": text}, "requestedAttributes": {"TOXICITY": {}}}
        while flooding:
            answer = await service.call("POST", "/v1alpha1/comments:analyze", params={"key": client.key}, json=body)
            met.append(answer.status_code)

    async with answering(service.context, scorer, batcher=batcher):
        clients = [asyncio.create_task(flood(text)) for text in [LONG, "a short one that is in English"] * 8]
        await eventually(lambda: len(met) > 32)
        sent: list[dict[str, Any]] = [await service.submit(f"A civil opinion, number {n}.") for n in range(40)]
        before = len(met)
        while await worker.drain_once(block_ms=1):
            continue
        flooding = False
        await asyncio.gather(*clients)
    for one in sent:
        found = await service.call("GET", f"/v1/sites/test/comments/{one['comment']['id']}", expect=200)
        assert found.json()["comment"]["status"] == "published"
    assert set(met) <= {200, 429}
    assert 200 in met[before:]
