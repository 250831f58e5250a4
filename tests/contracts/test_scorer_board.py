"""The scorer board shows the best of what live workers reported, and silence as unknown."""

import pytest
from redis.asyncio import Redis

from service.queue.scorer_status import ScorerBoard, ScorerState, ScorerStatus
from tests.eventually import eventually
from tests.redis_fixture import SERVERS

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("redis_server", SERVERS, indirect=True, scope="session")]

UP = ScorerStatus(ScorerState.UP, None, "hashed-1", 20.5)
STALLED = ScorerStatus(ScorerState.STALLED, "scorer.slow", "hashed-1", 5.0)
DOWN = ScorerStatus(ScorerState.DOWN, "scorer.crashed", None, 1.0)


@pytest.fixture
def board(redis_client: Redis, redis_prefix: str) -> ScorerBoard:
    """A board that no other test uses."""
    return ScorerBoard(redis_client, redis_prefix)


async def test_silence_is_unknown(board: ScorerBoard) -> None:
    """Without any report the scorer is unknown and nobody waits for it."""
    status = await board.read()
    assert status.state is ScorerState.UNKNOWN
    assert not status.accepts_waiting


async def test_one_up_is_up(board: ScorerBoard) -> None:
    """One worker that scores is enough, however many others do not."""
    await board.report("w1", DOWN, 60)
    await board.report("w2", UP, 60)
    await board.report("w3", STALLED, 60)
    assert await board.read() == UP
    assert UP.accepts_waiting


async def test_best_of_the_failing(board: ScorerBoard) -> None:
    """Where none is up the best state is shown with its reason, and nobody waits."""
    await board.report("w1", DOWN, 60)
    await board.report("w2", STALLED, 60)
    assert await board.read() == STALLED
    assert not STALLED.accepts_waiting
    assert not DOWN.accepts_waiting


async def test_longest_standing_of_equals(board: ScorerBoard) -> None:
    """Among equals the report of longest standing is shown."""
    older = ScorerStatus(ScorerState.UP, None, "hashed-1", 3.0)
    await board.report("w1", UP, 60)
    await board.report("w2", older, 60)
    assert await board.read() == older


async def test_last_report_counts(board: ScorerBoard) -> None:
    """A worker's new report takes the place of its last one."""
    await board.report("w1", UP, 60)
    await board.report("w1", DOWN, 60)
    assert await board.read() == DOWN


async def test_report_runs_out(board: ScorerBoard) -> None:
    """A report is shown no longer than it asked for, while one that asked for longer stays."""
    await board.report("w1", UP, 0.05)
    await board.report("w2", DOWN, 60)

    async def only_the_other() -> bool:
        return await board.read() == DOWN

    await eventually(only_the_other)


async def test_dead_workers_leave_nothing(board: ScorerBoard, redis_client: Redis, redis_prefix: str) -> None:
    """Reports that ran out are dropped by the next one, and the board itself runs out with the last."""
    for number in range(5):
        await board.report(f"gone{number}", UP, 0.001)

    async def only_one_left() -> bool:
        await board.report("w1", DOWN, 60)
        return bool(await redis_client.hlen(f"{redis_prefix}:scorers") == 1)

    await eventually(only_one_left)
    assert 59_000 < await redis_client.pttl(f"{redis_prefix}:scorers") <= 60_000
    await board.report("w1", DOWN, 0.001)
    await redis_client.delete(f"{redis_prefix}:scorers")
    assert (await board.read()).state is ScorerState.UNKNOWN
