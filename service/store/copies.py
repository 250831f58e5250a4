"""Whole copies of the database: of a SQLite file by its online backup, of PostgreSQL by its own programs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from service.settings import SettingsError
from service.store.migrate import file_of, reaching

_PLACES: Final = "/usr/lib/postgresql"
_CONNECT_SECONDS: Final = 10
_QUOTED: Final = re.compile(r'"[^"]*"?')
_NAME: Final = re.compile(r'"[a-z0-9_.-]{1,63}"')


class Program(NamedTuple):
    """A program of PostgreSQL's and the version it is of."""

    path: str
    major: int


def copy_sqlite(source: Path, target: Path) -> None:
    """Write what is committed now to a new file, checked to be whole; writers go on meanwhile."""
    opened = sqlite3.connect(source, timeout=30), sqlite3.connect(target)
    with contextlib.closing(opened[0]) as reading, contextlib.closing(opened[1]) as writing:
        # All pages in one step, which is one snapshot: in several the copy would begin anew with each commit.
        reading.backup(writing)
        # The copy is one file then, without a log beside it.
        writing.execute("PRAGMA journal_mode=DELETE")
        found = writing.execute("PRAGMA quick_check").fetchone()[0]
    if found != "ok":
        raise SettingsError(f"{source}: the file is damaged, and so would be a copy of it")


def check_unused(file: Path) -> None:
    """Raise SettingsError while another process has the SQLite file open."""
    try:
        with contextlib.closing(sqlite3.connect(file, timeout=1, isolation_level=None)) as connection:
            # Leaving the write-ahead log needs the file for oneself.
            connection.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.OperationalError:
        raise SettingsError(f"{file} is in use; stop every process of the service first") from None
    except sqlite3.DatabaseError:
        # No database at all: nobody uses it.
        return


def settle_sqlite(file: Path) -> None:
    """Bring what is in the log beside a file into the file itself, so that it can be moved alone."""
    with contextlib.closing(sqlite3.connect(file, timeout=5, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")


def replace_sqlite(source: Path, file: Path) -> None:
    """Put a file in the place of a database that nobody uses, with nothing left of the one before."""
    for suffix in ("-wal", "-shm", "-journal"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
    source.replace(file)


class Server(NamedTuple):
    """What a PostgreSQL server says of itself and of the database."""

    major: int
    version: str
    tables: int
    others: int
    """Connections to the database besides the one that asks."""


_ASK = """
SELECT current_setting('server_version_num')::int / 10000 AS major,
    split_part(current_setting('server_version'), ' ', 1) AS version,
    (SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()) AS tables,
    (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND backend_type = 'client backend') AS others
"""


async def ask_server(url: str) -> Server:
    """Answer what there is to know before a copy; SettingsError when the server cannot be reached."""
    with reaching(url):
        engine = create_async_engine(url, hide_parameters=True, connect_args={"timeout": _CONNECT_SECONDS})
        try:
            async with engine.connect() as connection:
                row = (await connection.execute(sa.text(_ASK))).one()
        finally:
            await engine.dispose()
    return Server(row.major, row.version, row.tables, row.others)


async def dump_postgresql(url: str, target: Path, *, least: int) -> None:
    """Write one snapshot of the database to a file, in the format of pg_restore; SettingsError says what is missing."""
    program = find_program("pg_dump", least=least)
    await _run(url, program.path, "--format=custom", "--no-owner", "--no-privileges", f"--file={target}")


async def restore_postgresql(url: str, source: Path, *, least: int, replace: bool) -> None:
    """Put a dump into the database, all of it or nothing; with `replace` its tables take the place of those there."""
    program = find_program("pg_restore", least=least)
    given = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]
    if replace:
        given += ["--clean", "--if-exists"]
    await _run(url, program.path, *given, f"--dbname={_database_of(url)}", str(source))


def find_program(name: str, *, least: int) -> Program:
    """Answer the oldest program of PostgreSQL's that is new enough; SettingsError names what to install."""
    found = sorted(_programs(name), key=lambda program: program.major)
    fitting = next((program for program in found if program.major >= least), None)
    if fitting is None:
        there = f"only that of version {found[-1].major} is here" if found else "it is not here"
        raise SettingsError(
            f"{name} of PostgreSQL {least} or newer is needed, and {there};"
            f" install postgresql-client-{least}, or use the server's own pg_dump and pg_restore"
        )
    return fitting


def _programs(name: str) -> Iterator[Program]:
    paths = {shutil.which(name), *map(str, Path(_PLACES).glob(f"*/bin/{name}"))}
    for path in paths - {None}:
        told = subprocess.run([str(path), "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
        if version := re.search(r"\) (\d+)", told):
            yield Program(str(path), int(version.group(1)))


async def _run(url: str, program: str, *given: str) -> None:
    """Run a program on the database; its password is in the environment, which only its own user can read."""
    process = await asyncio.create_subprocess_exec(
        program, "--no-password", *given,
        env=_environment(url), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    _, said = await process.communicate()
    if process.returncode:
        first = next((line for line in said.decode(errors="replace").splitlines() if line.strip()), "")
        # What is quoted may be of a row, unless it is a name.
        told = _QUOTED.sub(lambda quoted: quoted[0] if _NAME.fullmatch(quoted[0]) else '"..."', first)
        raise SettingsError(f"{Path(program).name} failed with code {process.returncode}: {told[:300]}")


def _environment(url: str) -> Mapping[str, str]:
    parts = sa.make_url(url)
    told = {
        "PGHOST": parts.host or parts.query.get("host"),
        "PGPORT": parts.port or parts.query.get("port"),
        "PGUSER": parts.username,
        "PGPASSWORD": parts.password,
        "PGDATABASE": parts.database,
        "PGSSLMODE": parts.query.get("ssl") or parts.query.get("sslmode"),
        "PGCONNECT_TIMEOUT": _CONNECT_SECONDS,
    }
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return kept | {name: str(value) for name, value in told.items() if value}


def _database_of(url: str) -> str:
    return sa.make_url(url).database or ""


def sqlite_file(url: str) -> Path | None:
    """Answer the file of a SQLite database, None for any other; SettingsError for one that is no file."""
    file = file_of(url)
    if file is None and url.startswith("sqlite"):
        raise SettingsError("DATABASE_URL: only a database in a file can be copied")
    return file
