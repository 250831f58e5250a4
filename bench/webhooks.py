"""Webhooks a second with 1 and 4 workers, the delay from commit to receipt, and a backlog that drains after an outage.

    python -m bench.webhooks [--events 20000] [--outage-events 100000] [--database sqlite|postgresql] [--only PART]

Receivers are on loopback in this process and answer 204 at once over connections that stay open; workers are processes
that only relay and deliver. Every payload is read from comments in the database and signed. One event goes to one of
eight endpoints, each of a site of its own, so that events are deliveries.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from bench.report import percentile, table, write
from service import schemas
from service.composition import open_context
from service.flow import manage_webhooks
from service.flow.context import Context
from service.flow.identify import find_site
from service.flow.relay import relay_all
from service.flow.transition import event_row
from service.settings import Settings
from service.store import outbox
from service.store.migrate import upgrade_async
from service.workers.delivering import Deliverer
from tests.database_fixture import PostgreSql, in_thread
from tests.seeding import seed_site, seed_thread

SITES = 8
COMMENTS = 500
_CHUNK = 2_000
SPEED = ("workers", "events", "seconds", "per_second", "twice")


def main() -> None:
    """Run every part and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=20_000, help="events for each number of workers")
    parser.add_argument(
        "--outage-events", type=int, default=100_000, help="events that happen while receivers are down"
    )
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="postgresql")
    parser.add_argument("--only", choices=["speed", "delay", "outage"], help="one part alone")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        asyncio.run(_work())
        return
    figures: dict[str, Any] = {"database": options.database, "sites": SITES}
    if options.only in (None, "speed"):
        figures["speed"] = [_speed(options.database, options.events, workers) for workers in (1, 4)]
        first = figures["speed"][0]["per_second"]
        table(
            f"Deliveries ({options.database}, {SITES} endpoints)",
            [*SPEED, "ratio"],
            [[*(one[name] for name in SPEED), one["per_second"] / first] for one in figures["speed"]],
        )
    if options.only in (None, "delay"):
        figures["delay"] = [_delay(options.database, rate) for rate in (20, 100)]
        table(
            "Commit to receipt, 1 worker",
            ["events/s", "events", "p50 ms", "p99 ms", "largest ms"],
            [[one["rate"], one["events"], one["p50_ms"], one["p99_ms"], one["largest_ms"]] for one in figures["delay"]],
        )
    if options.only in (None, "outage"):
        figures["outage"] = _outage(options.database, options.outage_events)
        table(
            "Receivers that were down while much happened, then back", ["what", "seen"], list(figures["outage"].items())
        )
    write("webhooks", figures)


class Receivers:
    """Answers at once, or 503 while `down`; remembers when each event came first."""

    def __init__(self) -> None:
        self.ports: list[int] = []
        self.down = False
        self.first: dict[str, float] = {}
        self.twice = 0
        self.asked = 0
        self.last = 0.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's requests."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lower = head.lower()
                await reader.readexactly(int(_header(lower, b"content-length: ")))
                self.asked += 1
                if self.down:
                    writer.write(b"HTTP/1.1 503 X\r\ncontent-length: 0\r\n\r\n")
                    continue
                self.last = time.time()
                event_id = _header(lower, b"webhook-id: ").decode()
                if event_id in self.first:
                    self.twice += 1
                self.first.setdefault(event_id, self.last)
                writer.write(b"HTTP/1.1 204 X\r\n\r\n")
        writer.close()

    async def until(self, number: int, seconds: float) -> None:
        """Wait until so many events came."""
        deadline = time.monotonic() + seconds
        while len(self.first) < number:
            if time.monotonic() > deadline:
                raise SystemExit(f"{len(self.first)} of {number} events came in {seconds:.0f} s")
            await asyncio.sleep(0.01)


def _header(head: bytes, name: bytes) -> bytes:
    _, _, rest = head.partition(name)
    return rest.partition(b"\r\n")[0]


