"""Real concurrency: what happens at once leaves what happening one after the other would, without a deadlock or a 500.

Every refusal that is not one of the documented conflicts is raised by the walker, and so is every database error.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from moderation.decision import Status
from service.composition import open_context
from service.errors import Problem
from service.flow.score import read_owed, record
from service.flow.sweep import sweep
from service.settings import Settings
from service.store import tables as t
from service.store import threads
from service.store.database import Database
from tests.contracts.walker import Walker, Written
from tests.seeding import seed_site, seed_thread
from tests.service_fixture import Clock

pytestmark = pytest.mark.anyio


@pytest.fixture
async def walkers(settings: Settings, clock: Clock) -> AsyncIterator[list[Walker]]:
    """Two processes on one site, each with connections enough for twenty people."""
    roomy = msgspec.structs.replace(settings, database_pool=20)
    async with AsyncExitStack() as stack:
        contexts = [
            await stack.enter_async_context(open_context(roomy, consumer=name, now=clock)) for name in ("one", "two")
        ]
        await contexts[0].author_tokens.ensure_key(now=clock())
        one, two = Walker(contexts[0]), Walker(contexts[1])
        await one.begin()
        two.site = one.site
        yield [one, two]


async def at_once(steps: list[Awaitable[Any]]) -> list[Any]:
    """Do steps at the same time; all of them must come to an end without an error."""
    async with asyncio.timeout(60):
        answers = await asyncio.gather(*steps, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return answers


async def count_of(walker: Walker, table: sa.Table, **where: Any) -> int:
    """The rows of a table with these values, on the walker's site."""
    wanted = [table.c.site_id == walker.site.id, *(table.c[name] == value for name, value in where.items())]
    async with walker.context.database.reading() as connection:
        return int(
            (await connection.execute(sa.select(sa.func.count()).select_from(table).where(*wanted))).scalar_one()
        )


async def written(walker: Walker, number: int, word: str, *pages: str) -> list[Written]:
    """Comments that wait for the worker, on the pages by turns."""
    found = [await walker.submit(word, pages[index % len(pages)]) for index in range(number)]
    return [one for one in found if one is not None]


async def owed_of(walker: Walker) -> list[str]:
    """The revisions of the site that wait for a score."""
    query = sa.select(t.revisions.c.id).where(
        t.revisions.c.site_id == walker.site.id, t.revisions.c.scored_at.is_(None)
    )
    async with walker.context.database.reading() as connection:
        return list((await connection.execute(query.order_by(t.revisions.c.id))).scalars())


async def score(walker: Walker, ids: list[str]) -> int:
    """Record a batch as a worker does and answer how many it decided."""
    owed = await read_owed(walker.context, ids)
    scores = await walker.worker._scorer.score([one.body for one in owed])
    scored = {one.revision_id: score for one, score in zip(owed, scores, strict=True)}
    return len(await record(walker.context, scored, languages=frozenset({"en"})))


async def test_two_workers_with_one_batch_decide_once(walkers: list[Walker]) -> None:
    """A batch that two workers record at once has one decision for each revision, and one of each event."""
    one, two = walkers
    await written(one, 20, "civil", "page")
    ids = await owed_of(one)
    assert sum(await at_once([score(one, ids), score(two, ids), score(one, ids[::-1])])) == 20
    assert await count_of(one, t.decisions) == await count_of(one, t.outbox, type="comment.published") == 20
    assert await one.recount() == []


async def test_batches_that_share_threads_do_not_deadlock(walkers: list[Walker]) -> None:
    """Batches over the same two threads, in opposite orders, all commit and lose no count."""
    one, _two = walkers
    await written(one, 32, "civil", "first", "second")
    ids = await owed_of(one)
    batches = [ids[start::4] + ids[(start + 1) % 4 :: 4] for start in range(4)]
    steps = [score(walker, batch[:: 1 if walker is one else -1]) for batch in batches for walker in walkers]
    assert sum(await at_once(list(steps))) == 32
    assert await one.recount() == []
    assert await count_of(one, t.threads, published_count=16) == 2


