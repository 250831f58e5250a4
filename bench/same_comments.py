"""The same comments on both sides: written into our own tables, read back, and written into isso's.

Neither side has a way in for 100,000 comments over HTTP, so both are filled in SQL. isso knows one level of replies:
what lies deeper hangs under its root there, as isso's own migration does it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from bench.texts import comments as texts
from service.store import sites
from service.store.database import Database
from service.store.tables import comments, revisions, threads
from tests.seeding import seed_thread, seed_threads

SMALL = 5
"""Comments of each of the many small threads."""
_BODIES = 20_000
_ROOT = 22
_VOTERS = bytes(256)


class Said(NamedTuple):
    """One comment as both sides have it."""

    page: str
    path: str
    author: str
    likes: int
    created_at: float
    body: str
    person: str


def large(size: int) -> str:
    """Answer the page of the thread of a size."""
    return f"size-{size}"


def small(number: int) -> list[str]:
    """Answer the pages of so many small threads."""
    return [f"small-{index}" for index in range(number)]


async def fill_ours(url: str, sizes: Iterable[int], number_of_small: int) -> None:
    """Fill the demo site with a thread of each size, and with small threads."""
    database, bodies = Database(url), texts(_BODIES)
    async with database.reading() as connection:
        site = await sites.by_slug(connection, "demo")
    assert site is not None
    for size in sizes:
        await seed_thread(database, site.id, comments=size, page=large(size), hidden_share=0.0, bodies=bodies)
    await seed_threads(database, site.id, pages=small(number_of_small), comments=SMALL, bodies=bodies)
    await database.dispose()


async def read_ours(url: str, pages: Sequence[str] | None) -> list[Said]:
    """Answer every comment of some pages, or of all small ones, as it was written."""
    statement = (
        sa.select(
            threads.c.page, comments.c.path, comments.c.author_name, comments.c.likes, comments.c.created_at,
            revisions.c.body, comments.c.commenter_id,
        )
        .join_from(comments, threads, threads.c.id == comments.c.thread_id)
        .join(revisions, revisions.c.comment_id == comments.c.id)
        .where(threads.c.page.startswith("small-") if pages is None else threads.c.page.in_(pages))
        .order_by(comments.c.path)
    )  # fmt: skip
    database = Database(url)
    async with database.reading() as connection:
        rows = (await connection.execute(statement)).all()
    await database.dispose()
    return [Said(row[0], row[1], row[2], row[3], row[4].timestamp(), row[5], row[6]) for row in rows]


def fill_isso(file: Path, said: Sequence[Said]) -> None:
    """Write comments into the database of an isso that has made its tables."""
    pages = {page: number for number, page in enumerate(dict.fromkeys(one.page for one in said), start=1)}
    people = {person: number for number, person in enumerate(dict.fromkeys(one.person for one in said))}
    # Ids rise with time, as they would have.
    ordered = sorted(said, key=lambda one: (one.created_at, one.path))
    ids = {one.path: number for number, one in enumerate(ordered, start=1)}
    with sqlite3.connect(file) as connection:
        connection.executemany(
            "INSERT INTO threads (id, uri, title) VALUES (?, ?, ?)",
            [(number, f"/{page}", "An article") for page, number in pages.items()],
        )
        connection.executemany(
            "INSERT INTO comments (tid, id, parent, created, mode, remote_addr, text, author, likes, dislikes, voters,"
            " notification) VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?, 0, ?, 0)",
            [
                (
                    pages[one.page], ids[one.path], ids[one.path[:_ROOT]] if len(one.path) > _ROOT else None,
                    one.created_at, _address(people[one.person]), one.body, one.author, one.likes, _VOTERS,
                )
                for one in ordered
            ],
        )  # fmt: skip
    connection.close()


def _address(number: int) -> str:
    """Answer an address as isso keeps it: without its last part."""
    return f"10.{number // 250}.{number % 250}.0"
