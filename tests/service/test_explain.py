"""Held comments get the words that made their score: in idle moments, whatever the scorer does, and for every kind."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from moderation.policy import default_policy
from moderation.scores import Attribute, Scores
from service.flow.explain import find_spans, unexplained
from service.workers.batcher import Batcher
from service.workers.explaining import Explainer
from service.workers.fallback import ScorerWithFallback
from service.workers.run import Worker
from service.workers.scorer_process import ScorerProcess
from tests.eventually import eventually
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio

RUDE = "I read the article, and I think that you are a rude person, whoever you are."


@pytest.fixture
def explainer(service: Service) -> Explainer:
    """An explainer that is always idle, around the test's scorer."""
    return Explainer(service.context, Batcher(service.scorer, cache_entries=100), is_idle=lambda: True)


async def held(service: Service, body: str = RUDE, **fields: Any) -> None:
    """Submit a comment and let the worker hold it."""
    await service.submit(body, **fields)
    await service.drain()


async def spans_of(service: Service) -> list[list[str] | None]:
    """What a moderator sees of each item: the parts of the text that the spans name."""
    return [
        None
        if item["spans"] is None
        else [item["comment"]["body"][span["start"] : span["end"]] for span in item["spans"]]
        for item in await service.claim()
    ]


async def test_a_held_comment_gets_its_spans(service: Service, explainer: Explainer) -> None:
    """Before it was looked into an item has no spans, then it has those of the words that made its score."""
    await held(service)
    await held(service, "Another rude word, which somebody looks at before the machine had time.")
    [early, _] = await service.claim()
    assert early["spans"] is None
    assert await explainer.explain_some() == 2
    lease = {"lease": early["lease"]["token"]}
    await service.call("POST", f"/v1/review/test/items/{early['item_id']}/release", as_="moderator", json=lease)
    [seen] = await service.claim()
    assert [seen["comment"]["body"][span["start"] : span["end"]] for span in seen["spans"]] == ["rude"]
    assert seen["spans"][0]["weight"] == 1.0
    assert await explainer.explain_some() == 0


async def test_what_the_model_did_not_judge_has_none(service: Service, explainer: Explainer) -> None:
    """A comment in another language or without a score is not explained by numbers that mean nothing."""
    await held(service, "Ich finde, die Straßenbahnen sollten abends länger fahren, auch am Wochenende.")
    service.scorer.failing = {"poison"}
    await held(service, "A rude poison to the model.")
    service.scorer.failing = set()
    assert await explainer.explain_some() == 2
    assert await spans_of(service) == [[], []]


async def test_a_comment_held_by_a_fact_is_looked_into_too(service: Service, explainer: Explainer) -> None:
    """An item that no score asked for shows the words that the model noticed, and none where it noticed nothing."""
    links = " https://a.example https://b.example https://c.example"
    await held(service, "See" + links)
    await held(service, "You rude man, see" + links)
    assert await explainer.explain_some() == 2
    # The one that the model is surer of comes second in the queue, whichever was sent first.
    assert sorted(map(str, await spans_of(service))) == sorted(map(str, [[], ["rude"]]))


async def test_a_scorer_that_fails_costs_nothing(service: Service, explainer: Explainer) -> None:
    """An item that the scorer fails on is left as it is and not tried again and again; the others are explained."""
    await held(service, "A rude text that breaks the model when it is cut up.")
    await held(service)
    service.scorer.failing = {"breaks"}
    service.scorer.batches.clear()
    assert await explainer.explain_some() == 1
    asked = len(service.scorer.batches)
    assert await explainer.explain_some() == 0
    assert len(service.scorer.batches) == asked
    assert await spans_of(service) == [None, ["rude"]]


