"""Who is erased is gone: planted words are looked for in every row, every key of Redis and every page."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from redis.asyncio import Redis

from service.flow import erase as erase_flow
from service.flow.context import Context
from service.flow.identify import find_site
from service.flow.verify_audit import verify
from service.settings import Settings
from service.store import tables as t
from service.store.recount import recount
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio

#: A word that stands in everything the commenter wrote or is called, and nowhere else.
MARK = "quokkamarzipan"


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[Redis]:
    """A look into this test's Redis."""
    client = Redis.from_url(settings.redis_url, decode_responses=False)
    yield client
    await client.aclose()


async def rows_with(context: Context, word: str) -> list[str]:
    """Every table and column of the database that has the word in some row."""
    found = []
    async with context.database.reading() as connection:
        for table in t.metadata.sorted_tables:
            for row in await connection.execute(sa.select(table)):
                found += [f"{table.name}.{name}" for name, value in row._asdict().items() if word in str(value)]
    return sorted(set(found))


async def value_of(redis: Redis, key: bytes) -> Any:
    """Whatever a key of Redis holds; DUMP would not do, for it may compress what it holds."""
    name: Any = await redis.type(key)
    kind = name.decode()
    read: dict[str, Any] = {
        "string": redis.get,
        "hash": redis.hgetall,
        "set": redis.smembers,
        "zset": lambda name: redis.zrange(name, 0, -1),
        "list": lambda name: redis.lrange(name, 0, -1),
        "stream": redis.xrange,
    }
    return await read[kind](key)


async def keys_with(redis: Redis, prefix: str, word: str) -> list[str]:
    """Every key of this test's Redis that has the word in it, in its name or its value."""
    keys = [key async for key in redis.scan_iter(match=f"{prefix}*")]
    return [key.decode() for key in keys if word in f"{key!r} {await value_of(redis, key)!r}"]


async def miscounted(context: Context) -> list[Any]:
    """The counters that a recount does not confirm."""
    site = await find_site(context, "test")
    async with context.database.reading() as connection:
        return list(await recount(connection, site.id))


