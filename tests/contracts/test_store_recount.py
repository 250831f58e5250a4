"""Promise 8: whatever authors, moderators, workers and publishers do, the counters are those of a recount."""

from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from service.flow.context import Context
from service.settings import Settings
from service.store import tables as t
from service.store.database import Database
from service.store.recount import Mismatch, recount
from tests.contracts.walked import Walked, walk
from tests.contracts.walker import Walker
from tests.seeding import seed_site, seed_thread

PAGES = st.sampled_from(["first", "second", "third"])
WORDS = st.sampled_from(["civil", "civil", "civil", "rude", "vile"])
CHOICES = st.integers(0, 999)


class Discussion(Walked):
    """A site in use. After every step each counter is recounted, and each page compared with what it was."""

    def __init__(self) -> None:
        super().__init__()
        self.before: dict[str, tuple[int, Any]] = {}

    @rule(word=WORDS, page=PAGES, drain=st.booleans())
    def submit(self, word: str, page: str, drain: bool) -> None:
        self.run(self.walker.submit(word, page))
        if drain:
            self.run(self.walker.drain())

    @precondition(Walked.has_comments)
    @rule(word=WORDS, choice=CHOICES, drain=st.booleans())
    def reply(self, word: str, choice: int, drain: bool) -> None:
        parent = self.one(choice)
        self.run(self.walker.submit(word, parent.page, parent=parent))
        if drain:
            self.run(self.walker.drain())

    @rule()
    def drain(self) -> None:
        self.run(self.walker.drain())

    @precondition(Walked.has_comments)
    @rule(choice=CHOICES, word=WORDS)
    def edit(self, choice: int, word: str) -> None:
        self.run(self.walker.edit(self.one(choice), word))

    @precondition(Walked.has_comments)
    @rule(choice=CHOICES)
    def delete(self, choice: int) -> None:
        self.run(self.walker.delete(self.one(choice)))

    @rule(action=st.sampled_from(["approve", "reject"]), limit=st.integers(1, 3))
    def claim_and_decide(self, action: str, limit: int) -> None:
        for item in self.run(self.walker.claim(limit)):
            self.run(self.walker.decide(item, action))

    @precondition(Walked.has_comments)
    @rule(choice=CHOICES, action=st.sampled_from(["remove", "restore"]))
    def act(self, choice: int, action: str) -> None:
        self.run(self.walker.act(self.one(choice), action))

    @rule(page=PAGES, to_page=PAGES)
    def move(self, page: str, to_page: str) -> None:
        self.run(self.walker.move(page, to_page))

    @invariant()
    def counters_equal_a_recount(self) -> None:
        """No counter differs."""
        assert self.run(self.walker.recount()) == []

    @invariant()
    def versions_grow_with_what_is_seen(self) -> None:
        """A page that looks different has a greater version, and no version ever falls."""
        for page in ("first", "second", "third"):
            version, seen = self.run(self.walker.seen(page))
            was, looked = self.before.get(page, (0, seen))
            assert version >= was
            assert version > was or seen == looked or was == 0
            self.before[page] = (version, seen)


@pytest.mark.slow
def test_counters_survive_whatever_people_do(settings: Settings, anyio_backend: str) -> None:
    """No sequence of acts, merges of threads among them, leaves a counter, a visibility or a version wrong."""
    walk(Discussion, settings)


@pytest.mark.anyio
async def test_a_merge_never_turns_a_version_back(context: Context) -> None:
    """Readers of a busy page whose thread is merged into a quiet one are told a greater version, as the others are."""
    walker = await Walker(context).begin()
    for _ in range(3):
        await walker.submit("civil", "busy")
        await walker.drain()
    await walker.submit("civil", "quiet")
    await walker.drain()
    before = [await walker.seen(page) for page in ("busy", "quiet")]
    await walker.move("busy", "quiet")
    after = [await walker.seen(page) for page in ("busy", "quiet")]
    assert all(new > old for (new, _), (old, _) in zip(after, before, strict=True))
    assert after[0][1]["thread"]["count"] == 4


@pytest.mark.anyio
async def test_a_seeded_thread_is_coherent(database: Database) -> None:
    """What benches and plans are measured on has the counters that a recount gives."""
    site_id = await seed_site(database, "seeded")
    await seed_thread(database, site_id, comments=300)
    async with database.reading() as connection:
        assert await recount(connection, site_id) == []


@pytest.mark.anyio
async def test_a_recount_names_what_is_wrong(database: Database) -> None:
    """Each counter that was tampered with is reported with its comment or thread, both numbers, and nothing else."""
    site_id, other = await seed_site(database, "tampered"), await seed_site(database, "other")
    seeded = await seed_thread(database, site_id, comments=50, hidden_share=0)
    await seed_thread(database, other, comments=50, hidden_share=0)
    last = seeded.comment_ids[-1]
    async with database.writing() as connection:
        wrong = {"visible": False, "visible_replies": 3, "reply_count": 2, "likes": 99}
        await connection.execute(t.comments.update().where(t.comments.c.id == last).values(**wrong))
        await connection.execute(
            t.threads.update().where(t.threads.c.id == seeded.thread_id).values(published_count=49)
        )
    async with database.reading() as connection:
        likes = sa.select(sa.func.count()).select_from(t.reactions).where(t.reactions.c.comment_id == last)
        liked = (await connection.execute(likes)).scalar_one()
        assert set(await recount(connection, site_id)) == {
            Mismatch("comments", last, "visible", 0, 1),
            Mismatch("comments", last, "visible_replies", 3, 0),
            Mismatch("comments", last, "reply_count", 2, 0),
            Mismatch("comments", last, "likes", 99, liked),
            Mismatch("threads", seeded.thread_id, "published_count", 49, 50),
        }
        assert await recount(connection, other) == []
