"""A queue that many wait in is counted and searched beside everything else, and not more often than need be."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa

from service.flow import queue_depths
from service.flow.queue_depths import KEPT_SECONDS, MANY
from service.store import review_items as store
from service.store.review_items import Wish
from service.store.tables import review_items
from tests.contracts.plans import sent_by, sqlite_steps
from tests.service.test_queue import held
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
QUEUE = "/v1/review/test/queue"


async def crowd(service: Service, number: int) -> None:
    """Let one held comment stand for so many more."""
    async with service.context.database.writing() as connection:
        one = (await connection.execute(sa.select(review_items))).one()._asdict()
        row = {name: value for name, value in one.items() if name not in ("id", "order_key", "kind")}
        rows = [
            {"id": service.context.new_id(), "order_key": one["order_key"] + n, "kind": f"probe {n}"}
            for n in range(number)
        ]
        await connection.execute(review_items.insert().values(row), rows)


async def depth(service: Service, as_: str = "moderator") -> int:
    """Read how much waits."""
    return int((await service.call("GET", QUEUE, as_=as_, expect=200)).json()["depth"])


async def leave(service: Service) -> None:
    """Let one item be decided behind everybody's back."""
    async with service.context.database.writing() as connection:
        first = sa.select(sa.func.min(review_items.c.id)).where(review_items.c.state == "open").scalar_subquery()
        await connection.execute(sa.update(review_items).where(review_items.c.id == first).values(state="decided"))


class Counts:
    """Counts how often the queues are counted, in which way, and how many do it at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.apart: list[bool] = []
        self.at_once = self.most_at_once = 0
        self._real = store.depths
        monkeypatch.setattr(store, "depths", self._depths)

    async def _depths(self, connection: Any, site_id: str, **more: Any) -> Any:
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        if connection.dialect.name == "sqlite":
            self.apart.append((await connection.get_raw_connection()).driver_connection.heavy)
        else:
            timeout = (await connection.execute(sa.text("SHOW statement_timeout"))).scalar_one()
            self.apart.append(timeout == f"{queue_depths.PATIENCE_SECONDS:g}s")
        found = await self._real(connection, site_id, **more)
        self.at_once -= 1
        return found


async def test_many_are_counted_apart_and_kept_for_two_seconds(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large queue is counted off the event loop, and for two seconds its count is good enough for everybody."""
    await held(service, "A rude remark.")
    await crowd(service, MANY)
    counts = Counts(monkeypatch)
    assert await asyncio.gather(*(depth(service) for _ in range(4))) == [MANY + 1] * 4
    assert (counts.apart, counts.most_at_once) == ([True], 1)
    await leave(service)
    assert await depth(service, "admin") == MANY + 1
    service.clock.advance(KEPT_SECONDS)
    assert await depth(service) == MANY
    # What was just told is heard at once: the live counts are never those of before.
    await crowd_goes(service)
    site = await service.context.directory.find("test")
    assert sum(one.open for one in (await queue_depths.count(service.context, site, anew=True)).depths) == 0


async def crowd_goes(service: Service) -> None:
    """Let everything be decided."""
    async with service.context.database.writing() as connection:
        await connection.execute(sa.update(review_items).values(state="decided"))


async def test_a_few_are_counted_whenever_they_are_asked_for(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a small queue every answer is as it is now, and after the first count it takes no patient connection."""
    await held(service, "A rude remark.")
    counts = Counts(monkeypatch)
    assert await depth(service) == 1
    await leave(service)
    assert await depth(service) == 0
    assert counts.apart == [True, False]


async def test_a_moderator_is_told_of_what_moderators_see(service: Service) -> None:
    """What was escalated is in the numbers of admins, and in none that a moderator is told, live neither."""
    await held(service, "A rude remark.", "Another rude remark.")
    item = (await service.claim(limit=1))[0]
    path = f"/v1/review/test/items/{item['item_id']}/escalate"
    await service.call("POST", path, as_="moderator", json={"lease": item["lease"]["token"]}, expect=204)
    await service.claim("admin", queue="escalated")
    for who, waits, claimed in (("admin", 2, 1), ("moderator", 1, 0)):
        found = (await service.call("GET", QUEUE, as_=who, expect=200)).json()
        assert (found["depth"], found["claimed"], found["kinds"]) == (waits, claimed, {"held": waits})
        live = (await service.call("GET", "/v1/review/test/live", as_=who, expect=200)).text
        assert f'"depth":{waits},"claimed":{claimed},' in live


async def test_one_authors_items_are_found_from_the_author(service: Service) -> None:
    """A claim of an author's items is the author's, and for an author of nothing costs nothing, however many wait."""
    await held(service, "A rude remark.")
    await crowd(service, 3_000)
    context, site = service.context, await service.context.directory.find("test")
    nobody = Wish("anybody", author_id=context.new_id())

    async def ask(connection: Any, wish: Wish = nobody) -> list[Any]:
        return await store.candidates(connection, site.id, "default", wish, now=context.now(), limit=5, lock=False)

    async with context.database.reading(patience_seconds=5) as connection:
        [statement] = await sent_by(connection, ask)
        assert await ask(connection) == []
        author = (await connection.execute(sa.text("SELECT commenter_id FROM comments"))).scalar_one()
        found = await ask(connection, Wish("anybody", author_id=author))
        assert len(found) == 5
        assert found == sorted(found, key=lambda row: (row.order_key, row.id))
    if context.database.is_sqlite:
        path = sa.make_url(context.database.url).database or ""
        assert sqlite_steps(path, statement) < 500


async def test_certain_items_are_found_without_being_taken(service: Service) -> None:
    """Candidates that are read and not locked are the same, in a reading that holds up nobody."""
    await held(service, "A rude remark.")
    context, site = service.context, await service.context.directory.find("test")
    async with context.database.reading(patience_seconds=5) as connection:
        for trust, number in (("guest", 1), ("trusted", 0)):
            wish = Wish("anybody", trust=trust)
            found = await store.candidates(connection, site.id, "default", wish, now=context.now(), limit=5, lock=False)
            assert len(found) == number
