"""Connections: one writer and several readers on SQLite, one pool on PostgreSQL, the same two verbs on both."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from service.errors import Problem, unavailable
from service.store.inline_sqlite import BEGIN_WRITING, connect

BUSY_TIMEOUT_MS = 5_000
#: SQLSTATEs after which the same transaction may succeed: a deadlock, a conflict, no free connection, a restart.
_CANCELLED = "57014"
#: Connections for what may read many rows, so that it takes none from the readers of pages.
_PATIENT = 2
_TRY_AGAIN = frozenset({"40P01", "40001", "53300", "57P01", "57P02", "57P03"})


class Database:
    """`reading()` gives one snapshot, `writing()` one transaction that is committed when its block ends."""

    def __init__(self, url: str, *, readers: int = 4) -> None:
        self.url = url
        #: Transactions of this process that may have changed a page that readers see; they do not know each page's own.
        self.changes = 0
        self.is_sqlite = url.startswith("sqlite")
        if self.is_sqlite:
            self._writer = _sqlite_engine(url, pool=1, begin=BEGIN_WRITING)
            self._reader = _sqlite_engine(url, pool=readers, begin="BEGIN")
            self._patient_reader = _sqlite_engine(url, pool=_PATIENT, begin="BEGIN")
        else:
            self._writer = _postgresql_engine(url, pool=readers)
            self._reader = self._writer
            self._patient_reader = _postgresql_engine(url, pool=_PATIENT)

    @asynccontextmanager
    async def reading(self, *, patience_seconds: float | None = None) -> AsyncIterator[AsyncConnection]:
        """A read-only snapshot: every statement in the block sees the same state.

        What may read many rows names its patience: then it holds up no other request, and ends in query.too_wide where
        it would take longer.
        """
        reader = self._reader if patience_seconds is None else self._patient_reader
        async with _translated(), reader.connect() as connection:
            if not self.is_sqlite:
                await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            apart = nullcontext() if patience_seconds is None else self._patient(connection, patience_seconds)
            async with apart, connection.begin():
                if patience_seconds is not None:
                    await self._hurry(connection, patience_seconds)
                yield connection

    @asynccontextmanager
    async def _patient(self, connection: AsyncConnection, seconds: float) -> AsyncIterator[None]:
        try:
            async with _in_thread(connection) if self.is_sqlite else nullcontext():
                yield
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) == _CANCELLED or str(error.orig) == "interrupted":
                detail = f"This would take more than {seconds:g} seconds; ask for a shorter time, or for more words."
                raise Problem("query.too_wide", detail) from error
            raise

    async def _hurry(self, connection: AsyncConnection, seconds: float) -> None:
        if self.is_sqlite:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            driver.until = time.monotonic() + seconds
        else:
            await connection.execute(sa.text(f"SET LOCAL statement_timeout = {round(seconds * 1000)}"))

    @asynccontextmanager
    async def writing(self, *, heavy: bool = False, pages_stay: bool = False) -> AsyncIterator[AsyncConnection]:
        """One transaction: committed at the end of the block, rolled back by any exception.

        A heavy one touches rows without a bound; on SQLite all its statements leave the event loop's thread. One after
        which `pages_stay` as they are is not counted in `changes`.
        """
        try:
            async with _translated(), self._writer.connect() as connection:
                apart = _in_thread(connection) if heavy and self.is_sqlite else nullcontext()
                async with apart, connection.begin():
                    yield connection
        finally:
            # One that failed as it ended may have been committed.
            self.changes += not pages_stay

    def connections(self) -> dict[str, tuple[int, int]]:
        """Answer of each pool how many connections are in use, and how many it may have."""
        named = {"patient": self._patient_reader, "writer": self._writer}
        named |= {"reader": self._reader} if self._reader is not self._writer else {}
        pools: dict[str, Any] = {name: engine.pool for name, engine in named.items()}
        return {name: (pool.checkedout(), pool.size() + pool._max_overflow) for name, pool in pools.items()}

    async def ping(self) -> bool:
        """Answer whether the database answers."""
        try:
            async with self._reader.connect() as connection:
                await connection.execute(sa.text("SELECT 1"))
        except (DBAPIError, sa.exc.TimeoutError, OSError):
            return False
        return True

    async def dispose(self) -> None:
        """Close every connection."""
        await self._writer.dispose()
        await self._patient_reader.dispose()
        if self._reader is not self._writer:
            await self._reader.dispose()


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    """Turn a database that cannot do it now into the caller's 503; a wrong statement stays an error of ours."""
    try:
        yield
    except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError, OSError) as error:
        raise unavailable("database") from error
    except DBAPIError as error:
        if error.connection_invalidated or getattr(error.orig, "sqlstate", None) in _TRY_AGAIN:
            raise unavailable("database") from error
        raise


@asynccontextmanager
async def _in_thread(connection: AsyncConnection) -> AsyncIterator[None]:
    driver: Any = (await connection.get_raw_connection()).driver_connection
    driver.heavy = True
    try:
        yield
    finally:
        driver.heavy = False


def _sqlite_engine(url: str, *, pool: int, begin: str) -> AsyncEngine:
    path = sa.make_url(url).database or ":memory:"
    engine = create_async_engine(
        url,
        pool_size=pool,
        max_overflow=0,
        pool_timeout=10,
        hide_parameters=True,
        async_creator=partial(connect, path, timeout_seconds=BUSY_TIMEOUT_MS / 1000, writes=begin == BEGIN_WRITING),
    )

    @sa.event.listens_for(engine.sync_engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            # What was erased must not be found in the free space of the file.
            "secure_delete=ON",
            f"busy_timeout={BUSY_TIMEOUT_MS}",
            "cache_size=-32000",
            "temp_store=MEMORY",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @sa.event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        if begin == BEGIN_WRITING:
            connection.exec_driver_sql(begin)
        else:
            driver: Any = connection.connection.driver_connection
            driver.begin_reading()

    return engine


def _postgresql_engine(url: str, *, pool: int) -> AsyncEngine:
    return create_async_engine(
        url,
        pool_size=pool,
        max_overflow=2,
        pool_timeout=10,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"timeout": 5, "command_timeout": 30},
    )
