"""Promise 8 for likes: whatever readers, authors and moderators do, they equal a recount; and no page is stale long."""

from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from moderation.decision import Status
from service.flow.identify import Commenter
from service.flow.page_cache import PageCache
from service.settings import Settings
from service.store.picks import Pick
from service.store.tables import comments
from service.store.threads import LIKES_TURN_SECONDS
from tests.contracts.walked import Walked, walk

PAGES = ("first", "second")
CHOICES = st.integers(0, 999)


class Likes(Walked):
    """A site whose readers like and take back, while comments come, go, move and are erased."""

    def __init__(self) -> None:
        super().__init__()
        self.cache = PageCache()
        self.readers = [self.run(self.walker.new_reader()) for _ in range(3)]
        self.before: dict[str, int] = {}

    def reader(self, choice: int) -> Commenter:
        """One of the readers, the authors among them."""
        everybody = [*self.readers, *(written.commenter for written in self.walker.written)]
        return everybody[choice % len(everybody)]

    @rule(page=st.sampled_from(PAGES))
    def submit(self, page: str) -> None:
        self.run(self.walker.submit("civil", page))
        self.run(self.walker.drain())

    @precondition(Walked.has_comments)
    @rule(choice=CHOICES)
    def reply(self, choice: int) -> None:
        parent = self.one(choice)
        self.run(self.walker.submit("civil", parent.page, parent=parent))
        self.run(self.walker.drain())

    @precondition(Walked.has_comments)
    @rule(choice=CHOICES, reader=CHOICES)
    def like(self, choice: int, reader: int) -> None:
        self.run(self.walker.like(self.one(choice), self.reader(reader)))

    @precondition(Walked.has_comments)
    @rule(choice=CHOICES, reader=CHOICES)
    def unlike(self, choice: int, reader: int) -> None:
        self.run(self.walker.unlike(self.one(choice), self.reader(reader)))

    @precondition(Walked.has_comments)
    @rule(choice=CHOICES, what=st.sampled_from(["featured", "pinned"]))
    def pick(self, choice: int, what: Pick) -> None:
        self.run(self.walker.pick(self.one(choice), what))

    @precondition(Walked.has_comments)
    @rule(choice=CHOICES, action=st.sampled_from(["remove", "restore"]))
    def act(self, choice: int, action: str) -> None:
        self.run(self.walker.act(self.one(choice), action))

    @precondition(Walked.has_comments)
    @rule(choice=CHOICES)
    def delete(self, choice: int) -> None:
        self.run(self.walker.delete(self.one(choice)))

    @rule(reader=CHOICES, mode=st.sampled_from(["anonymise", "remove"]))
    def erase(self, reader: int, mode: Any) -> None:
        self.run(self.walker.erase(self.reader(reader), mode))

    @rule(page=st.sampled_from(PAGES), to_page=st.sampled_from(PAGES))
    def move(self, page: str, to_page: str) -> None:
        self.run(self.walker.move(page, to_page))

    @rule(seconds=st.sampled_from([1, LIKES_TURN_SECONDS / 2, LIKES_TURN_SECONDS]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        if seconds >= LIKES_TURN_SECONDS:
            for page in PAGES:
                assert self.run(self.walker.seen(page, self.cache)) == self.run(self.walker.seen(page))

    @invariant()
    def likes_equal_a_recount(self) -> None:
        """No counter differs."""
        assert self.run(self.walker.recount()) == []

    @invariant()
    def only_what_is_published_is_picked(self) -> None:
        """Nothing that readers do not see is featured or pinned."""
        assert self.run(self._picked_out_of_sight()) == []

    async def _picked_out_of_sight(self) -> list[str]:
        picked = sa.or_(comments.c.featured_at.is_not(None), comments.c.pinned_at.is_not(None))
        query = sa.select(comments.c.id).where(
            comments.c.site_id == self.walker.site.id, comments.c.status != Status.PUBLISHED.value, picked
        )
        async with self.walker.context.database.reading() as connection:
            return list((await connection.execute(query)).scalars())

    @invariant()
    def cached_pages_differ_in_likes_alone(self) -> None:
        """What a process has kept under the version of now is the page of now, but for likes; no version falls."""
        for page in PAGES:
            version, kept = self.run(self.walker.seen(page, self.cache))
            now, fresh = self.run(self.walker.seen(page))
            assert (version, without_likes(kept)) == (now, without_likes(fresh))
            assert version >= self.before.get(page, 0)
            self.before[page] = version


def without_likes(found: Any) -> Any:
    """Answer a page, or a part of one, without its counts of likes."""
    if isinstance(found, dict):
        return {name: without_likes(value) for name, value in found.items() if name != "likes"}
    return [without_likes(one) for one in found] if isinstance(found, list) else found


@pytest.mark.slow
def test_likes_survive_whatever_people_do(settings: Settings, anyio_backend: str) -> None:
    """No sequence of likes, takedowns, restorations, deletions, erasures and merges leaves a count or a page wrong."""
    walk(Likes, settings)
