"""The database: reached, of this version, durable, on time; and what its rows tell of backlogs and backups."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from service.backup.make import ACTION
from service.doctor.findings import Finding, ok, problem, span, warning
from service.flow.sealing import Box, SealBroken
from service.home import has_secret_key, secret_key_of
from service.settings import Settings, SettingsError
from service.store import audit, installation, migrate, records, sites
from service.store.database import Database
from service.store.types import Row

OLDEST_SERVER: Final = 13
SKEW_SECONDS: Final = 2.0
MOST_SKEW_SECONDS: Final = 30.0
_SCORE_SECONDS: Final = 60.0
_SCORE_MOST_SECONDS: Final = 600.0
_RELAY_SECONDS: Final = 60.0
_FAILING: Final = timedelta(hours=1)
_BACKUP: Final = timedelta(days=2)
_PATIENCE_SECONDS: Final = 20.0


async def look_at_database(settings: Settings) -> AsyncIterator[Finding]:
    """Yield what is to be said of the database; where it cannot be reached, only that."""
    try:
        revision = await migrate.revision_of(settings.database)
    except SettingsError as error:
        said = str(error).removeprefix("DATABASE_URL: ")
        yield problem("database", said, "start it, or set DATABASE_URL to where it is")
        return
    if (found := _of_tables(revision)) is not None:
        yield found
        return
    database = Database(settings.database, readers=1)
    try:
        async with database.reading(patience_seconds=_PATIENCE_SECONDS) as connection:
            async for one in _server(connection, is_sqlite=database.is_sqlite):
                yield one
            yield await _keys(connection, settings)
            async for one in _rows(connection):
                yield one
    finally:
        await database.dispose()


def _of_tables(revision: str | None) -> Finding | None:
    """Answer what keeps the tables from being read, None when they are of this version."""
    check, head = "database.tables", migrate.newest()
    if revision is None:
        return problem(check, "there are none yet", "run `python -m service migrate`, or `serve`, which does it")
    if not migrate.is_known(revision):
        said = f"are at {revision}, of a newer version than this one ({head})"
        return problem(check, said, "run the newer version; there is no way back but a backup")
    if revision != head:
        return problem(check, f"are at {revision}, and this version needs {head}", "run `python -m service migrate`")
    return None


async def _server(connection: AsyncConnection, *, is_sqlite: bool) -> AsyncIterator[Finding]:
    if is_sqlite:
        told = await installation.sqlite(connection)
        yield ok("database", f"SQLite {told['version']} is at migration {migrate.newest()}")
        if told["journal_mode"] != "wal":
            said = f"its journal is {told['journal_mode']}, so readers and writers wait for each other"
            yield warning("database.journal", said, "put the file on a local disk: write-ahead logs need one")
        return
    row = await installation.postgresql(connection)
    yield ok("database", f"PostgreSQL {row.version} is at migration {migrate.newest()}")
    if row.major < OLDEST_SERVER:
        yield warning("database.version", f"PostgreSQL {row.version} is no longer tried", "upgrade the server")
    if row.encoding != "UTF8":
        yield problem("database.encoding", f"is {row.encoding}", "make a database with the encoding UTF8, and move")
    if "off" in (row.fsync, row.full_page_writes, row.synchronous_commit):
        said = "fsync, full_page_writes or synchronous_commit is off: a crash loses what was answered"
        yield problem("database.durability", said, "turn them on in postgresql.conf")
    yield of_clock("database.clock", (row.now - datetime.now(UTC)).total_seconds(), "the database server")


def of_clock(check: str, skew_seconds: float, whose: str) -> Finding:
    """Answer how far a clock is from this machine's."""
    if abs(skew_seconds) < SKEW_SECONDS:
        return ok(check, "goes with this machine's")
    said = f"that of {whose} is {abs(skew_seconds):.1f} seconds {'ahead of' if skew_seconds > 0 else 'behind'} this one"
    remedy = "keep both by NTP (systemd-timesyncd, chrony)"
    return problem(check, said, remedy) if abs(skew_seconds) > MOST_SKEW_SECONDS else warning(check, said, remedy)


