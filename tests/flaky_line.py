"""A line between a client and a server that is cut now and then, before, within or after what is said on it."""

from __future__ import annotations

import asyncio
import contextlib
from random import Random
from types import TracebackType
from typing import Self


class FlakyLine:
    """Listens on a port of its own and passes on to another; of all connections a share is cut after some bytes."""

    def __init__(self, to_port: int, *, cut_share: float, seed: int = 1) -> None:
        self._to_port = to_port
        self._cut_share = cut_share
        self._random = Random(seed)
        self._server: asyncio.Server | None = None
        self._lines: set[asyncio.Task[None]] = set()
        self.cuts = 0

    @property
    def port(self) -> int:
        """Where to connect."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for line in self._lines:
            line.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._lines.add(task)
        try:
            await self._pass_on(reader, writer)
        finally:
            self._lines.discard(task)
            writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._to_port)
        except OSError:
            return
        cut = self._random.random() < self._cut_share
        # Most of what is said one way is a few hundred bytes: some cuts fall before the answer, some into it.
        room = self._random.randrange(1, 4_000) if cut else None
        try:
            both = [asyncio.create_task(_copy(reader, back, room)), asyncio.create_task(_copy(there, writer, room))]
            try:
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for one in both:
                    one.cancel()
                await asyncio.gather(*both, return_exceptions=True)
        finally:
            self.cuts += cut
            back.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, room: int | None) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            if room is not None and len(data) >= room:
                writer.write(data[:room])
                await writer.drain()
                return
            room = None if room is None else room - len(data)
            writer.write(data)
            await writer.drain()
