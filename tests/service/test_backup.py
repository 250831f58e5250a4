"""A backup is whole and private, says what is in it, and is put back only where nothing is lost by it."""

import asyncio
import shutil
import sqlite3
import stat
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import msgspec
import pytest
import sqlalchemy as sa
from alembic import command
from sqlalchemy.ext.asyncio import create_async_engine

from service import __main__ as command_line
from service import schemas
from service.backup import manifest
from service.backup.make import make
from service.backup.restore import restore
from service.composition import check_keys, open_offline
from service.embedded_redis import EmbeddedRedis
from service.flow import manage_sites
from service.flow.audit import list_events
from service.home import only_one, secret_key_of
from service.settings import Settings, SettingsError
from service.store import copies, sites
from service.store.migrate import alembic_config, revision_of
from tests.database_fixture import PostgreSql
from tests.eventually import turns
from tests.leaks import plant

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse battery staple"


def settings_of(home: Path, url: str = "", **more: str) -> Settings:
    """Settings of a home, with a database elsewhere where one is given."""
    given = {"COLLOQUY_HOME": str(home), "DATABASE_URL": url, "REDIS_URL": "redis://127.0.0.1:1"}
    return Settings.from_environment(given | more)


@pytest.fixture
async def elsewhere(database_kind: str, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """The address of a second database, empty and without tables; an empty text on SQLite."""
    if database_kind == "sqlite":
        yield ""
        return
    cluster: PostgreSql = request.getfixturevalue("postgresql")
    name = f"test_{uuid.uuid4().hex}"
    await cluster.execute(f"CREATE DATABASE {name}")
    yield cluster.url(name)
    await cluster.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def settings(database_url: str, tmp_path: Path) -> Settings:
    """An installation with two sites and a secret key in its home."""
    made = settings_of(tmp_path / "home", database_url)
    await check_keys(made)
    plant(secret_key_of(made))
    for slug in ("daily", "weekly"):
        await make_site(made, slug)
    return made


async def make_site(settings: Settings, slug: str) -> None:
    """Make a site."""
    async with open_offline(settings) as context:
        await manage_sites.create_site(context, "test", schemas.SiteInput(slug=slug, name=slug))


async def slugs(settings: Settings) -> list[str]:
    """The sites of an installation."""
    async with open_offline(settings) as context, context.database.reading() as connection:
        return [row.slug for row in await sites.every(connection)]


async def acts(settings: Settings) -> list[str]:
    """What the installation's chain says was done, the newest first."""
    async with open_offline(settings) as context:
        return [event.action for event in (await list_events(context, None, after=None, limit=9)).events]


def names_in(folder: Path) -> list[str]:
    """What lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


def with_key(settings: Settings, home: Path) -> None:
    """Put the key of an installation into another home, as an operator does who kept it apart."""
    home.mkdir(mode=0o700)
    shutil.copy(settings.home / "secret.key", home)


async def test_what_was_backed_up_is_there_again(settings: Settings, tmp_path: Path, elsewhere: str) -> None:
    """A backup without the key is restored where the key was put, and every audit chain goes as far as it went."""
    folder, other = tmp_path / "copy", settings_of(tmp_path / "other", elsewhere)
    made = await make(settings, folder, key_password=None)
    await make_site(settings, "later")
    with_key(settings, other.home)
    done = await restore(other, folder, force=False, key_password=None)
    assert await slugs(other) == ["daily", "weekly"]
    assert done.is_whole
    assert {walked.name for walked in done.walked} == {"installation", "daily", "weekly"}
    assert done.manifest == made
    assert len(made.chains) == 2
    assert "backup.made" in await acts(settings)
    assert (await acts(other))[0] == "backup.restored"
    assert set(names_in(other.home)) <= {"secret.key", "colloquy.db", "serve.lock"}


async def test_a_backup_is_for_its_owner_alone(settings: Settings, tmp_path: Path) -> None:
    """The folder and the files are private, the page names each with its checksum, and no key is in any of them."""
    folder = tmp_path / "copy"
    made = await make(settings, folder, key_password=None)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert set(made.files) == {made.database_file}
    assert set(names_in(folder)) == {made.database_file, "manifest.json"}
    secret = secret_key_of(settings).encode()
    assert all(secret not in path.read_bytes() for path in folder.iterdir())
    assert made.key == "left_out"


async def test_a_sealed_key_needs_its_password(settings: Settings, tmp_path: Path, elsewhere: str) -> None:
    """With the password the key comes along into an empty home; with another or none nothing is changed."""
    folder, other = tmp_path / "copy", settings_of(tmp_path / "other", elsewhere)
    made = await make(settings, folder, key_password=PASSWORD)
    assert made.key == "sealed"
    assert secret_key_of(settings).encode() not in (folder / manifest.SEALED_KEY).read_bytes()
    with pytest.raises(SettingsError, match="the password does not open"):
        await restore(other, folder, force=False, key_password="another password of mine")
    with pytest.raises(SettingsError, match="name --key-password-file"):
        await restore(other, folder, force=False, key_password=None)
    await restore(other, folder, force=False, key_password=PASSWORD)
    assert secret_key_of(other) == secret_key_of(settings)
    assert stat.S_IMODE((other.home / "secret.key").stat().st_mode) == 0o600


async def test_the_key_is_looked_at_before_anything_is_changed(
    settings: Settings, tmp_path: Path, elsewhere: str
) -> None:
    """Another installation's key is refused, whether it is set or lies in the home, and there is no database then."""
    folder = tmp_path / "copy"
    await make(settings, folder, key_password=None)
    wrong = settings_of(tmp_path / "other", elsewhere, SECRET_KEY="another-key" * 4)
    with pytest.raises(SettingsError, match=r"^SECRET_KEY: it is not the key of this backup"):
        await restore(wrong, folder, force=False, key_password=None)
    bare = settings_of(tmp_path / "bare", elsewhere)
    with pytest.raises(SettingsError, match=r"^SECRET_KEY: .*put secret.key into"):
        await restore(bare, folder, force=False, key_password=None)
    assert not (wrong.home / "colloquy.db").exists()


async def test_what_is_there_is_replaced_by_force_alone(settings: Settings, tmp_path: Path) -> None:
    """A home or a database with data in it is refused and stays; with force what came after the backup is gone."""
    folder = tmp_path / "copy"
    await make(settings, folder, key_password=None)
    await make_site(settings, "later")
    with pytest.raises(SettingsError, match="not empty"):
        await restore(settings, folder, force=False, key_password=None)
    assert await slugs(settings) == ["daily", "later", "weekly"]
    (settings.home / "redis").mkdir()
    done = await restore(settings, folder, force=True, key_password=None)
    assert await slugs(settings) == ["daily", "weekly"]
    assert done.is_whole
    assert not (settings.home / "redis").exists()


async def test_a_redis_that_was_left_behind_forgets(settings: Settings, tmp_path: Path) -> None:
    """The Redis of a killed `serve`, which the next one would take over, is ended and its data are gone."""
    folder = tmp_path / "copy"
    await make(settings, folder, key_password=None)
    left = EmbeddedRedis(settings.home)
    await asyncio.to_thread(left.start)
    await restore(settings, folder, force=True, key_password=None)
    assert not left.alive()
    assert not (settings.home / "redis").exists()
    await asyncio.to_thread(left.stop)


async def test_a_database_in_use_is_left_alone(settings: Settings, tmp_path: Path) -> None:
    """While a process has the database open, and while `serve` holds the home, nothing is put there."""
    folder = tmp_path / "copy"
    await make(settings, folder, key_password=None)
    async with open_offline(settings) as context, context.database.reading() as connection:
        await connection.execute(sa.text("SELECT count(*) FROM sites"))
        with pytest.raises(SettingsError, match="stop every process"):
            await restore(settings, folder, force=True, key_password=None)
    with only_one(settings.home), pytest.raises(SettingsError, match="is served already"):
        await restore(settings, folder, force=True, key_password=None)
    assert await slugs(settings) == ["daily", "weekly"]


async def test_a_changed_file_is_not_restored(settings: Settings, tmp_path: Path, elsewhere: str) -> None:
    """One byte that is not as it was written, a missing page or one that names another place: nothing is put back."""
    folder, other = tmp_path / "copy", settings_of(tmp_path / "other", elsewhere)
    made = await make(settings, folder, key_password=PASSWORD)
    file, page = folder / made.database_file, folder / "manifest.json"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(SettingsError, match="checksum does not fit"):
        await restore(other, folder, force=False, key_password=PASSWORD)
    file.write_bytes(whole)
    said = page.read_text()
    for changed, told in (
        (said.replace(f'"{made.database_file}"', '"../x"'), "names no database"),
        (said.replace('"secret.key.sealed"', '"../secret"'), "names a file that no backup has"),
        (said.replace('"format": 1', '"format": 2'), "is of format 2"),
        (said[:40], "damaged"),
    ):
        page.write_text(changed)
        with pytest.raises(SettingsError, match=told):
            await restore(other, folder, force=False, key_password=PASSWORD)
    page.unlink()
    with pytest.raises(SettingsError, match="no backup or not a whole one"):
        await restore(other, folder, force=False, key_password=PASSWORD)
    assert not other.home.exists()


async def test_a_newer_backup_is_refused(settings: Settings, tmp_path: Path, elsewhere: str) -> None:
    """Tables that this version does not know are named with the version that made them."""
    folder = tmp_path / "copy"
    made = await make(settings, folder, key_password=PASSWORD)
    page = folder / "manifest.json"
    page.write_text(page.read_text().replace(f'"{made.migration}"', '"9999"').replace('"0.1.0"', '"7.0.0"'))
    with pytest.raises(SettingsError, match=r"version 7\.0\.0, which is newer: its tables \(9999\)"):
        await restore(settings_of(tmp_path / "other", elsewhere), folder, force=False, key_password=PASSWORD)


async def test_a_record_that_was_changed_is_told(settings: Settings, tmp_path: Path, elsewhere: str) -> None:
    """A backup whose audit chain was cut before it is restored, and the chain and the place are named."""
    folder, other = tmp_path / "copy", settings_of(tmp_path / "other", elsewhere)
    async with open_offline(settings) as context, context.database.writing() as connection:
        await connection.execute(sa.text("UPDATE audit_events SET actor = 'nobody' WHERE action = 'site.created'"))
    await make(settings, folder, key_password=PASSWORD)
    done = await restore(other, folder, force=False, key_password=PASSWORD)
    assert not done.is_whole
    assert await slugs(other) == ["daily", "weekly"]


async def test_a_record_that_ends_too_early_is_told(settings: Settings, tmp_path: Path, elsewhere: str) -> None:
    """A database whose chains end before the ends that the page names has lost events, however well the rest holds."""
    folder, other = tmp_path / "copy", settings_of(tmp_path / "other", elsewhere)
    made = await make(settings, folder, key_password=PASSWORD)
    further = {chain: manifest.End(end.sequence + 2, "f" * 64) for chain, end in made.chains.items()}
    manifest.write(folder, msgspec.structs.replace(made, chains=further))
    done = await restore(other, folder, force=False, key_password=PASSWORD)
    faults = [walked.fault for walked in done.walked if walked.fault]
    assert faults == ["the chain had 3 events, and 2 are missing at its end"] * 2


async def test_a_restore_that_fails_changes_nothing(settings: Settings, tmp_path: Path) -> None:
    """A file that is as the page says and yet no database leaves what is there, also by force."""
    folder = tmp_path / "copy"
    made = await make(settings, folder, key_password=PASSWORD)
    file = folder / made.database_file
    file.write_bytes(b"This is no database. " * 1000)
    files = {**made.files, file.name: manifest.file_of(file)}
    manifest.write(folder, msgspec.structs.replace(made, files=files))
    with pytest.raises(SettingsError, match=r"not a database|pg_restore failed with code 1"):
        await restore(settings, folder, force=True, key_password=PASSWORD)
    assert await slugs(settings) == ["daily", "weekly"]
    assert set(names_in(settings.home)) <= {"secret.key", "colloquy.db", "serve.lock"}


async def test_a_failed_backup_leaves_nothing(settings: Settings, tmp_path: Path) -> None:
    """A folder with something in it is not touched, and a key that is not the database's gives no backup."""
    folder = tmp_path / "copy"
    wrong = settings_of(settings.home, settings.database, SECRET_KEY="another-key" * 4)
    with pytest.raises(SettingsError, match="SECRET_KEY"):
        await make(wrong, folder, key_password=None)
    assert names_in(folder) == []
    (folder / "mine").write_text("mine")
    with pytest.raises(SettingsError, match="is not empty"):
        await make(settings, folder, key_password=None)
    assert names_in(folder) == ["mine"]


async def test_a_backup_of_before_an_upgrade(tmp_path: Path, database_kind: str, request: pytest.FixtureRequest,
                                             elsewhere: str) -> None:  # fmt: skip
    """Tables of an older version are backed up as they are, and brought to this version's while they are restored."""
    folder = tmp_path / "copy"
    old, other = settings_of(tmp_path / "old", elsewhere), settings_of(tmp_path / "other", elsewhere)
    old.home.mkdir(mode=0o700)
    secret_key_of(old)
    await migrate_to("0010", old.database)
    made = await make(old, folder, key_password=PASSWORD)
    assert (made.migration, dict(made.chains)) == ("0010", {})
    done = await restore(other, folder, force=bool(elsewhere), key_password=PASSWORD)
    assert done.migration == await revision_of(other.database) != made.migration
    assert done.is_whole


async def migrate_to(revision: str, url: str) -> None:
    """Bring a database to the tables of an older version."""
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        config = alembic_config(url)

        def run(sync: sa.Connection) -> None:
            config.attributes["connection"] = sync
            command.upgrade(config, revision)

        await connection.run_sync(run)
    await engine.dispose()


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_a_copy_is_of_one_moment(settings: Settings, tmp_path: Path) -> None:
    """While another connection goes on writing pairs, no copy has half of a pair."""
    file = settings.home / "pairs.db"
    writing = sqlite3.connect(file, isolation_level=None)
    writing.execute("PRAGMA journal_mode=WAL")
    writing.execute("CREATE TABLE pairs (number INTEGER, half INTEGER)")
    stop = anyio.Event()

    async def write() -> None:
        number = 0
        while not stop.is_set():
            writing.execute("BEGIN")
            writing.executemany("INSERT INTO pairs VALUES (?, ?)", [(number, half) for half in range(2)] * 50)
            writing.execute("COMMIT")
            number += 1
            await turns(1)

    async with anyio.create_task_group() as group:
        group.start_soon(write)
        for number in range(5):
            await asyncio.to_thread(copies.copy_sqlite, file, tmp_path / f"{number}.db")
        stop.set()
    writing.close()
    for number in range(5):
        copied = sqlite3.connect(tmp_path / f"{number}.db")
        assert copied.execute("SELECT count(*) % 100 FROM pairs").fetchone() == (0,)
        copied.close()


async def test_a_copy_of_nothing_is_refused(tmp_path: Path) -> None:
    """Before the first migration there is nothing to back up, and no file is made."""
    with pytest.raises(SettingsError, match="nothing to back up yet"):
        await make(settings_of(tmp_path / "home"), tmp_path / "copy", key_password=None)
    assert names_in(tmp_path) == []


def test_a_missing_program_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where PostgreSQL's own programs are missing or too old, the package to install is named."""
    with pytest.raises(SettingsError, match="install postgresql-client-99"):
        copies.find_program("pg_dump", least=99)
    old = tmp_path / "pg_dump"
    old.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.1'\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(copies, "_PLACES", str(tmp_path))
    with pytest.raises(SettingsError, match="only that of version 9 is here"):
        copies.find_program("pg_dump", least=15)


def run(settings: Settings, *given: str) -> int:
    """Run a command in this process, and answer its exit code."""
    options = command_line._parser(admin=True).parse_args(given)
    code: int = options.run(options, settings)
    return code


def test_the_commands_say_what_they_did(
    sqlite_template: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Backup and restore are one line each, and where the key is stands on standard error in plain words."""
    home, other, copy = settings_of(tmp_path / "home"), settings_of(tmp_path / "other"), str(tmp_path / "copy")
    home.home.mkdir(mode=0o700)
    shutil.copy(sqlite_template, home.home / "colloquy.db")
    assert run(home, "backup", copy) == 0
    out, err = capsys.readouterr()
    assert "sqlite at 0" in out
    assert "the secret key is NOT in this backup" in err
    short = tmp_path / "password"
    short.write_text("short\n")
    with pytest.raises(SettingsError, match="needs 16 characters"):
        run(home, "backup", f"{copy}2", "--key-password-file", str(short))
    with pytest.raises(SettingsError, match=r"put secret\.key into"):
        run(other, "restore", copy)
    shutil.copy(home.home / "secret.key", other.home)
    assert run(other, "restore", copy) == 0
    assert "audit chains hold" in capsys.readouterr().out
