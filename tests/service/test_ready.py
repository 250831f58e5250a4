"""Answers from memory: the same as those that went the whole way, and never older than what anybody was told."""

from __future__ import annotations

import asyncio
import gzip
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import brotli
import httpx
import msgspec
import pytest

from service import coded, ready, schemas
from service.composition import open_context
from service.flow.erase import erase
from service.flow.identify import find_site
from service.flow.live_threads import ThreadNews
from service.flow.manage_limits import set_limits
from service.flow.page_cache import Rendered, Shown
from service.queue.fanout import News
from service.ready import Kept, Mark, ReadyAnswers
from service.store import comments, sites, threads
from service.telemetry import http_seconds
from service.visits import Ready
from service.workers.loop import Parts
from service.workers.scoring import ScoringWorker
from tests.eventually import eventually
from tests.seeding import seed_thread
from tests.service.answers import client_of, problem
from tests.service_fixture import FakeScorer, Service

pytestmark = pytest.mark.anyio
ORIGIN = {"origin": "https://news.example"}
THREAD = "/v1/sites/test/threads/page"
#: What differs between two answers to the same request.
OWN = {"ratelimit", "x-request-id", "date"}


@pytest.fixture
def database_kind() -> str:
    """What is kept here is kept from either database alike."""
    return "sqlite"


@pytest.fixture
async def service(service: Service) -> Service:
    """The application in a process that hears its news: until it does it gives nothing from memory."""
    await eventually(lambda: service.context.fanout.stretch is not None)
    return service


