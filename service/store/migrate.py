"""Bring a database to the newest migration, safely when several processes start at once."""

from __future__ import annotations

import asyncio
import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import asyncpg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from service.settings import SettingsError

#: Any constant: every migrator of one PostgreSQL database waits for the same advisory lock.
_LOCK = 0x636F6C6C
_CONNECT_SECONDS = 10
_UNREACHABLE = (
    sa.exc.SQLAlchemyError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    sqlite3.Error,
    OSError,
    ValueError,
)


def alembic_config(url: str) -> Config:
    """Answer the Alembic configuration for a database; there is no ini file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["url"] = url
    return config


def upgrade(url: str) -> str:
    """Run every migration that is missing and answer the revision the database is at."""
    return asyncio.run(upgrade_async(url))


async def is_current(url: str) -> bool:
    """Answer whether the database has every migration of this version; SettingsError when it cannot be reached."""
    return await revision_of(url) == newest()


def newest() -> str:
    """Answer the migration that this version of the code needs."""
    return ScriptDirectory.from_config(alembic_config("")).get_current_head() or ""


async def revision_of(url: str) -> str | None:
    """Answer the migration that the database is at, None without any; SettingsError when it cannot be reached."""
    file = file_of(url)
    if file and not file.exists():
        # To connect would make an empty one.
        return None
    with reaching(url):
        _open_once(file)
        engine = create_async_engine(url, hide_parameters=True, connect_args={"timeout": _CONNECT_SECONDS})
        try:
            async with engine.connect() as connection:
                return await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())
        finally:
            await engine.dispose()


def is_known(revision: str) -> bool:
    """Answer whether this version of the code has a migration; one that it has not is a newer version's."""
    return revision in {script.revision for script in ScriptDirectory.from_config(alembic_config("")).walk_revisions()}


async def upgrade_async(url: str) -> str:
    """Do what upgrade does, inside a running event loop."""
    with reaching(url):
        _open_once(file_of(url))
        engine = create_async_engine(url, hide_parameters=True, connect_args={"timeout": 60})
    try:
        async with AsyncExitStack() as ending:
            with reaching(url):
                connection = await ending.enter_async_context(engine.begin())
                await _lock(connection)
            return await connection.run_sync(_upgrade, alembic_config(url))
    finally:
        await engine.dispose()


async def _lock(connection: AsyncConnection) -> None:
    if connection.dialect.name == "postgresql":
        await connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    else:
        # Alembic's own transaction begins late: two starting processes would both create the tables.
        await connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        await connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def reaching(url: str) -> Iterator[None]:
    """What the block raises is the operator's to mend: one line that names the place and never the password."""
    try:
        yield
    except _UNREACHABLE as error:
        raise SettingsError(f"DATABASE_URL: cannot connect to {_place_of(url)} ({_reason(error)})") from None


def _place_of(url: str) -> str:
    try:
        parts = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        # Its message quotes the address, of which the password is a part.
        raise SettingsError("DATABASE_URL: is not a valid address") from None
    if parts.drivername.startswith("sqlite"):
        return parts.database or ":memory:"
    return f"{parts.host or 'localhost'}:{parts.port or 5432}/{parts.database or ''}"


def _reason(error: BaseException) -> str:
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, TimeoutError):
        return "no answer in time"
    if isinstance(cause, OSError) and cause.errno and not isinstance(cause, socket.gaierror):
        return os.strerror(cause.errno)
    if isinstance(cause, ValueError | sa.exc.ArgumentError):
        return "not a valid address"
    text = str(getattr(cause, "strerror", None) or cause).partition("\n")[0] or type(cause).__name__
    return text.rpartition("'>: ")[2]


def file_of(url: str) -> Path | None:
    """Answer the file of a SQLite database, None for any other."""
    path = url.removeprefix("sqlite+aiosqlite:///").partition("?")[0]
    return None if path == url or path.startswith((":", "file:")) else Path(path)


def _open_once(file: Path | None) -> None:
    """aiosqlite's thread would tell a loop that has ended meanwhile that the file does not open, with a traceback."""
    if file:
        sqlite3.connect(file).close()


def _upgrade(connection: sa.Connection, config: Config) -> str:
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    return MigrationContext.configure(connection).get_current_revision() or ""
