"""Promise 7: what a page costs does not grow with the thread. Every read is a bounded walk along an index."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa

from service.flow.ids import first_id_at
from service.store import commenters, comments, pages, records, review_items, scoring, threads
from service.store import tables as t
from service.store.database import Database
from service.store.review_items import Wish
from tests.contracts.plans import Ask, Statement, plan_of, scans, sent_by, sorts, sqlite_plan, sqlite_steps, touched
from tests.database_fixture import BOTH, PostgreSql, in_thread
from tests.seeding import START, Seeded, id_at, seed_site, seed_thread

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SMALL, BIG = 1_000, 20_000
LATER = START + timedelta(days=1)
LIMIT = 21
SORTS = ("newest", "oldest", "replies", "likes")


class Place(NamedTuple):
    """A thread to ask about, with rows of it that the queries need."""

    seeded: Seeded
    middle: sa.Row[*tuple[Any, ...]]
    roots: list[tuple[str, str]]


class Big(NamedTuple):
    """A database with a small and a big thread, much history, a little that is open."""

    url: str
    small: Place
    big: Place


class Query(NamedTuple):
    """A read of the store: the most rows it may touch, and whether it may sort those."""

    name: str
    ask: Any
    rows: int
    may_sort: bool = False

    def of(self, place: Place) -> Ask:
        """Answer the call for one thread."""
        return lambda connection: self.ask(connection, place)


def _roots(sort: str, continued: bool) -> Any:
    def ask(connection: Any, place: Place) -> Any:
        value = {"replies": place.middle.reply_count, "likes": place.middle.likes}.get(sort, 0)
        key = place.middle.path if sort in ("oldest", "newest") else place.middle.id
        after = pages.Cursor(value, key) if continued else None
        seeded = place.seeded
        return pages.roots(connection, seeded.site_id, seeded.thread_id, sort=sort, limit=LIMIT, after=after)

    return ask


def _subtrees(continued: bool) -> Any:
    def ask(connection: Any, place: Place) -> Any:
        starts = [(root, last if continued else root) for root, last in place.roots]
        return pages.subtrees(connection, place.seeded.site_id, place.seeded.thread_id, starts, limit=4)

    return ask


def _mine(in_thread: bool, continued: bool) -> Any:
    def ask(connection: Any, place: Place) -> Any:
        return pages.of_commenter(
            connection,
            place.seeded.site_id,
            place.seeded.commenter_ids[3],
            thread_id=place.seeded.thread_id if in_thread else None,
            after=place.middle.id if continued else None,
            limit=LIMIT,
        )

    return ask


def _twin(connection: Any, place: Place) -> Any:
    """The whole thread was written within the window: as viral as it gets."""
    return comments.has_recent_twin(
        connection,
        place.seeded.site_id,
        place.seeded.thread_id,
        since_id=first_id_at(START),
        parent_id=None,
        body_hash="0" * 64,
        commenter_id=place.seeded.commenter_ids[0],
        author_name="Reader 1",
    )


async def _free(connection: Any, place: Place) -> None:
    wish = Wish("anybody")
    await review_items.free(connection, place.seeded.site_id, ["default"], _ids(place), wish, now=LATER)


async def _candidates(connection: Any, place: Place, wish: Wish) -> None:
    await review_items.candidates(connection, place.seeded.site_id, "default", wish, now=LATER, limit=LIMIT)


async def _second_open_page(connection: Any, place: Place) -> None:
    rows = await review_items.open_page(connection, place.seeded.site_id, after=None, limit=LIMIT)
    await review_items.open_page(connection, place.seeded.site_id, after=rows[-1], limit=LIMIT)


async def _second_unexplained_page(connection: Any, place: Place) -> None:
    rows = await review_items.unexplained_page(connection, after=None, limit=LIMIT)
    await review_items.unexplained_page(connection, after=rows[-1], limit=LIMIT)


async def _second_owed_page(connection: Any, place: Place) -> None:
    ids = await scoring.owed_page(connection, before=LATER, after_id=None, limit=LIMIT)
    await scoring.owed_page(connection, before=LATER, after_id=ids[-1], limit=LIMIT)


def _ids(place: Place) -> list[str]:
    return place.seeded.comment_ids[100:120]


QUERIES = [
    *(
        Query(f"roots by {sort}{', continued' * continued}", _roots(sort, continued), 60, may_sort=True)
        for sort in SORTS
        for continued in (False, True)
    ),
    Query("subtrees", _subtrees(False), 200, may_sort=True),
    Query("subtrees, continued", _subtrees(True), 200, may_sort=True),
    Query("one page's count", lambda c, p: threads.counts(c, p.seeded.site_id, [p.seeded.page]), 5),
    Query("thread by page", lambda c, p: threads.by_page(c, p.seeded.site_id, p.seeded.page), 5),
    Query("threads by id", lambda c, p: threads.by_ids(c, p.seeded.site_id, [p.seeded.thread_id]), 5),
    Query("threads listed", lambda c, p: threads.listed(c, p.seeded.site_id, after=None, limit=LIMIT), 30),
    Query("pages of a thread", lambda c, p: threads.pages_of(c, p.seeded.site_id, p.seeded.thread_id), 5, True),
    Query("comment by id", lambda c, p: comments.by_id(c, p.seeded.site_id, p.middle.id), 5),
    Query("comments by id", lambda c, p: pages.by_ids(c, p.seeded.site_id, _ids(p)), 100, True),
    Query("latest texts", lambda c, p: pages.in_full(c, p.seeded.site_id, _ids(p)), 100),
    Query("ancestors", lambda c, p: pages.ancestors(c, p.seeded.site_id, p.roots[-1][1]), 30, True),
    Query("standing", lambda c, p: comments.standing(c, p.seeded.site_id, _ids(p)), 60),
    Query("revision", lambda c, p: comments.revision(c, p.seeded.site_id, p.middle.id, 1), 5),
    Query("of a commenter", _mine(False, False), 40),
    Query("of a commenter, continued", _mine(False, True), 40),
    Query("of a commenter in a thread", _mine(True, False), 40),
    Query("of a commenter in a thread, continued", _mine(True, True), 40),
    Query("recent twin", _twin, 5),
    Query("owed", lambda c, p: scoring.owed(c, p.seeded.comment_ids[:32]), 200, True),
    Query("owed page", lambda c, p: scoring.owed_page(c, before=LATER, after_id=None, limit=LIMIT), 40),
    Query("owed page, continued", _second_owed_page, 100),
    # Reads all that is owed or open: as much as waits, and nothing of what was decided.
    Query("owed count", lambda c, p: scoring.owed_count(c, p.seeded.site_id), 250),
    # The groups are few: a site has a handful of queues and kinds.
    Query("queue depths", lambda c, p: review_items.depths(c, p.seeded.site_id, now=LATER), 250, may_sort=True),
    # Of a few hundred that are open PostgreSQL would rather read all and sort them.
    Query("candidates", lambda c, p: _candidates(c, p, Wish("anybody")), 700, may_sort=True),
    Query(
        "candidates for an author",
        lambda c, p: _candidates(c, p, Wish("anybody", p.seeded.commenter_ids[0])),
        900,
        may_sort=True,
    ),
    Query("free items", lambda c, p: _free(c, p), 40),
    Query("open page", lambda c, p: review_items.open_page(c, p.seeded.site_id, after=None, limit=LIMIT), 60),
    Query("open page, continued", _second_open_page, 60),
    # Passes over the open items that have their spans already.
    Query("unexplained page", lambda c, p: review_items.unexplained_page(c, after=None, limit=LIMIT), 100),
    Query("unexplained page, continued", _second_unexplained_page, 200),
    Query("decisions of a comment", lambda c, p: review_items.decisions_of(c, p.seeded.site_id, p.middle.id), 5, True),
    Query("latest decisions", lambda c, p: review_items.latest_decisions(c, p.seeded.site_id, _ids(p)), 100, True),
    Query("latest scores", lambda c, p: scoring.latest_scores(c, p.seeded.site_id, _ids(p)), 100, True),
    Query("commenter", lambda c, p: commenters.commenter(c, p.seeded.site_id, p.seeded.commenter_ids[0]), 5),
    Query("key of a retry", lambda c, p: records.idempotency(c, p.seeded.site_id, "none"), 5),
]


@pytest.fixture(scope="module", params=BOTH)
def big(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Big]:
    """Seeded once for the module, for both databases."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("plans") / "big.db"
        template: Path = request.getfixturevalue("sqlite_template")
        shutil.copy(template, path)
        yield in_thread(asyncio.run, _seed(f"sqlite+aiosqlite:///{path}"))
        return
    cluster: PostgreSql = request.getfixturevalue("postgresql")
    in_thread(asyncio.run, cluster.execute("CREATE DATABASE plans TEMPLATE template_colloquy"))
    yield in_thread(asyncio.run, _seed(cluster.url("plans")))
    in_thread(asyncio.run, cluster.execute("DROP DATABASE plans WITH (FORCE)"))


