"""Whoever uses a site: authors, a worker, a moderator and the publisher's systems, through the real flows."""

import uuid
from collections.abc import Awaitable
from typing import Any, NamedTuple

import msgspec

from service import schemas
from service.errors import Problem
from service.flow import decide, edit, erase, manage_sites, manage_threads, pick, react, read, review, submit
from service.flow.context import Context
from service.flow.identify import Commenter, Principal, add_guest, new_guest
from service.flow.page_cache import PageCache
from service.store import comments, sites
from service.store.picks import Pick
from service.store.recount import Mismatch, recount
from service.store.types import Row
from service.workers.loop import Parts
from service.workers.scoring import ScoringWorker
from tests.service_fixture import FakeScorer

MODERATOR = Principal("token", None, "moderator", "Moderator", "moderator", frozenset({"review"}))


class Written(NamedTuple):
    """A comment that somebody wrote."""

    id: str
    page: str
    commenter: Commenter


class Walker:
    """One site of its own in a database that others use too. Refusals are remembered; failures of ours are raised."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.worker = ScoringWorker(context, FakeScorer(), Parts("scorer", "redis", "database"), batch_size=32)
        self.written: list[Written] = []
        self.refused: list[str] = []
        self.said = 0

    async def begin(self) -> "Walker":
        """Make the site."""
        slug = uuid.uuid4().hex
        wanted = schemas.SiteInput(slug=slug, name="Walk", allowed_origins=["https://news.example"])
        await manage_sites.create_site(self.context, "test", wanted)
        self.site = await self._site(slug)
        return self

    async def _site(self, slug: str) -> Row:
        async with self.context.database.reading() as connection:
            site = await sites.by_slug(connection, slug)
        assert site is not None
        return site

    async def attempt(self, flow: Awaitable[Any]) -> Any:
        """Do something that may be refused; answer what came of it, or None."""
        try:
            return await flow
        except Problem as problem:
            if problem.status not in (404, 409, 422) and problem.code != "reaction.own":
                raise
            self.refused.append(problem.code)
            return None

    async def submit(
        self, word: str, page: str, *, parent: Written | None = None, key: str | None = None, body: str | None = None
    ) -> Written | None:
        """Write a comment with a word by which the model knows it; the worker has yet to come."""
        self.said += 1
        text = body or f"A {word} opinion, the {self.said}th."
        wanted = schemas.SubmitComment(body=text, parent_id=parent.id if parent else None)
        request = submit.Request(
            page=page, input=wanted, commenter=None, from_allowed_origin=True, idempotency_key=key, wait_seconds=0
        )
        done = await self.attempt(submit.submit(self.context, self.site, request))
        if done is None:
            return None
        async with self.context.database.reading() as connection:
            row = await comments.by_id(connection, self.site.id, done.comment.id)
        assert row is not None
        written = Written(row.id, page, Commenter(row.commenter_id, "guest", None, 1))
        if written not in self.written:
            self.written.append(written)
        return written

    async def edit(self, written: Written, word: str) -> Any:
        """Give an own comment another text."""
        self.said += 1
        text = f"A {word} opinion, the {self.said}th, edited."
        return await self.attempt(
            edit.edit(self.context, self.site, written.commenter, written.id, text, wait_seconds=0)
        )

    async def delete(self, written: Written) -> None:
        """Delete an own comment."""
        await self.attempt(edit.delete(self.context, self.site, written.commenter, written.id))

    async def new_reader(self) -> Commenter:
        """Answer a guest who has written nothing."""
        reader = new_guest(self.context, None)
        async with self.context.database.writing() as connection:
            await add_guest(connection, self.site.id, reader, self.context.now())
        return reader

    async def like(self, written: Written, reader: Commenter) -> None:
        """Like a comment."""
        await self.attempt(react.like(self.context, self.site, reader, written.id))

    async def unlike(self, written: Written, reader: Commenter) -> None:
        """Like a comment no more."""
        await self.attempt(react.take_back(self.context, self.site, reader, written.id))

    async def pick(self, written: Written, what: Pick) -> None:
        """Feature or pin a comment."""
        await self.attempt(pick.pick(self.context, self.site, MODERATOR, written.id, what))

    async def erase(self, commenter: Commenter, mode: schemas.ErasureMode) -> None:
        """Erase somebody, with what they wrote and like."""
        await erase.erase(self.context, self.site, commenter.commenter_id, "admin", mode=mode)

    async def claim(self, limit: int = 50) -> list[schemas.ReviewItem]:
        """Take review items."""
        wanted = schemas.ClaimInput(limit=limit, lease_seconds=60)
        return await review.claim(self.context, self.site, MODERATOR, wanted)

    async def decide(self, item: schemas.ReviewItem, action: str) -> Any:
        """Decide an item that was claimed."""
        wanted = schemas.DecideInput(
            lease=item.lease.token,
            revision=item.revision,
            action=action,  # type: ignore[arg-type]
            reasons=["insult"] if action == "reject" else [],
        )
        return await self.attempt(decide.decide(self.context, self.site, MODERATOR, item.item_id, wanted))

    async def act(self, written: Written, action: str) -> Any:
        """Remove or restore a comment, whatever revision is the one to name."""
        async with self.context.database.reading() as connection:
            row = await comments.by_id(connection, self.site.id, written.id)
        assert row is not None
        reasons = ["insult"] if action == "remove" else []
        number = row.shown_revision or row.latest_revision
        wanted = schemas.ActInput(revision=number, action=action, reasons=reasons)  # type: ignore[arg-type]
        return await self.attempt(decide.act_on(self.context, self.site, MODERATOR, written.id, wanted))

    async def move(self, page: str, to_page: str) -> Any:
        """Move a thread, or merge it into the one that is there."""
        wanted = schemas.ThreadMove(to_page=to_page)
        return await self.attempt(manage_threads.move_thread(self.context, self.site, "test", page, wanted))

    async def drain(self) -> None:
        """Let the worker decide everything that is on the stream."""
        while await self.worker.drain_once(block_ms=1):
            continue

    async def recount(self) -> list[Mismatch]:
        """Answer the counters that are wrong."""
        async with self.context.database.reading() as connection:
            return await recount(connection, self.site.id)

    async def seen(self, page: str, cache: PageCache | None = None) -> tuple[int, Any]:
        """Answer the version that readers of a page are told, and what they see; anew, or from a process's cache."""
        wanted = read.PageWanted(page, "oldest", 100, 100, None)
        rendered = (await read.thread_page(self.context, cache or PageCache(), self.site, wanted)).page
        found = msgspec.json.decode(rendered.body)
        version = found["thread"].pop("version")
        return version, found
