"""Search: words, authors, statuses, rules, pages and times; nobody else's comments, no mistakes, nothing unbounded."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from service import schemas
from service.errors import Problem
from service.flow import manage_sites, search
from service.flow.identify import find_site
from service.flow.search import Asked
from service.store import tables as t
from tests.seeding import seed_thread
from tests.service.answers import fields, problem
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
SEARCH = "/v1/review/test/search"
CIVIL, RUDE, VILE = (f"A {word} opinion about the tram in this town." for word in ("civil", "rude", "vile"))


async def found(service: Service, *, as_: str = "moderator", **asked: Any) -> list[str | None]:
    """Search and answer the texts, the newest first."""
    answer = await service.call("GET", SEARCH, as_=as_, params={"limit": 100, **asked}, expect=200)
    assert answer.headers["cache-control"] == "no-store"
    return [one["body"] for one in answer.json()["comments"]]


async def say(service: Service, *bodies: str, **more: Any) -> list[str]:
    """Submit comments in a row, decided, and answer their ids."""
    ids = []
    for body in bodies:
        ids.append((await service.submit(body, **more))["comment"]["id"])
        service.clock.advance(1)
    await service.drain()
    return ids


WORDS = [
    ("tram", ["Trams? The tram is late.", "A tram-stop near https://tram.example/late?x=1"]),
    ("TRAM late", ["Trams? The tram is late.", "A tram-stop near https://tram.example/late?x=1"]),
    ("tram*", ["Trams? The tram is late.", "A tram-stop near https://tram.example/late?x=1"]),
    ("trams", ["Trams? The tram is late."]),
    ('"tram is late"', ["Trams? The tram is late."]),
    ('"tram late"', []),
    ('"tram stop"', ["A tram-stop near https://tram.example/late?x=1"]),
    ("tram-stop", ["A tram-stop near https://tram.example/late?x=1"]),
    ("tram.example", ["A tram-stop near https://tram.example/late?x=1"]),
    ('"the tra"*', ["Trams? The tram is late."]),
    ("über", ["ÜBER alles, die Straße und 3.14 € OR NOT (x)"]),
    ("uber", []),
    ("straße 14", ["ÜBER alles, die Straße und 3.14 € OR NOT (x)"]),
    ("OR", ["ÜBER alles, die Straße und 3.14 € OR NOT (x)"]),
    ("body", []),
    ("nothing", []),
]
TEXTS = (
    "ÜBER alles, die Straße und 3.14 € OR NOT (x)",
    "A tram-stop near https://tram.example/late?x=1",
    "Trams? The tram is late.",
)


async def test_words_phrases_and_beginnings_are_found(service: Service) -> None:
    """Both databases cut texts into the same words, whatever the case; all the words of a search must be there."""
    await say(service, *TEXTS)
    for words, bodies in WORDS:
        assert await found(service, q=words) == bodies, words


STRANGE = (
    ['"', '""', "*", "(", ")", "a AND", "NOT", "NEAR(a b)", "body:tram", "-tram", "^tram", "{a b} : c", "a + b", "'",
     "\\", "%", ";--", "tram:*", "tram & !late", "a <-> b", "a || b", '"a" * *', "\u202e", "हिन्दी", "日本語", "🚋",
     "x" * 200, "a\u0301", "\ud7ff", "İ", "__", "a_b"]
)  # fmt: skip


async def test_nothing_that_is_asked_breaks_it(service: Service) -> None:
    """What is an operator to a database is none here: every text is answered, at worst with `must hold a word`."""
    await say(service, *TEXTS)
    for asked in STRANGE:
        for name in ("q", "author"):
            answer = await service.call("GET", SEARCH, as_="moderator", params={name: asked})
            assert answer.status_code == 200 or fields(answer) == {name}, asked


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(q=st.text(max_size=40), more=st.text(alphabet='"*:()-^+ANDORab{}\x01', max_size=30))
async def test_whatever_is_typed_is_answered(service: Service, q: str, more: str) -> None:
    """Any text at all is answered without a defect."""
    site = await find_site(service.context, "test")
    for text in (q, more):
        with suppress(Problem):
            await search.find(service.context, site, Asked(q=text, author=more or None), after=None, limit=5)
        # A statement that fails ends the transaction of its connection, which the next one would meet.
        await search.find(service.context, site, Asked(q="tram"), after=None, limit=5)


async def test_wrong_parameters_are_named(service: Service) -> None:
    """A search without a word, a strange time, id, status or cursor is a 400 that names the field."""
    for name, value in (
        ("q", "…"),
        ("author", "--"),
        ("q", "a " * 17),
        ("after", "x"),
        ("from", "2026-01-01T00:00:00"),
    ):
        answer = await service.call("GET", SEARCH, as_="moderator", params={name: value})
        assert fields(answer) == {name}, name
    for name, value in (("q", "x" * 201), ("status", "loud"), ("limit", "0"), ("limit", "101"), ("to", "soon")):
        answer = await service.call("GET", SEARCH, as_="moderator", params={name: value})
        problem(answer, "request.invalid")
    problem(await service.call("GET", SEARCH, as_="moderator", params={"q": "a\x00b"}), "request.nul")
    problem(await service.call("GET", SEARCH, as_="moderator", params={"rule": "a\x00b"}), "request.nul")
    problem(await service.call("GET", SEARCH, as_="moderator", params={"commenter_id": "x"}), "commenter.unknown")
    cursor = await _cursor_of(service, q="tram")
    answer = await service.call("GET", SEARCH, as_="moderator", params={"q": "late", "after": cursor})
    assert fields(answer) == {"after"}


async def _cursor_of(service: Service, **asked: Any) -> str:
    await say(service, "A tram.", "Another tram.")
    answer = await service.call("GET", SEARCH, as_="moderator", params={"limit": 1, **asked}, expect=200)
    cursor: str = answer.json()["next"]
    return cursor


async def test_filters_narrow_it(service: Service) -> None:
    """Author, commenter, status, rule, page and time each narrow the search, with words and without."""
    start = service.clock()
    await say(service, CIVIL, author={"name": "Nora Müller-Lüd"})
    await say(service, RUDE, page=quote("https://news.example/a", safe=""), author={"name": "Otto"})
    service.clock.advance(3600)
    [vile] = await say(service, VILE, author={"name": "nora"})
    decisions = (await service.call("GET", f"/v1/review/test/comments/{vile}/decisions", as_="moderator")).json()
    rule = decisions["decisions"][0]["causes"][0]["rule"]
    async with service.context.database.reading() as connection:
        mine = sa.select(t.comments.c.commenter_id).where(t.comments.c.id == vile)
        commenter_id = (await connection.execute(mine)).scalar_one()
    for asked, bodies in (
        ({"author": "nora"}, [VILE, CIVIL]),
        ({"author": "müller"}, [CIVIL]),
        ({"author": '"nora müller"'}, [CIVIL]),
        ({"author": "ott*"}, [RUDE]),
        ({"status": "held"}, [RUDE]),
        ({"status": "published"}, [CIVIL]),
        ({"commenter_id": commenter_id}, [VILE]),
        ({"rule": rule}, [VILE]),
        ({"rule": "no such rule"}, []),
        ({"page": "https://news.example/a"}, [RUDE]),
        ({"page": "https://news.example/a", "status": "held"}, [RUDE]),
        ({"page": "https://news.example/b"}, []),
        ({"from": (start + timedelta(seconds=1800)).isoformat()}, [VILE]),
        ({"to": (start + timedelta(seconds=1800)).isoformat()}, [RUDE, CIVIL]),
        ({}, [VILE, RUDE, CIVIL]),
    ):
        assert await found(service, **asked) == bodies, asked
        assert await found(service, q="tram", **asked) == bodies, asked
        assert await found(service, q="bus", **asked) == []


async def test_a_found_comment_is_shown_whole(service: Service) -> None:
    """Each comes with its thread, revision, reasons, author's id and scores."""
    [comment_id] = await say(service, RUDE)
    [one] = (await service.call("GET", SEARCH, as_="moderator", params={"q": "tram"})).json()["comments"]
    assert (one["id"], one["status"], one["revision"]) == (comment_id, "held", 1)
    assert one["thread"]["page"] == "page"
    assert [score["attribute"] for score in one["scores"]] == ["toxicity"]
    assert [reason["code"] for reason in one["reasons"]] != []
    assert one["commenter_id"]


