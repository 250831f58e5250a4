"""On SQLite nothing that can take long holds up the event loop, not even what a cancelled task left behind."""

import asyncio
import gc
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.flow.context import Context
from service.flow.sweep import sweep
from service.store import tables as t
from service.store.database import Database
from service.store.inline_sqlite import BEGIN_WRITING, connect
from tests.eventually import eventually, turns
from tests.seeding import seed_site

pytestmark = pytest.mark.anyio


@pytest.fixture
def database_kind() -> str:
    """What is tested exists on SQLite only."""
    return "sqlite"


class Trace:
    """Which statements a connection ran, and whether in the thread of the event loop."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, bool]] = []

    def __call__(self, statement: str) -> None:
        """Note one statement."""
        self.seen.append((statement, threading.current_thread() is threading.main_thread()))

    def places(self, word: str) -> set[bool]:
        """Answer for statements with this word whether they ran in the loop's thread."""
        return {inline for statement, inline in self.seen if word in statement}


async def traced(connection: AsyncConnection) -> Trace:
    """Note every statement of a connection from now on."""
    trace = Trace()
    driver: Any = (await connection.get_raw_connection()).driver_connection
    await driver.set_trace_callback(trace)
    return trace


@pytest.fixture
def other(database_url: str) -> Iterator[sqlite3.Connection]:
    """Another connection to the same file, as another process has one."""
    opened = sqlite3.connect(database_url.partition("///")[2], isolation_level=None)
    yield opened
    opened.close()


async def test_a_heavy_transaction_runs_in_the_thread(database: Database) -> None:
    """Every statement of a heavy transaction leaves the loop's thread, and the next one's come back to it."""
    await seed_site(database, "test")
    async with database.writing(heavy=True) as connection:
        trace = await traced(connection)
        await connection.execute(sa.update(t.sites).values(name="heavy"))
    async with database.writing() as connection:
        await connection.execute(sa.update(t.sites).values(prompt="light"))
    assert trace.places("name=") == {False}
    assert trace.places("prompt=") == {True}


async def test_a_heavy_transaction_is_undone_in_the_thread(database: Database) -> None:
    """What fails is rolled back in the thread too, and leaves a connection that works as before."""
    await seed_site(database, "test")
    async with database.writing() as connection:
        trace = await traced(connection)

    async def fail() -> None:
        async with database.writing(heavy=True) as connection:
            await connection.execute(sa.update(t.sites).values(name="heavy"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with database.writing() as connection:
        assert (await connection.execute(sa.select(t.sites.c.name))).scalar_one() == "test"
    assert trace.places("ROLLBACK") == {False}
    assert trace.places("SELECT") == {True}


async def test_retention_is_heavy(context: Context) -> None:
    """Deleting what is past its retention, however much it is, does not hold up the loop."""
    async with context.database.writing() as connection:
        trace = await traced(connection)
    await sweep(context)
    assert trace.places("DELETE") == {False}


async def test_a_cancelled_wait_leaves_the_loop_free(database: Database, other: sqlite3.Connection) -> None:
    """Who is cancelled while another process writes is cleaned up after without a stop of the loop."""
    site_id = await seed_site(database, "test")
    async with database.writing() as connection:
        trace = await traced(connection)
    other.execute(BEGIN_WRITING)
    before = len(trace.seen)

    async def write() -> None:
        async with database.writing():
            raise AssertionError("never got here")

    waiting = asyncio.create_task(write())
    await eventually(lambda: len(trace.seen) > before)
    waiting.cancel()
    # A loop that stood still would come back when the wait for the lock is over, and all of this with it.
    await turns(100)
    assert not waiting.done()
    other.execute("ROLLBACK")
    with pytest.raises(asyncio.CancelledError):
        await waiting
    async with database.writing() as connection:
        await connection.execute(sa.update(t.sites).where(t.sites.c.id == site_id).values(name="sound"))
    assert other.execute("SELECT name FROM sites").fetchone() == ("sound",)


@pytest.fixture
async def complaints() -> AsyncIterator[list[dict[str, Any]]]:
    """What the event loop complains of."""
    loop, found = asyncio.get_running_loop(), list[dict[str, Any]]()
    handler = loop.get_exception_handler()
    loop.set_exception_handler(lambda _loop, what: found.append(what))
    yield found
    loop.set_exception_handler(handler)


async def test_calls_queue_behind_what_was_cancelled(tmp_path: Path, complaints: list[dict[str, Any]]) -> None:
    """After a cancelled call the next ones wait for the thread, which is free again whatever became of it."""
    path = str(tmp_path / "file.db")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute(BEGIN_WRITING)
    connection = await connect(path, timeout_seconds=0.05, writes=True)
    trace = Trace()
    await connection.set_trace_callback(trace)
    waiting = asyncio.ensure_future(_begin(connection))
    await eventually(lambda: trace.places(BEGIN_WRITING) == {False})
    waiting.cancel()
    await asyncio.wait([waiting])
    await connection.execute("SELECT 1")
    await connection.execute("SELECT 2")
    assert (trace.places("SELECT 1"), trace.places("SELECT 2")) == ({False}, {True})
    other.close()
    await connection.execute(BEGIN_WRITING)
    await connection.execute("CREATE TABLE sound (id)")
    await connection.commit()
    await connection.close()
    gc.collect()
    await turns(3)
    assert complaints == []


async def _begin(connection: Any) -> None:
    await connection.execute(BEGIN_WRITING)
