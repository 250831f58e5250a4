"""Open streams of readers on one API process: how long an event takes to all of them, and what a stream costs.

    python -m bench.live [--streams 2000] [--events 60] [--every 0.5] [--slow-seconds 40]

A told event is timed from just before it is handed to Redis until each reader has it; readers, service and Redis share
the machine. First everybody reads; then one more listens to another page, is told 200 large events a second and takes
none of them.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import time
from functools import partial
from pathlib import Path
from typing import Any

from bench.client import Connection
from bench.report import percentile, table, write
from bench.running import Running, running_service
from service.composition import open_context
from service.flow import live_news
from service.flow.context import Context
from service.flow.identify import find_site
from service.queue.fanout import News
from service.settings import Settings
from service.store import threads

PAGE, SLOW_PAGE = "bench-live", "bench-live-slow"
LARGE = "x" * 8_000
OPENED_AT_ONCE = 50
_TICKS = os.sysconf("SC_CLK_TCK")


class Reader(asyncio.Protocol):
    """One open stream; it notes when each numbered event came."""

    def __init__(self, port: int, page: str) -> None:
        self._request = f"GET /v1/sites/demo/threads/{page}/live HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n"
        self.is_open = asyncio.get_running_loop().create_future()
        self.came: dict[int, float] = {}
        self.status = b""
        self.waits_for = -1
        self._has = asyncio.Event()
        self._rest = b""

    def connection_made(self, transport: Any) -> None:
        """Ask for the stream."""
        self.transport = transport
        transport.write(f"{self._request}accept: text/event-stream\r\n\r\n".encode())

    def data_received(self, data: bytes) -> None:
        """Note what came."""
        now, data = time.perf_counter(), self._rest + data
        self.status = self.status or data[9:12]
        if not self.is_open.done() and b"event: thread" in data:
            self.is_open.set_result(self.status == b"200")
        *whole, self._rest = data.split(b"\n\n")
        for event in whole:
            _, found, number = event.partition(b'"number":')
            if found:
                self.came[int(number.partition(b"}")[0])] = now
                if self.waits_for in self.came:
                    self._has.set()

    async def has(self, number: int) -> None:
        """Wait until this event came, and with it all before it."""
        self.waits_for = number
        if number not in self.came:
            self._has.clear()
            async with asyncio.timeout(30):
                await self._has.wait()


def main() -> None:
    """Run every part and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=2_000)
    parser.add_argument("--events", type=int, default=60)
    parser.add_argument("--every", type=float, default=0.5)
    parser.add_argument("--slow-seconds", type=float, default=40)
    options = parser.parse_args()
    many = str(options.streams + 100)
    with running_service(LIVE_STREAMS=many, LIVE_STREAMS_PER_NETWORK=many) as service:
        figures = asyncio.run(_run(service, options))
    header = ["readers", "events", "p50 ms", "p99 ms", "longest ms", "CPU us for each reader's event"]
    table("From telling to every reader", header, [list(row.values()) for row in figures["latency"]])
    table(
        "A stream's memory in the API process",
        ["streams", "KiB each", "opened in s"],
        [list(figures["memory"].values())],
    )
    table(
        "The reader that takes nothing",
        ["events told to it", "API process grew by MiB"],
        [list(figures["slow"].values())],
    )
    write("live", figures)


async def _run(service: Running, options: Any) -> dict[str, Any]:
    environment = {"COLLOQUY_HOME": str(service.home), "REDIS_URL": f"unix://{service.home / 'redis.sock'}"}
    async with open_context(Settings.from_environment(environment)) as context:
        topics = [await _topic(service, context, page) for page in (PAGE, SLOW_PAGE)]
        process = service.children()["api"]
        worker = max((*_children(process), process), key=_resident)
        await asyncio.gather(*[reader.is_open for reader in await _opened(service, 10)])
        before, began = _resident(worker), time.perf_counter()
        readers = await _opened(service, options.streams)
        opened_in = time.perf_counter() - began
        each = (_resident(worker) - before) / options.streams / 1024
        rows = [await _told(context, worker, topics[0], readers, options.events, options.every, 0)]
        slow, rows_slow = await _with_a_slow_one(service, context, worker, topics, readers, options)
    latency = [
        {"readers": f"{options.streams:,}", **rows[0]},
        {"readers": "beside one that takes nothing", **rows_slow},
    ]
    memory = {"streams": options.streams, "kib_each": each, "opened_in_seconds": opened_in}
    return {"latency": latency, "memory": memory, "slow": slow}


