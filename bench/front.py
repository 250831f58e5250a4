"""What stands before a comment service on the internet: a proxy that compresses; and the publisher's own pages."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

#: As nginx's `gzip_types` for what a comment service answers, at the level that proxies use.
_COMPRESSED = ("text/", "application/json", "application/javascript", "application/xml")
_STREAM = "text/event-stream"
_LEVEL = 6
_HTML = "text/html; charset=utf-8"


class Front:
    """One origin: pages by their path, and services by the beginning of a path, which is taken away."""

    def __init__(self) -> None:
        self.url = ""
        self.pages: dict[str, str] = {}
        self.services: dict[str, int] = {}

    @classmethod
    @asynccontextmanager
    async def of(cls, service: int | None = None) -> AsyncIterator[Self]:
        """Serve on a free port until the block ends, with one service for every path if its port is given."""
        front = cls()
        if service is not None:
            front.services[""] = service
        server = await asyncio.start_server(front._serve, "127.0.0.1", 0)
        front.url = f"http://localhost:{server.sockets[0].getsockname()[1]}"
        try:
            yield front
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._answer(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, _, headers = request.partition("\r\n")
        method, target, _ = line.split(" ", 2)
        path = target.partition("?")[0]
        if path in self.pages:
            await _send(writer, "HTTP/1.1 200 OK", [("content-type", _HTML)], self.pages[path].encode())
            return
        for prefix, port in self.services.items():
            if target.startswith(prefix + "/"):
                asked = f"{method} {target.removeprefix(prefix)} HTTP/1.1\r\n{_once(headers)}"
                await self._pass_on(port, asked.encode("latin-1"), reader, writer)
                return
        await _send(writer, "HTTP/1.1 404 Not Found", [], b"")

    async def _pass_on(
        self, port: int, request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Ask the service; an answer is compressed as a whole, a stream goes through as it comes."""
        inner, outer = await asyncio.open_connection("127.0.0.1", port)
        try:
            outer.write(request)
            head = (await inner.readuntil(b"\r\n\r\n")).decode("latin-1")
            status, *lines = head.strip().split("\r\n")
            headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
            known = dict(headers)
            if known.get("content-type", "").startswith(_STREAM):
                writer.write(head.encode("latin-1"))
                # A browser that goes away ends its stream.
                ends = [asyncio.create_task(_stream(inner, writer)), asyncio.create_task(reader.read())]
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                for task in ends:
                    task.cancel()
                return
            body = await _whole(inner, known)
            await _send(writer, status, headers, body)
        finally:
            outer.close()


async def _stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(4096):
        writer.write(piece)
        await writer.drain()


async def _whole(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding") == "chunked":
        pieces = []
        while size := int(await reader.readline(), 16):
            pieces.append(await reader.readexactly(size))
            await reader.readline()
        return b"".join(pieces)
    return (
        await reader.readexactly(int(headers["content-length"])) if "content-length" in headers else await reader.read()
    )


async def _send(writer: asyncio.StreamWriter, status: str, headers: list[tuple[str, str]], body: bytes) -> None:
    known = dict(headers)
    if body and known.get("content-type", "").startswith(_COMPRESSED) and "content-encoding" not in known:
        body = gzip.compress(body, _LEVEL, mtime=0)
        headers = [*headers, ("content-encoding", "gzip")]
    kept = [one for one in headers if one[0] not in ("content-length", "transfer-encoding", "connection")]
    lines = [status, *(f"{name}: {value}" for name, value in [*kept, ("content-length", str(len(body)))])]
    writer.write(("\r\n".join([*lines, "connection: close"]) + "\r\n\r\n").encode("latin-1") + body)
    await writer.drain()


def _once(headers: str) -> str:
    """Answer the headers of a request that asks for the connection's end after the answer."""
    lines = [line for line in headers.split("\r\n") if line and not line.lower().startswith("connection:")]
    return "\r\n".join([*lines, "connection: close"]) + "\r\n\r\n"
