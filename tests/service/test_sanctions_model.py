"""Any sequence of sanctions, comments, decisions and time leaves a site where a plain model of it stands."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from service import schemas
from service.embedded_redis import EmbeddedRedis
from service.flow import sanctions, submit
from service.flow.identify import Commenter
from service.settings import Settings
from service.store import comments
from service.store.recount import recount
from tests.contracts.walker import MODERATOR
from tests.service.state_machine import Ground, SiteMachine, follow

KINDS = ("ban", "suspension", "pre_moderation")
WORDS = {"civil": "published", "rude": "held", "vile": "rejected"}


class SanctionMachine(SiteMachine):
    """One account on a site: what it may do, and what becomes of what it wrote, is told by a few dictionaries."""

    def __init__(self, configured: Settings) -> None:
        super().__init__(configured)
        first = self.run(self.walker.submit("civil", "page"))
        assert first is not None
        self.run(self.walker.drain())
        # Of the publisher, so that nothing is held for a network that it shares with a banned guest.
        self.author = Commenter(first.commenter.commenter_id, "signed", None, 1)
        self.status: dict[str, str] = {first.id: "published"}
        self.in_force: dict[str, Any] = {}
        self.ends: dict[str, Any] = {}
        self.swept: dict[str, dict[str, str]] = {}
        self.last_word: dict[str, str] = {}
        self.said = 100

    def standing(self, kind: str) -> bool:
        """Answer whether the model has a sanction of a kind in force now."""
        return kind in self.in_force and (self.ends[kind] is None or self.ends[kind] > self.clock())

    @rule(word=st.sampled_from(sorted(WORDS)))
    def write(self, word: str) -> None:
        self.said += 1
        wanted = schemas.SubmitComment(body=f"A {word} opinion, the {self.said}th.")
        request = submit.Request(
            page="page", input=wanted, commenter=self.author, from_allowed_origin=True, idempotency_key=None,
            wait_seconds=0,
        )  # fmt: skip
        shut_out = [code for kind, code in (("ban", "banned"), ("suspension", "suspended")) if self.standing(kind)]
        done, refused = self.attempt(submit.submit(self.context, self.site, request))
        assert refused == (f"commenter.{shut_out[0]}" if shut_out else None)
        if done is None:
            return
        self.run(self.walker.drain())
        outcome = WORDS[word]
        self.status[done.comment.id] = "held" if outcome == "published" and self.standing("pre_moderation") else outcome

    @rule(kind=st.sampled_from(KINDS), hours=st.sampled_from([None, 1, 24]), lasts=st.integers(1, 5))
    def impose(self, kind: str, hours: int | None, lasts: int) -> None:
        until = self.clock() + timedelta(hours=lasts) if kind == "suspension" else None
        wanted = schemas.SanctionInput(kind=kind, reason="spam", until=until, reject_hours=hours)  # type: ignore[arg-type]
        act = sanctions.impose(self.context, self.site, MODERATOR, self.author.commenter_id, wanted)
        view, refused = self.attempt(act)
        assert refused == ("sanction.exists" if self.standing(kind) else None)
        if view is None:
            return
        down: dict[str, str] = {}
        if hours is not None:
            ages = self.run(self._ages())
            down = {
                one: status
                for one, status in self.status.items()
                if status in ("published", "held") and ages[one] <= timedelta(hours=hours)
            }
            self.status |= {one: "removed" if status == "published" else "rejected" for one, status in down.items()}
        self.in_force[kind], self.ends[kind], self.swept[kind] = view.id, until, down
        self.last_word |= dict.fromkeys(down, kind)
        assert view.taken_down == len(down)

    async def _ages(self) -> dict[str, timedelta]:
        async with self.context.database.reading() as connection:
            found = {one: await comments.by_id(connection, self.site.id, one) for one in self.status}
        return {one: self.clock() - row.created_at for one, row in found.items() if row is not None}

    @precondition(lambda self: self.in_force)
    @rule(pick=st.sampled_from(KINDS), restore=st.booleans())
    def lift(self, pick: str, restore: bool) -> None:
        kind = pick if pick in self.in_force else next(iter(self.in_force))
        sanction_id, me = self.in_force[kind], self.author.commenter_id
        act = sanctions.lift(self.context, self.site, MODERATOR, me, sanction_id, restore=restore)
        _, refused = self.attempt(act)
        assert refused == (None if self.standing(kind) else "sanction.over")
        if restore and refused is None:
            # A later act may have taken the same comments down again; the last word on them is then that one's.
            self.status |= {one: before for one, before in self.swept[kind].items() if self.last_word[one] == kind}
            self.last_word |= dict.fromkeys(self.swept[kind], "")
        del self.in_force[kind]

    @rule(hours=st.integers(1, 30))
    def time_passes(self, hours: int) -> None:
        self.clock.advance(hours * 3600)

    @invariant()
    def statuses_are_as_the_model_says(self) -> None:
        async def read() -> dict[str, str]:
            async with self.context.database.reading() as connection:
                found = [await comments.by_id(connection, self.site.id, one) for one in self.status]
                assert not await recount(connection, self.site.id)
            return {row.id: row.status for row in found if row is not None}

        assert self.run(read()) == self.status


@pytest.mark.slow
def test_sanctions_follow_the_model(
    sqlite_template: Path, redis_server: EmbeddedRedis, redis_prefix: str, tmp_path: Path
) -> None:
    """Who is shut out writes nothing, who is under review waits, and undoing gives back exactly what was taken."""
    ground = Ground(sqlite_template, redis_server.url, redis_prefix, tmp_path)
    follow(SanctionMachine, ground, examples=20, steps=25)
