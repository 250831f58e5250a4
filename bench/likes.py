"""A storm of likes on a thread that is read: what each way of turning the thread's version costs readers.

    python -m bench.likes [--seconds 60] [--likes 20] [--reads 100] [--comments 1000] [--database-url URL]

Time is made up, so that a minute of a storm takes as long as its work, and what is measured is the processor's time.
Each second so many likes and reads of the first page are mixed; one reader among them asks every second whether the
page changed.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from bench.report import percentile, table, write
from service.composition import open_offline
from service.flow import react
from service.flow.context import Context
from service.flow.identify import Commenter, add_guest, find_site, new_guest
from service.flow.page_cache import PageCache
from service.flow.read import PageWanted, thread_page
from service.flow.sanitise import hash_of
from service.settings import Settings
from service.store import threads
from service.store.database import Database
from service.store.migrate import upgrade
from service.store.types import Row
from tests.seeding import START, seed_site, seed_thread

TURNS = (0.0, 3.0, 10.0)
_READERS = 300
_WANTED = PageWanted("page", "newest", 20, 3, None)


def main() -> None:
    """Run each way and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--likes", type=int, default=20, help="a second")
    parser.add_argument("--reads", type=int, default=100, help="a second")
    parser.add_argument("--comments", type=int, default=1000)
    parser.add_argument("--database-url", default="", help="an empty PostgreSQL database instead of SQLite")
    options = parser.parse_args()
    rows = [asyncio.run(_storm(options, turn, hash_of(str(turn))[:8])) for turn in TURNS]
    table(
        f"{options.likes} likes and {options.reads} reads a second",
        ["turn s", "pages built", "reading, CPU ms a second", "changed for one reader", "like, CPU ms"],
        [list(row.values()) for row in rows],
    )
    write("likes" if not options.database_url else "likes-postgresql", {"turns": rows, "options": vars(options)})


async def _storm(options: argparse.Namespace, turn: float, slug: str) -> dict[str, Any]:
    threads.LIKES_TURN_SECONDS = turn
    now = [START + timedelta(days=1)]
    with tempfile.TemporaryDirectory(prefix="colloquy-bench-") as folder:
        url = options.database_url or f"sqlite+aiosqlite:///{Path(folder) / 'bench.db'}"
        await asyncio.to_thread(upgrade, url)
        database = Database(url)
        await seed_thread(database, await seed_site(database, slug), comments=options.comments, commenters=_READERS)
        await database.dispose()
        settings = Settings.from_environment({"COLLOQUY_HOME": folder, "DATABASE_URL": url})
        async with open_offline(settings) as opened:
            context = _at(opened, now)
            site = await find_site(context, slug)
            readers = [await _reader(context, site) for _ in range(_READERS)]
            return await _seconds(context, site, readers, options, turn, now)


def _at(context: Context, now: list[datetime]) -> Context:
    return replace(context, now=lambda: now[0])


async def _reader(context: Context, site: Row) -> Commenter:
    reader = new_guest(context, None)
    async with context.database.writing() as connection:
        await add_guest(connection, site.id, reader, context.now())
    return reader


async def _seconds(
    context: Context,
    site: Row,
    readers: list[Commenter],
    options: argparse.Namespace,
    turn: float,
    now: list[datetime],
) -> dict[str, Any]:
    chance, cache = random.Random(1), PageCache()
    page = msgspec.json.decode((await thread_page(context, cache, site, _WANTED)).page.body)
    liked = [comment["id"] for comment in page["comments"]]
    reads, likes, built, changed, before, asked = [], [], 0, 0, None, None
    for _ in range(options.seconds):
        steps = ["like"] * options.likes + ["read"] * options.reads
        chance.shuffle(steps)
        for step in steps:
            now[0] += timedelta(seconds=1 / len(steps))
            began = time.process_time()
            if step == "like":
                await react.like(context, site, chance.choice(readers), chance.choice(liked))
                likes.append((time.process_time() - began) * 1000)
                continue
            rendered = (await thread_page(context, cache, site, _WANTED)).page
            reads.append((time.process_time() - began) * 1000)
            built, before = built + (rendered is not before), rendered
        changed, asked = changed + (before is not None and before.etag != asked), before.etag if before else None
    return {
        "turn_seconds": turn,
        "built": built,
        "reading_ms_a_second": sum(reads) / options.seconds,
        "changed_of_asked": f"{changed} of {options.seconds}",
        "like_ms": percentile(likes, 0.5),
    }


if __name__ == "__main__":
    main()
