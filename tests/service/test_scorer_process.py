"""The scorer's child process: whatever a model does, the caller gets a reason, and the next call works."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from service.workers.scorer_process import TIMED_BYTES, ScorerFailed, ScorerFailure, ScorerProcess, allowed_seconds
from tests.eventually import eventually, eventually_now
from tests.service.processes import is_gone
from tests.service.strange_scorers import SECRET

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Both loops: the worker runs on uvloop, tools on asyncio's own."""
    return "asyncio", {"use_uvloop": request.param}


def command(run: str = "run", *arguments: str) -> list[str]:
    """Answer what starts the child that a function of strange_scorers is."""
    return [sys.executable, "-c", f"from tests.service.strange_scorers import {run}; {run}(*{arguments!r})"]


@asynccontextmanager
async def scoring(run: str = "run", *arguments: str, timeout_seconds: float = 20.0) -> AsyncIterator[ScorerProcess]:
    """A scorer process that is stopped in the end."""
    scorer = ScorerProcess(command(run, *arguments), timeout_seconds=timeout_seconds)
    try:
        yield scorer
    finally:
        await scorer.stop()


async def failure(scorer: ScorerProcess, *texts: str) -> ScorerFailed:
    """Answer the failure that these texts must give."""
    with pytest.raises(ScorerFailed) as caught:
        await scorer.score(texts)
    return caught.value


async def works(scorer: ScorerProcess) -> bool:
    """True when an ordinary batch is scored as it should be."""
    scores = await scorer.score(["12345", ""])
    return [list(one.values.values()) for one in scores] == [[0.05], [0.0]]


async def test_scores_come_back_in_order() -> None:
    """A sound model's scores arrive unchanged, and the child says what it is."""
    async with scoring() as scorer:
        assert scorer.model_id is None
        assert await works(scorer)
        assert scorer.model_id == "strange-1"
        assert scorer.languages == {"en", "de"}
        assert [attribute.value for attribute in scorer.attributes] == ["toxicity"]
        assert scorer.running
        assert scorer.busy_since is None


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ("raise", ScorerFailure.RAISED),
        ("exit", ScorerFailure.RAISED),
        ("not scores", ScorerFailure.RAISED),
        ("die", ScorerFailure.CRASHED),
        ("too few", ScorerFailure.COUNT),
        ("nan", ScorerFailure.INVALID),
        ("other model", ScorerFailure.INVALID),
        ("no attribute", ScorerFailure.INVALID),
    ],
)
async def test_every_failure_has_its_reason_and_the_next_call_works(order: str, reason: ScorerFailure) -> None:
    """A model that misbehaves gives the reason of its kind, and the next batch is scored."""
    async with scoring() as scorer:
        assert (await failure(scorer, "harmless", order)).reason is reason
        assert await works(scorer)


async def test_a_hung_model_is_killed_and_replaced() -> None:
    """A batch over its time limit ends the child, and a fresh one scores the next batch."""
    async with scoring(timeout_seconds=0.3) as scorer:
        await scorer.start()
        hung = scorer.pid
        assert (await failure(scorer, "hang")).reason is ScorerFailure.TIMEOUT
        assert hung
        assert is_gone(hung)
        assert await works(scorer)
        assert scorer.pid != hung


async def test_an_exception_keeps_the_child() -> None:
    """A model that raises is not loaded again, and only the type of what it raised comes out."""
    async with scoring() as scorer:
        await scorer.start()
        before = scorer.pid
        failed = await failure(scorer, "raise")
        assert failed.exception == "ValueError"
        assert SECRET not in repr(failed)
        assert scorer.pid == before


@pytest.mark.parametrize("order", ["print", "read input", "flood", "raise in a thread"])
async def test_streams_belong_to_the_frames(order: str) -> None:
    """Whatever a library does with standard input, output or error, the batch is scored."""
    async with scoring() as scorer:
        assert len(await scorer.score([order])) == 1
        assert await works(scorer)


async def test_printing_while_loading_is_harmless() -> None:
    """What a library prints while the model is loaded does not corrupt the stream."""
    async with scoring("run_with_noisy_start") as scorer:
        assert await works(scorer)


async def test_no_text_reaches_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    """Messages of exceptions may quote comments, so none is printed, not even of a thread or at the start."""
    async with scoring() as scorer:
        for order in ("raise", "exit"):
            await failure(scorer, order)
        await scorer.score(["raise in a thread"])
    async with scoring("run_without_model") as broken:
        assert (await failure(broken, "any")).reason is ScorerFailure.START
    printed = "".join(capfd.readouterr())
    assert "scorer.raised" in printed
    assert SECRET not in printed


async def test_a_library_for_another_processor_did_not_start() -> None:
    """A child that loads and dies of the first inference is a failed start, not the fault of a text."""
    async with scoring("run_that_dies_of_a_sentence") as scorer:
        assert (await failure(scorer, "any")).reason is ScorerFailure.START


async def test_our_own_errors_of_loading_are_told(capfd: pytest.CaptureFixture[str]) -> None:
    """Why a model cannot be loaded is in the log where the message is ours: no comment has come that far."""
    async with scoring("run_when_there", "/nonexistent") as scorer:
        assert (await failure(scorer, "any")).reason is ScorerFailure.START
    assert "the folder of the model is damaged" in "".join(capfd.readouterr())


async def test_a_child_has_the_environment_it_is_given(capfd: pytest.CaptureFixture[str]) -> None:
    """The environment of the child is the one that its maker was told, such as a number of threads."""
    program = "import os, sys; sys.stderr.write('threads ' + os.environ.get('OMP_NUM_THREADS', 'none'))"
    for environment, seen in (({"OMP_NUM_THREADS": "3"}, "threads 3"), ({}, "threads none")):
        scorer = ScorerProcess([sys.executable, "-c", program], timeout_seconds=5, environment=environment)
        assert (await failure(scorer, "any")).reason is ScorerFailure.START
        await scorer.stop()
        assert seen in capfd.readouterr().err