async def test_what_an_edit_replaced_is_not_found(service: Service) -> None:
    """The shown text is found, and the one that shall replace it; a text that was replaced is not."""
    made = await service.published("The first text about trams.")
    path, token = f"/v1/sites/test/comments/{made['comment']['id']}", made["author_token"]
    await service.call("PATCH", path, as_=token, json={"body": "A rude second text about trams."}, expect=200)
    await service.drain()
    for words in ("first", "second", "trams"):
        assert len(await found(service, q=words)) == 1, words
    await service.call("PATCH", path, as_=token, json={"body": "The third text about trams."}, expect=200)
    await service.drain()
    assert (await found(service, q="first"), await found(service, q="second")) == ([], [])
    assert await found(service, q="third trams") == ["The third text about trams."]


@pytest.mark.parametrize("asked", [{"q": "opinion"}, {}, {"status": "published"}, {"author": "reader"}])
async def test_pages_give_each_comment_once_the_newest_first(service: Service, asked: dict[str, Any]) -> None:
    """Page by page everything comes that one search would give, while new comments are written."""
    site = await find_site(service.context, "test")
    seeded = await seed_thread(service.context.database, site.id, comments=450, commenters=5)
    whole = await _ids(service, asked, limit=100)
    assert len(whole) == len(set(whole)) == (450 if "status" not in asked else await _published(service))
    assert whole == sorted(whole, reverse=True)
    assert set(whole) <= set(seeded.comment_ids)
    assert await _ids(service, asked, limit=7) == whole


