"""The words of texts are found by an index that follows every change, and leave its file with the text."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from service.flow import forget_words as flow
from service.flow.forget_words import forget_words
from service.flow.identify import find_site
from service.flow.retention import apply_retention
from service.store import search
from service.store import tables as t
from tests.seeding import seed_thread
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
WORD = "zyxwvut"


@pytest.fixture
def database_kind() -> str:
    """PostgreSQL keeps no words beside the row: what is said here is of SQLite's FTS5."""
    return "sqlite"


def file_of(service: Service) -> Path:
    """The database's file, with its log folded in."""
    path = sa.make_url(service.context.database.url).database or ""
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    connection.close()
    return Path(path)


def is_in_file(service: Service, word: str = WORD) -> bool:
    """Whether a word, or the end that FTS5 keeps of one beside its neighbour, is in the bytes of the file."""
    held = file_of(service).read_bytes()
    return any(part.encode() in held for part in (word, word[1:], word[2:]))


async def is_sound(service: Service) -> bool:
    """Whether FTS5 finds its own index in order, and each text has its number and no other has one."""
    async with service.context.database.writing() as connection:
        await connection.execute(sa.text("INSERT INTO search_words(search_words) VALUES ('integrity-check')"))
        numbers = set((await connection.execute(sa.text("SELECT revision_id FROM search_texts"))).scalars())
        texts = sa.select(t.revisions.c.id).where(t.revisions.c.body.is_not(None))
        return numbers == set((await connection.execute(texts)).scalars())


async def erase(service: Service, mode: str) -> None:
    """Erase every commenter."""
    async with service.context.database.reading() as connection:
        commenters = list((await connection.execute(sa.select(t.commenters.c.id))).scalars())
    for commenter in commenters:
        path = f"/v1/admin/sites/test/commenters/{commenter}"
        answer = await service.call("DELETE", path, as_="admin", json={"mode": mode}, expect=200)
        assert answer.json()["finished"] is True


@pytest.mark.parametrize("mode", ["anonymise", "remove"])
async def test_erased_words_are_not_in_the_file(service: Service, mode: str) -> None:
    """After an erasure neither the words of the texts that go nor those of the name are in the bytes of the file."""
    site = await find_site(service.context, "test")
    await seed_thread(service.context.database, site.id, comments=300, page="other")
    await service.submit(f"A rude opinion about {WORD} and the tram.", author={"name": f"Nora {WORD}"})
    await service.drain()
    assert is_in_file(service)
    await erase(service, mode)
    assert not is_in_file(service)
    assert await is_sound(service)


async def test_words_go_with_retention(service: Service) -> None:
    """What retention lets go of leaves the index with the sweep."""
    made = await service.submit(f"An opinion about {WORD} and the tram.")
    path = f"/v1/sites/test/comments/{made['comment']['id']}"
    await service.call("DELETE", path, as_=made["author_token"], expect=204)
    service.clock.advance(40 * 86_400)
    assert await apply_retention(service.context) >= 1
    assert await forget_words(service.context)
    assert not is_in_file(service)
    assert await is_sound(service)


async def test_an_interrupted_wipe_goes_on(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wipe that ends half way, by a crash or because much is to be done, is finished by the next sweep."""
    monkeypatch.setattr(flow, "PAGES", 1)
    monkeypatch.setattr(flow, "_AT_ONCE", 1)
    site = await find_site(service.context, "test")
    await seed_thread(service.context.database, site.id, comments=2_000, page="other")
    await service.submit(f"A rude opinion about {WORD} and the tram.")
    await service.drain()
    async with service.context.database.writing() as connection:
        mine = t.revisions.c.body.contains(WORD)
        await connection.execute(t.revisions.update().where(mine).values(body=None, html=None))
    assert await forget_words(service.context) is False
    monkeypatch.setattr(flow, "_AT_ONCE", 10_000)
    await service.sweep()
    assert not is_in_file(service)
    async with service.context.database.reading() as connection:
        assert await search.owed_wipe(connection) == 0
    assert await is_sound(service)


async def test_what_is_erased_during_a_wipe_is_owed_still(service: Service) -> None:
    """A wipe notes what it began with as done, and nothing that was erased behind its back."""
    await service.submit("An opinion about the tram.")
    await service.submit("An opinion about the bus.", page="other")
    async with service.context.database.writing() as connection:
        for word in ("tram", "bus"):
            erased = t.revisions.update().where(t.revisions.c.body.contains(word)).values(body=None)
            await connection.execute(erased)
        assert await search.owed_wipe(connection) == 2
        await search.wiped(connection, erased=1)
        assert await search.owed_wipe(connection) == 2
        await search.wiped(connection, erased=2)
        assert await search.owed_wipe(connection) == 0


async def test_compacting_the_file_changes_nothing(service: Service) -> None:
    """After VACUUM, which may number rows anew, words still lead to their texts."""
    for number in range(20):
        await service.submit(f"Opinion number{number} about the tram.", page=str(number))
    async with service.context.database.writing() as connection:
        await connection.execute(t.revisions.update().where(t.revisions.c.body.contains("number3 ")).values(body=None))
    path = sa.make_url(service.context.database.url).database or ""
    await service.context.database.dispose()
    with sqlite3.connect(path) as connection_:
        connection_.execute("VACUUM")
    connection_.close()
    answer = await service.call("GET", "/v1/review/test/search", as_="moderator", params={"q": "number17"}, expect=200)
    assert [one["thread"]["page"] for one in answer.json()["comments"]] == ["17"]
    assert await is_sound(service)