@pytest.mark.parametrize(
    "command", [["/nonexistent/scorer"], [sys.executable, "-c", ""], [sys.executable, "-c", "print('no frame at all')"]]
)
async def test_a_child_that_never_greets_did_not_start(command: list[str]) -> None:
    """A program that is missing, ends at once or speaks something else is a failed start."""
    scorer = ScorerProcess(command, timeout_seconds=5)
    with pytest.raises(ScorerFailed) as caught:
        await scorer.start()
    assert caught.value.reason is ScorerFailure.START
    assert not scorer.running
    await scorer.stop()


async def test_a_slow_start_is_given_up() -> None:
    """A child that greets too late is killed."""
    scorer = ScorerProcess([sys.executable, "-c", "input()"], timeout_seconds=5, start_timeout_seconds=0.1)
    assert (await failure(scorer, "any")).reason is ScorerFailure.START
    assert scorer.pid is None
    await scorer.stop()


async def test_a_child_that_died_while_idle_is_replaced_unnoticed() -> None:
    """The death of an idle child costs no batch."""
    async with scoring() as scorer:
        await scorer.start()
        assert scorer.pid
        os.kill(scorer.pid, signal.SIGKILL)
        await eventually(lambda: not scorer.running)
        assert await works(scorer)


async def test_concurrent_calls_are_serialised() -> None:
    """Calls at the same time share one child and each gets its own answer."""
    async with scoring() as scorer:
        answers = await asyncio.gather(*(scorer.score(["x" * size]) for size in range(20)))
        assert [round(answer[0].values[scorer.attributes[0]] * 100) for answer in answers] == list(range(20))


async def test_large_batches_pass() -> None:
    """A batch far larger than a pipe's buffer passes in both directions."""
    async with scoring() as scorer:
        assert len(await scorer.score(["comment " * 500] * 2000)) == 2000


async def test_a_cancelled_call_never_answers_the_next() -> None:
    """A call given up in the middle ends its child, so that its late answer is nobody's."""
    async with scoring() as scorer:
        await scorer.start()
        before = scorer.pid
        call = asyncio.create_task(scorer.score(["hang"]))
        await eventually(lambda: scorer.busy_since is not None)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await works(scorer)
        assert scorer.pid != before


async def test_stop_interrupts_a_batch() -> None:
    """Stopping in the middle of a batch ends the child at once, and no later call brings it back."""
    scorer = ScorerProcess(command(), timeout_seconds=60)
    await scorer.start()
    call = asyncio.create_task(failure(scorer, "hang"))
    await eventually(lambda: scorer.busy_since is not None)
    await scorer.stop()
    assert (await call).reason is ScorerFailure.CRASHED
    assert (await failure(scorer, "any")).reason is ScorerFailure.START
    assert scorer.pid is None


async def test_a_grandchild_holding_the_pipes_is_not_waited_for() -> None:
    """A process that a model left behind, in a session of its own, does not keep the caller waiting."""
    async with scoring(timeout_seconds=0.3) as scorer:
        await scorer.start()
        assert (await failure(scorer, "leave a grandchild")).reason is ScorerFailure.TIMEOUT
        assert await works(scorer)


@pytest.mark.parametrize(
    ("texts", "times"),
    [
        ([], 1),
        (["hello"] * 64, 1),
        (["x" * TIMED_BYTES, "hello"], 1),
        (["x" * 10_000, "hello"], 10_000 / TIMED_BYTES),
        (["操" * 10_000], 30_000 / TIMED_BYTES),
        (["\ud800" * TIMED_BYTES * 2], 2),
    ],
)
async def test_a_long_text_may_take_longer(texts: list[str], times: float) -> None:
    """The longest text of a call sets its time, by the bytes that its tokens cannot outnumber; many short ones none."""
    assert allowed_seconds(texts, 10.0) == pytest.approx(10.0 * times)


async def test_busy_since_is_the_clock_of_the_caller() -> None:
    """The time at which a batch began is read from the given clock."""
    scorer = ScorerProcess(command(), timeout_seconds=60, clock=lambda: 42.0)
    call = asyncio.create_task(failure(scorer, "hang"))
    await eventually(lambda: scorer.running)
    assert scorer.busy_since == 42.0
    await scorer.stop()
    await call
    assert scorer.busy_since is None


async def test_texts_that_cannot_be_sent_are_refused_without_quoting_them() -> None:
    """A lone surrogate is a failure of its batch and appears nowhere in the error."""
    async with scoring() as scorer:
        failed = await failure(scorer, f"\ud800 {SECRET}")
        assert failed.reason is ScorerFailure.RAISED
        assert failed.__context__ is None
        assert await works(scorer)


@pytest.mark.slow
@pytest.mark.parametrize("order", ["hang", "nothing"])
def test_a_killed_worker_takes_its_child_along(order: str) -> None:
    """The child of a worker that was killed is gone soon after, even in the middle of a batch."""
    program = f"""
import asyncio
from service.workers.scorer_process import ScorerProcess
from tests.eventually import eventually
async def main():
    scorer = ScorerProcess({command()!r}, timeout_seconds=60)
    await scorer.start()
    if {order!r} == "hang":
        call = asyncio.create_task(scorer.score(["hang"]))
        await eventually(lambda: scorer.busy_since is not None)
    print(scorer.pid, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout
        child = int(worker.stdout.readline())
        assert not is_gone(child)
        worker.kill()
    eventually_now(lambda: is_gone(child))