@contextmanager
def _database(kind: str, home: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite+aiosqlite:///{home / 'colloquy.db'}"
        return
    with tempfile.TemporaryDirectory(prefix="colloquy-bench-", ignore_cleanup_errors=True) as data:
        cluster = PostgreSql(Path(data))
        in_thread(cluster.start)
        try:
            in_thread(asyncio.run, cluster.execute("CREATE DATABASE bench"))
            yield cluster.url("bench")
        finally:
            cluster.stop()


class Stage:
    """A database with sites, endpoints and comments, receivers, and workers that can be started."""

    def __init__(self, context: Context, receivers: Receivers, environment: dict[str, str]) -> None:
        self.context = context
        self.receivers = receivers
        self.comments: list[tuple[str, str, list[str]]] = []
        self._environment = environment
        self._workers: list[subprocess.Popen[bytes]] = []

    async def build(self) -> None:
        """Make sites, each with a thread of comments and an endpoint."""
        for number in range(SITES):
            site_id = await seed_site(self.context.database, f"site-{number}")
            seeded = await seed_thread(self.context.database, site_id, comments=COMMENTS, hidden_share=0)
            self.comments.append((site_id, seeded.thread_id, seeded.comment_ids))
            site = await find_site(self.context, f"site-{number}")
            url = f"http://127.0.0.1:{self.receivers.ports[number]}/"
            wanted = schemas.WebhookInput(url=url, events=["*"])
            await manage_webhooks.create(self.context, site, "bench", wanted)

    async def happen(self, first: int, number: int) -> list[str]:
        """Commit so many events about comments, in one transaction; answer their ids."""
        rows = []
        for index in range(first, first + number):
            site_id, thread_id, comment_ids = self.comments[index % SITES]
            comment_id = comment_ids[(index // SITES) % len(comment_ids)]
            rows.append(
                event_row(
                    self.context, "comment.published", site_id=site_id, thread_id=thread_id, comment_id=comment_id,
                    revision_id=None, at=self.context.now(),
                )
            )  # fmt: skip
        async with self.context.database.writing() as connection:
            await outbox.append(connection, rows)
        return [row["id"] for row in rows]

    def work(self, workers: int) -> None:
        """Start workers."""
        for _ in range(workers):
            command = [sys.executable, "-m", "bench.webhooks", "--worker"]
            self._workers.append(subprocess.Popen(command, env=self._environment))

    def end(self) -> None:
        """End the workers."""
        for worker in self._workers:
            worker.send_signal(signal.SIGTERM)
        for worker in self._workers:
            worker.wait(30)
        self._workers.clear()


@asynccontextmanager
async def _stage(database_url: str, home: Path) -> AsyncIterator[Stage]:
    receivers = Receivers()
    servers = [await asyncio.start_server(receivers.serve, "127.0.0.1", 0) for _ in range(SITES)]
    receivers.ports = [server.sockets[0].getsockname()[1] for server in servers]
    given = {
        "COLLOQUY_HOME": str(home),
        "DATABASE_URL": database_url,
        "REDIS_URL": "redis://127.0.0.1:1",
        "SECRET_KEY": "a-key-for-a-bench-that-is-long-enough",
        "WEBHOOKS_ALLOW_LOOPBACK": "1",
    }
    await upgrade_async(database_url)
    async with open_context(Settings.from_environment(given)) as context:
        stage = Stage(context, receivers, {**os.environ, **given})
        await stage.build()
        try:
            yield stage
        finally:
            stage.end()
            for server in servers:
                server.close()


def _speed(database: str, events: int, workers: int) -> dict[str, Any]:
    """Commit everything first, then let the workers relay and deliver it."""

    async def run(url: str, home: Path) -> dict[str, Any]:
        async with _stage(url, home) as stage:
            for first in range(0, events, _CHUNK):
                await stage.happen(first, min(_CHUNK, events - first))
            stage.work(workers)
            # From the first receipt on, so that the start of the processes does not count.
            await stage.receivers.until(1, 60)
            began = time.time()
            await stage.receivers.until(events, 600)
            seconds = stage.receivers.last - began
            return {
                "workers": workers,
                "events": events,
                "seconds": seconds,
                "per_second": events / seconds,
                "twice": stage.receivers.twice,
            }

    return _in_home(database, run)


def _delay(database: str, rate: int) -> dict[str, Any]:
    """Commit one event after the other at a steady rate, and see when each arrives."""

    async def run(url: str, home: Path) -> dict[str, Any]:
        async with _stage(url, home) as stage:
            stage.work(1)
            await stage.happen(0, 1)
            await stage.receivers.until(1, 60)
            committed: dict[str, float] = {}
            number = min(rate * 20, 1_000)
            began = time.monotonic()
            for index in range(number):
                await asyncio.sleep(max(0.0, began + index / rate - time.monotonic()))
                (event_id,) = await stage.happen(index, 1)
                committed[event_id] = time.time()
            await stage.receivers.until(number + 1, 60)
            delays = [1000 * (stage.receivers.first[one] - at) for one, at in committed.items()]
            return {
                "rate": rate,
                "events": number,
                "p50_ms": percentile(delays, 0.5),
                "p99_ms": percentile(delays, 0.99),
                "largest_ms": max(delays),
            }

    return _in_home(database, run)


def _outage(database: str, events: int) -> dict[str, Any]:
    """Let the endpoints be found down, let much happen, and bring the receivers back."""

    async def run(url: str, home: Path) -> dict[str, Any]:
        async with _stage(url, home) as stage:
            receivers = stage.receivers
            receivers.down = True
            stage.work(1)
            for first in range(0, events, _CHUNK):
                await stage.happen(first, min(_CHUNK, events - first))
            await relay_all(stage.context)
            wasted = receivers.asked
            receivers.down = False
            back = time.time()
            await receivers.until(1, 600)
            noticed = time.time()
            await receivers.until(events, 1_800)
            return {
                "events": events,
                "requests while down": wasted,
                "seconds until it is noticed that they are back": noticed - back,
                "seconds to drain": receivers.last - noticed,
                "deliveries per second": events / (receivers.last - noticed),
                "came twice": receivers.twice,
            }

    return _in_home(database, run)


def _in_home(database: str, run: Any) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="colloquy-bench-") as home, _database(database, Path(home)) as url:
        found: dict[str, Any] = asyncio.run(run(url, Path(home)))
        return found


async def _work() -> None:
    """Relay and deliver until a signal, as a worker does."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with open_context(Settings.from_environment(os.environ)) as context:
        deliverer = Deliverer(context, context.webhook_egress)
        while not stop.is_set():
            await deliverer.turn(stop)
        await deliverer.stop()


if __name__ == "__main__":
    main()