async def _published(service: Service) -> int:
    async with service.context.database.reading() as connection:
        query = sa.select(sa.func.count()).where(t.comments.c.status == "published")
        return int((await connection.execute(query)).scalar_one())


async def _ids(service: Service, asked: dict[str, Any], *, limit: int) -> list[str]:
    ids: list[str] = []
    after: dict[str, str] = {}
    while True:
        answer = await service.call("GET", SEARCH, as_="moderator", params={**asked, **after, "limit": limit})
        page = answer.json()
        ids += [one["id"] for one in page["comments"]]
        assert len(page["comments"]) <= limit
        if page["next"] is None:
            return ids
        after = {"after": page["next"]}


async def test_a_wide_search_for_little_goes_on_page_by_page(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where few of many fit, a request looks at a bounded number and says where to go on; all are found in the end."""
    monkeypatch.setattr(search, "_STEP", 20)
    monkeypatch.setattr(search, "_STEPS", 2)
    site = await find_site(service.context, "test")
    [oldest] = await say(service, "A civil opinion of my own.")
    await seed_thread(
        service.context.database, site.id, comments=200, page="other", start=service.clock() + timedelta(seconds=1)
    )
    for asked in ({"q": "opinion", "page": "page"}, {"q": "opinion", "rule": "none"}):
        answer = await service.call("GET", SEARCH, as_="moderator", params={**asked, "limit": 5}, expect=200)
        assert (answer.json()["comments"], answer.json()["next"] is None) == ([], False)
    assert await _ids(service, {"q": "opinion", "page": "page"}, limit=5) == [oldest]


async def test_a_site_finds_its_own_comments_alone(service: Service) -> None:
    """The same words on two sites are found on each for itself, by whatever is asked."""
    await manage_sites.create_site(service.context, "test", schemas.SiteInput(slug="other", name="Other"))
    await say(service, "An opinion about the tram of ours in this town.", author={"name": "Nora"})
    body = {"body": "An opinion about the tram of theirs in this town.", "author": {"name": "Nora"}}
    theirs = await service.call("POST", "/v1/sites/other/threads/page/comments", json=body, expect=202)
    await service.drain()
    async with service.context.database.reading() as connection:
        mine = sa.select(t.comments.c.commenter_id).where(t.comments.c.id == theirs.json()["comment"]["id"])
        stranger = (await connection.execute(mine)).scalar_one()
        other_site = (await find_site(service.context, "other")).id
    asked: dict[str, Any]
    for asked in ({"q": "tram"}, {"author": "nora"}, {"page": "page"}, {"status": "published"}, {}):
        assert await found(service, **asked) == ["An opinion about the tram of ours in this town."], asked
    assert await found(service, commenter_id=stranger) == []
    assert await found(service, q=other_site.replace("-", "")) == []
    answer = await service.call("GET", "/v1/review/other/search", as_="moderator", params={"q": "tram"})
    problem(answer, "auth.forbidden")
    answer = await service.call("GET", "/v1/review/other/search", as_="root", params={"q": "tram"}, expect=200)
    assert [one["body"] for one in answer.json()["comments"]] == ["An opinion about the tram of theirs in this town."]


async def test_a_search_that_takes_too_long_is_given_up(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search ends when its time is over, with a problem that says what to do, and the connection goes on working."""
    site = await find_site(service.context, "test")
    await seed_thread(service.context.database, site.id, comments=3_000, commenters=5)
    monkeypatch.setattr(search, "PATIENCE_SECONDS", 0.001)
    answer = await service.call("GET", SEARCH, as_="moderator", params={"q": "opinion", "rule": "none"})
    problem(answer, "query.too_wide")
    monkeypatch.setattr(search, "PATIENCE_SECONDS", 60)
    assert len(await found(service, q="opinion")) == 100


async def test_an_erased_name_and_text_are_not_found(service: Service) -> None:
    """Once a commenter is erased neither their name nor their text is found; what stays is found without the name."""
    await say(service, CIVIL, author={"name": "Nora"})
    await say(service, RUDE, author={"name": "Nora"})
    for mode, left in (("anonymise", [CIVIL]), ("remove", [])):
        for commenter in await _commenters(service):
            path = f"/v1/admin/sites/test/commenters/{commenter}"
            await service.call("DELETE", path, as_="admin", json={"mode": mode}, expect=200)
        assert await found(service, author="nora") == []
        assert await found(service, q="tram") == left


async def _commenters(service: Service) -> list[str]:
    async with service.context.database.reading() as connection:
        return list((await connection.execute(sa.select(t.commenters.c.id))).scalars())