class Planted:
    """A commenter with comments in every status, and what was left about them in every table."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.token = ""
        self.commenter_id = ""
        self.ids: dict[str, str] = {}

    async def plant(self) -> None:
        """Write, be held, rejected, removed, edited, deleted and answered; then put the word where flows would."""
        service = self.service
        sent = await service.published(f"{MARK} civil.", author={"name": MARK})
        self.token, self.ids["published"] = sent["author_token"], sent["comment"]["id"]
        for name, body in {"edited": "first", "removed": "fine", "answered": "root", "deleted": "gone"}.items():
            self.ids[name] = (await service.published(f"{MARK} {body}.", token=self.token))["comment"]["id"]
        await service.published("An answer by somebody else.", parent_id=self.ids["answered"])
        edit: dict[str, Any] = {"json": {"body": f"{MARK} second."}, "as_": self.token, "expect": 200}
        await service.call("PATCH", f"/v1/sites/test/comments/{self.ids['edited']}", **edit)
        await service.drain()
        await service.call("DELETE", f"/v1/sites/test/comments/{self.ids['deleted']}", as_=self.token, expect=204)
        for name, word in {"held": "rude", "rejected": "vile"}.items():
            self.ids[name] = (await service.submit(f"{MARK} {word}.", token=self.token))["comment"]["id"]
        await service.drain()
        key = {"idempotency-key": "0190a0a0-0000-4000-8000-000000000001"}
        pending = await service.submit(f"{MARK} unscored.", token=self.token, headers=key)
        self.ids["pending"] = pending["comment"]["id"]
        await self._remove()
        await self._plant_rows()

    async def _remove(self) -> None:
        policy = (await self.service.call("GET", "/v1/admin/sites/test/policy", as_="admin")).json()["policy"]
        wanted = {"action": "remove", "revision": 1, "reasons": [policy["reasons"][0]["code"]], "note": MARK}
        path = f"/v1/review/test/comments/{self.ids['removed']}/decision"
        await self.service.call("POST", path, as_="moderator", json=wanted, expect=200)

    async def _plant_rows(self) -> None:
        """What comes from accounts, sanctions, reports and listed words, written as those flows write it."""
        context, now = self.service.context, self.service.context.now()
        site = await find_site(context, "test")
        async with context.database.writing() as connection:
            me = sa.select(t.comments.c.commenter_id).where(t.comments.c.id == self.ids["published"])
            self.commenter_id = (await connection.execute(me)).scalar_one()
            of_me = {"site_id": site.id, "commenter_id": self.commenter_id, "created_at": now}
            await connection.execute(
                t.commenters.update().where(t.commenters.c.id == self.commenter_id),
                {"subject": MARK, "avatar_url": f"https://img.example/{MARK}", "badges": [MARK], "verified": True},
            )
            sanction = {
                "id": context.new_id(),
                "kind": "pre_moderation",
                "reason": "spam",
                "text": "Spam.",
                "imposed_by": "ada",
            }
            sanction |= {"note": MARK}
            await connection.execute(t.sanctions.insert(), of_me | sanction)
            revision = (await connection.execute(sa.select(t.revisions.c.id).order_by(t.revisions.c.id))).scalars()
            first = next(iter(revision))
            report = {"comment_id": self.ids["published"], "revision_id": first, "reason": "spam", "detail": MARK}
            await connection.execute(
                t.reports.insert(), of_me | report | {"id": context.new_id(), "network_hash": MARK}
            )
            mine = t.revisions.c.comment_id.in_(list(self.ids.values()))
            await connection.execute(t.revisions.update().where(mine).values(network_hash=MARK))
            causes = [{"rule": "words", "outcome": "hold", "kind": "signal", "detail": MARK}]
            held = t.decisions.c.comment_id == self.ids["held"]
            await connection.execute(t.decisions.update().where(held).values(causes=causes))
            await connection.execute(t.review_items.update().values(causes=causes))
            print_ = {"id": context.new_id(), "comment_id": self.ids["removed"], "reason": "abuse", "sketch": [MARK]}
            await connection.execute(
                t.fingerprints.insert(), print_ | {"site_id": site.id, "text_hash": MARK, "created_at": now}
            )
            band = {"site_id": site.id, "band": MARK, "fingerprint_id": print_["id"]}
            await connection.execute(t.fingerprint_bands.insert(), band)

    async def erase(self, mode: str, *, as_: str = "admin") -> dict[str, Any]:
        """Erase the commenter by the admin's route."""
        answer = await self.service.call(
            "DELETE", f"/v1/admin/sites/test/commenters/{self.commenter_id}", as_=as_, json={"mode": mode}, expect=200
        )
        found: dict[str, Any] = answer.json()
        return found

    async def everything_served(self) -> str:
        """What readers, moderators and admins are answered, put together."""
        service = self.service
        pages = ["/v1/sites/test/threads/page?limit=100", "/v1/review/test/queue", "/v1/admin/sites/test/audit"]
        pages += [f"/v1/sites/test/comments/{comment_id}" for comment_id in self.ids.values()]
        pages += [f"/v1/review/test/comments/{comment_id}/decisions" for comment_id in self.ids.values()]
        texts = []
        for page in pages:
            answer = await service.call("GET", page, as_=None if "/threads/" in page else "admin")
            texts += [answer.text]
        texts.append((await service.call("POST", "/v1/review/test/claims", as_="moderator", json={"limit": 50})).text)
        return "".join(texts)


@pytest.fixture
async def planted(service: Service) -> Planted:
    """The commenter, not yet erased; what others wrote stands beside."""
    found = Planted(service)
    await found.plant()
    return found


#: Where the word is before: the scan below would pass over a place that was never planted.
PLANTED = {
    "commenters.avatar_url", "commenters.badges", "commenters.name", "commenters.subject", "comments.author_name",
    "decisions.causes", "decisions.note", "fingerprint_bands.band", "fingerprints.sketch", "fingerprints.text_hash",
    "reports.detail", "reports.network_hash", "review_items.causes", "revisions.body", "revisions.html",
    "revisions.network_hash", "sanctions.note",
}  # fmt: skip


