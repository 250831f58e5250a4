"""The memory of rendered pages is bounded: by its own account, and by what a page may hold."""

import asyncio
import json
from typing import Any

import pytest

from service.errors import unavailable
from service.flow import read
from service.flow.page_cache import ENTRY_BYTES, PageCache, Rendered
from service.flow.read import MAXIMUM_REPLIES_ON_A_PAGE, PageWanted, thread_page
from tests.eventually import eventually, turns
from tests.seeding import seed_thread
from tests.service.answers import problem
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
MAXIMUM = 64 * ENTRY_BYTES
THREAD = "/v1/sites/test/threads/page"


def page_of(size: int) -> Rendered:
    """A page with so many bytes."""
    return Rendered(b"x" * size, '"x"')


async def test_small_pages_count_with_their_keys() -> None:
    """Pages without a byte fill the cache too, sooner with longer keys."""
    short, long = PageCache(MAXIMUM), PageCache(MAXIMUM)
    for number in range(200):
        short.put(("s", number), page_of(0))
        long.put(("s" * ENTRY_BYTES, number), page_of(0))
    assert 60 <= len(short) < 64
    assert 30 <= len(long) < 32
    assert short.get(("s", 199)) is not None
    assert short.get(("s", 0)) is None


async def test_a_large_page_pushes_nothing_out() -> None:
    """A page of more than a sixteenth of the cache is not kept, and those that are kept stay."""
    cache = PageCache(MAXIMUM)
    for number in range(10):
        cache.put(number, page_of(0))
    cache.put("large", page_of(MAXIMUM // 16))
    cache.put("fits", page_of(MAXIMUM // 16 - ENTRY_BYTES - 10))
    assert cache.get("large") is None
    assert cache.get("fits") is not None
    assert len(cache) == 11


async def test_the_same_page_counts_once() -> None:
    """A page that is kept again takes no more room."""
    cache = PageCache(MAXIMUM)
    cache.put("other", page_of(0))
    for size in range(200):
        cache.put("page", page_of(size))
    assert len(cache) == 2
    assert cache.get("page") == page_of(199)


async def test_pages_without_a_thread_are_not_kept(service: Service) -> None:
    """Page keys that anybody can make up take no room; a thread's page does."""
    cache = PageCache()
    site = await service.context.directory.find("test")
    for number in range(3):
        shown = await thread_page(service.context, cache, site, PageWanted(f"{number}", "newest", 20, 3, None))
        assert shown.page.etag
    assert len(cache) == 0
    await service.published()
    await thread_page(service.context, cache, site, PageWanted("page", "newest", 20, 3, None))
    assert len(cache) == 1


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_a_page_shows_a_bounded_number_of_replies(service: Service) -> None:
    """However many replies are asked for, a page shows no more than 500, and says how to go on."""
    site = await service.context.directory.find("test")
    seeded = await seed_thread(service.context.database, site.id, comments=3_000, reply_share=0.95, hidden_share=0)
    most = 0
    for limit in (10, 20, 100):
        path = f"/v1/sites/test/threads/{seeded.page}"
        answer = await service.call("GET", path, params={"limit": limit, "replies": 50, "sort": "replies"}, expect=200)
        roots, cut = answer.json()["comments"], min(50, MAXIMUM_REPLIES_ON_A_PAGE // limit)
        shown = [_below(root) for root in roots]
        assert max(shown) == cut
        going_on = {number for root, number in zip(roots, shown, strict=True) if root["replies_next"]}
        assert going_on == {cut}
        most = max(most, sum(shown))
    assert 0 < most <= MAXIMUM_REPLIES_ON_A_PAGE
    problem(await service.call("GET", path, params={"replies": 51}), "request.invalid")


@pytest.mark.parametrize("database_kind", ["postgresql"])
async def test_one_builds_a_page_for_all_who_wait(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many ask at once for a new version of a thread, its page is built once."""
    await service.published()
    built, go_on = [], asyncio.Event()
    build = read._build

    async def slowly(*given: Any) -> Any:
        built.append(1)
        await go_on.wait()
        return await build(*given)

    monkeypatch.setattr(read, "_build", slowly)
    asked = [asyncio.create_task(service.call("GET", THREAD)) for _ in range(10)]

    async def has_begun() -> bool:
        return bool(built)

    await eventually(has_begun)
    go_on.set()
    bodies = {(await one).content for one in asked}
    assert len(built) == 1
    assert len(bodies) == 1
    assert json.loads(bodies.pop())["comments"]


@pytest.mark.parametrize("database_kind", ["postgresql"])
async def test_who_builds_and_is_gone_leaves_it_to_the_next(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that is given up while it builds holds up nobody."""
    await service.published()
    begun, build = asyncio.Event(), read._build

    async def never(*_given: Any) -> Any:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(read, "_build", never)
    first = asyncio.create_task(service.call("GET", THREAD))
    await begun.wait()
    monkeypatch.setattr(read, "_build", build)
    second = asyncio.create_task(service.call("GET", THREAD))
    await turns(1)
    first.cancel()
    assert (await second).json()["comments"]


@pytest.mark.parametrize("database_kind", ["postgresql"])
async def test_a_problem_of_who_builds_is_shared(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those who wait are told what the builder was told, and do not try one after the other."""
    await service.published()
    tried, go_on = [], asyncio.Event()

    async def failing(*_given: Any) -> Any:
        tried.append(1)
        await go_on.wait()
        raise unavailable("database")

    waiting: list[bool] = []
    being_built = PageCache.being_built

    def seen(self: PageCache, key: Any) -> Any:
        other = being_built(self, key)
        waiting.append(other is not None)
        return other

    monkeypatch.setattr(read, "_build", failing)
    monkeypatch.setattr(PageCache, "being_built", seen)
    asked = [asyncio.create_task(service.call("GET", THREAD)) for _ in range(10)]
    await eventually(lambda: waiting.count(True) == 9)
    go_on.set()
    assert {(await one).status_code for one in asked} == {503}
    assert len(tried) == 1


def _below(comment: dict[str, object]) -> int:
    replies: list[dict[str, object]] = comment["replies"]  # type: ignore[assignment]
    return sum(1 + _below(one) for one in replies)