async def _seed(url: str) -> Big:
    database = Database(url, readers=2)
    site_id, other = await seed_site(database, "big"), await seed_site(database, "other")
    small = await seed_thread(database, site_id, comments=SMALL, page="small", commenters=40)
    large = await seed_thread(database, site_id, comments=BIG, page="big", commenters=40)
    await seed_thread(database, other, comments=SMALL, page="big")
    await _seed_empty_threads(database, site_id, 3_000)
    await _seed_history(database, large)
    async with database.writing() as connection:
        await connection.execute(sa.text("ANALYZE"))
    found = Big(url, await _place(database, small), await _place(database, large))
    await database.dispose()
    return found


async def _seed_empty_threads(database: Database, site_id: str, number: int) -> None:
    random = Random(site_id)
    ids = [id_at(START, random) for _ in range(number)]
    row = {"site_id": site_id, "state": "open", "created_at": START}
    person = {"site_id": site_id, "kind": "guest", "first_seen_at": START}
    page_rows = [{"site_id": site_id, "page": f"page-{one}", "thread_id": one} for one in ids]
    async with database.writing() as connection:
        await connection.execute(t.threads.insert(), [row | {"id": one, "page": f"page-{one}"} for one in ids])
        await connection.execute(t.thread_pages.insert(), page_rows)
        await connection.execute(t.commenters.insert(), [person | {"id": id_at(LATER, random)} for one in ids])


