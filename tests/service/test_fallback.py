"""The fallback speaks while the model cannot start, says so, and is silent again as soon as it can."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from moderation.policy import default_policy
from service import telemetry
from service.composition import scorer_of
from service.queue.scorer_status import ScorerState
from service.settings import Settings
from service.workers.fallback import ScorerWithFallback
from service.workers.loop import Parts
from service.workers.run import Worker
from service.workers.scorer_process import ScorerFailed, ScorerFailure, ScorerProcess
from service.workers.scoring import ScoringWorker
from tests.eventually import eventually
from tests.service.processes import is_gone
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio

MODEL, FALLBACK = "strange-1", "plain-1"
CIVIL = "A civil opinion on the tram."


@pytest.fixture
def database_kind() -> str:
    """One kind is enough: what is tested is which model speaks."""
    return "sqlite"


def child(function: str, *, marker: Path | None = None) -> ScorerProcess:
    """The process of a strange scorer; with a marker it can start only once that file is there."""
    program = f"from tests.service.strange_scorers import {function}; {function}({str(marker)!r})"
    if marker is None:
        program = f"from tests.service.strange_scorers import {function}; {function}()"
    return ScorerProcess([sys.executable, "-c", program], timeout_seconds=20)


@asynccontextmanager
async def pair(marker: Path, *, retry_seconds: float = 0.01) -> AsyncIterator[ScorerWithFallback]:
    """A model that starts when its marker is there, and a fallback that always does."""
    scorer = ScorerWithFallback(child("run_when_there", marker=marker), child("run_plain"), retry_seconds=retry_seconds)
    try:
        yield scorer
    finally:
        await scorer.stop()


async def test_the_model_speaks_when_it_can(tmp_path: Path) -> None:
    """With a model that starts the fallback is never run."""
    (tmp_path / "marker").touch()
    async with pair(tmp_path / "marker") as scorer:
        assert (await scorer.score(["text"]))[0].model_id == MODEL
        assert (scorer.in_fallback, scorer.model_id, scorer.fallback_id) == (False, MODEL, None)


async def test_the_fallback_speaks_until_the_model_starts(tmp_path: Path) -> None:
    """A failed start turns to the fallback at once, and a good one back, each told and shown by the gauge."""
    told: list[bool] = []
    async with pair(tmp_path / "marker") as scorer:
        scorer.on_change = lambda: told.append(scorer.in_fallback)
        assert (await scorer.score(["text"]))[0].model_id == FALLBACK
        assert (scorer.model_id, scorer.fallback_id, scorer.in_fallback) == (FALLBACK, FALLBACK, True)
        assert telemetry.scorer_fallback._value.get() == 1
        (tmp_path / "marker").touch()
        await eventually(lambda: not scorer.in_fallback)
        assert (await scorer.score(["text"]))[0].model_id == MODEL
        assert telemetry.scorer_fallback._value.get() == 0
        assert scorer.languages_of(MODEL) == {"en", "de"}
        assert scorer.languages_of(FALLBACK) == {"en"}
        assert scorer.languages_of("another") == set()
    assert told == [True, False]


async def test_only_a_failed_start_turns_to_the_fallback(tmp_path: Path) -> None:
    """A text that breaks a model which had started is that text's fault, and no reason to change models."""
    (tmp_path / "marker").touch()
    async with pair(tmp_path / "marker") as scorer:
        for order, reason in (("raise", ScorerFailure.RAISED), ("die", ScorerFailure.CRASHED)):
            with pytest.raises(ScorerFailed) as failed:
                await scorer.score([order])
            assert failed.value.reason is reason
        assert not scorer.in_fallback


async def test_without_a_fallback_a_failed_start_is_one(tmp_path: Path) -> None:
    """Where there is no fallback nothing speaks in the model's place, quickly or not."""
    scorer = ScorerWithFallback(child("run_when_there", marker=tmp_path / "marker"))
    for call in (scorer.score, scorer.score_quickly):
        with pytest.raises(ScorerFailed) as failed:
            await call(["text"])
        assert failed.value.reason is ScorerFailure.START
    assert not scorer.in_fallback
    await scorer.stop()


async def test_the_end_is_no_failed_start(tmp_path: Path) -> None:
    """After the end nobody speaks, and no child or task is left that tries again."""
    before = asyncio.all_tasks()
    async with pair(tmp_path / "marker", retry_seconds=0.0) as scorer:
        await scorer.score(["text"])
        assert scorer._fallback
        pid = scorer._fallback.pid
        assert pid
    assert is_gone(pid)
    assert asyncio.all_tasks() <= before
    with pytest.raises(ScorerFailed):
        await scorer.score(["text"])


