"""Put a backup back where nothing runs: everything is looked at before anything is changed."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from service.backup import key, manifest
from service.backup.manifest import Manifest
from service.composition import check_keys, finish_upgrade, open_offline
from service.embedded_redis import EmbeddedRedis
from service.flow.audit import audit
from service.flow.verify_audit import Noted, Walked, verify
from service.home import KEY_FILE, has_secret_key, make_home, only_one, secret_key_of
from service.redis_home import RedisHome
from service.settings import Settings, SettingsError
from service.store import copies, migrate

ACTION = "backup.restored"
#: Never asked: what is done here needs SQL alone.
_NO_REDIS = "redis://127.0.0.1:1"
#: What a home may hold that is no data: the key that was put there, downloaded models, what a file system makes.
_NO_DATA = frozenset({KEY_FILE, "models", "lost+found", "serve.lock"})


class Restored(NamedTuple):
    """What was put back, the migration that it is at now, and what walking its audit chains found."""

    manifest: Manifest
    migration: str
    walked: list[Walked]

    @property
    def is_whole(self) -> bool:
        """Whether every chain holds and goes as far as the backup says."""
        return all(one.fault is None for one in self.walked)


async def restore(settings: Settings, folder: Path, *, force: bool, key_password: str | None) -> Restored:
    """Put a backup into the home and the database of the settings; SettingsError before anything was changed.

    With `force` what is there is replaced. A chain that does not hold is told and not refused: a backup of a damaged
    record is still the best there is.
    """
    found = await asyncio.to_thread(manifest.read, folder)
    _check_fit(settings, found)
    make_home(settings)
    with ExitStack() as held:
        held.enter_context(only_one(settings.home))
        if not force:
            _check_empty(settings)
        secret_key = _key_of(settings, folder, found, key_password)
        async with _in_place(settings, folder, found, force=force) as target:
            told = msgspec.structs.replace(target, secret_key=secret_key, redis_url=target.redis_url or _NO_REDIS)
            migration = await migrate.upgrade_async(told.database)
            await check_keys(told)
            await finish_upgrade(told)
            walked = await _walk(told, found)
        _keep_key(settings, secret_key)
        await asyncio.to_thread(_forget_index, settings.home)
    return Restored(found, migration, walked)


def _check_fit(settings: Settings, found: Manifest) -> None:
    if not migrate.is_known(found.migration):
        raise SettingsError(
            f"the backup was made by version {found.version}, which is newer: its tables ({found.migration}) are not"
            " known here; restore it with that version or a later one"
        )
    here = "sqlite" if copies.sqlite_file(settings.database) else "postgresql"
    if here != found.database:
        raise SettingsError(f"DATABASE_URL: names {here}, and the backup is of {found.database}")


def _check_empty(settings: Settings) -> None:
    there = sorted(path.name for path in settings.home.iterdir() if path.name not in _NO_DATA)
    file = copies.sqlite_file(settings.database)
    if file and file.exists() and not there:
        there = [str(file)]
    if there:
        raise SettingsError(
            f"COLLOQUY_HOME: {settings.home} is not empty ({', '.join(there[:5])}); name another one, or --force to"
            " replace what is there"
        )


def _key_of(settings: Settings, folder: Path, found: Manifest, password: str | None) -> str:
    """Answer the key that opens the database of the backup, from wherever there is one."""
    if password is not None and found.key == "sealed":
        secret_key = key.unseal(folder / manifest.SEALED_KEY, password)
    elif has_secret_key(settings):
        secret_key = secret_key_of(settings)
    else:
        more = "name --key-password-file, or " if found.key == "sealed" else "the backup does not have it: "
        raise SettingsError(f"SECRET_KEY: {more}set SECRET_KEY, or put {KEY_FILE} into {settings.home}")
    if not key.fits(secret_key, found.key_proof) or (settings.secret_key and settings.secret_key != secret_key):
        raise SettingsError("SECRET_KEY: it is not the key of this backup, whose database it could not open")
    return secret_key


def _keep_key(settings: Settings, secret_key: str) -> None:
    """Leave the key in the home, where it was not there; one that is set by SECRET_KEY is written nowhere."""
    path = settings.home / KEY_FILE
    if settings.secret_key or (path.exists() and path.read_text().strip() == secret_key):
        return
    draft = path.with_name(f"{KEY_FILE}.restored")
    draft.touch(mode=0o600)
    draft.write_text(secret_key)
    draft.replace(path)


def _forget_index(home: Path) -> None:
    """Empty the embedded Redis, which knows what was there before; the sweep makes it anew."""
    there = RedisHome(home)
    if there.socket.exists() and there.is_locked():
        # Left by a `serve` that was killed; the next one would take it over with all that it knows.
        left = EmbeddedRedis(home)
        left.start()
        left.stop()
    shutil.rmtree(home / "redis", ignore_errors=True)


@asynccontextmanager
async def _in_place(settings: Settings, folder: Path, found: Manifest, *, force: bool) -> AsyncIterator[Settings]:
    """Give settings whose database is the backup's; a file takes its place when the block has ended well."""
    source, file = folder / found.database_file, copies.sqlite_file(settings.database)
    if file is None:
        await _into_postgresql(settings.database, source, found, force=force)
        yield settings
        return
    if file.exists():
        copies.check_unused(file)
    draft = file.with_name(f"{file.name}.restoring")
    try:
        await asyncio.to_thread(_copy_private, source, draft)
        yield msgspec.structs.replace(settings, database_url=f"sqlite+aiosqlite:///{draft.resolve()}")
        await asyncio.to_thread(copies.settle_sqlite, draft)
        copies.replace_sqlite(draft, file)
    finally:
        for suffix in ("", "-wal", "-shm"):
            draft.with_name(draft.name + suffix).unlink(missing_ok=True)


def _copy_private(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    target.touch(mode=0o600)
    shutil.copyfile(source, target)


async def _into_postgresql(url: str, source: Path, found: Manifest, *, force: bool) -> None:
    server = await copies.ask_server(url)
    made_by = int(found.server.partition(".")[0])
    if server.major < made_by:
        raise SettingsError(f"DATABASE_URL: the server is PostgreSQL {server.major}, and the backup is of {made_by}")
    if server.others:
        raise SettingsError(
            f"DATABASE_URL: {server.others} other connections are open to the database; stop every process of the"
            " service first"
        )
    if server.tables and not force:
        raise SettingsError(
            "DATABASE_URL: the database is not empty; name another one, or --force to replace its tables"
        )
    await copies.restore_postgresql(url, source, least=made_by, replace=bool(server.tables))


async def _walk(settings: Settings, found: Manifest) -> list[Walked]:
    heads = {chain: Noted(end.sequence, end.hash) for chain, end in found.chains.items()}
    async with open_offline(settings) as context:
        walked = [one async for one in verify(context, heads=heads)]
        async with context.database.writing() as connection:
            await audit(connection, context, None, "cli", ACTION, None, made_at=found.made_at)
    return walked
