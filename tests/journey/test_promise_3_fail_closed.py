"""Promise 3: fail closed; a missing, slow or broken scorer leaves comments pending and says so, never publishes."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from moderation.policy import default_policy
from moderation.scores import Scores
from service.queue.scorer_status import ScorerState, ScorerStatus
from service.workers.loop import Parts
from service.workers.scorer_process import ScorerFailure
from service.workers.scoring import MAXIMUM_DELIVERIES, ScorerIsDown, ScoringWorker
from tests.service_fixture import FakeScorer, Service

pytestmark = pytest.mark.anyio


@pytest.fixture
def database_kind() -> str:
    """One kind is enough: what fails here is the model."""
    return "sqlite"


async def put_policy(service: Service, **changes: Any) -> None:
    """Put a policy in force that differs from the default one."""
    policy = {**msgspec.to_builtins(default_policy()), **changes}
    await service.call("PUT", "/v1/admin/sites/test/policy", as_="admin", json=policy, expect=200)


async def view_of(service: Service, sent: dict[str, Any]) -> dict[str, Any]:
    """A comment as its author sees it."""
    path = f"/v1/sites/test/comments/{sent['comment']['id']}"
    found: dict[str, Any] = (await service.call("GET", path, as_=sent["author_token"], expect=200)).json()["comment"]
    return found


async def last_decision(service: Service, sent: dict[str, Any]) -> dict[str, Any]:
    """The newest decision on a comment."""
    path = f"/v1/review/test/comments/{sent['comment']['id']}/decisions"
    found: dict[str, Any] = (await service.call("GET", path, as_="moderator", expect=200)).json()["decisions"][-1]
    return found


async def fail(service: Service) -> None:
    """Let the worker take a turn that ends because the scorer is down, and report it as the worker does."""
    with pytest.raises(ScorerIsDown) as down:
        await service.worker.drain_once(block_ms=1)
    status = ScorerStatus(ScorerState.DOWN, down.value.reason)
    await service.context.scorers.report("test", status, 60)


@pytest.mark.parametrize("reason", list(ScorerFailure))
async def test_nothing_is_published_while_the_scorer_fails(service: Service, reason: ScorerFailure) -> None:
    """However the scorer fails, comments stay pending and unseen, health says why, and later all are scored."""
    service.scorer.down, service.scorer.reason = True, reason
    sent = [await service.submit(f"A civil opinion, number {number}.") for number in range(3)]
    for _ in range(2):
        await fail(service)
    assert [(await view_of(service, one))["status"] for one in sent] == ["pending"] * 3
    assert (await service.thread())["comments"] == []
    assert not service.parts.readiness().ready
    assert service.parts.reason("scorer") == f"scorer.{reason.value}"
    await health_names(service, f"scorer.{reason.value}")
    service.scorer.down = False
    await service.drain()
    assert service.parts.ok("scorer")
    assert (await service.thread())["thread"]["count"] == 3


async def health_names(service: Service, reason: str) -> None:
    """Check that readiness stays 200 and names the scorer, and that the workers' page is 503."""
    ready = (await service.call("GET", "/health/ready", expect=200)).json()
    assert ready["status"] == "degraded"
    assert {"part": "scorer", "ok": False, "reason": reason} in ready["parts"]
    workers = (await service.call("GET", "/health/workers", expect=503)).json()
    assert workers["parts"] == [{"part": "scorer", "ok": False, "reason": reason}]


async def test_without_any_worker_health_says_silent(service: Service) -> None:
    """When no worker reports, the workers' page is 503 and says that there is silence."""
    await health_names(service, "scorer.silent")


async def test_nobody_waits_for_a_scorer_that_is_down(service: Service) -> None:
    """A submit that would wait ten seconds is answered as pending at once, and reading goes on."""
    service.scorer.down = True
    await service.submit("A first civil opinion.")
    await fail(service)
    sent = await service.submit("A second civil opinion.", headers={"prefer": "wait=10"})
    assert sent["comment"]["status"] == "pending"
    assert (await service.thread())["thread"]["count"] == 0


async def test_a_poison_comment_is_found_and_held(service: Service) -> None:
    """One text that the scorer fails on is held for a person with that cause, and its 31 neighbours are published."""
    service.scorer.failing = {"poison"}
    bodies = [f"A civil opinion, number {number}." for number in range(32)]
    bodies[13] = "This is poison to the model."
    sent = [await service.submit(body) for body in bodies]
    await service.drain()
    assert (await service.thread())["thread"]["count"] == 31
    assert (await view_of(service, sent[13]))["status"] == "held"
    [item] = await service.claim()
    assert [(cause["kind"], cause["outcome"]) for cause in item["causes"]] == [("scorer", "hold")]
    assert item["comment"]["body"] == bodies[13]
    assert len(service.scorer.batches) <= 2 * 5 + 2 + 1


