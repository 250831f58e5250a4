"""Promise 7 for moderators: a step of a search, a list and the dashboard read what they answer, not the whole site."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

import pytest

from service.flow.ids import first_id_at
from service.store import notes, search, stats
from service.store.database import Database
from service.store.search import Term, Wanted
from tests.contracts.plans import plan_of, scans, sent_by, sqlite_plan, sqlite_steps, touched
from tests.contracts.test_store_plans import LATER, Big, Place
from tests.contracts.test_store_plans import big as big_of_plans
from tests.seeding import START

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
big = big_of_plans
STEP = 50


class Query(NamedTuple):
    """A read: the most rows that PostgreSQL may touch for it."""

    name: str
    ask: Any
    rows: int


def _walk(**wanted: Any) -> Any:
    def ask(connection: Any, place: Place) -> Any:
        named = {key: value(place) if callable(value) else value for key, value in wanted.items()}
        return search.walk(connection, place.seeded.site_id, Wanted(**named), before=None, limit=STEP)

    return ask


def _in_no_time(read: Any) -> Any:
    """Nothing was decided then, so that nothing is to be read, however much was decided at other times."""
    since, until = first_id_at(LATER), first_id_at(LATER.replace(year=LATER.year + 1))
    return lambda connection, place: read(connection, place.seeded.site_id, since=since, until=until)


QUERIES = [
    # Seven rows for each candidate: the walk, its comment, its text.
    Query("a common word", _walk(words=(Term("opinion"),)), 7 * STEP),
    Query("a rare word", _walk(words=(Term("nowhere"),)), 7 * STEP),
    Query("of an author", _walk(commenter_id=lambda place: place.seeded.commenter_ids[3]), 7 * STEP),
    Query("of a thread", _walk(thread_id=lambda place: place.seeded.thread_id), 7 * STEP),
    # PostgreSQL sorts the thousand that there are sooner than it walks the index for fifty of them.
    Query("of a thread, rejected", _walk(thread_id=lambda p: p.seeded.thread_id, status="rejected"), 25 * STEP),
    Query("of a status", _walk(status="rejected"), 7 * STEP),
    Query("of a site", _walk(), 9 * STEP),
    Query("threads", lambda c, p: search.threads(c, p.seeded.site_id, text="page", before=None, limit=STEP), 2 * STEP),
    Query("notes", lambda c, p: notes.of_commenter(c, p.seeded.site_id, p.seeded.commenter_ids[0], limit=9), 20),
    Query("acts", _in_no_time(stats.acts), 5),
    Query("waits", _in_no_time(stats.waits), 5),
    Query("second opinions", _in_no_time(stats.opinions_given), 5),
    Query("blind looks", _in_no_time(stats.looks), 5),
    Query("blind looks that were overtaken", _in_no_time(stats.overtaken_looks), 5),
    Query("scored", lambda c, p: stats.scored(c, p.seeded.site_id, looked_at=STEP, limit=STEP), 14 * STEP),
]


@pytest.fixture
async def asked(big: Big) -> AsyncIterator[Database]:
    """The store's own view of the seeded database."""
    opened = Database(big.url, readers=2)
    yield opened
    await opened.dispose()


def _read_whole(plan: list[str]) -> Iterator[str]:
    yield from (step for step in scans(plan) if "VIRTUAL TABLE" not in step and "USING INDEX ix_" not in step)


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
async def test_a_read_for_moderators_is_bounded(big: Big, asked: Database, query: Query) -> None:
    """No such read scans a table, or costs more on a thread of 20,000 comments than on one of 1,000."""

    def asking(place: Place) -> Any:
        return lambda connection: query.ask(connection, place)

    async with asked.writing() as connection:
        small, large = [await sent_by(connection, asking(place)) for place in (big.small, big.big)]
    assert large
    if asked.is_sqlite:
        path = big.url.partition("///")[2]
        for few, many in zip(small, large, strict=True):
            assert list(_read_whole(sqlite_plan(path, many))) == []
            assert sqlite_steps(path, many) <= 1.5 * sqlite_steps(path, few) + 200
        return
    async with asked.writing() as connection:
        for statement in large:
            plan = await plan_of(connection, statement, generic=False)
            assert not [node for node in plan if node.kind == "Seq Scan" and node.rows > 100], plan
            assert touched(plan) <= query.rows, plan


def test_the_time_before_was_busy() -> None:
    """What is asked about above lies behind all that is seeded."""
    assert first_id_at(START) < first_id_at(LATER)
