"""Kept connections that cost little: one request under way on each, and a call with its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

Done = Callable[[int, bytes], None]
"""Called with the status and the body; with status 0 when the connection went away."""
_END = b"\r\n\r\n"
_LENGTH = b"\r\ncontent-length:"


class Kept(asyncio.Protocol):
    """One connection, one request at a time; `head` is the last answer's, in small letters."""

    def __init__(self) -> None:
        self._transport: Any = None
        self._done: Done | None = None
        self._held = b""
        self._wanted: int | None = None
        self._body_at = 0
        self.is_open = False
        self.head = b""

    def connection_made(self, transport: Any) -> None:
        """Note the way out."""
        self._transport, self.is_open = transport, True

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - The protocol's signature.
        """Tell whoever waits."""
        self.is_open = False
        self._finish(0, b"")

    def send(self, request: bytes, done: Done) -> None:
        """Send a whole request, and call `done` with its answer."""
        self._done = done
        self._transport.write(request)

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Send a request and wait for status and body."""
        answered: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
        self.send(request, lambda status, body: answered.set_result((status, body)))
        return await answered

    def data_received(self, data: bytes) -> None:
        """Take a piece of an answer."""
        self._held = self._held + data if self._held else data
        if self._wanted is None and not self._has_head():
            return
        assert self._wanted is not None
        if len(self._held) >= self._wanted:
            self._finish(int(self._held[9:12]), self._held[self._body_at : self._wanted])

    def _has_head(self) -> bool:
        end = self._held.find(_END)
        if end < 0:
            return False
        self._body_at = end + len(_END)
        self.head = self._held[: end + 2].lower()
        _, found, rest = self.head.partition(_LENGTH)
        self._wanted = self._body_at + (int(rest.partition(b"\r\n")[0]) if found else 0)
        return True

    def _finish(self, status: int, body: bytes) -> None:
        done, self._done = self._done, None
        self._held, self._wanted = b"", None
        if done is not None:
            done(status, body)

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()


async def connected(port: int) -> Kept:
    """Answer an open connection to a server on loopback."""
    _, protocol = await asyncio.get_running_loop().create_connection(Kept, "127.0.0.1", port)
    return protocol


def written(
    method: str, path: str, headers: dict[str, str] | None = None, body: bytes | None = None, *, port: int = 0
) -> bytes:
    """Answer a whole request as it goes over the line."""
    given = {"host": f"127.0.0.1:{port}" if port else "127.0.0.1", **(headers or {})}
    if body is not None:
        given["content-length"] = str(len(body))
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + (body or b"")