@pytest.mark.parametrize("redis", ["orders", "forgot"])
async def test_claims_at_once_never_share_an_item(walkers: list[Walker], redis: str) -> None:
    """Twenty moderators who claim at once get each item once, and together every item, also without Redis."""
    one, _two = walkers
    await written(one, 40, "rude", "page")
    await one.drain()
    if redis == "forgot":
        await one.context.reviews.remove(one.site.id, await _open_items(one))
    claims = await at_once([walkers[number % 2].claim(3) for number in range(20)])
    taken = [item.item_id for items in claims for item in items]
    assert len(taken) == len(set(taken)) == 40
    assert await count_of(one, t.review_items, claim_number=1) == 40


async def _open_items(walker: Walker) -> list[str]:
    query = sa.select(t.review_items.c.id).where(t.review_items.c.site_id == walker.site.id)
    async with walker.context.database.reading() as connection:
        return list((await connection.execute(query)).scalars())


async def test_decisions_at_once_on_one_item_are_one(walkers: list[Walker]) -> None:
    """Of ten decisions on an item one stands, and the other nine are told that somebody decided."""
    one, two = walkers
    await written(one, 1, "rude", "page")
    await one.drain()
    [item] = await one.claim()
    actions = ["approve", "reject"] * 5
    answers = await at_once([walkers[index % 2].decide(item, action) for index, action in enumerate(actions)])
    assert len([answer for answer in answers if answer]) == 1
    assert one.refused + two.refused == ["item.decided"] * 9
    assert await count_of(one, t.decisions, actor_kind="moderator") == 1


async def test_one_key_sent_at_once_is_one_comment(walkers: list[Walker]) -> None:
    """Ten requests with one Idempotency-Key make one comment in one thread, and all are answered with it."""
    one, _two = walkers
    body, key = "The same opinion, sent ten times.", "0190a000-0000-7000-8000-000000000001"
    steps = [walkers[index % 2].submit("", "page", key=key, body=body) for index in range(10)]
    answers = await at_once(list(steps))
    assert len({answer.id for answer in answers}) == 1
    assert await count_of(one, t.comments) == await count_of(one, t.threads) == await count_of(one, t.commenters) == 1


async def test_first_comments_at_once_make_one_thread(walkers: list[Walker]) -> None:
    """Ten first comments of a page stand in one thread, which was opened once."""
    one, _two = walkers
    answers = await at_once([walkers[index % 2].submit(f"civil {index}", "new page") for index in range(10)])
    assert len(answers) == await count_of(one, t.comments) == 10
    assert await count_of(one, t.threads) == await count_of(one, t.outbox, type="thread.opened") == 1


@pytest.mark.slow
async def test_merges_lose_nothing_that_happens_meanwhile(walkers: list[Walker], clock: Clock) -> None:
    """Submits, batches, edits, claims and decisions go on while threads move and merge: no error, nothing lost."""
    one, two = walkers
    early = await written(one, 12, "rude", "first", "second", "third")
    await one.drain()
    items = await one.claim()
    await written(one, 12, "civil", "first", "second", "third")
    ids = await owed_of(one)
    pages = ["first", "second", "third", "fourth"]
    steps: list[Awaitable[Any]] = [
        *(walkers[index % 2].submit(f"civil {index}", pages[index % 4]) for index in range(24)),
        *(walkers[index % 2].move(pages[index % 4], pages[(index * 3 + 1) % 4]) for index in range(8)),
        *(score(walkers[index % 2], ids[index::3] + ids[::-3]) for index in range(3)),
        *(one.decide(item, "approve") for item in items),
        *(two.edit(comment, "civil") for comment in early[:6]),
        *(walkers[index % 2].claim(5) for index in range(4)),
    ]
    await at_once(steps[::2] + steps[1::2])
    assert await count_of(one, t.comments) == 48
    assert await one.recount() == []
    await _settle(one, clock)
    assert await owed_of(one) == []
    assert await one.recount() == []


async def _settle(walker: Walker, clock: Clock) -> None:
    clock.advance(3)
    await sweep(walker.context)
    await walker.drain()


async def test_merging_both_ways_at_once_ends_in_one_thread(walkers: list[Walker]) -> None:
    """Two threads that are merged into each other become one, under which both pages lead."""
    one, two = walkers
    for number in range(5):
        pages = f"left {number}", f"right {number}"
        await written(one, 2, "civil", *pages)
        await at_once([one.move(*pages), two.move(*pages[::-1])])
    assert await count_of(one, t.threads) == 5
    assert await count_of(one, t.thread_pages) == 10
    assert one.refused == two.refused == []