async def test_nothing_is_looked_into_while_work_waits(service: Service) -> None:
    """While the worker is not idle no item is touched, and it stops in the middle of a page when work comes."""
    for number in range(4):
        await held(service, f"A rude text, number {number}.")
    answers = [False, True, True, True, False]
    explainer = Explainer(service.context, Batcher(service.scorer), is_idle=lambda: answers.pop(0))
    service.scorer.batches.clear()
    assert await explainer.explain_some() == 0
    assert service.scorer.batches == []
    assert await explainer.explain_some() == 2
    assert (await spans_of(service)).count(None) == 2


async def test_every_item_has_its_turn(service: Service, explainer: Explainer) -> None:
    """More items than a page holds are explained page by page, those given up in front of them too."""
    for number in range(45):
        await service.submit(f"A rude text{' that breaks' if number < 25 else ''}, number {number}.")
    await service.drain()
    service.scorer.failing = {"breaks"}
    for _ in range(4):
        await explainer.explain_some()
    assert await spans_left(service) == 25


async def spans_left(service: Service) -> int:
    """How many open items have no spans yet."""
    return len(await unexplained(service.context, after=None, limit=500))


async def test_an_explanation_is_not_remembered(service: Service) -> None:
    """The pieces of a text do not push the scores of whole comments out of the cache."""
    batcher = Batcher(service.scorer, cache_entries=100)
    await held(service)
    assert await Explainer(service.context, batcher, is_idle=lambda: True).explain_some() == 1
    assert len(batcher.cache) == 0


async def test_the_time_is_bounded() -> None:
    """A slow scorer is not asked any more once the budget is spent."""
    calls = 0

    async def slow(texts: Sequence[str]) -> list[Scores]:
        nonlocal calls
        calls += 1
        return [Scores("slow-1", True, {Attribute.TOXICITY: 0.9}) for _ in texts]

    now = iter(range(1000))
    await find_spans("rude words. " * 2000, Attribute.TOXICITY, slow, budget_seconds=4, clock=lambda: float(next(now)))
    assert calls <= 4


async def test_an_attribute_that_is_not_scored_any_more_is_no_error() -> None:
    """When the model that speaks now does not know the attribute of the cause, there are no spans."""

    async def other(texts: Sequence[str]) -> list[Scores]:
        return [Scores("other-1", True, {Attribute.TOXICITY: 0.9}) for _ in texts]

    assert await find_spans("rude words", Attribute.THREAT, other, budget_seconds=60) == ()


async def test_the_scores_show_their_window(service: Service) -> None:
    """Of a text longer than the model the moderator sees which part of it the score is of."""

    class Windowed(type(service.scorer)):  # type: ignore[misc]
        async def score(self, texts: Sequence[str]) -> list[Scores]:
            found = await super().score(texts)
            return [msgspec.structs.replace(one, window=(7, 11)) for one in found]

    service.scorer.__class__ = Windowed
    await held(service)
    [item] = await service.claim()
    assert [score["window"] for score in item["scores"]] == [[7, 11]]


@pytest.mark.slow
async def test_a_worker_explains_by_itself(service: Service) -> None:
    """A running worker with nothing to decide gives a held comment the spans that cover its insult."""
    policy = {**msgspec.to_builtins(default_policy()), "model": "plain-1", "fallback_model": None}
    await service.call("PUT", "/v1/admin/sites/test/policy", as_="admin", json=policy, expect=200)
    command = [sys.executable, "-c", "from tests.service.strange_scorers import run_plain; run_plain()"]
    worker = Worker(service.context, ScorerWithFallback(ScorerProcess(command, timeout_seconds=20)), name="test")
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop, health_socket=None))
    await service.submit("Thank you for the article. You are vile, and you know it.")

    async def is_explained() -> bool:
        return await waiting(service) == 1 and await spans_left(service) == 0

    try:
        await eventually(is_explained, 30)
    finally:
        stop.set()
        await running
    assert await spans_of(service) == [["vile"]]


async def waiting(service: Service) -> int:
    """How many items wait for a person."""
    answer = await service.call("GET", "/v1/review/test/queue", as_="moderator", expect=200)
    return int(answer.json()["depth"])