async def test_only_poison_is_held_one_by_one(service: Service) -> None:
    """A batch of nothing but poison is held to the last text, and the next civil comment is published."""
    service.scorer.failing = {"poison"}
    for number in range(5):
        await service.submit(f"This is poison, number {number}.")
    await service.drain()
    assert len(await service.claim()) == 5
    await service.published()


async def test_poison_is_held_even_where_outages_publish(service: Service) -> None:
    """A text that breaks the model is never published by a policy that publishes during outages."""
    await put_policy(service, on_scorer_failure="publish")
    service.scorer.failing = {"poison"}
    sent = await service.submit("This is poison to the model.")
    await service.drain()
    assert (await view_of(service, sent))["status"] == "held"


async def test_an_entry_that_ends_workers_is_given_to_a_person(service: Service) -> None:
    """An entry that came back too often is held without another try, and is not delivered again."""
    await put_policy(service, on_scorer_failure="publish")
    sent = await service.submit("A text that kills workers.")
    await service.context.stream.fetch(1, 1)
    for _ in range(MAXIMUM_DELIVERIES):
        service.worker._context.stream._own_cursor = "-"
        entries = await service.context.stream.recover_own(1)
    await service.worker._settle(entries)
    assert (await view_of(service, sent))["status"] == "held"
    assert service.scorer.batches == []
    depth = await service.context.stream.depth(0)
    assert (depth.waiting, depth.in_flight, depth.dead) == (0, 0, 1)


@pytest.mark.parametrize(("policy", "status"), [("wait", "pending"), ("hold", "held"), ("publish", "published")])
async def test_after_the_grace_each_policy_is_done(service: Service, policy: str, status: str) -> None:
    """In a long outage comments wait, are held or are published, as the site has put in writing."""
    await put_policy(service, on_scorer_failure=policy)
    service.scorer.down = True
    sent = await service.submit("A civil opinion.")
    service.clock.advance(3)
    await fail(service)
    assert await service.worker.apply_grace(grace_seconds=3600) == 0
    assert (await view_of(service, sent))["status"] == "pending"
    settled = await service.worker.apply_grace(grace_seconds=0)
    assert settled == (0 if policy == "wait" else 1)
    assert (await view_of(service, sent))["status"] == status
    service.scorer.down = False
    await service.drain()
    assert (await view_of(service, sent))["status"] == ("published" if policy == "wait" else status)


async def test_a_listed_word_holds_even_where_outages_publish(service: Service) -> None:
    """Rules that need no model still speak in an outage."""
    await put_policy(service, on_scorer_failure="publish", words=["balderdash"])
    service.scorer.down = True
    sent = await service.submit("This is balderdash.")
    service.clock.advance(3)
    await fail(service)
    await service.worker.apply_grace(grace_seconds=0)
    assert (await view_of(service, sent))["status"] == "held"


async def test_another_model_holds(service: Service) -> None:
    """Scores of a model that the thresholds were not fitted for hold every comment, whatever they say."""
    service.scorer.model_id = "another-1"
    sent = await service.submit("A civil opinion.")
    await service.drain()
    assert (await view_of(service, sent))["status"] == "held"
    assert {cause["kind"] for cause in (await last_decision(service, sent))["causes"]} == {"model"}


async def test_a_language_that_the_model_does_not_support_holds(service: Service) -> None:
    """A comment in a language outside the model's is held, with the language as its cause."""
    sent = await service.submit("Ich finde, die Straßenbahnen sollten abends länger fahren, auch am Wochenende.")
    await service.drain()
    assert (await view_of(service, sent))["status"] == "held"
    [cause] = (await last_decision(service, sent))["causes"]
    assert (cause["kind"], cause["name"]) == ("language", "de")


class OddScorer(FakeScorer):
    """A model whose answer for one text is something that cannot be judged."""

    async def score(self, texts: Sequence[str]) -> list[Scores]:
        scores = await super().score(texts)
        return [msgspec.UNSET if "odd" in text else score for text, score in zip(texts, scores, strict=True)]  # type: ignore[misc]


async def test_an_error_nobody_foresaw_stops_no_other_comment(service: Service) -> None:
    """A comment that cannot be recorded stays pending while the others of its batch are published."""
    worker = ScoringWorker(service.context, OddScorer(), Parts("scorer", "redis", "database"), batch_size=32)
    sent = [await service.submit(f"A{word} civil opinion.") for word in ("", "n odd but", " third")]
    assert await worker.drain_once(block_ms=1) == 3
    assert [(await view_of(service, one))["status"] for one in sent] == ["published", "pending", "published"]
    await service.sweep()
    await service.drain()
    assert (await view_of(service, sent[1]))["status"] == "published"
