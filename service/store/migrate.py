"""Bring a database to the newest migration, safely when several processes start at once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import create_async_engine

#: Any constant: every migrator of one PostgreSQL database waits for the same advisory lock.
_LOCK = 0x636F6C6C


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
    """Answer whether the database has every migration of this version; a database without tables has none."""
    engine = create_async_engine(url, hide_parameters=True)
    head = ScriptDirectory.from_config(alembic_config(url)).get_current_head()
    try:
        async with engine.connect() as connection:
            found = await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())
    finally:
        await engine.dispose()
    return found == head


async def upgrade_async(url: str) -> str:
    """Do what upgrade does, inside a running event loop."""
    engine = create_async_engine(url, hide_parameters=True, connect_args={"timeout": 60})
    try:
        async with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                await connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            else:
                # Alembic's own transaction begins late: two starting processes would both create the tables.
                await connection.exec_driver_sql("PRAGMA journal_mode=WAL")
                await connection.exec_driver_sql("BEGIN IMMEDIATE")
            return await connection.run_sync(_upgrade, alembic_config(url))
    finally:
        await engine.dispose()


def _upgrade(connection: sa.Connection, config: Config) -> str:
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    return MigrationContext.configure(connection).get_current_revision() or ""