@pytest.fixture
def whole_ways(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The pages and counts that were read from the database, in order."""
    seen: list[str] = []
    by_page, counts = threads.by_page, threads.counts

    async def page_seen(connection: Any, site_id: str, page: str, **options: Any) -> Any:
        seen.append(page)
        return await by_page(connection, site_id, page, **options)

    async def counts_seen(connection: Any, site_id: str, pages: Any) -> Any:
        seen.append("counts")
        return await counts(connection, site_id, pages)

    monkeypatch.setattr(threads, "by_page", page_seen)
    monkeypatch.setattr(threads, "counts", counts_seen)
    return seen


@pytest.fixture
def lasting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let time alone end nothing, so that a test on a slow machine sees what else does."""
    monkeypatch.setattr(ready, "FRESH_SECONDS", 3600.0)


async def get(service: Service, path: str = THREAD, **headers: str) -> httpx.Response:
    """Ask, and answer what came, its body as it was sent."""
    request = service.client.build_request("GET", path, headers={"accept-encoding": "identity", **headers})
    answer = await service.client.send(request, stream=True)
    answer._content = b"".join([part async for part in answer.aiter_raw()])
    return answer


async def echoed(service: Service) -> None:
    """Wait until this process has heard from Redis what it told itself, which ends what was kept meanwhile."""
    heard: list[str] = []
    service.context.fanout.taps.append(heard.append)
    await service.context.fanout.publish([News("marker", "marker", {})])
    await eventually(lambda: heard.count("marker") == 2)
    service.context.fanout.taps.remove(heard.append)


async def published(service: Service) -> None:
    """Let a comment be on the page, and everybody know it."""
    await service.published("An opinion on missiles, and on those who decide about them.")
    await echoed(service)


async def names(service: Service) -> list[str | None]:
    """The names on the thread's page."""
    return [one["author"]["name"] for one in (await service.thread())["comments"]]


async def retitled(service: Service, settings: Any, title: str) -> None:
    """Let another process change the thread, and tell nobody."""
    site = await find_site(service.context, "test")
    async with (
        open_context(settings, consumer="other", now=service.clock) as other,
        other.database.writing() as connection,
    ):
        thread = await threads.by_page(connection, site.id, "page")
        assert thread is not None
        await threads.change(connection, site.id, thread.id, {"title": title})


def alike(one: httpx.Response, other: httpx.Response) -> None:
    """Check that two answers say the same."""
    assert one.status_code == other.status_code
    assert one.content == other.content
    first, second = ([pair for pair in answer.headers.multi_items() if pair[0] not in OWN] for answer in (one, other))
    assert sorted(first) == sorted(second)


@pytest.mark.usefixtures("lasting")
@pytest.mark.parametrize(
    "headers",
    [
        {}, ORIGIN, {"accept-encoding": "gzip"}, {"accept-encoding": "br, gzip"}, {"if-none-match": "*"},
        {**ORIGIN, "if-none-match": "*", "accept-encoding": "br"}, {"x-request-id": "given-by-a-proxy"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", [THREAD, "/v1/sites/test/counts?page=page&page=none", f"{THREAD}/fragment?lang=de"])
async def test_the_second_answer_is_the_first_from_memory(
    service: Service, whole_ways: list[str], path: str, headers: dict[str, str]
) -> None:
    """The same bytes and headers come again without a look at the database, whatever was negotiated."""
    for number in range(12):
        await service.published(f"Opinion {number} on missiles and on those who decide about them.")
    await echoed(service)
    first = await get(service, path, **headers)
    read_so_far = len(whole_ways)
    again = await get(service, path, **headers)
    assert len(whole_ways) == read_so_far
    alike(first, again)
    assert first.status_code == (304 if "if-none-match" in headers else 200)
    assert int(again.headers["ratelimit"].partition("r=")[2].partition(";")[0]) >= 0
    if headers.get("x-request-id"):
        assert again.headers["x-request-id"] == "given-by-a-proxy"


@pytest.mark.usefixtures("lasting")
async def test_each_coding_has_its_bytes_and_its_etag(service: Service) -> None:
    """A page in Brotli, in gzip and as it is are three representations of one; only its own ETag makes a 304."""
    for number in range(8):
        await service.published(f"Opinion {number} on what the government decided last night.")
    await echoed(service)
    plain = await get(service)
    packed = {name: await get(service, **{"accept-encoding": name}) for name in ("br", "gzip")}
    assert brotli.decompress(packed["br"].content) == gzip.decompress(packed["gzip"].content) == plain.content
    assert {one.headers["content-encoding"] for one in packed.values()} == {"br", "gzip"}
    assert all(len(one.content) < len(plain.content) / 2 for one in packed.values())
    etags = {name: answer.headers["etag"] for name, answer in {**packed, "identity": plain}.items()}
    assert len(set(etags.values())) == 3
    for asked, etag in etags.items():
        for named in etags.values():
            answer = await get(service, **{"accept-encoding": asked, "if-none-match": named})
            assert answer.status_code == (304 if named == etag else 200)
            assert answer.headers["etag"] == etag


@pytest.mark.usefixtures("lasting")
async def test_head_has_the_headers_alone(service: Service, whole_ways: list[str]) -> None:
    """HEAD is answered from memory too, with the length of what GET would bring."""
    await published(service)
    got = await get(service)
    read_so_far = len(whole_ways)
    head = await service.call("HEAD", THREAD, headers={"accept-encoding": "identity"}, expect=200)
    assert len(whole_ways) == read_so_far
    assert head.content == b""
    assert head.headers["content-length"] == str(len(got.content))
    assert head.headers["etag"] == got.headers["etag"]


@pytest.mark.usefixtures("lasting")
async def test_nobody_reads_what_was_before_an_act(service: Service) -> None:
    """Right after the answer to an act every page, count and fragment shows it."""

    async def seen() -> tuple[list[str], int, int]:
        thread = await service.thread()
        counts = (await get(service, "/v1/sites/test/counts?page=page")).json()["counts"]
        fragment = (await get(service, f"{THREAD}/fragment")).text
        return [one["body"] for one in thread["comments"]], counts["page"], fragment.count("<article")

    assert await seen() == ([], 0, 0)
    first = await service.published("First.")
    assert await seen() == (["First."], 1, 1)
    await service.submit("This one is rude.")
    await service.drain()
    assert await seen() == (["First."], 1, 1)
    [item] = await service.claim()
    await service.decide(item)
    assert await seen() == (["This one is rude.", "First."], 2, 2)
    comment_id = first["comment"]["id"]
    await service.call("DELETE", f"/v1/sites/test/comments/{comment_id}", as_=first["author_token"])
    assert await seen() == (["This one is rude."], 1, 1)
    await service.call(
        "PATCH", "/v1/admin/sites/test/threads/page", as_="admin", json={"prompt": "And now?"}, expect=200
    )
    assert (await service.thread())["thread"]["prompt"] == "And now?"


@pytest.mark.usefixtures("lasting")
async def test_a_name_that_was_erased_is_told(service: Service, settings: Any) -> None:
    """Another process that makes comments nameless tells it, though no comment goes."""
    found = await service.published("First.", author={"name": "Erika Mustermann"})
    assert await names(service) == ["Erika Mustermann"]
    site = await find_site(service.context, "test")
    async with service.context.database.reading() as connection:
        row = await comments.by_id(connection, site.id, found["comment"]["id"])
    assert row is not None
    async with open_context(settings, consumer="other", now=service.clock) as other:
        await erase(other, site, row.commenter_id, "test", mode="anonymise")

    async def is_nameless() -> bool:
        return await names(service) == [None]

    await eventually(is_nameless)


@pytest.mark.usefixtures("lasting")
async def test_what_was_missed_is_not_given_afterwards(service: Service, settings: Any) -> None:
    """What was kept before Redis was away is looked at when it is back, for nobody could tell what happened."""
    await service.published("First.")
    await service.thread()
    await service.context.hub.stop()
    await retitled(service, settings, "While nobody heard")
    await service.context.hub.start()
    assert (await service.thread())["thread"]["title"] == "While nobody heard"


@pytest.mark.usefixtures("lasting")
async def test_who_hears_of_a_version_reads_it(service: Service, settings: Any) -> None:
    """Where a live stream's look, or another page of the thread, has seen a newer version, no older page is given."""
    await published(service)
    site = await find_site(service.context, "test")
    first = (await service.thread())["thread"]["version"]
    await retitled(service, settings, "Told by nobody")
    assert (await service.thread())["thread"]["version"] == first
    state = msgspec.json.decode((await ThreadNews(service.context).once(site, "page")).data)
    assert state["version"] > first
    assert (await service.thread())["thread"]["version"] == state["version"]


@pytest.mark.usefixtures("lasting")
async def test_a_site_that_was_read_before_a_change_is_not_kept_after_it(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look that a change of the site overtook answers its own request, and nobody else's."""
    directory = service.context.directory
    directory.forget("test")
    go_on, begun, by_slug = asyncio.Event(), asyncio.Event(), sites.by_slug

    async def slowly(connection: Any, slug: str) -> Any:
        row = await by_slug(connection, slug)
        begun.set()
        await go_on.wait()
        return row

    monkeypatch.setattr(sites, "by_slug", slowly)
    late = asyncio.create_task(directory.find("test"))
    await begun.wait()
    monkeypatch.setattr(sites, "by_slug", by_slug)
    await service.call("PATCH", "/v1/admin/sites/test", as_="admin", json={"prompt": "The new one?"}, expect=200)
    go_on.set()
    await late
    assert (await directory.find("test")).prompt == "The new one?"


@pytest.mark.usefixtures("lasting")
async def test_what_another_process_did_is_told(service: Service, settings: Any) -> None:
    """News that come over Redis end what was kept, here of a decision by the worker of another process."""
    await service.published("First.")
    assert len((await service.thread())["comments"]) == 1
    await service.submit("Second.")
    assert len((await service.thread())["comments"]) == 1
    async with open_context(settings, consumer="other", now=service.clock) as other:
        scorer = FakeScorer()
        worker = ScoringWorker(other, scorer, Parts("scorer", "redis", "database"), batch_size=8)
        while await worker.drain_once(block_ms=1):
            continue

    async def both() -> bool:
        return len((await service.thread())["comments"]) == 2

    await eventually(both)


async def test_after_a_second_it_is_looked_at_again(service: Service, whole_ways: list[str]) -> None:
    """What nobody tells, here a change by another hand in the database, is seen within two seconds."""
    await service.published("First.")
    site = await service.context.directory.find("test")
    await service.thread()
    seeded = await seed_thread(service.context.database, site.id, comments=5, page="other")
    assert seeded
    before = service.context.database.changes
    async with service.context.database.writing(pages_stay=True) as connection:
        thread = await threads.by_page(connection, site.id, "page")
        assert thread is not None
        await threads.change(connection, site.id, thread.id, {"title": "By another hand"})
    assert service.context.database.changes == before

    async def new_title() -> bool:
        return bool((await service.thread())["thread"]["title"] == "By another hand")

    await eventually(new_title)
    assert whole_ways


@pytest.mark.usefixtures("lasting")
async def test_without_news_nothing_is_from_memory(service: Service, whole_ways: list[str]) -> None:
    """While Redis cannot be heard, every request looks at the database."""
    await published(service)
    await get(service)
    await service.context.hub.stop()
    before = len(whole_ways)
    for _ in range(3):
        await get(service)
    assert len(whole_ways) == before + 3


@pytest.mark.usefixtures("lasting")
@pytest.mark.parametrize("header", ["authorization", "cookie", "x-goog-api-key"])
async def test_who_says_who_they_are_goes_the_whole_way(service: Service, whole_ways: list[str], header: str) -> None:
    """A request with a token or a cookie passes every guard, though its page is kept."""
    await published(service)
    await get(service)
    before = len(whole_ways)
    await get(service, **{header: "Bearer of nothing"})
    assert len(whole_ways) == before + 1


@pytest.mark.usefixtures("lasting")
async def test_a_header_that_stands_there_twice_goes_the_whole_way(service: Service, whole_ways: list[str]) -> None:
    """Of two origins one is read, and by the same rule always."""
    await published(service)
    await get(service, **ORIGIN)
    before = len(whole_ways)
    twice = [("origin", "https://evil.example"), ("origin", ORIGIN["origin"]), ("accept-encoding", "identity")]
    problem(await service.client.get(THREAD, headers=twice), "origin.refused")
    assert len(whole_ways) == before


async def test_of_those_who_are_refused_nobody_looks(
    service: Service, whole_ways: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the second in which one looks for all, a foreign page's request does not take that one's place."""
    await published(service)
    await get(service)
    monkeypatch.setattr(ready, "FRESH_SECONDS", 3600.0)
    await get(service)
    before = len(whole_ways)
    monkeypatch.setattr(Kept, "is_given", lambda _self, _at: pytest.fail("asked for somebody who is refused"))
    problem(await service.call("GET", THREAD, headers={"origin": "https://evil.example"}), "origin.refused")
    problem(await service.call("GET", THREAD, headers={"host": "evil.example"}), "host.refused")
    assert len(whole_ways) == before


def test_one_looks_at_a_time_and_another_after_a_moment() -> None:
    """After its first second an answer is given to all but one, and again to all but one where that is not back."""
    site: Any = SimpleNamespace(limits=None)
    shown = Shown(Rendered(b"x", '"x"'))
    kept = Kept(Ready(shown, "text/plain"), site, Mark(0, 0, 1, 100.0), "none", 0)
    assert not kept.is_given(100.5)
    kept.begin()
    assert [kept.is_given(at) for at in (100.5, 101.1, 101.2, 101.3, 101.36, 101.4, 102.1)] == [
        True, False, True, True, False, True, False,
    ]  # fmt: skip
    kept.end()
    assert not kept.is_given(100.5)


@pytest.mark.usefixtures("lasting")
async def test_a_kept_page_is_refused_like_any_other(service: Service) -> None:
    """Foreign origins, foreign hosts and networks over their limit are refused what is at hand for others."""
    await published(service)
    assert (await get(service, **ORIGIN)).headers["access-control-allow-origin"] == ORIGIN["origin"]
    problem(await service.call("GET", THREAD, headers={"origin": "https://evil.example"}), "origin.refused")
    problem(await service.call("GET", THREAD, headers={"host": "evil.example"}), "host.refused")
    site = await service.context.directory.find("test")
    await set_limits(service.context, site, "test", schemas.Rates(read_per_network=schemas.Rate(5, 60)))
    service.context.directory.forget("test")
    statuses = [(await get(service)).status_code for _ in range(8)]
    assert statuses[0] == 200
    assert statuses[-1] == 429


@pytest.mark.usefixtures("lasting")
async def test_time_that_comes_ends_a_page(service: Service) -> None:
    """A thread that closes by itself is closed at its time, and likes are on the page when their turn has come."""
    found = await service.published()
    closes_at = (service.clock() + timedelta(hours=1)).isoformat()
    path = "/v1/admin/sites/test/threads/page"
    await service.call("PATCH", path, as_="admin", json={"closes_at": closes_at}, expect=200)
    assert (await service.thread())["thread"]["state"] == "open"
    await service.call("PUT", f"/v1/sites/test/comments/{found['comment']['id']}/reaction", expect=201)
    await service.thread()
    service.clock.advance(11)
    assert (await service.thread())["comments"][0]["likes"] == 1
    service.clock.advance(3600)
    assert (await service.thread())["thread"]["state"] == "closed"


async def test_the_same_bytes_are_compressed_once(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is added to the address, and also where the page is too large to be kept."""
    made: list[int] = []
    compressed = coded._compressed

    def counted(body: bytes, coding: str) -> bytes:
        made.append(len(body))
        return compressed(body, coding)

    monkeypatch.setattr(coded, "_compressed", counted)
    site = await find_site(service.context, "test")
    bodies = ["A long opinion on what was decided. " * 130]
    await seed_thread(service.context.database, site.id, comments=110, reply_share=0, hidden_share=0, bodies=bodies)
    for junk in range(5):
        answer = await get(service, f"{THREAD}?limit=100&junk={junk}", **{"accept-encoding": "br"})
        assert answer.headers["content-encoding"] == "br"
    assert len(made) == 1
    assert made[0] > coded._AT_ONCE_BYTES


async def test_caches_in_front_are_told_what_they_may(service: Service, settings: Any) -> None:
    """With CDN_SECONDS a shared cache may keep a page, under keys to purge it by; a browser asks each time still."""
    await published(service)
    with_cdn = msgspec.structs.replace(settings, cdn_seconds=2, cdn_stale_seconds=20)
    object.__setattr__(service.context, "settings", with_cdn)
    async with client_of(with_cdn, service.context) as client:
        for _ in range(2):
            answer = await client.get(THREAD)
            assert answer.headers["cache-control"] == "no-cache"
            kept = "public, max-age=2, stale-while-revalidate=20, stale-if-error=20"
            assert answer.headers["cdn-cache-control"] == answer.headers["surrogate-control"] == kept
            assert answer.headers["x-accel-expires"] == "2"
            site_key, thread_key = answer.headers["surrogate-key"].split()
            assert site_key == "site-test"
            assert thread_key.startswith("thread-")
            assert answer.headers["cache-tag"] == f"{site_key},{thread_key}"
            assert "ratelimit" not in answer.headers
            # Not all of them obey `Vary`, and whoever is given it next comes from another page.
            assert answer.headers["access-control-allow-origin"] == "*"
            assert answer.headers["vary"] == "Accept-Encoding"
            problem(await client.get(THREAD, headers={"origin": "https://evil.example"}), "origin.refused")
            assert "cdn-cache-control" not in (await client.get(f"{THREAD}/fragment")).headers
            counts = await client.get("/v1/sites/test/counts", params={"page": ["page", *map(str, range(40))]})
            assert counts.headers["surrogate-key"].startswith("site-test thread-")
        assert (await client.get("/v1/sites/test/embed")).headers["ratelimit"]
    object.__setattr__(service.context, "settings", settings)


@pytest.mark.usefixtures("lasting")
async def test_what_is_from_memory_is_counted_by_its_route(service: Service) -> None:
    """The metrics count a kept answer under the route that made it."""

    def counted() -> float:
        labels = {"method": "GET", "route": "/v1/sites/{site}/threads/{page}", "status": "200"}
        samples = [one for metric in http_seconds.collect() for one in metric.samples if one.name.endswith("_count")]
        return sum(one.value for one in samples if one.labels == labels)

    await published(service)
    await get(service)
    before = counted()
    for _ in range(5):
        await get(service)
    assert counted() == before + 5


@pytest.mark.usefixtures("lasting")
async def test_the_memory_is_bounded(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses that anybody can make up push each other out, and their topics with them."""
    seen: list[ReadyAnswers] = []
    put = ReadyAnswers._put

    def put_seen(self: ReadyAnswers, key: Any, kept: Any) -> None:
        put(self, key, kept)
        seen.append(self)

    monkeypatch.setattr(ready, "_KEPT_BYTES", 64 * ready._ENTRY_BYTES)
    monkeypatch.setattr(ready, "_LARGEST_PART", 1)
    monkeypatch.setattr(ReadyAnswers, "_put", put_seen)
    await published(service)
    for number in range(100):
        await get(service, f"/v1/sites/test/threads/made-up-{number}?junk={'x' * 30 * number}")
    answers = seen[-1]
    assert sum(len(path) + len(query) for path, query in answers._kept) < ready._KEPT_BYTES
    kept = len(answers)
    await get(service, f"/v1/sites/test/threads/page?junk={'x' * ready._MOST_ADDRESS_BYTES}")
    assert len(answers) == kept
    assert 0 < len(answers) < 64
    assert len(answers._by_topic) <= 2 * len(answers)
    assert answers._bytes == sum(kept.size for kept in answers._kept.values())