async def test_a_removed_commenter_is_nowhere_any_more(planted: Planted, redis: Redis, settings: Settings) -> None:
    """After a removal the word is in no table, no key of Redis and no answer, and counts and audit still hold."""
    context = planted.service.context
    assert set(await rows_with(context, MARK)) == PLANTED
    assert MARK in await planted.everything_served()
    assert await keys_with(redis, settings.redis_prefix, "scoring") != []
    assert (await planted.erase("remove"))["finished"] is True
    assert await rows_with(context, MARK) == []
    assert await keys_with(redis, settings.redis_prefix, MARK) == []
    assert MARK not in await planted.everything_served()
    thread = await planted.service.thread()
    assert [one["status"] for one in thread["comments"]] == ["deleted"]
    assert [one["body"] for one in thread["comments"][0]["replies"]] == ["An answer by somebody else."]
    assert [one.fault async for one in verify(context)] == [None, None]
    assert await miscounted(context) == []


async def test_an_anonymised_commenter_leaves_only_what_readers_saw(planted: Planted) -> None:
    """Under `anonymise` the shown texts stay without name, network and hash; everything else is gone."""
    context = planted.service.context
    await planted.erase("anonymise")
    assert await rows_with(context, MARK) == ["revisions.body", "revisions.html"]
    async with context.database.reading() as connection:
        left = (
            await connection.execute(sa.select(t.revisions.c.body).where(t.revisions.c.body.contains(MARK)))
        ).scalars()
        assert sorted(left) == [f"{MARK} civil.", f"{MARK} first.", f"{MARK} root."]
    thread = await planted.service.thread()
    assert {one["author"]["name"] for one in thread["comments"]} == {None}
    assert len(thread["comments"]) == 3
    assert await miscounted(context) == []


async def test_an_erased_author_is_signed_out_and_their_pages_change(planted: Planted) -> None:
    """The author may ask for it with the own token, which is useless from then on; cached pages are not served."""
    service = planted.service
    before = await service.call("GET", "/v1/sites/test/threads/page")
    assert MARK in before.text
    wanted = {"confirm": "erase", "mode": "remove"}
    answer = await service.call("DELETE", "/v1/sites/test/me", as_=planted.token, json=wanted, expect=200)
    assert answer.json() == {"commenter_id": planted.commenter_id, "mode": "remove", "finished": True}
    for method, path in (("GET", "mine"), ("DELETE", "me")):
        refused = await service.call(method, f"/v1/sites/test/{path}", as_=planted.token, json=wanted)
        assert (refused.status_code, refused.json()["code"]) == (401, "auth.invalid")
    after = await service.call("GET", "/v1/sites/test/threads/page")
    assert after.headers["etag"] != before.headers["etag"]
    assert MARK not in after.text


async def test_a_call_by_mistake_erases_nothing(planted: Planted) -> None:
    """Without the word of confirmation the author's erasure is a 400."""
    for wanted in ({}, {"confirm": "yes"}, {"confirm": True}):
        await planted.service.call("DELETE", "/v1/sites/test/me", as_=planted.token, json=wanted, expect=400)
    await planted.service.call("GET", "/v1/sites/test/mine", as_=planted.token, expect=200)


async def erased_events(context: Context) -> list[dict[str, Any]]:
    """The events that tell of erasures."""
    async with context.database.reading() as connection:
        query = sa.select(t.outbox.c.data).where(t.outbox.c.type == "commenter.erased")
        return list((await connection.execute(query)).scalars())


async def test_the_event_comes_once_when_all_is_done(planted: Planted) -> None:
    """The sweep looks again for what was on its way in, then tells of it once; erasing again changes nothing."""
    service, context = planted.service, planted.service.context
    await planted.erase("remove")
    await service.sweep()
    assert await erased_events(context) == []
    service.clock.advance(erase_flow.SETTLED.total_seconds())
    await service.sweep()
    event = {"commenter_id": planted.commenter_id, "mode": "remove"}
    assert await erased_events(context) == [event]
    await planted.erase("remove")
    await planted.erase("anonymise")
    service.clock.advance(erase_flow.SETTLED.total_seconds())
    await service.sweep()
    assert await erased_events(context) == [event]