async def _seed_history(database: Database, seeded: Seeded) -> None:
    """Decisions and scores for half of the thread, 5,000 decided items, 200 open ones, 200 unscored revisions."""
    async with database.writing() as connection:
        query = sa.select(t.revisions.c.id, t.revisions.c.comment_id).where(
            t.revisions.c.comment_id.in_(sa.select(t.comments.c.id).where(t.comments.c.thread_id == seeded.thread_id))
        )
        texts = (await connection.execute(query.order_by(t.revisions.c.id).limit(BIG // 2))).all()
        ids = {"site_id": seeded.site_id, "thread_id": seeded.thread_id}
        rows = [ids | {"id": text.id, "comment_id": text.comment_id, "revision_id": text.id} for text in texts]
        item = {"kind": "held", "causes": [], "opened_at": START}
        items = [
            row | item | {"order_key": number, "state": "open" if number % 26 == 0 else "decided"}
            for number, row in enumerate(rows[:5_200])
        ]
        await connection.execute(t.review_items.insert(), items)
        passed = {"site_id": seeded.site_id, "created_at": START}
        skips = [passed | {"item_id": row["id"], "actor": "somebody"} for row in rows[:20]]
        await connection.execute(t.review_skips.insert(), skips)
        decided = {
            "actor_kind": "machine", "action": "hold", "from_status": "pending", "to_status": "held", "reasons": [],
            "causes": [], "automated_detection": True, "automated_decision": True, "created_at": START,
        }  # fmt: skip
        await connection.execute(t.decisions.insert(), [row | decided for row in rows])
        said = {"site_id": seeded.site_id, "model_id": "m", "calibrated": True, "attributes": {}, "scored_at": START}
        await connection.execute(t.scores.insert(), [said | {"id": text.id, "revision_id": text.id} for text in texts])
        kept = ids | {"request_hash": "", "created_at": START}
        del kept["thread_id"]
        keys = [kept | {"key": str(number), "comment_id": text.comment_id} for number, text in enumerate(texts)]
        await connection.execute(t.idempotency_keys.insert(), keys)
        owed = [text.id for text in texts[::50]]
        await connection.execute(t.revisions.update().where(t.revisions.c.id.in_(owed)).values(scored_at=None))


async def _place(database: Database, seeded: Seeded) -> Place:
    async with database.reading() as connection:
        wanted = (t.comments.c.thread_id == seeded.thread_id, t.comments.c.visible)
        ordered = sa.select(t.comments).where(*wanted).order_by(t.comments.c.id)
        roots = (await connection.execute(ordered.where(t.comments.c.parent_id.is_(None)))).all()
        busy = sorted(roots, key=lambda row: -row.reply_count)[:20]
        under = [
            await connection.execute(
                sa.select(sa.func.min(t.comments.c.path)).where(
                    *wanted, t.comments.c.path > row.path, t.comments.c.path < row.path + "~"
                )
            )
            for row in busy
        ]
    return Place(
        seeded, roots[len(roots) // 2], [(row.path, one.scalar_one()) for row, one in zip(busy, under, strict=True)]
    )


@pytest.fixture
async def asked(big: Big) -> AsyncIterator[Database]:
    """The store's own view of the seeded database."""
    opened = Database(big.url, readers=2)
    yield opened
    await opened.dispose()


async def _sent(database: Database, query: Query, place: Place) -> list[Statement]:
    async with database.writing() as connection:
        return await sent_by(connection, query.of(place))


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
async def test_a_read_is_a_bounded_walk_along_an_index(big: Big, asked: Database, query: Query) -> None:
    """No read scans a table, sorts a thread, or touches more rows in a thread of 20,000 than in one of 1,000."""
    if asked.is_sqlite:
        await _check_sqlite(big, asked, query)
    else:
        await _check_postgresql(big, asked, query)


#: Walks along an index that holds only what is open or owed, and stops at the limit.
_SHORT = ("USING INDEX ix_revisions_owed", "USING COVERING INDEX ix_revisions_owed", "USING INDEX ix_review_items_open")


async def _check_sqlite(big: Big, asked: Database, query: Query) -> None:
    path = big.url.partition("///")[2]
    small, large = [await _sent(asked, query, place) for place in (big.small, big.big)]
    assert small
    for statement in large:
        plan = sqlite_plan(path, statement)
        assert [step for step in scans(plan) if not step.endswith(_SHORT)] == [], plan
        assert query.may_sort or not sorts(plan), plan
    for few, many in zip(small, large, strict=True):
        assert sqlite_steps(path, many) <= 1.5 * sqlite_steps(path, few) + 100


#: Tables of so few rows, here, that PostgreSQL reads them whole; skips are forgotten where an item is handed on.
_SMALL = ("sites", "review_skips")


async def _check_postgresql(big: Big, asked: Database, query: Query) -> None:
    for place in (big.small, big.big):
        statements = await _sent(asked, query, place)
        async with asked.writing() as connection:
            for generic in (False, True):
                for statement in statements:
                    plan = await plan_of(connection, statement, generic=generic)
                    assert not [node for node in plan if node.kind == "Seq Scan" and node.table not in _SMALL], plan
                    assert touched(plan) <= query.rows, plan
