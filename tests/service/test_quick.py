"""The quick model of an API process: a bounded wait, or none."""

import asyncio
import os

import pytest

from service.composition import _quick_scorer
from service.flow.quick import Quick, TooMany
from service.settings import Settings
from tests.eventually import eventually, turns
from tests.service.analysing import QuickModel

pytestmark = pytest.mark.anyio
LONG_SECONDS = 30.0


class Time:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_who_waits_is_answered_in_order_and_together() -> None:
    """While a call is under way others gather for the next one, and each has its own texts' scores."""
    model = QuickModel()
    quick = Quick(model)
    model.may.clear()
    first = asyncio.create_task(quick.score(["a"], within_seconds=LONG_SECONDS))
    await eventually(lambda: model.calls == [["a"]])
    others = [asyncio.create_task(quick.score([f"b{n}", "c"], within_seconds=LONG_SECONDS)) for n in range(3)]
    await turns(5)
    model.may.set()
    assert [len(one) for one in await asyncio.gather(first, *others)] == [1, 2, 2, 2]
    assert model.calls[1:] == [["b0", "c", "b1", "c", "b2", "c"]]
    await quick.stop()


async def test_who_would_wait_too_long_is_refused_at_once() -> None:
    """Beyond what can be done in time nobody is let in, and is told when to come again."""
    model, time = QuickModel(), Time()
    quick = Quick(model, clock=time)
    model.may.clear()
    long = "x" * 20_000
    first = asyncio.create_task(quick.score([long], within_seconds=LONG_SECONDS))
    await eventually(lambda: model.calls == [[long]])
    with pytest.raises(TooMany) as refused:
        await quick.score([long], within_seconds=0.5)
    assert refused.value.retry_after_seconds >= 1
    short = asyncio.create_task(quick.score(["short"], within_seconds=LONG_SECONDS))
    await turns(5)
    model.may.set()
    assert len(await first) == len(await short) == 1
    await quick.stop()


async def test_it_learns_how_fast_it_is() -> None:
    """A slow machine lets in less, once it knows."""
    model, time = QuickModel(), Time()
    quick = Quick(model, clock=time)
    before = quick.seconds_for(["x" * 1_000])
    for _ in range(20):
        model.may.clear()
        one = asyncio.create_task(quick.score(["x" * 1_000], within_seconds=LONG_SECONDS))
        await turns(5)
        time.now += 2.0
        model.may.set()
        await one
    assert before < 0.1
    assert quick.seconds_for(["x" * 1_000]) == pytest.approx(2.0, rel=0.1)
    with pytest.raises(TooMany):
        await quick.score(["x"], within_seconds=0)
    await quick.stop()


async def test_a_text_that_breaks_it_harms_no_other() -> None:
    """A call that fails is tried for each alone; who fails alone is refused, and the next is answered."""
    model = QuickModel()
    quick = Quick(model)
    model.may.clear()
    first = asyncio.create_task(quick.score(["a"], within_seconds=LONG_SECONDS))
    await turns(5)
    others = [asyncio.create_task(quick.score([name], within_seconds=LONG_SECONDS)) for name in "bc"]
    await turns(5)
    model.failing = True
    model.may.set()
    for one in (first, *others):
        with pytest.raises(TooMany):
            await one
    assert model.calls == [["a"], ["b", "c"], ["b"], ["c"]]
    model.failing = False
    assert len(await quick.score(["d"], within_seconds=LONG_SECONDS)) == 1
    await quick.stop()


async def test_who_left_is_not_scored() -> None:
    """A caller that went away costs nothing, and leaves no place taken."""
    model = QuickModel()
    quick = Quick(model)
    model.may.clear()
    first = asyncio.create_task(quick.score(["a"], within_seconds=LONG_SECONDS))
    await turns(5)
    gone = asyncio.create_task(quick.score(["b" * 100_000], within_seconds=LONG_SECONDS))
    await turns(5)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    model.may.set()
    await first
    await quick.score(["c"], within_seconds=LONG_SECONDS)
    assert model.calls == [["a"], ["c"]]
    await quick.stop()


async def test_it_is_started_again_when_it_is_gone() -> None:
    """A child that died, or did not start, is started by the next who may need it; but not by everybody at once."""
    model, time = QuickModel(), Time()
    quick = Quick(model, clock=time)
    model.running = False
    for starts in (1, 2):
        for _ in range(3):
            quick.wake()
            await turns(5)
        assert model.starts == starts
        time.now += 60.0
    model.running = True
    quick.wake()
    await turns(5)
    assert model.starts == 2
    await quick.stop()


async def test_a_start_is_not_taken_for_slowness() -> None:
    """The time of a call that had to start the child first says nothing of the next one."""
    model, time = QuickModel(), Time()
    quick = Quick(model, clock=time)
    before = quick.seconds_for(["x" * 1_000])
    model.running = False
    model.may.clear()
    one = asyncio.create_task(quick.score(["x" * 1_000], within_seconds=LONG_SECONDS))
    await turns(5)
    model.running = True
    time.now += 20.0
    model.may.set()
    await one
    assert quick.seconds_for(["x" * 1_000]) == before
    await quick.stop()


async def test_once_it_knows_its_speed_it_is_not_held_by_what_does_not_fit() -> None:
    """Many long texts that would be late anyway are refused before they keep the model from others; a short one that
    comes first is tried all the same, so that a machine that was slow once is seen to be faster."""
    model, time = QuickModel(), Time()
    quick = Quick(model, clock=time)
    model.may.clear()
    one = asyncio.create_task(quick.score(["x" * 1_000], within_seconds=LONG_SECONDS))
    await turns(5)
    time.now += 1.0
    model.may.set()
    await one
    with pytest.raises(TooMany):
        await quick.score(["y" * 20_000] * 12, within_seconds=0.5)
    assert model.calls == [["x" * 1_000]]
    assert len(await quick.score(["z" * 1_000], within_seconds=0.5)) == 1
    await quick.stop()


@pytest.mark.slow
async def test_the_shipped_one_is_a_child_that_knows_english(settings: Settings) -> None:
    """The real one starts beside the process, scores what it is told to, and is gone when the process stops."""
    quick = Quick(_quick_scorer(settings, os.environ))
    quick.wake()
    [civil, rude] = await quick.score(["A fine evening.", "You are an idiot."], within_seconds=60)
    assert civil.model_id.startswith("hashed-")
    assert quick.languages == {"en"}
    assert civil.values.keys() == rude.values.keys()
    assert all(civil.values[name] < rude.values[name] for name in ("toxicity", "insult"))  # type: ignore[index]
    await quick.stop()
