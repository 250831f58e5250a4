"""Whoever is cancelled while Redis keeps it waiting ends as cancelled, and a stop is prompt."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.queue.client import connect, connect_blocking
from service.queue.live import DecisionHub
from service.queue.review import ReviewQueue
from service.queue.scoring import ScoringStream
from tests.eventually import eventually

pytestmark = pytest.mark.anyio

ROUNDS = 20


class MuteServer:
    """Accepts connections on a unix socket, reads what comes and answers nothing."""

    def __init__(self, path: Path) -> None:
        self.url = f"unix://{path}"
        self.path = path
        self.heard = 0

    async def listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Count what one connection says, to its end."""
        while await reader.read(1024):
            self.heard += 1
        writer.close()

    async def hears_more(self) -> None:
        """Return once something new was said."""
        before = self.heard
        await eventually(lambda: self.heard > before)


@pytest.fixture
async def mute(tmp_path: Path) -> AsyncIterator[MuteServer]:
    """A server that never answers."""
    server = MuteServer(tmp_path / "mute.sock")
    listening = await asyncio.start_unix_server(server.listen, server.path)
    yield server
    listening.close()


async def cancelled_in_the_middle(task: asyncio.Task[object], server: MuteServer) -> bool:
    """Cancel the task, once, as soon as it has said something, and wait for its end."""
    await server.hears_more()
    task.cancel()
    await asyncio.wait((task,))
    return task.cancelled()


async def test_cancelled_call_ends(mute: MuteServer) -> None:
    """A call that is cancelled while it connects ends as cancelled and not with an answer or another error."""
    client = connect(mute.url)
    for _ in range(ROUNDS):
        task: asyncio.Task[object] = asyncio.create_task(ReviewQueue(client).counts("site"))
        assert await cancelled_in_the_middle(task, mute)
    await client.aclose()


async def test_cancelled_loop_ends(mute: MuteServer) -> None:
    """A worker's loop that fetches for ever and lives through outages is ended by one cancellation."""
    client, blocking = connect(mute.url), connect_blocking(mute.url)
    stream = ScoringStream(client, blocking, consumer="one")

    async def work() -> None:
        while True:
            await stream.fetch(1, 2000)

    for _ in range(ROUNDS):
        task: asyncio.Task[object] = asyncio.create_task(work())
        assert await cancelled_in_the_middle(task, mute)
    await client.aclose()
    await blocking.aclose()


async def test_hub_stops_while_it_connects(mute: MuteServer) -> None:
    """A hub that is stopped in the middle of connecting stops at once."""
    client = connect_blocking(mute.url)
    for _ in range(ROUNDS):
        hub = DecisionHub(client)
        starting = asyncio.create_task(hub.start())
        await mute.hears_more()
        async with asyncio.timeout(10):
            await hub.stop()
            await starting
        assert not hub.connected
    await client.aclose()
