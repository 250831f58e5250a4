"""Make a backup: a copy of the database, of one moment, while the service goes on."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from service import VERSION
from service.backup import key, manifest
from service.backup.manifest import End, File, Manifest
from service.composition import open_offline
from service.flow.audit import audit
from service.flow.context import Context
from service.home import has_secret_key, secret_key_of
from service.settings import Settings, SettingsError
from service.store import audit as chains
from service.store import copies, migrate

ACTION = "backup.made"


class _Copied(NamedTuple):
    database: str
    server: str


async def make(settings: Settings, folder: Path, *, key_password: str | None) -> Manifest:
    """Write a backup into an empty folder and answer its page; SettingsError where it cannot be, and nothing is left.

    Afterwards the installation's audit chain says that it was made, so a backup names those before it.
    """
    migration = await migrate.revision_of(settings.database)
    if migration is None:
        raise SettingsError("DATABASE_URL: there is nothing to back up yet, its tables were never made")
    with _filling(folder):
        async with _noting(settings) as context:
            ends = await _ends(context) if context else {}
            secret_key = _key_of(settings)
            copied = await _copy(settings.database, folder)
            if key_password is not None:
                await asyncio.to_thread(key.seal, secret_key, key_password, folder / manifest.SEALED_KEY)
            made = Manifest(
                format=manifest.FORMAT,
                made_at=datetime.now(UTC).isoformat(timespec="seconds"),
                version=VERSION,
                migration=migration,
                database="sqlite" if copied.database == "sqlite" else "postgresql",
                server=copied.server,
                files=await asyncio.to_thread(_files, folder),
                chains=ends,
                key="left_out" if key_password is None else "sealed",
                key_proof=key.prove(secret_key),
            )
            manifest.write(folder, made)
            if context:
                await _note(context, made)
    return made


def _key_of(settings: Settings) -> str:
    if not has_secret_key(settings):
        raise SettingsError("SECRET_KEY: the key of this database is not here; set it")
    return secret_key_of(settings)


@contextlib.contextmanager
def _filling(folder: Path) -> Iterator[None]:
    """Give a private, empty folder, and take away what was written when the block fails."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise SettingsError(f"{folder} is not empty; name a folder that is new for each backup")
    except OSError as error:
        raise SettingsError(f"{folder} cannot be made ({error.strerror})") from None
    try:
        yield
    except BaseException as error:
        for path in folder.iterdir():
            path.unlink()
        if isinstance(error, OSError):
            raise SettingsError(f"{folder} cannot be written to ({error.strerror})") from None
        raise


@contextlib.asynccontextmanager
async def _noting(settings: Settings) -> AsyncIterator[Context | None]:
    """Give what reads and writes the audit record; None before a migration, when this code does not know the tables."""
    if not await migrate.is_current(settings.database):
        yield None
        return
    async with open_offline(settings) as context:
        # Raises where SECRET_KEY is not the key of this database: a backup must not vouch for a wrong one.
        await context.author_tokens.ensure_key(now=context.now())
        yield context


async def _ends(context: Context) -> dict[str, End]:
    """Read before the copy is made, so that the copy has every event that is named."""
    async with context.database.reading() as connection:
        heads = {chain: await chains.head(connection, chain) for chain in await chains.chains(connection)}
    return {chain: End(head.sequence, head.hash) for chain, head in heads.items() if head is not None}


async def _copy(url: str, folder: Path) -> _Copied:
    if file := copies.sqlite_file(url):
        await asyncio.to_thread(copies.copy_sqlite, file, folder / manifest.DATABASE_FILES["sqlite"])
        return _Copied("sqlite", sqlite3.sqlite_version)
    server = await copies.ask_server(url)
    target = folder / manifest.DATABASE_FILES["postgresql"]
    await copies.dump_postgresql(url, target, least=server.major)
    return _Copied("postgresql", server.version)


def _files(folder: Path) -> dict[str, File]:
    return {path.name: manifest.file_of(path) for path in sorted(folder.iterdir())}


async def _note(context: Context, made: Manifest) -> None:
    async with context.database.writing() as connection:
        await audit(connection, context, None, "cli", ACTION, None, migration=made.migration, key=made.key)
