"""A small HTTP/1.1 client on one kept connection: a heavy one would measure itself on two cores."""

from __future__ import annotations

import asyncio
from typing import NamedTuple


class Answer(NamedTuple):
    """Status and body of one answer, and its head as it came."""

    status: int
    body: bytes
    head: str = ""

    def header(self, name: str) -> str | None:
        """Answer the value of a header."""
        lines = (line.partition(":") for line in self.head.split("\r\n")[1:])
        return next((value.strip() for key, _, value in lines if key.lower() == name), None)


class Connection:
    """One kept connection to a server on loopback."""

    def __init__(self, port: int, address: str | None = None) -> None:
        """Take the server's port, and the loopback address to come from."""
        self._port = port
        self._from = (address, 0) if address else None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def request(self, method: str, path: str, body: bytes = b"", headers: str = "") -> Answer:
        """Send one request and read its answer; raises ConnectionError when the server goes away."""
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, local_addr=self._from)
        assert self._reader is not None
        head = f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {len(body)}\r\n{headers}\r\n"
        self._writer.write(head.encode() + body)
        try:
            answered = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.IncompleteReadError as error:
            self._writer = None
            raise ConnectionError from error
        lines = answered.split("\r\n")
        length = next((int(line[15:]) for line in lines if line.lower().startswith("content-length:")), 0)
        found = await self._reader.readexactly(length) if length else b""
        return Answer(int(lines[0].split(" ")[1]), found, answered)

    async def close(self) -> None:
        """Close the connection."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