async def test_a_comment_that_was_on_its_way_is_erased_too(planted: Planted) -> None:
    """A submit that passed the door before the erasure and was committed behind it is found by the sweep."""
    service, context = planted.service, planted.service.context
    await planted.erase("remove")
    late = (await service.published("Somebody else's.", page="late"))["comment"]["id"]
    async with context.database.writing() as connection:
        mine = {"commenter_id": planted.commenter_id, "author_name": MARK}
        await connection.execute(t.comments.update().where(t.comments.c.id == late).values(mine))
    service.clock.advance(erase_flow.SETTLED.total_seconds())
    await service.sweep()
    assert "comments.author_name" not in await rows_with(context, MARK)
    assert (await service.thread("late"))["comments"] == []


async def test_an_erasure_goes_on_after_a_crash(planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a batch of one and a process that ends after one batch, sweeps come to the same end."""
    monkeypatch.setattr(erase_flow, "BATCH", 1)
    monkeypatch.setattr(erase_flow, "_AT_ONCE", 1)
    assert (await planted.erase("remove"))["finished"] is False
    assert "revisions.body" in await rows_with(planted.service.context, MARK)
    for _ in planted.ids:
        planted.service.clock.advance(erase_flow.SETTLED.total_seconds())
        await planted.service.sweep()
    assert "revisions.body" not in await rows_with(planted.service.context, MARK)
    assert len(await erased_events(planted.service.context)) == 1


async def test_what_stayed_without_a_name_can_still_be_removed(planted: Planted) -> None:
    """A second, harder wish counts, and a softer one behind it does not."""
    await planted.erase("anonymise")
    assert len((await planted.service.thread())["comments"]) == 3
    await planted.erase("remove")
    assert [one["status"] for one in (await planted.service.thread())["comments"]] == ["deleted"]


async def test_an_erased_text_is_not_restored(planted: Planted) -> None:
    """A moderator cannot bring back what has no text any more."""
    await planted.erase("anonymise")
    path = f"/v1/review/test/comments/{planted.ids['removed']}/decision"
    wanted = {"action": "restore", "revision": 1, "reasons": []}
    answer = await planted.service.call("POST", path, as_="moderator", json=wanted, expect=409)
    assert answer.json()["code"] == "comment.final"


async def test_erasing_while_others_write_keeps_the_counts(planted: Planted) -> None:
    """Answers that come in while the thread's roots go leave what a recount gives."""
    service = planted.service

    async def answer(number: int) -> None:
        body = {"body": f"Answer {number}.", "parent_id": planted.ids["answered"]}
        await service.call("POST", "/v1/sites/test/threads/page/comments", json=body)

    await asyncio.gather(planted.erase("remove"), *(answer(number) for number in range(8)))
    await service.drain()
    assert await miscounted(service.context) == []


async def test_a_commenter_of_another_site_is_unknown(planted: Planted) -> None:
    """Neither a strange id nor one that is no id erases anything."""
    for commenter_id in ("0190a0a0-0000-7000-8000-000000000000", "x"):
        path = f"/v1/admin/sites/test/commenters/{commenter_id}"
        answer = await planted.service.call("DELETE", path, as_="admin", json={}, expect=404)
        assert answer.json()["code"] == "commenter.unknown"


def in_files(path: str) -> list[str]:
    """The files of a SQLite database that have the word in their bytes."""
    files = [Path(path + end) for end in ("", "-wal")]
    return [file.name for file in files if file.exists() and MARK.encode() in file.read_bytes()]


def checkpoint(path: str) -> None:
    """Fold the log into the file."""
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_what_was_erased_is_not_in_the_free_space_of_the_file(planted: Planted) -> None:
    """SQLite would leave texts in its free space; here neither a short nor a long one is there after a checkpoint."""
    context = planted.service.context
    path = sa.make_url(context.database.url).database or ""
    long = await planted.service.submit(f"{MARK} and on. " * 200, token=planted.token)
    planted.ids["long"] = long["comment"]["id"]
    checkpoint(path)
    assert in_files(path) == ["colloquy.db"]
    await planted.erase("remove")
    checkpoint(path)
    assert in_files(path) == []
