"""A receiver of webhooks on loopback, which answers as a test wants and keeps what it took."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks.webhooks import Webhook

from tests.raw_server import RawServer, Received, raw_server

#: How a request is answered: its number for that event (from 1) and the request; the status, and header lines.
Rule = Callable[[int, Received], "Answer"]


@dataclass(frozen=True)
class Answer:
    """A status, headers, a body, and what is wrong with the way it is sent."""

    status: int = 204
    headers: tuple[str, ...] = ()
    body: bytes = b""
    #: "": as it should be. "hang": nothing is said. "reset": the connection is cut. "slow": headers, then drop by drop.
    manner: str = ""


OK = Answer()


@dataclass
class Receiver:
    """What came, in order; `took` has those that were answered with success."""

    server: RawServer
    path: str
    rule: Rule = lambda _number, _request: OK
    requests: list[Received] = field(default_factory=list)
    took: list[Received] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where to send."""
        return self.server.url + self.path

    @property
    def ids(self) -> list[str]:
        """The ids of the events that were taken, the first time each."""
        return list(dict.fromkeys(one.headers["webhook-id"] for one in self.took))

    @property
    def events(self) -> list[dict[str, Any]]:
        """The bodies of the events that were taken, in their order."""
        return [json.loads(one.body) for one in self.took]

    @property
    def types(self) -> list[str]:
        """The names of the events that were taken."""
        return [event["type"] for event in self.events]

    def verified(self, secret: str) -> list[dict[str, Any]]:
        """Every event as a receiver's library takes it, which raises for a signature that is not right."""
        return [Webhook(secret).verify(one.body, one.headers) for one in self.took]

    async def reply(self, writer: asyncio.StreamWriter) -> None:
        """Answer the request that came last."""
        request = self.server.received[-1]
        self.requests.append(request)
        event_id = request.headers.get("webhook-id")
        number = sum(one.headers.get("webhook-id") == event_id for one in self.requests)
        answer = self.rule(number, request)
        if answer.manner == "reset":
            writer.transport.abort()
            return
        if answer.manner == "hang":
            await asyncio.Event().wait()
        if 200 <= answer.status < 300:
            self.took.append(request)
        length = len(answer.body)
        lines = [f"HTTP/1.1 {answer.status} X", f"content-length: {length}", "connection: close", *answer.headers]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        if answer.manner == "slow":
            for byte in answer.body:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.Event().wait()
        writer.write(answer.body)
        await writer.drain()


@asynccontextmanager
async def receivers(*paths: str) -> AsyncIterator[list[Receiver]]:
    """Run receivers on one port until the block ends."""
    async with raw_server() as server:
        made = [Receiver(server, path) for path in paths]
        for one in made:
            server.replies[one.path] = one.reply
        yield made