async def put_policy(service: Service, **changes: Any) -> None:
    """Put a policy of the strange model in force."""
    policy = {**msgspec.to_builtins(default_policy()), "model": MODEL, **changes}
    policy = {name: value for name, value in policy.items() if value is not None}
    await service.call("PUT", "/v1/admin/sites/test/policy", as_="admin", json=policy, expect=200)


def worker_of(service: Service, scorer: ScorerWithFallback) -> ScoringWorker:
    """A worker of the service around both models."""
    return ScoringWorker(service.context, scorer, Parts("scorer", "redis", "database"), batch_size=32, fallback=scorer)


async def status_of(service: Service, sent: Mapping[str, Any]) -> str:
    """The status of a comment, as its author sees it."""
    path = f"/v1/sites/test/comments/{sent['comment']['id']}"
    found = await service.call("GET", path, as_=sent["author_token"], expect=200)
    return str(found.json()["comment"]["status"])


async def last_decision(service: Service, sent: Mapping[str, Any]) -> dict[str, Any]:
    """The newest decision on a comment."""
    path = f"/v1/review/test/comments/{sent['comment']['id']}/decisions"
    found: dict[str, Any] = (await service.call("GET", path, as_="moderator", expect=200)).json()["decisions"][-1]
    return found


async def test_a_policy_that_names_the_fallback_is_served_by_it(service: Service, tmp_path: Path) -> None:
    """A civil comment is published and a harsh one is held, and the decision names the fallback."""
    await put_policy(service, fallback_model=FALLBACK)
    civil, harsh = await service.submit(CIVIL), await service.submit("This is vile, says the plain model.")
    async with pair(tmp_path / "marker") as scorer:
        worker = worker_of(service, scorer)
        assert await worker.drain_once(block_ms=1) == 2
        assert worker._parts.reason("scorer") == "scorer.fallback"
        assert worker._parts.ok("scorer")
    assert [await status_of(service, one) for one in (civil, harsh)] == ["published", "held"]
    [cause] = (await last_decision(service, harsh))["causes"]
    assert cause["detail"] == f"scored by the fallback {FALLBACK}"


async def test_the_languages_are_those_of_the_model_that_spoke(service: Service, tmp_path: Path) -> None:
    """A language that only the model knows is held while the fallback speaks, and judged when the model does."""
    german = "Ich finde, die Straßenbahnen sollten abends länger fahren, auch am Wochenende."
    await put_policy(service, fallback_model=FALLBACK)
    first = await service.submit(german)
    async with pair(tmp_path / "marker") as scorer:
        worker = worker_of(service, scorer)
        await worker.drain_once(block_ms=1)
        (tmp_path / "marker").touch()
        await eventually(lambda: not scorer.in_fallback)
        second = await service.submit(german + " Und das gilt für alle Linien der Stadt.")
        await worker.drain_once(block_ms=1)
    assert [cause["kind"] for cause in (await last_decision(service, first))["causes"]] == ["language"]
    assert "language" not in [cause["kind"] for cause in (await last_decision(service, second))["causes"]]


@pytest.mark.parametrize(("choice", "status"), [("wait", "pending"), ("hold", "held"), ("publish", "published")])
async def test_a_policy_without_a_fallback_waits_for_the_model(
    service: Service, tmp_path: Path, choice: str, status: str
) -> None:
    """Its comments wait while another model speaks; after the grace its written wish is done; then all are scored."""
    await put_policy(service, on_scorer_failure=choice)
    sent = await service.submit("short")
    async with pair(tmp_path / "marker") as scorer:
        worker = worker_of(service, scorer)
        await worker.drain_once(block_ms=1)
        assert await status_of(service, sent) == "pending"
        worker._parts._since["scorer"] -= 60
        await service.sweep()
        await worker.drain_once(block_ms=1)
        assert await status_of(service, sent) == status
        (tmp_path / "marker").touch()
        await eventually(lambda: not scorer.in_fallback)
        await service.sweep()
        await worker.drain_once(block_ms=1)
    assert await status_of(service, sent) == ("published" if choice == "wait" else status)
    depth = await service.context.stream.depth(0)
    assert (depth.waiting, depth.in_flight, depth.dead) == (0, 0, 0)


