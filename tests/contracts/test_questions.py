"""Questions wait in bounded number for a bounded time, are answered to who asked, and leave nothing behind."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from redis.asyncio import Redis

from moderation.scores import Attribute, Scores
from service.embedded_redis import EmbeddedRedis
from service.queue.client import QueueUnavailable, connect, connect_blocking
from service.queue.live import DecisionHub
from service.queue.questions import Answer, Answers, NoAnswer, Question, QuestionLine, Unanswered
from tests.eventually import eventually
from tests.redis_fixture import SERVERS

pytestmark = pytest.mark.anyio
on_each_server = pytest.mark.parametrize("redis_server", SERVERS, indirect=True, scope="session")

LONG_SECONDS = 10.0
SCORES = [Scores("fake-1", True, {Attribute.TOXICITY: 0.5})]
AnswersMaker = Callable[[], Awaitable[Answers]]


@pytest.fixture
def line(redis_client: Redis, redis_blocking_client: Redis, redis_prefix: str) -> QuestionLine:
    """A line with room for three."""
    return QuestionLine(redis_client, redis_blocking_client, redis_prefix, most=3)


@pytest.fixture
async def answers(line: QuestionLine, redis_blocking_client: Redis, redis_prefix: str) -> AsyncIterator[AnswersMaker]:
    """A maker of the ears of several processes, each with its reader, that hear."""
    hubs: list[DecisionHub] = []

    async def make() -> Answers:
        ear = Answers(line, redis_prefix)
        hubs.append(DecisionHub(redis_blocking_client, redis_prefix, listeners=[ear]))
        await hubs[-1].start()
        await eventually(lambda: ear.hears)
        return ear

    yield make
    for hub in hubs:
        await hub.stop()


async def keys(client: Redis, prefix: str) -> list[str]:
    """Every key of this test."""
    return sorted([key async for key in client.scan_iter(match=f"{prefix}:questions*")])


def ask(ear: Answers, text: str, *, characters: int = 10, within: float = LONG_SECONDS) -> "asyncio.Task[Answer]":
    """Ask in a task of its own."""
    return asyncio.create_task(ear.ask(text, characters=characters, within_seconds=within))


async def put(line: QuestionLine, name: str, *, characters: int = 10, life: float = LONG_SECONDS) -> bool:
    """Let a question wait that nobody asked."""
    return await line.put(name, "nobody", f"text of {name}", characters=characters, life_seconds=life)


async def taken(line: QuestionLine, count: int = 10) -> list[Question]:
    """What is there now."""
    return await line.take(count, 1)


async def reason_of(asked: "asyncio.Task[Answer]") -> Unanswered:
    """Why a question has no answer."""
    with pytest.raises(NoAnswer) as none:
        await asked
    return none.value.reason


@on_each_server
async def test_each_process_hears_its_own(
    line: QuestionLine, answers: AnswersMaker, redis_client: Redis, redis_prefix: str
) -> None:
    """Two processes ask at once, and each is told the answer to its own question; nothing stays in Redis."""
    ears = [await answers(), await answers()]
    asked = [ask(ear, f"text {number}") for number, ear in enumerate(ears)]
    found: list[Question] = []
    while len(found) < 2:
        found += await line.take(10, 500)
    assert {one.sealed for one in found} == {"text 0", "text 1"}
    assert all(0 < one.left_seconds <= LONG_SECONDS for one in found)
    for one in found:
        own = Scores(f"of {one.sealed}", True, {Attribute.TOXICITY: 0.5}, window=(1, 2))
        await line.answer(one.channel, [Answer(one.question_id, [own], {own.model_id: ["en"]})])
    for number, waiting in enumerate(asked):
        heard = await waiting
        assert heard.scores == [Scores(f"of text {number}", True, {Attribute.TOXICITY: 0.5}, window=(1, 2))]
        assert heard.languages == {f"of text {number}": ["en"]}
    assert await keys(redis_client, redis_prefix) == []
    assert [ear.waiting for ear in ears] == [0, 0]


@on_each_server
async def test_one_too_many_is_refused_at_once(line: QuestionLine, answers: AnswersMaker) -> None:
    """With as many waiting as may, the next is refused without waiting, and let in when one was taken."""
    ear = await answers()
    for number in range(3):
        assert await put(line, f"q{number}")
    assert await reason_of(ask(ear, "one too many")) is Unanswered.FULL
    assert len(await taken(line, 1)) == 1
    assert await put(line, "let in")
    assert await line.waiting() == 3


@on_each_server
async def test_what_is_over_is_gone(line: QuestionLine, redis_client: Redis, redis_prefix: str) -> None:
    """A question whose time is over is neither taken nor counted, and its text is gone from Redis by itself."""
    for number in range(3):
        assert await put(line, f"q{number}", life=0.05)
    text_of = f"{redis_prefix}:questions:text:q0"

    async def is_gone() -> bool:
        return not await redis_client.exists(text_of)

    await eventually(is_gone)
    await eventually(lambda: put(line, "new"))
    assert [one.question_id for one in await taken(line)] == ["new"]
    await put(line, "the last", life=0.05)
    await eventually(lambda: no_keys(redis_client, redis_prefix))


async def no_keys(client: Redis, prefix: str) -> bool:
    """True when nothing of the questions is left."""
    return not await keys(client, prefix)


@on_each_server
async def test_short_ones_go_first(line: QuestionLine) -> None:
    """A short question goes before a long one that came just before it, and questions of one length in order."""
    await put(line, "long", characters=10_000)
    await put(line, "first", characters=50)
    await put(line, "second", characters=50)
    found = await taken(line)
    assert found[-1].question_id == "long"
    assert [one.question_id for one in found[:2]] == ["first", "second"]


async def test_a_long_one_is_not_put_off_for_ever(line: QuestionLine, redis_client: Redis, redis_prefix: str) -> None:
    """However long a question is, those that come in the second half of its life stand behind it."""
    await put(line, "longest", characters=10_000_000, life=2.0)
    score = await redis_client.zscore(f"{redis_prefix}:questions", "longest")
    ends = await redis_client.zscore(f"{redis_prefix}:questions:ends", "longest")
    assert score is not None
    assert ends is not None
    assert ends - score == 1_000


async def test_nobody_waits_beyond_the_time(line: QuestionLine, answers: AnswersMaker) -> None:
    """Without a worker a question ends with its time, and one without any time is not put."""
    ear = await answers()
    began = time.monotonic()
    assert await reason_of(ask(ear, "late", within=0.1)) is Unanswered.LATE
    assert time.monotonic() - began < LONG_SECONDS / 2
    assert await reason_of(ask(ear, "too late", within=0.0)) is Unanswered.LATE
    assert ear.waiting == 0
    # Redis may round the end of a life up by some milliseconds.
    assert all(one.left_seconds < 0.05 for one in await taken(line))


async def test_an_answer_that_nobody_waits_for_is_nothing(line: QuestionLine, answers: AnswersMaker) -> None:
    """An answer that is late, one that cannot be read and one told twice disturb nobody."""
    ear = await answers()
    asked = ask(ear, "text")
    [found] = await line.take(1, 1_000)
    for message in ("not json", '[{"question_id":5}]', "[]"):
        ear.hear(message)
    await line.answer(found.channel, [Answer("of nobody", SCORES), Answer(found.question_id, SCORES)])
    await line.answer(found.channel, [Answer(found.question_id, reason=Unanswered.FAILED)])
    assert (await asked).scores == SCORES


async def test_a_reason_reaches_who_asked(line: QuestionLine, answers: AnswersMaker) -> None:
    """A worker that cannot answer says so at once, and nobody waits for the rest of the time."""
    ear = await answers()
    asked = ask(ear, "text")
    [found] = await line.take(1, 1_000)
    await line.answer(found.channel, [Answer(found.question_id, reason=Unanswered.BUSY)])
    assert await reason_of(asked) is Unanswered.BUSY


async def test_who_hears_nothing_asks_nothing(line: QuestionLine, redis_prefix: str) -> None:
    """A process without a reader is refused at once: its text never gets to Redis."""
    assert await reason_of(ask(Answers(line, redis_prefix), "text")) is Unanswered.AWAY
    assert await line.waiting() == 0


async def test_forgetting_redis_costs_questions_only(
    line: QuestionLine, answers: AnswersMaker, redis_client: Redis
) -> None:
    """After a flush what waited is late, and the next question is answered as ever."""
    ear = await answers()
    lost = ask(ear, "lost", within=0.3)
    await eventually(lambda: is_waiting(line, 1))
    await redis_client.flushall()
    asked = ask(ear, "text")
    [found] = await line.take(1, 1_000)
    await line.answer(found.channel, [Answer(found.question_id, SCORES)])
    assert (await asked).scores == SCORES
    assert await reason_of(lost) is Unanswered.LATE


async def is_waiting(line: QuestionLine, number: int) -> bool:
    """True when so many wait."""
    return await line.waiting() == number


@pytest.mark.parametrize("own_redis", SERVERS, indirect=True)
async def test_an_outage_ends_every_wait(own_redis: EmbeddedRedis) -> None:
    """When Redis dies, who waits is told at once; meanwhile nobody waits, and after it answers come again."""
    client, blocking = connect(own_redis.url), connect_blocking(own_redis.url)
    line = QuestionLine(client, blocking)
    ear = Answers(line)
    hub = DecisionHub(blocking, listeners=[ear])
    await hub.start()
    await eventually(lambda: ear.hears)
    waiting = ask(ear, "text")
    await eventually(lambda: is_waiting(line, 1))
    assert own_redis.pid is not None
    os.kill(own_redis.pid, signal.SIGKILL)
    assert await reason_of(waiting) is Unanswered.AWAY
    assert await reason_of(ask(ear, "text")) is Unanswered.AWAY
    with pytest.raises(QueueUnavailable):
        await taken(line)
    own_redis.stop()
    own_redis.start()
    await eventually(lambda: ear.hears)
    asked = ask(ear, "after it")
    found: list[Question] = []
    while not found:
        # What was asked before the outage may have survived it on disk; nobody waits for it.
        found = [one for one in await line.take(10, 500) if one.sealed == "after it"]
    for one in found:
        await line.answer(one.channel, [Answer(one.question_id, SCORES)])
    assert (await asked).scores == SCORES
    await hub.stop()
    await blocking.aclose()
    await client.aclose()
