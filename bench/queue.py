"""Claims and decisions per second over short and long queues, and how soon a decision shows in the thread.

    python -m bench.queue [--items 100,1000000] [--moderators 1,8,32] [--decisions 400]

Starts the whole service as `make run` does and puts open items into its database and its Redis. A moderator claims one
item and decides it, again and again, over a connection of its own; a short queue is filled up again, untimed, whenever
it is empty. Then one approves and reads the thread until the comment is there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.client import Connection
from bench.report import percentile, table, write
from bench.running import Running, running_service
from service.queue.client import connect
from service.queue.review import ReviewQueue, Standing
from service.settings import Settings
from service.store import review_items, sites
from service.store.database import Database
from tests.queue_seeding import seed_queue

_PAGE = 500
_READS = 50


class Queue:
    """The queue of the demo site, seen from behind."""

    def __init__(self, service: Running, database: Database, site_id: str) -> None:
        self.service = service
        self.database = database
        self.site_id = site_id
        self.redis = ReviewQueue(connect(f"unix://{service.home / 'redis.sock'}"))
        self.seeds = 0

    async def fill(self, number: int) -> None:
        """Add so many items to SQL, and to Redis as a sweep does."""
        self.seeds += 1
        opened_at = datetime.now(UTC) - timedelta(hours=1)
        await seed_queue(self.database, self.site_id, number, opened_at=opened_at, seed=self.seeds)
        after = None
        while True:
            async with self.database.reading() as connection:
                rows = await review_items.open_page(connection, self.site_id, after=after, limit=_PAGE)
            await self.redis.add(self.site_id, [Standing(row.id, row.order_key, row.queue) for row in rows])
            if len(rows) < _PAGE:
                break
            after = rows[-1]
        await self.redis.note_whole(self.site_id)
        await self.settle()

    async def settle(self) -> None:
        """Let what the filling wrote reach the database's file, so that nobody who decides waits for it."""
        async with self.database.writing(heavy=True) as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            await connection.rollback()
            await driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    async def empty(self) -> None:
        """Close whatever waits."""
        after = None
        while True:
            async with self.database.reading() as connection:
                rows = await review_items.open_page(connection, self.site_id, after=after, limit=_PAGE)
            if not rows:
                return
            ids = [row.id for row in rows]
            async with self.database.writing(heavy=True) as connection:
                for item_id in ids:
                    await review_items.close(connection, self.site_id, item_id, at=datetime.now(UTC))
            await self.redis.remove(self.site_id, ids)


class Moderator:
    """One connection with a token."""

    def __init__(self, service: Running) -> None:
        token = service.demo["moderator_token"]
        self.connection = Connection(service.port)
        self.headers = f"content-type: application/json\r\nauthorization: Bearer {token}\r\n"

    async def send(self, path: str, wanted: dict[str, Any]) -> tuple[float, Any]:
        """Answer how long a call took, and its JSON."""
        began = time.perf_counter()
        answer = await self.connection.request("POST", path, json.dumps(wanted).encode(), self.headers)
        assert answer.status == 200, answer.status
        return time.perf_counter() - began, json.loads(answer.body)

    async def decide_one(self) -> tuple[float, float, str] | None:
        """Claim and approve one item; answer both times and the comment's page, None where nothing waits."""
        claimed, found = await self.send("/v1/review/demo/claims", {"limit": 1})
        if not found["items"]:
            return None
        [item] = found["items"]
        wanted = {"lease": item["lease"]["token"], "revision": item["revision"], "action": "approve"}
        decided, _ = await self.send(f"/v1/review/demo/items/{item['item_id']}/decision", wanted)
        return claimed, decided, str(item["thread"]["page"])


async def _decide(queue: Queue, moderators: int, decisions: int, depth: int) -> dict[str, Any]:
    people = [Moderator(queue.service) for _ in range(moderators)]
    claims: list[float] = []
    decided: list[float] = []
    seconds = 0.0

    async def work(person: Moderator) -> None:
        while len(decided) < decisions:
            done = await person.decide_one()
            if done is None:
                return
            claims.append(done[0])
            decided.append(done[1])

    while len(decided) < decisions:
        if depth < decisions or seconds:
            await queue.fill(depth)
        began = time.perf_counter()
        await asyncio.gather(*map(work, people))
        seconds += time.perf_counter() - began
    for person in people:
        await person.connection.close()
    return {
        "items": depth,
        "moderators": moderators,
        "per_second": len(decided) / seconds,
        **{f"claim_p{of}_ms": percentile([one * 1000 for one in claims], of / 100) for of in (50, 99)},
        **{f"decide_p{of}_ms": percentile([one * 1000 for one in decided], of / 100) for of in (50, 99)},
    }


async def _shows(queue: Queue) -> dict[str, float]:
    """Answer how long after the answer to a decision the thread's page has the comment."""
    await queue.fill(_READS)
    person, reader, waits = Moderator(queue.service), Connection(queue.service.port), []
    for number in range(1, _READS + 1):
        done = await person.decide_one()
        assert done is not None
        began = time.perf_counter()
        while True:
            answer = await reader.request("GET", f"/v1/sites/demo/threads/{done[2]}?limit=1")
            if answer.status == 200 and json.loads(answer.body)["thread"]["count"] == number:
                break
        waits.append((time.perf_counter() - began) * 1000)
    await person.connection.close()
    await reader.close()
    return {f"p{of}_ms": percentile(waits, of / 100) for of in (50, 99)} | {"largest_ms": max(waits)}


async def _all(service: Running, options: argparse.Namespace) -> dict[str, Any]:
    database = Database(Settings.from_environment({"COLLOQUY_HOME": str(service.home)}).database)
    async with database.reading() as connection:
        site = await sites.by_slug(connection, "demo")
    assert site is not None
    queue, runs = Queue(service, database, site.id), []
    await queue.empty()
    shows = await _shows(queue)
    for depth in (int(part) for part in options.items.split(",")):
        await queue.empty()
        if depth >= options.decisions:
            await queue.fill(depth + options.decisions * len(options.moderators.split(",")))
        for part in options.moderators.split(","):
            runs.append(await _decide(queue, int(part), options.decisions, depth))
            print(runs[-1], file=sys.stderr, flush=True)
    await database.dispose()
    return {"runs": runs, "shows": shows}


def main() -> None:
    """Run every part and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", default="100,1000000")
    parser.add_argument("--moderators", default="1,8,32")
    parser.add_argument("--decisions", type=int, default=400, help="for each line of the table")
    options = parser.parse_args()
    with running_service(SCORER="hashed", SWEEP_INTERVAL_SECONDS="3600") as service:
        found = asyncio.run(_all(service, options))
    columns = ["items", "moderators", "per_second", "claim_p50_ms", "claim_p99_ms", "decide_p50_ms", "decide_p99_ms"]
    table("Claim one, decide it", columns, [[run[name] for name in columns] for run in found["runs"]])
    table("From the decision's answer to the thread's page", list(found["shows"]), [list(found["shows"].values())])
    write("queue", found)


if __name__ == "__main__":
    main()
