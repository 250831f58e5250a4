"""Real databases for tests: a migrated file or database, copied for each test; the same contract on both."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from service.store.database import Database
from service.store.migrate import upgrade
from tests.programs import need_program

_PLACES = "/usr/lib/postgresql/*/bin/"
BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


def in_thread(call: Callable[..., Any], *arguments: Any) -> Any:
    """Call where no event loop runs: a session's fixture may first be asked for by an asynchronous one."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(call, *arguments).result()


class PostgreSql:
    """A cluster of our own on a free loopback port, with the durability that tests do not need switched off."""

    def __init__(self, home: Path) -> None:
        self._initdb = need_program("initdb", _PLACES + "initdb", package="postgresql")
        self._postgres = need_program("postgres", _PLACES + "postgres", package="postgresql")
        self._home = home
        # PostgreSQL refuses to run as root, as CI does.
        self._user = "postgres" if os.getuid() == 0 else None
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Make the cluster and wait until it answers."""
        data = self._home / "data"
        if self._user:
            shutil.chown(self._home, self._user)
        run: dict[str, Any] = {
            "user": self._user,
            "stdout": subprocess.DEVNULL,
            "stderr": subprocess.DEVNULL,
            "cwd": "/",
        }
        subprocess.run(
            [self._initdb, "-D", str(data), "-U", "colloquy", "-A", "trust", "-E", "UTF8", "--no-sync"],
            check=True,
            **run,
        )
        self._command, self._run = self._command_of(data), run
        self._launch()

    def _command_of(self, data: Path) -> list[str]:
        options = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200"]
        command = [self._postgres, "-D", str(data), "-p", str(self.port), "-h", "127.0.0.1", "-k", ""]
        for option in options:
            command += ["-c", option]
        return command

    def _launch(self) -> None:
        self._process = subprocess.Popen(self._command, **self._run)
        in_thread(asyncio.run, self._wait())

    async def _wait(self) -> None:
        async with asyncio.timeout(30):
            while True:
                try:
                    connection = await asyncpg.connect(self.dsn("postgres"))
                except (OSError, asyncpg.PostgresError):
                    await asyncio.sleep(0.05)
                else:
                    await connection.close()
                    return

    def dsn(self, name: str) -> str:
        """Answer the address of a database for asyncpg."""
        return f"postgresql://colloquy@127.0.0.1:{self.port}/{name}"

    def url(self, name: str) -> str:
        """Answer the address of a database for the service."""
        return f"postgresql+asyncpg://colloquy@127.0.0.1:{self.port}/{name}"

    async def execute(self, statement: str) -> None:
        """Run a statement on the cluster."""
        connection = await asyncpg.connect(self.dsn("postgres"))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    def restart(self) -> None:
        """End it as a crash does, every connection with it, and start it again on the same data."""
        assert self._process is not None
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait()
        self._launch()

    def stop(self) -> None:
        """End the cluster; its data goes with the folder."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSql]:
    """One cluster for the session, with a migrated template."""
    # Not among pytest's folders: each session that starts closes those of all others to the server's user.
    with tempfile.TemporaryDirectory(prefix="colloquy-postgresql-", ignore_cleanup_errors=True) as home:
        cluster = PostgreSql(Path(home))
        cluster.start()
        in_thread(asyncio.run, cluster.execute("CREATE DATABASE template_colloquy"))
        in_thread(upgrade, cluster.url("template_colloquy"))
        yield cluster
        cluster.stop()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    in_thread(upgrade, f"sqlite+aiosqlite:///{path}")
    return path


@pytest.fixture(params=BOTH)
def database_kind(request: pytest.FixtureRequest) -> str:
    """`sqlite` and `postgresql`, one after the other; override it to name one."""
    return str(request.param)


@pytest.fixture
async def database_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """The address of a migrated, empty database of this test's own."""
    if database_kind == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        path = tmp_path / "colloquy.db"
        shutil.copy(template, path)
        yield f"sqlite+aiosqlite:///{path}"
        return
    cluster: PostgreSql = request.getfixturevalue("postgresql")
    name = f"test_{uuid.uuid4().hex}"
    await cluster.execute(f"CREATE DATABASE {name} TEMPLATE template_colloquy")
    yield cluster.url(name)
    await cluster.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The store's own view of that database."""
    opened = Database(database_url, readers=3)
    yield opened
    await opened.dispose()
