"""Page latency for threads of 10, 1,000 and 100,000 comments: flat within noise, whatever the size.

    python -m bench.threads [--sizes 10,1000,100000] [--rounds 300] [--database-url URL]

Built: the page is made from SQL each time, in this process (20 roots, 3 replies each). Served: over HTTP from a running
service, 8 kept connections. Sizes take turns in every round, so that a noisy moment falls on all of them.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

from bench.client import Connection
from bench.report import percentile, table, write
from bench.running import Running, running_service
from service.composition import open_context
from service.flow.context import Context
from service.flow.identify import find_site
from service.flow.page_cache import PageCache
from service.flow.read import PageWanted, thread_page
from service.settings import Settings
from service.store import sites
from service.store.database import Database
from service.store.migrate import upgrade
from tests.seeding import seed_thread

KINDS: dict[str, dict[str, Any]] = {
    "newest, first page": {"sort": "newest"},
    "newest, half way in": {"sort": "newest", "deep": True},
    "oldest, first page": {"sort": "oldest"},
    "most replies": {"sort": "replies"},
}


def main() -> None:
    """Run every part and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="10,1000,100000")
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--database-url", default="", help="PostgreSQL instead of SQLite")
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(",")]
    with tempfile.TemporaryDirectory(prefix="colloquy-bench-") as folder:
        url = options.database_url or f"sqlite+aiosqlite:///{Path(folder) / 'bench.db'}"
        upgrade(url)
        with running_service(DATABASE_URL=url) as service:
            began = time.perf_counter()
            asyncio.run(_seed(url, sizes))
            print(f"{sum(sizes):,} comments seeded in {time.perf_counter() - began:.1f} s")
            built = asyncio.run(_built(service, url, sizes, options.rounds))
            served = asyncio.run(_served(service, sizes, options.requests))
    table("Built from SQL (ms)", ["page", "comments", "p50", "p99", "bytes"], [list(row.values()) for row in built])
    header = ["comments", "requests/s", "p50 ms", "p99 ms", "304s/s"]
    table("Served over HTTP, newest first", header, [list(row.values()) for row in served])
    write("threads" if not options.database_url else "threads-postgresql", {"built": built, "served": served})


async def _seed(url: str, sizes: list[int]) -> None:
    database = Database(url)
    async with database.reading() as connection:
        site = await sites.by_slug(connection, "demo")
    assert site is not None
    for size in sizes:
        await seed_thread(database, site.id, comments=size, page=f"size-{size}")
    await database.dispose()


async def _built(service: Running, url: str, sizes: list[int], rounds: int) -> list[dict[str, Any]]:
    environment = {
        "COLLOQUY_HOME": str(service.home),
        "DATABASE_URL": url,
        "REDIS_URL": f"unix://{service.home / 'redis.sock'}",
    }
    seen: dict[tuple[str, int], list[float]] = {(kind, size): [] for kind in KINDS for size in sizes}
    lengths: dict[tuple[str, int], int] = {}
    async with open_context(Settings.from_environment(environment)) as context:
        site = await find_site(context, "demo")
        wanted = {(kind, size): await _wanted(context, site, kind, size) for kind, size in seen}
        order = list(seen)
        for number in range(rounds + 20):
            random.Random(number).shuffle(order)
            for key in order:
                cold = PageCache()
                began = time.perf_counter()
                page = (await thread_page(context, cold, site, wanted[key])).page
                if number >= 20:
                    seen[key].append((time.perf_counter() - began) * 1000)
                lengths[key] = len(page.body)
    return [
        {
            "page": kind,
            "comments": size,
            "p50_ms": percentile(found, 0.5),
            "p99_ms": percentile(found, 0.99),
            "bytes": lengths[kind, size],
        }
        for (kind, size), found in seen.items()
    ]


async def _wanted(context: Context, site: Any, kind: str, size: int) -> PageWanted:
    """Answer the page to read; the deep one goes on from a cursor in the middle of the roots."""
    first = PageWanted(f"size-{size}", KINDS[kind]["sort"], 20, 3, None)
    if not KINDS[kind].get("deep"):
        return first
    after, walked = None, 0
    while walked < size // 4:
        page = msgspec.json.decode(
            (await thread_page(context, PageCache(), site, first._replace(limit=100, after=after))).page.body
        )
        if page["next"] is None:
            break
        after, walked = page["next"], walked + 100
    return first._replace(after=after)


async def _served(service: Running, sizes: list[int], number: int) -> list[dict[str, Any]]:
    rows = []
    for size in sizes:
        path = f"/v1/sites/demo/threads/size-{size}"
        seconds, latencies = await _load(service, path, "", number)
        again, _ = await _load(service, path, "if-none-match: *\r\n", number)
        rows.append(
            {
                "comments": size,
                "per_second": number / seconds,
                "p50_ms": percentile(latencies, 0.5),
                "p99_ms": percentile(latencies, 0.99),
                "not_modified_per_second": number / again,
            }
        )
    return rows


async def _load(service: Running, path: str, headers: str, number: int) -> tuple[float, list[float]]:
    left, latencies = [number], []

    async def one_client() -> None:
        connection = Connection(service.port)
        while left[0] > 0:
            left[0] -= 1
            began = time.perf_counter()
            answer = await connection.request("GET", path, headers=headers)
            latencies.append((time.perf_counter() - began) * 1000)
            assert answer.status in (200, 304), answer.status
        await connection.close()

    began = time.perf_counter()
    await asyncio.gather(*(one_client() for _ in range(8)))
    return time.perf_counter() - began, latencies


if __name__ == "__main__":
    main()
