"""The API in a process of its own, as it is served, on the parts of a test; and a client of its event streams."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx

from service.settings import Settings
from tests.eventually import eventually

SETTINGS = (
    "colloquy_home", "database_url", "redis_url", "redis_prefix", "secret_key",
    "live_streams", "live_streams_per_network",
)  # fmt: skip
WITHIN_SECONDS = 20.0
START_SECONDS = 60.0


class Event(NamedTuple):
    """One event of a stream; a ping has no name."""

    name: str
    data: Any
    id: str | None


class Stream:
    """An open stream, read event by event."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()

    async def next(self) -> Event:
        """Answer the next event or ping; raises StopAsyncIteration at the end."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(WITHIN_SECONDS):
            async for line in self._lines:
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif fields.keys() - {"retry"}:
                    return Event(fields.get("event", ""), json.loads(fields.get("data", "null")), fields.get("id"))
        raise StopAsyncIteration

    async def until(self, name: str, **data: Any) -> Event:
        """Answer the next event of this name that holds these fields, passing over others."""
        while True:
            event = await self.next()
            if event.name == name and all(event.data.get(key) == value for key, value in data.items()):
                return event

    async def ends(self) -> None:
        """Read to the end, which must come."""
        try:
            while True:
                await self.next()
        except StopAsyncIteration:
            return


class LiveServer:
    """A running API process."""

    def __init__(self, settings: Settings) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        given = {name.upper(): str(getattr(settings, name)) for name in SETTINGS}
        more = {"PORT": str(port), "HOST": "127.0.0.1", "LOG_LEVEL": "ERROR", "PATH": os.environ["PATH"]}
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=WITHIN_SECONDS)
        self.process = subprocess.Popen([sys.executable, "-m", "service", "api"], env=given | more)

    async def is_up(self) -> bool:
        """Answer whether it serves."""
        try:
            return (await self.client.get("/health/live")).status_code == 200
        except httpx.TransportError:
            return False

    @asynccontextmanager
    async def stream(self, path: str, token: str | None = None, **headers: str) -> AsyncIterator[Stream]:
        """Open a stream."""
        who = {"authorization": f"Bearer {token}"} if token is not None else {}
        sent = {"accept": "text/event-stream", **who, **headers}
        async with self.client.stream("GET", path, headers=sent) as answer:
            yield Stream(answer)

    async def stop(self) -> int:
        """Ask it to stop as a supervisor does, and answer its exit code."""
        self.process.send_signal(signal.SIGTERM)
        await eventually(lambda: self.process.poll() is not None, WITHIN_SECONDS)
        return self.process.wait()


@asynccontextmanager
async def live_server(settings: Settings) -> AsyncIterator[LiveServer]:
    """Run an API process until the block ends."""
    server = LiveServer(settings)
    try:
        await eventually(server.is_up, START_SECONDS)
        yield server
    finally:
        await server.client.aclose()
        server.process.kill()
        server.process.wait()