async def test_health_is_degraded_and_says_why(service: Service, tmp_path: Path) -> None:
    """While the fallback speaks the worker and the API stay green with the word degraded and the reason."""
    await put_policy(service, fallback_model=FALLBACK)
    async with pair(tmp_path / "marker") as scorer:
        worker = Worker(service.context, scorer, name="test", report_every_seconds=60)
        stop = asyncio.Event()
        running = asyncio.create_task(worker.run(stop, health_socket=None))
        await eventually(lambda: worker.parts.reason("scorer") == "scorer.fallback")
        await eventually(lambda: is_reported(service, "scorer.fallback"))
        sent = await service.submit(CIVIL)
        await eventually(lambda: is_status(service, sent, "published"))
        assert worker.parts.readiness().status == "degraded"
        part = {"part": "scorer", "ok": True, "reason": "scorer.fallback"}
        for page in ("workers", "ready"):
            answer = (await service.call("GET", f"/health/{page}", expect=200)).json()
            assert answer["status"] == "degraded"
            assert part in answer["parts"]
        (tmp_path / "marker").touch()
        await eventually(lambda: is_reported(service, None))
        assert worker.parts.readiness().status == "ready"
        assert (await service.call("GET", "/health/workers", expect=200)).json()["status"] == "ready"
        stop.set()
        await running


async def is_reported(service: Service, reason: str | None) -> bool:
    """True when the best report says that scoring works, for that reason or as it was meant to."""
    found = await service.context.scorers.read()
    return found.state is ScorerState.UP and found.reason == reason


async def is_status(service: Service, sent: Mapping[str, Any], status: str) -> bool:
    """True when a comment has that status."""
    return await status_of(service, sent) == status


@pytest.fixture
def hurried(service: Service) -> Service:
    """The service of an operator who lets the fallback decide what waited for more than ten seconds."""
    settings = msgspec.structs.replace(service.context.settings, scorer_overload_seconds=10.0)
    object.__setattr__(service.context, "settings", settings)
    return service


async def test_under_overload_the_fallback_decides_what_waited_too_long(hurried: Service, tmp_path: Path) -> None:
    """An old comment is decided by the fallback and a new one by the model, if the policy accepts the fallback."""
    (tmp_path / "marker").touch()
    await put_policy(hurried, fallback_model=FALLBACK)
    old = await hurried.submit("old")
    hurried.clock.advance(11)
    new = await hurried.submit("new")
    async with pair(tmp_path / "marker") as scorer:
        assert await worker_of(hurried, scorer).drain_once(block_ms=1) == 2
        assert not scorer.in_fallback
    assert (await status_of(hurried, old), await status_of(hurried, new)) == ("published", "published")
    assert await model_of(hurried, old) == FALLBACK
    assert await model_of(hurried, new) == MODEL


async def model_of(service: Service, sent: Mapping[str, Any]) -> str:
    """The model that the stored scores of a comment are of."""
    from service.store.tables import revisions, scores

    async with service.context.database.reading() as connection:
        query = scores.select().join(revisions, revisions.c.id == scores.c.revision_id)
        rows = (await connection.execute(query.where(revisions.c.comment_id == sent["comment"]["id"]))).all()
    return str(rows[-1].model_id)


@pytest.mark.parametrize("fallback", [None, "another-1"])
async def test_under_overload_other_policies_wait_for_the_model(
    hurried: Service, tmp_path: Path, fallback: str | None
) -> None:
    """A policy that does not accept this fallback is served by the model however long that takes."""
    (tmp_path / "marker").touch()
    await put_policy(hurried, fallback_model=fallback)
    old = await hurried.submit("old")
    hurried.clock.advance(11)
    async with pair(tmp_path / "marker") as scorer:
        assert await worker_of(hurried, scorer).drain_once(block_ms=1) == 1
    assert await model_of(hurried, old) == MODEL


async def test_under_overload_a_broken_fallback_costs_nothing(hurried: Service, tmp_path: Path) -> None:
    """When the fallback cannot answer either, the model decides."""
    (tmp_path / "marker").touch()
    await put_policy(hurried, fallback_model=FALLBACK)
    old = await hurried.submit("old")
    hurried.clock.advance(11)
    scorer = ScorerWithFallback(child("run_when_there", marker=tmp_path / "marker"), child("run_without_model"))
    assert await worker_of(hurried, scorer).drain_once(block_ms=1) == 1
    assert await model_of(hurried, old) == MODEL
    await scorer.stop()


@pytest.mark.slow
async def test_the_composition_plugs_in_what_the_settings_say(tmp_path: Path) -> None:
    """A model that cannot be loaded has the hashed one for its fallback where the settings allow it."""
    broken = {"SCORER": f"onnx:{tmp_path / 'none'}", "SCORER_THREADS": "3", "COLLOQUY_HOME": str(tmp_path)}
    for chosen, speaks in (("hashed", True), ("auto", False)):
        settings = Settings.from_environment({**broken, "SCORER_FALLBACK": chosen})
        scorer = scorer_of(settings, {"COLLOQUY_HOME": str(tmp_path), "PATH": ""})
        if speaks:
            assert (await scorer.score([CIVIL]))[0].model_id.startswith("hashed-")
        else:
            with pytest.raises(ScorerFailed):
                await scorer.score([CIVIL])
        await scorer.stop()
