"""The traffic of a busy site, in a process of its own: at a constant rate of arrivals, or as fast as answers come.

    python -m bench.traffic ORDER.json

At a constant rate a request is due when it is planned, whatever became of those before, and its latency counts from
that moment: a server that stalls is not asked less, and nothing of its stall is left out.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from array import array
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import uvloop

from bench.kept import Kept, connected, written
from bench.measures import mixed, planned, summary
from bench.mix import WANTED, WEIGHTS, Asked, Mix
from bench.tally import Tally

CONNECTIONS, SUBMITTING = 64, 64
_STREAMS = 20
_PAUSE_SECONDS = 1.0
_LAST_ANSWERS_SECONDS = 15.0
_WARM_UP_SECONDS = 5.0
_AT_ONCE = 16


class Pool:
    """Connections that take requests in turn; what finds none free waits in line."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._free: deque[Kept] = deque()
        self._line: deque[tuple[bytes, Callable[[Kept, int], None]]] = deque()
        self._opening: set[asyncio.Task[None]] = set()
        self.under_way = 0
        self.idle = asyncio.Event()
        self.idle.set()

    async def open(self, number: int) -> None:
        """Open so many connections."""
        for _ in range(number):
            self._free.append(await connected(self._port))

    def send(self, request: bytes, done: Callable[[Kept, int], None]) -> None:
        """Send a request as soon as a connection is free."""
        self.under_way += 1
        self.idle.clear()
        self._line.append((request, done))
        self._go_on()

    def _go_on(self) -> None:
        while self._line and self._free:
            connection = self._free.popleft()
            if not connection.is_open:
                self._replace()
                continue
            request, done = self._line.popleft()
            connection.send(request, self._returning(connection, done))

    def _returning(self, connection: Kept, done: Callable[[Kept, int], None]) -> Callable[[int, bytes], None]:
        def back(status: int, _body: bytes) -> None:
            self.under_way -= 1
            self._free.append(connection)
            done(connection, status)
            self._go_on()
            if not self.under_way:
                self.idle.set()

        return back

    def _replace(self) -> None:
        task = asyncio.get_running_loop().create_task(self._another())
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _another(self) -> None:
        await asyncio.sleep(0.1)
        await self.open(1)
        self._go_on()


class Stream(asyncio.Protocol):
    """A reader with a thread open, who is told what happens in it."""

    def __init__(self, page: str) -> None:
        self._page = page
        self.events = 0
        self.is_open = False

    def itself(self) -> Stream:
        """Answer the protocol of its connection."""
        return self

    def connection_made(self, transport: Any) -> None:
        """Ask for the stream."""
        self.is_open = True
        transport.write(written("GET", f"/v1/sites/demo/threads/{self._page}/live", {"accept": "text/event-stream"}))

    def data_received(self, data: bytes) -> None:
        """Count what comes."""
        self.events += data.count(b"event: ")

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - The protocol's signature.
        """Note that it broke off."""
        self.is_open = False


