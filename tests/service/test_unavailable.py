"""A database that cannot serve is a 503 with Retry-After, whatever way it fails; nothing else is blamed."""

import asyncio
import sqlite3
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import msgspec
import pytest

from service.composition import open_context
from service.settings import Settings
from tests.service.answers import client_of, problem
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
COMMENTS = "/v1/sites/test/threads/page/comments"


@pytest.fixture
def database_kind() -> str:
    """The databases here are made to fail; which one is written in each test."""
    return "sqlite"


@asynccontextmanager
async def on(settings: Settings, database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client on an application whose database is at this address."""
    changed = msgspec.structs.replace(settings, database_url=database_url)
    async with open_context(changed) as context, client_of(changed, context) as client:
        yield client


@asynccontextmanager
async def postgresql_that_says(code: str) -> AsyncIterator[str]:
    """Give the address of a server that refuses every connection with this SQLSTATE."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.readexactly(8)
        if struct.unpack("!II", first)[1] == 80877103:  # It asks for TLS first.
            writer.write(b"N")
            first = await reader.readexactly(8)
        fields = b"".join(
            kind + text + b"\0" for kind, text in ((b"S", b"FATAL"), (b"C", code.encode()), (b"M", b"not now"))
        )
        writer.write(b"E" + struct.pack("!I", len(fields) + 5) + fields + b"\0")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        yield f"postgresql+asyncpg://nobody@127.0.0.1:{server.sockets[0].getsockname()[1]}/none"


async def check(client: httpx.AsyncClient) -> None:
    """Check that reading, writing and moderating are unavailable, and that the process says it is not ready."""
    for answer in (
        await client.get("/v1/sites/test/threads/page"),
        await client.post(COMMENTS, json={"body": "x"}),
        await client.get("/v1/review/test/queue", headers={"authorization": "Bearer cq_x"}),
    ):
        problem(answer, "service.unavailable")
        assert int(answer.headers["retry-after"]) > 0
    ready = await client.get("/health/ready")
    assert (ready.status_code, ready.json()["status"]) == (503, "not_ready")
    assert (await client.get("/health/live")).status_code == 200


async def test_nobody_listens(settings: Settings) -> None:
    """A refused connection is a 503."""
    async with on(settings, "postgresql+asyncpg://nobody@127.0.0.1:1/none") as client:
        await check(client)


@pytest.mark.parametrize("code", ["57P03", "53300", "57P01"])
async def test_the_server_is_starting_full_or_stopping(settings: Settings, code: str) -> None:
    """A server that takes no connections for now is a 503, not a defect of ours."""
    async with postgresql_that_says(code) as url, on(settings, url) as client:
        await check(client)


async def test_the_name_leads_nowhere(settings: Settings) -> None:
    """A host that no resolver knows is a 503."""
    async with on(settings, "postgresql+asyncpg://nobody@database.invalid/none") as client:
        await check(client)


async def test_the_file_cannot_be_opened(settings: Settings, tmp_path: Path) -> None:
    """A SQLite file in a folder that is gone is a 503."""
    async with on(settings, f"sqlite+aiosqlite:///{tmp_path}/gone/colloquy.db") as client:
        await check(client)


@pytest.mark.slow
async def test_the_file_is_locked(service: Service, tmp_path: Path) -> None:
    """While another program holds the write lock, writing is a 503 and reading goes on; nothing was changed."""
    before = (await service.published("Before."))["author_token"]
    other = sqlite3.connect(tmp_path / "colloquy.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        problem(await service.call("POST", COMMENTS, as_=before, json={"body": "x"}), "service.unavailable")
        assert (await service.thread())["thread"]["count"] == 1
    finally:
        other.execute("ROLLBACK")
        other.close()
    await service.published("After.", token=before)
    assert (await service.thread())["thread"]["count"] == 2