async def test_an_edit_during_a_decision_is_before_or_after_it(walkers: list[Walker]) -> None:
    """Either the decision stands and the edit is new work, or the edit superseded the item that was to be decided."""
    one, two = walkers
    comments = await written(one, 10, "rude", "page")
    await one.drain()
    items = {item.comment.id: item for item in await one.claim()}
    for comment in comments:
        decided, _ = await at_once([one.decide(items[comment.id], "approve"), two.edit(comment, "civil")])
        assert decided is not None or one.refused.pop() == "revision.changed"
    assert one.refused == two.refused == []
    assert len(await owed_of(one)) == 10
    await one.drain()
    assert await count_of(one, t.comments, status=Status.PUBLISHED.value, shown_revision=2) == 10
    assert await one.recount() == []


@pytest.mark.parametrize("database_kind", [pytest.param("postgresql", marks=pytest.mark.postgres)])
async def test_submits_go_on_while_a_batch_holds_the_thread(walkers: list[Walker]) -> None:
    """A viral thread has no hot row: a comment is committed while a transaction holds its thread for counting."""
    one, two = walkers
    await written(one, 1, "civil", "page")
    async with two.context.database.writing() as connection:
        await threads.lock(connection, list((await connection.execute(sa.select(t.threads.c.id))).scalars()))
        async with asyncio.timeout(4):
            assert await one.submit("civil", "page")


@pytest.mark.slow
@pytest.mark.parametrize("database_kind", [pytest.param("postgresql", marks=pytest.mark.postgres)])
async def test_a_deadlock_is_an_answer_to_try_again(database: Database) -> None:
    """Should two transactions deadlock after all, one commits and the caller of the other is told to try again."""
    site_id = await seed_site(database, "locked")
    ids = [(await seed_thread(database, site_id, comments=1, page=page)).thread_id for page in ("first", "second")]
    both = asyncio.Barrier(2)

    async def take(order: list[str]) -> str:
        try:
            async with database.writing() as connection:
                await threads.lock(connection, order[:1])
                await both.wait()
                await threads.lock(connection, order[1:])
        except Problem as problem:
            return problem.code
        return "committed"

    assert sorted(await at_once([take(ids), take(ids[::-1])])) == ["committed", "service.unavailable"]


async def test_two_databases_in_one_process_take_turns(database: Database) -> None:
    """Writers of one file wait for each other within the busy timeout, and none is refused."""
    site_id = await seed_site(database, "busy")
    seeded = await seed_thread(database, site_id, comments=1)
    other = Database(database.url, readers=1)
    await at_once([bump(opened, seeded.thread_id, 25) for opened in (database, other) for _ in range(2)])
    await other.dispose()
    assert await version_of(database) == 101


@pytest.mark.slow
async def test_two_processes_take_turns(database: Database) -> None:
    """Two processes that write to one database as fast as they can are never told that it is locked."""
    site_id = await seed_site(database, "busy")
    seeded = await seed_thread(database, site_id, comments=1)
    module = "from tests.contracts.test_store_concurrency import main; main()"
    started = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", module, database.url, seeded.thread_id)
        for _ in range(2)
    ]
    assert [await process.wait() for process in started] == [0, 0]
    assert await version_of(database) == 1 + 2 * 100


async def bump(database: Database, thread_id: str, times: int) -> None:
    """Write a thread's version so many times, each in a transaction that reads it first."""
    for _ in range(times):
        async with database.writing() as connection:
            held = sa.select(t.threads.c.version).where(t.threads.c.id == thread_id).with_for_update()
            version = (await connection.execute(held)).scalar_one()
            await connection.execute(t.threads.update().where(t.threads.c.id == thread_id).values(version=version + 1))


async def version_of(database: Database) -> int:
    """The version of the only thread."""
    async with database.reading() as connection:
        return int((await connection.execute(sa.select(t.threads.c.version))).scalar_one())


def main() -> None:
    """Be one of the processes."""
    asyncio.run(bump(Database(sys.argv[1]), sys.argv[2], 100))