class Traffic:
    """One run of the mix against one server."""

    def __init__(self, order: dict[str, Any]) -> None:
        chosen = random.Random(order["seed"])
        self._order, self._chosen = order, chosen
        self._mix, self._kinds = Mix(order["pages"], chosen), mixed(WEIGHTS, chosen)
        self._reading, self._writing = Pool(order["port"]), Pool(order["port"])
        self._late: array[float] = array("d")
        self._began = 0.0
        self.tally = Tally()

    async def run(self) -> dict[str, Any]:
        """Send the traffic and answer what was seen."""
        await self._reading.open(CONNECTIONS)
        await self._writing.open(SUBMITTING)
        streams = [Stream(self._order["pages"][0]) for _ in range(_STREAMS)]
        for stream in streams:
            await asyncio.get_running_loop().create_connection(stream.itself, "127.0.0.1", self._order["port"])
        moderator = asyncio.create_task(self._moderate())
        self._began = time.perf_counter()
        await (self._at_constant_rate() if self._order["rate"] else self._as_fast_as_answered())
        lasted = time.perf_counter() - self._began
        moderator.cancel()
        live = {
            "streams": len(streams),
            "events": sum(one.events for one in streams),
            "lost": sum(not one.is_open for one in streams),
        }
        return {
            "seconds": lasted, "answered": self.tally.answered, "kinds": self.tally.kinds(),
            "minutes": self.tally.minutes(), "late": summary(self._late), "live": live,
        }  # fmt: skip

    async def _at_constant_rate(self) -> None:
        for number, due in enumerate(planned(self._order["rate"], self._order["seconds"], self._chosen)):
            at = self._began + due
            if (wait := at - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            elif number % _AT_ONCE == 0:
                # Behind its plan, it still has to take the answers.
                await asyncio.sleep(0)
            self._late.append(max(0.0, time.perf_counter() - at) * 1000)
            self._send(self._mix.next(next(self._kinds)), at)
        await self._last_answers()

    async def _last_answers(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_ANSWERS_SECONDS):
                await self._reading.idle.wait()
                await self._writing.idle.wait()
        for pool, kind in ((self._reading, "read"), (self._writing, "decided")):
            for _ in range(pool.under_way):
                self.tally.fail(kind, 0)

    async def _as_fast_as_answered(self) -> None:
        """Let so many clients ask, each when it has been answered; the first seconds do not count."""
        warm, end = self._began + _WARM_UP_SECONDS, self._began + _WARM_UP_SECONDS + self._order["seconds"]

        def again() -> None:
            now = time.perf_counter()
            if now < end:
                kind = next(self._kinds)
                # Who is not told of the decision would go on while a backlog grows, which no rate of arrivals can keep.
                asked = self._mix.next("decided" if kind == "submitted" else kind)
                self._send(asked, now, again, counts_from=warm)

        for _ in range(self._order["clients"]):
            again()
        await asyncio.sleep(end - time.perf_counter())

    def _send(
        self, asked: Asked, due: float, after: Callable[[], None] | None = None, *, counts_from: float = 0.0
    ) -> None:
        def done(connection: Kept, status: int) -> None:
            now = time.perf_counter()
            if status not in WANTED[asked.kind]:
                self.tally.fail(asked.kind, status)
            elif now >= counts_from:
                self.tally.note(asked.kind, due - self._began, (now - due) * 1000)
            if status == 200 and asked.kind in ("read", "revalidated"):
                self._mix.remember(asked, connection.head)
            if after is not None:
                after()

        pool = self._writing if asked.kind in ("submitted", "decided") else self._reading
        pool.send(asked.request, done)

    async def _moderate(self) -> None:
        """Claim what waits and approve it, one after the other, with a pause between."""
        connection = await connected(self._order["port"])
        headers = {"authorization": f"Bearer {self._order['moderator_token']}", "content-type": "application/json"}
        while True:
            began = time.perf_counter()
            claim = written("POST", "/v1/review/demo/claims", headers, b'{"limit": 1}')
            status, body = await connection.ask(claim)
            items = json.loads(body)["items"] if status == 200 else []
            if items:
                status = await self._approve(connection, headers, items[0])
            if status != 200:
                self.tally.fail("moderator", status)
                connection = connection if connection.is_open else await connected(self._order["port"])
            elif items:
                self.tally.note("moderator", began - self._began, (time.perf_counter() - began) * 1000)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _approve(self, connection: Kept, headers: dict[str, str], item: dict[str, Any]) -> int:
        wanted = {"lease": item["lease"]["token"], "revision": item["revision"], "action": "approve"}
        path = f"/v1/review/demo/items/{item['item_id']}/decision"
        status, _ = await connection.ask(written("POST", path, headers, json.dumps(wanted).encode()))
        return status


def main() -> None:
    """Read the order, send the traffic and print what was seen."""
    order = json.loads(Path(sys.argv[1]).read_text())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(Traffic(order).run())))


if __name__ == "__main__":
    main()