async def _keys(connection: AsyncConnection, settings: Settings) -> Finding:
    check, rows = "database.keys", await records.all_signing_keys(connection)
    if not rows:
        return ok(check, "there are no signing keys yet")
    if not has_secret_key(settings):
        return problem(check, "the secret key is not here", "set SECRET_KEY, or put secret.key into COLLOQUY_HOME")
    return _of_keys(check, rows, secret_key_of(settings))


def _of_keys(check: str, rows: Sequence[Row], secret_key: str) -> Finding:
    box = Box(secret_key)
    try:
        for row in rows:
            box.open(row.sealed)
    except SealBroken:
        remedy = "set the SECRET_KEY that this database was made with; without it nothing starts"
        return problem(check, "the secret key does not open the signing keys", remedy)
    return ok(check, f"the secret key opens the signing keys ({len(rows)})")


async def _rows(connection: AsyncConnection) -> AsyncIterator[Finding]:
    now = datetime.now(UTC)
    yield await _people(connection)
    yield _of_scoring(*await installation.owed_scores(connection), now)
    number, oldest = await installation.waiting(connection)
    yield ok(
        "backlog.review", f"{number} wait for a person" + (f", the oldest for {_age(now, oldest)}" if oldest else "")
    )
    yield _of_events(*await installation.unrelayed(connection), now)
    async for one in _receivers(connection, now):
        yield one
    yield await _backups(connection, now)


async def _people(connection: AsyncConnection) -> Finding:
    check, number = "people", len(await sites.every(connection))
    if not number:
        return warning(check, "there is no site yet", "run `python -m service site create`")
    if not await installation.admins(connection):
        return warning(check, "no admin of the installation is left", "run `python -m service admin create`")
    return ok(check, f"{number} sites, and somebody who may change them")


def _of_scoring(number: int, oldest: datetime | None, now: datetime) -> Finding:
    check, age = "backlog.scoring", (now - oldest).total_seconds() if oldest else 0.0
    if age < _SCORE_SECONDS:
        return ok(check, f"{number} wait for a score")
    said = f"{number} wait for a score, the oldest for {span(age)}"
    remedy = "see to the workers and the scorer above; start more of them (`python -m service work`) if they are busy"
    return problem(check, said, remedy) if age > _SCORE_MOST_SECONDS else warning(check, said, remedy)


def _of_events(number: int, oldest: datetime | None, now: datetime) -> Finding:
    check, age = "backlog.events", (now - oldest).total_seconds() if oldest else 0.0
    if age < _RELAY_SECONDS:
        return ok(check, "events are relayed as they come")
    said = f"{number} events were not relayed, the oldest for {span(age)}"
    return warning(check, said, "webhooks and mail wait for a worker: start one, or read its log")


async def _receivers(connection: AsyncConnection, now: datetime) -> AsyncIterator[Finding]:
    check = "webhooks"
    troubled = await installation.troubled_endpoints(connection, failing_before=now - _FAILING)
    if not troubled:
        yield ok(check, "no receiver is disabled or has failed for an hour")
    for row in troubled:
        show = f"python -m service webhook show {row.slug} {row.id}"
        if row.status == "disabled":
            yield problem(check, f"a receiver of {row.slug} was disabled for its failures", f"`{show}`, then `enable`")
        else:
            yield warning(check, f"a receiver of {row.slug} has failed for {_age(now, row.failing_since)}", f"`{show}`")


async def _backups(connection: AsyncConnection, now: datetime) -> Finding:
    check, remedy = "backups", "run `python -m service backup` daily, or see that your own way of backing up works"
    found = await audit.newest(connection, None, before_id=None, limit=1, only={"action": ACTION})
    if not found:
        return warning(check, "none was ever made by `backup`", remedy)
    age = now - found[0].created_at
    said = f"the last was made {span(age.total_seconds())} ago"
    return warning(check, said, remedy) if age > _BACKUP else ok(check, said)


def _age(now: datetime, then: datetime) -> str:
    return span((now - then).total_seconds())
