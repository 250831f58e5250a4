"""Any sequence of reports, appeals, decisions, undos, edits and losses answers all once and hides what it must."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from service import schemas
from service.embedded_redis import EmbeddedRedis
from service.flow import appeal, decide, edit, read_reports, report, review, undo
from service.flow.identify import Commenter
from service.flow.sweep import sweep
from service.flow.verify_audit import verify
from service.queue.client import connect
from service.settings import Settings
from service.store import commenters
from service.store import tables as t
from service.store.recount import recount
from service.store.types import Row
from tests.contracts.walker import Written
from tests.service.state_machine import Ground, SiteMachine, follow

HOLD_FROM, UNDO_SECONDS = 3, 300
SIGNED, NETWORKS = 3, 3
READERS = st.integers(0, SIGNED + NETWORKS - 1)
WHO = st.integers(0, 1)
NOTICE = schemas.IllegalContent(
    law="Section 185", explanation="A lie.", good_faith=True, name="Berta", email="berta@reader.example"
)
_TABLES = (t.comments, t.revisions, t.reports, t.appeals, t.review_items, t.decisions, t.outbox)


class Sent(NamedTuple):
    """A report as its reader knows it."""

    reader: int
    comment_id: str
    token: str | None


class Site(NamedTuple):
    """Every row of a site, as one snapshot has it."""

    comments: list[Row]
    revisions: list[Row]
    reports: list[Row]
    appeals: list[Row]
    items: list[Row]
    decisions: list[Row]
    events: list[Row]

    @property
    def open(self) -> list[Row]:
        """The items that wait."""
        return [row for row in self.items if row.state == "open"]

    def decision(self, id_: str) -> Row:
        """A decision by id."""
        return next(row for row in self.decisions if row.id == id_)

    def shown(self, comment: Row) -> str | None:
        """The text that readers see, or saw."""
        return next(
            (row.id for row in self.revisions if (row.comment_id, row.number) == (comment.id, comment.shown_revision)),
            None,
        )

    def approved(self, revision_id: str | None) -> bool:
        """Whether a person let readers see a text, and did not take that back."""
        undone = {row.undoes_id for row in self.decisions}
        return any(
            row.revision_id == revision_id and row.actor_kind == "moderator" and row.to_status == "published"
            and row.action in ("approve", "restore") and row.undoes_id is None and row.id not in undone
            for row in self.decisions
        )  # fmt: skip


class ReportsMachine(SiteMachine):
    """Two moderators, some readers with accounts and some behind networks, authors who are guests."""

    def __init__(self, configured: Settings) -> None:
        super().__init__(configured)
        self.people = [self.moderator(number) for number in range(2)]
        self.readers = [self.run(self.account(number)) for number in range(SIGNED)]
        self.redis = connect(configured.redis_url)
        self.written: list[Written] = []
        self.hands: list[tuple[int, schemas.ReviewItem]] = []
        self.acts: list[tuple[int, str]] = []
        self.sent: dict[str, Sent] = {}
        self.outcomes: dict[str, tuple[str | None, str | None]] = {}
        self.closings: Counter[str] = Counter()

    async def account(self, number: int) -> Commenter:
        """Make a reader with an account of the publisher's."""
        row = {
            "id": self.context.new_id(), "site_id": self.site.id, "kind": "signed", "name": f"R{number}",
            "subject": f"reader-{number}", "first_seen_at": self.clock(),
        }  # fmt: skip
        async with self.context.database.writing() as connection:
            await commenters.insert_account(connection, row)
        return Commenter(row["id"], "signed", row["name"], 1)

    async def rows(self) -> Site:
        """Read everything at once."""
        async with self.context.database.reading() as connection:
            found = [
                list(await connection.execute(sa.select(table).where(table.c.site_id == self.site.id).order_by("id")))
                for table in _TABLES
            ]
        return Site(*found)

    def one(self, data: st.DataObject) -> Written:
        """Choose a comment."""
        return data.draw(st.sampled_from(self.written))

    def did(self, who: int, done: schemas.Decided | None) -> None:
        """Remember what can be undone."""
        if done is not None and done.decision.act_id is not None and done.undo_until is not None:
            self.acts.append((who, done.decision.act_id))

    @rule(word=st.sampled_from(["civil", "civil", "rude", "vile"]))
    def write(self, word: str) -> None:
        written = self.run(self.walker.submit(word, "page"))
        assert written is not None
        self.written.append(written)
        self.run(self.walker.drain())

    def report(self, comment: Written, reader: int, *, is_notice: bool = False) -> None:
        """Report a comment; who did before is answered the same report."""
        signed = self.readers[reader] if reader < SIGNED else None
        by = report.Reporter(signed, f"10.{reader}.1.1")
        reason: Any = "illegal_content" if is_notice else "insult"
        wanted = schemas.ReportInput(reason=reason, illegal=NOTICE if is_notice else None)
        found, code = self.attempt(report.report(self.context, self.site, by, comment.id, wanted))
        if found is None:
            assert code == "comment.unknown"
            return
        answer, is_new = found
        assert is_new == (answer.id not in self.sent)
        if is_new:
            assert (answer.token is None) == (signed is not None)
            self.sent[answer.id] = Sent(reader, comment.id, answer.token)
        assert self.sent[answer.id][:2] == (reader, comment.id)

    @precondition(lambda self: self.written)
    @rule(data=st.data(), reader=READERS, is_notice=st.booleans())
    def a_reader_reports(self, data: st.DataObject, reader: int, is_notice: bool) -> None:
        self.report(self.one(data), reader, is_notice=is_notice)

    @precondition(lambda self: self.written)
    @rule(data=st.data(), first=st.integers(0, SIGNED))
    def enough_readers_report(self, data: st.DataObject, first: int) -> None:
        comment = self.one(data)
        for reader in range(first, first + HOLD_FROM):
            self.report(comment, reader)

    @rule(who=WHO, limit=st.integers(1, 4))
    def claim(self, who: int, limit: int) -> None:
        wanted = schemas.ClaimInput(limit=limit, lease_seconds=120)
        self.hands += [
            (who, item) for item in self.run(review.claim(self.context, self.site, self.people[who], wanted))
        ]

    @precondition(lambda self: self.hands)
    @rule(data=st.data(), approve=st.booleans())
    def decide(self, data: st.DataObject, approve: bool) -> None:
        who, item = self.hands.pop(data.draw(st.integers(0, len(self.hands) - 1)))
        wanted = schemas.DecideInput(
            lease=item.lease.token, revision=item.revision, action="approve" if approve else "reject",
            reasons=[] if approve else ["spam"],
        )  # fmt: skip
        found, code = self.attempt(decide.decide(self.context, self.site, self.people[who], item.item_id, wanted))
        assert code in (None, "lease.expired", "item.decided", "revision.changed"), code
        self.did(who, found)

    @precondition(lambda self: self.written)
    @rule(data=st.data(), who=WHO, remove=st.booleans())
    def act(self, data: st.DataObject, who: int, remove: bool) -> None:
        comment = self.one(data)
        row = next(row for row in self.run(self.rows()).comments if row.id == comment.id)
        wanted = schemas.ActInput(
            revision=row.shown_revision or row.latest_revision, action="remove" if remove else "restore",
            reasons=["spam"] if remove else [],
        )  # fmt: skip
        found, code = self.attempt(decide.act_on(self.context, self.site, self.people[who], comment.id, wanted))
        assert code in (None, "comment.final", "review.own"), code
        self.did(who, found)

    @precondition(lambda self: self.acts)
    @rule(data=st.data())
    def undo(self, data: st.DataObject) -> None:
        who, act_id = self.acts.pop(data.draw(st.integers(0, len(self.acts) - 1)))
        found, code = self.attempt(undo.undo(self.context, self.site, self.people[who], act_id))
        assert code in (None, "undo.over"), code
        if found is not None:
            self.hands += [(who, item) for item in found.items]

    @precondition(lambda self: self.written)
    @rule(data=st.data(), word=st.sampled_from(["civil", "civil", "rude", "vile"]), at_once=st.booleans())
    def edit(self, data: st.DataObject, word: str, at_once: bool) -> None:
        written = self.one(data)
        self.walker.said += 1
        body = f"A {word} opinion, the {self.walker.said}th, edited."
        step = edit.edit(self.context, self.site, written.commenter, written.id, body, wait_seconds=0)
        _, code = self.attempt(step)
        assert code in (None, "edit.too_late", "comment.final", "comment.unknown"), code
        if at_once:
            self.run(self.walker.drain())

    @rule()
    def the_worker_comes(self) -> None:
        self.run(self.walker.drain())

    @precondition(lambda self: self.written)
    @rule(data=st.data())
    def appeal(self, data: st.DataObject) -> None:
        written = self.one(data)
        step = appeal.open_(
            self.context, self.site, written.commenter, written.id, schemas.AppealInput(text="It was a quotation.")
        )
        _, code = self.attempt(step)
        assert code in (None, "appeal.exists", "appeal.not_possible"), code

    @precondition(lambda self: self.written)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        written = self.one(data)
        self.run(edit.delete(self.context, self.site, written.commenter, written.id))

    @rule(seconds=st.sampled_from([1, 121, UNDO_SECONDS + 1]))
    def pass_time(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule(loses=st.booleans())
    def sweep(self, loses: bool) -> None:
        if loses:
            self.run(self.redis.flushall())
        self.run(sweep(self.context))

    @invariant()
    def all_promises_hold(self) -> None:
        """What the checks below say is so after each step, of one snapshot."""
        site = self.run(self.rows())
        self.everything_is_asked_about_once(site)
        self.nothing_is_read_that_must_wait(site)
        self.every_report_ends_once(site)
        self.appeals_are_answered_by_somebody_else(site)

    def everything_is_asked_about_once(self, site: Site) -> None:
        """What waits for a person has one item, and what asks nothing has none."""
        asked = Counter(row.revision_id for row in site.open)
        assert not [one for one, number in asked.items() if number > 1]
        for comment in site.comments:
            kinds = {row.kind for row in site.open if row.comment_id == comment.id}
            if comment.status == "held":
                assert kinds & {"held", "reported"}, "nobody is asked about what is held"
            if comment.status == "deleted":
                assert not kinds, "nothing is asked about what is gone"
            if comment.status in ("rejected", "removed"):
                assert kinds <= {"appealed"}, "what is down is asked about for an appeal alone"
            assert ("reported" in kinds) == bool(self.counted(site, comment) or self.notices(site, comment))

    def nothing_is_read_that_must_wait(self, site: Site) -> None:
        """Readers see the published comments, and none that enough of them report and no person has approved."""
        for comment in site.comments:
            if comment.status == "published" and len(self.counted(site, comment)) >= HOLD_FROM:
                assert site.approved(site.shown(comment)), "enough readers report what no person looked at"
        if self.written:
            _, seen = self.run(self.walker.seen("page"))
            read = {one["id"] for one in seen["comments"] if one["body"] is not None}
            assert read == {row.id for row in site.comments if row.status == "published"}

    def counted(self, site: Site, comment: Row) -> set[int]:
        """Answer which readers report a comment now, and were not answered about that very text."""
        mine = [row for row in site.reports if row.comment_id == comment.id]
        answered = {(self.sent[row.id].reader, row.revision_id) for row in mine if row.closed_at is not None}
        still = [(self.sent[row.id].reader, row.revision_id) for row in mine if row.closed_at is None]
        return {one[0] for one in still if one[0] < SIGNED or one not in answered}

    def notices(self, site: Site, comment: Row) -> list[Row]:
        """Answer the open notices of illegal content about a comment."""
        mine = [row for row in site.reports if row.comment_id == comment.id and row.closed_at is None]
        return [row for row in mine if row.reason == "illegal_content"]

    def every_report_ends_once(self, site: Site) -> None:
        """A report is open, or has one outcome by one decision, and is told of each time that it ended."""
        assert {row.id for row in site.reports} == set(self.sent)
        for row in site.reports:
            assert (row.closed_at is None) == (row.outcome is None) == (row.decision_id is None)
            before, now = self.outcomes.get(row.id, (None, None)), (row.outcome, row.decision_id)
            assert None in (before[1], now[1]) or before == now, "an answer was changed"
            if before[1] is None and now[1] is not None:
                self.closings[row.id] += 1
                assert site.decision(row.decision_id).comment_id == row.comment_id
            self.outcomes[row.id] = now
        told = Counter(row.data["report_id"] for row in site.events if row.type == "report.closed")
        assert told == self.closings

    def appeals_are_answered_by_somebody_else(self, site: Site) -> None:
        """An open appeal is asked about by an open item, and no first decider answers one by its item."""
        items = {row.id: row for row in site.items}
        open_ = {row.review_item_id for row in site.appeals if row.closed_at is None}
        assert {row.id for row in site.open if row.kind == "appealed"} == open_
        for row in site.appeals:
            contested = site.decision(row.decision_id)
            by = [one for one in site.decisions if one.review_item_id == row.review_item_id and one.review_item_id]
            if contested.actor_kind == "moderator":
                assert contested.actor not in {one.actor for one in by}
                if row.closed_at is None:
                    assert items[row.review_item_id].not_for == contested.actor

    def teardown(self) -> None:
        """Let every author delete what is left: every reporter then reads one outcome, and all numbers are right."""
        for written in self.written:
            self.run(edit.delete(self.context, self.site, written.commenter, written.id))
        self.run(self.check_the_end())
        super().teardown()

    async def check_the_end(self) -> None:
        """Ask as each reporter, count again, and walk the audit chain."""
        for id_, sent in self.sent.items():
            reader = self.readers[sent.reader] if sent.reader < SIGNED else None
            view = await read_reports.read_own(self.context, self.site, reader, id_, sent.token)
            assert (view.state, view.comment_id, view.outcome is None) == ("closed", sent.comment_id, False)
        async with self.context.database.reading() as connection:
            assert await recount(connection, self.site.id) == []
        assert [walked.fault async for walked in verify(self.context, self.site)] == [None]
        await self.redis.aclose()


@pytest.mark.slow
def test_reports_and_appeals_follow_the_model(
    sqlite_template: Path, redis_server: EmbeddedRedis, redis_prefix: str, tmp_path: Path
) -> None:
    """Each report and each appeal is answered once, by somebody who may, and what must wait is never read."""
    ground = Ground(sqlite_template, redis_server.url, redis_prefix, tmp_path)
    follow(ReportsMachine, ground, examples=20, steps=30)