async def _topic(service: Running, context: Context, page: str) -> str:
    """Make the thread of a page and answer the topic of its comments."""
    connection = Connection(service.port)
    body = b'{"body": "A civil opinion to begin with."}'
    path, headers = f"/v1/sites/demo/threads/{page}/comments", "content-type: application/json\r\n"
    answer = await connection.request("POST", path, body, headers + "prefer: wait=10\r\n")
    assert answer.status in (201, 202), answer
    await connection.close()
    site = await find_site(context, "demo")
    async with context.database.reading() as reading:
        thread = await threads.by_page(reading, site.id, page)
    assert thread is not None
    return live_news.thread_topic(thread.id)


async def _opened(service: Running, number: int) -> list[Reader]:
    loop, readers = asyncio.get_running_loop(), list[Reader]()
    for first in range(0, number, OPENED_AT_ONCE):
        some = [Reader(service.port, PAGE) for _ in range(min(OPENED_AT_ONCE, number - first))]
        for reader in some:
            await loop.create_connection(partial(_itself, reader), "127.0.0.1", service.port)
        assert all(await asyncio.gather(*(reader.is_open for reader in some)))
        readers += some
    return readers


def _itself(reader: Reader) -> Reader:
    return reader


async def _told(
    context: Context, worker: int, topic: str, readers: list[Reader], events: int, every: float, first: int
) -> dict[str, Any]:
    """Tell events and answer how long they took to everybody."""
    told: dict[int, float] = {}
    busy = _cpu_seconds(worker)
    for number in range(first, first + events):
        told[number] = time.perf_counter()
        await context.fanout.publish([News(topic, live_news.COMMENT, {"id": "0" * 36, "number": number})])
        await asyncio.sleep(every)
    await asyncio.gather(*(reader.has(max(told)) for reader in readers))
    busy = _cpu_seconds(worker) - busy
    took = [(reader.came[number] - at) * 1000 for reader in readers for number, at in told.items()]
    return {
        "events": events,
        "p50_ms": percentile(took, 0.5),
        "p99_ms": percentile(took, 0.99),
        "longest_ms": max(took),
        "cpu_us_each": busy / len(took) * 1e6,
    }


async def _with_a_slow_one(
    service: Running, context: Context, worker: int, topics: list[str], readers: list[Reader], options: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Let one listen and take nothing while the others are timed again."""
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    deaf.connect(("127.0.0.1", service.port))
    path = f"/v1/sites/demo/threads/{SLOW_PAGE}/live"
    deaf.sendall(f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: text/event-stream\r\n\r\n".encode())
    before, began, told = _resident(worker), time.perf_counter(), 0

    async def flood() -> None:
        nonlocal told
        while time.perf_counter() - began < options.slow_seconds:
            large = [News(topics[1], live_news.COMMENT, {"id": "0" * 36, "text": LARGE}) for _ in range(20)]
            await context.fanout.publish(large)
            told += len(large)
            await asyncio.sleep(0.1)

    flooding = asyncio.create_task(flood())
    events = int(options.slow_seconds / options.every * 0.8)
    row = await _told(context, worker, topics[0], readers, events, options.every, 1_000_000)
    grew = (_resident(worker) - before) / 2**20
    await flooding
    deaf.close()
    return {"events": told, "grew_mib": grew}, row


def _children(process: int) -> list[int]:
    found = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [int(one) for one in found]


def _resident(process: int) -> int:
    pages = Path(f"/proc/{process}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


if __name__ == "__main__":
    main()
