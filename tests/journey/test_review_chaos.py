"""Eight moderators, thousands of items, and everything breaks: every item is decided exactly once and none is lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from service.settings import Settings
from service.store import sites
from service.store.database import Database
from service.store.recount import recount
from service.store.tables import decisions, review_items
from tests.eventually import eventually
from tests.flaky_line import FlakyLine
from tests.journey.harness import Installation
from tests.queue_seeding import seed_queue

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

MODERATORS = 8
#: `CHAOS_ITEMS=5000` is the long form; the suite has a thousand.
ITEMS = int(os.environ.get("CHAOS_ITEMS", "1000"))
WITHIN_SECONDS = 300.0 + ITEMS / 5
LEASE_SECONDS = 3
#: What a moderator may be answered whose time was over, whose answer was lost, or who came second.
LATE = {"lease.expired", "item.decided", "service.unavailable"}


class Moderator:
    """Claims, decides one by one or many at once, crashes, sleeps over leases, and sends again what was cut off."""

    def __init__(self, port: int, token: str, random: Random, seen: Counter[str]) -> None:
        self.client = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers={"authorization": f"Bearer {token}"}, timeout=10
        )
        self.random = random
        self.seen = seen
        self.decided: set[str] = set()

    async def send(self, path: str, wanted: dict[str, Any]) -> httpx.Response | None:
        """Send once; None when the line broke."""
        with contextlib.suppress(httpx.TransportError):
            return await self.client.post(f"/v1/review/demo/{path}", json=wanted)
        self.seen["cut"] += 1
        return None

    async def work(self) -> bool:
        """Do one round; answer whether there was anything to claim."""
        wanted = {"limit": self.random.choice((1, 5, 20, 50)), "lease_seconds": LEASE_SECONDS}
        answer = await self.send("claims", wanted)
        if answer is None or answer.status_code != 200:
            return True
        items, until = answer.json()["items"], time.monotonic() + LEASE_SECONDS
        fate = self.random.random()
        if fate < 0.1:
            self.seen["crashed"] += 1
        elif fate < 0.15:
            self.seen["slept"] += 1
            await eventually(lambda: time.monotonic() > until)
            await self.decide_each(items[:5])
        elif fate < 0.5:
            await self.decide_each(items)
        else:
            await self.decide_together(items)
        return bool(items)

    def act(self) -> dict[str, Any]:
        """Choose what to decide."""
        if self.random.random() < 0.5:
            return {"action": "approve"}
        return {"action": "reject", "reasons": ["spam"]}

    async def decide_each(self, items: list[dict[str, Any]]) -> None:
        """Decide one after the other; who hears nothing asks again, as a console does."""
        for item in items:
            path = f"items/{item['item_id']}/decision"
            wanted = {"lease": item["lease"]["token"], "revision": item["revision"], **self.act()}
            answer = await self.send(path, wanted) or await self.send(path, wanted)
            if answer is not None and answer.status_code == 200:
                self.note(item["item_id"])
            elif answer is not None:
                assert answer.json()["code"] in LATE, answer.text
                self.seen[answer.json()["code"]] += 1

    async def decide_together(self, items: list[dict[str, Any]]) -> None:
        """Decide all in one act."""
        chosen = [{"item_id": one["item_id"], "lease": one["lease"]["token"], "revision": 1} for one in items]
        if not chosen:
            return
        answer = await self.send("decisions", {"items": chosen, **self.act()})
        if answer is None or answer.status_code != 200:
            return
        for one in answer.json()["decided"]:
            self.note(one["item_id"])
        assert {one["code"] for one in answer.json()["failed"]} <= LATE

    def note(self, item_id: str) -> None:
        """Remember that the service said that this one's decision stands."""
        assert item_id not in self.decided
        self.decided.add(item_id)


async def tokens(here: Installation) -> list[str]:
    """Name moderators and answer a token of each."""
    admin, found = {"authorization": f"Bearer {here.demo['admin_token']}"}, []
    for number in range(MODERATORS):
        wanted: dict[str, Any] = {"name": f"Moderator {number}", "role": "moderator"}
        member = await here.client.post("/v1/admin/sites/demo/members", json=wanted, headers=admin)
        wanted = {"name": f"key {number}", "scopes": ["review"], "member_id": member.json()["id"]}
        key = await here.client.post("/v1/admin/sites/demo/keys", json=wanted, headers=admin)
        found.append(key.json()["token"])
    return found


async def open_count(database: Database) -> int:
    """Answer how many items wait."""
    async with database.reading() as connection:
        query = sa.select(sa.func.count()).where(review_items.c.state == "open")
        return int((await connection.execute(query)).scalar_one())


async def break_things(here: Installation, database: Database) -> None:
    """Kill the API, empty Redis, and kill it, each once a share of the items is decided."""
    for share, what in ((0.8, "service api"), (0.6, "flush"), (0.4, "redis-server"), (0.2, "service api")):
        await eventually(partial(fewer_than, database, ITEMS * share), WITHIN_SECONDS)
        if what == "flush":
            redis = (here.home / "redis.sock").resolve()
            reader, writer = await asyncio.open_unix_connection(str(redis))
            writer.write(b"FLUSHALL\r\n")
            await writer.drain()
            assert await reader.readline() == b"+OK\r\n"
            writer.close()
        else:
            here.kill(what)


async def fewer_than(database: Database, number: float) -> bool:
    """Answer whether fewer items wait."""
    return await open_count(database) < number


async def test_every_item_is_decided_once_whatever_breaks(tmp_path: Path) -> None:
    """With cut lines, crashes, expired leases, a killed API, Redis flushed and killed, all is decided exactly once."""
    async with Installation(tmp_path / "home", SCORER="hashed") as here:
        await here.start()
        settings = Settings.from_environment({"COLLOQUY_HOME": str(here.home)})
        database = Database(settings.database)
        async with database.reading() as connection:
            site = await sites.by_slug(connection, "demo")
        assert site is not None
        opened = datetime.now(UTC) - timedelta(hours=1)
        ids = await seed_queue(database, site.id, ITEMS, opened_at=opened)
        seen: Counter[str] = Counter()
        async with FlakyLine(here.port, cut_share=0.2) as line:
            people = [
                Moderator(line.port, token, Random(number), seen) for number, token in enumerate(await tokens(here))
            ]
            breaking = asyncio.create_task(break_things(here, database))

            async def moderate(person: Moderator) -> None:
                deadline = time.monotonic() + WITHIN_SECONDS
                while await person.work() or await open_count(database):
                    assert time.monotonic() < deadline, seen

            await asyncio.gather(*map(moderate, people))
            await breaking
            for person in people:
                await person.client.aclose()
        assert min(line.cuts, seen["cut"], seen["crashed"], seen["slept"], seen["lease.expired"]) > 0, seen
        await check(database, site.id, ids, people)
        # The chain of what was done is whole.
        assert here.spawn("audit", "verify", "--site", "demo").wait() == 0, here.log
        await database.dispose()


async def check(database: Database, site_id: str, ids: list[str], people: list[Moderator]) -> None:
    """Every item has one decision, what moderators were told stands, and every counter is what a recount gives."""
    async with database.reading() as connection:
        rows = (await connection.execute(sa.select(decisions).where(decisions.c.review_item_id.is_not(None)))).all()
        states = (await connection.execute(sa.select(review_items.c.state).distinct())).scalars().all()
        assert await recount(connection, site_id) == []
    assert states == ["decided"]
    assert sorted(row.review_item_id for row in rows) == sorted(ids)
    told = [item_id for person in people for item_id in person.decided]
    assert len(told) == len(set(told)) <= ITEMS
