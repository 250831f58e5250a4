"""Servers that say no, are away or die in between: what is sent again, what is given up, and what a log says of it."""

# ruff: noqa: F401, F811 - Fixtures are imported by name.

import asyncio
import logging
import os
import sys
from dataclasses import replace

import pytest
from msgspec import structs

from service.flow import send_mail
from service.flow.relay import relay_all
from service.mail.attempt import Outcome, Result, attempt
from service.mail.message import Letter
from service.mail_server import MailServer, parse_mail_server
from service.workers.mailing import AT_ONCE, Mailer
from tests.eventually import eventually
from tests.mail_server import Post, post_office
from tests.service.mailing import ADA, Mail, mail, post, settings
from tests.service.test_worker_run import Running
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
DAY = 86_400
LEASE_SECONDS = send_mail.LEASE.total_seconds() + 1


async def replied(service: Service, mail: Mail) -> None:
    """Let a reply be owed."""
    parent, _ = await mail.author()
    await service.published("A reply.", parent_id=parent)


async def test_a_mailbox_that_is_not_there_is_written_to_no_more(service: Service, mail: Mail, post: Post) -> None:
    """A 5xx to the recipient disables the address, which only a new confirmation brings back."""
    parent, token = await mail.author()
    post.answers["RCPT"] = f"550 5.1.1 <{ADA}>: no such user"
    await service.published("A reply.", parent_id=parent)
    await mail.drain()
    assert await mail.state(token) == "none"
    post.answers.clear()
    await service.published("Another reply.", parent_id=parent)
    assert await mail.later(DAY) == 0
    assert post.inbox == []
    assert [row.last_error for row in await mail.owed() if row.state == "failed"] == ["recipient_550"]
    await mail.confirmed(token)
    assert await mail.state(token) == "confirmed"


@pytest.mark.parametrize("answer", ["550 5.7.1 relaying denied", "530 5.7.0 authenticate first", "450 4.2.1 later"])
async def test_what_is_not_about_the_mailbox_disables_none(
    service: Service, mail: Mail, post: Post, answer: str
) -> None:
    """A server that wants something of us, or comes back later, says nothing of the address: it is tried again."""
    await replied(service, mail)
    post.answers["RCPT"] = answer
    await mail.drain()
    assert [row.state for row in await mail.owed()] == ["sent", "owed"]
    post.answers.clear()
    assert await mail.later(2 * send_mail.PAUSES_SECONDS[0]) == 1
    assert len(post.inbox) == 1


async def test_failures_are_tried_again_for_about_a_day(service: Service, mail: Mail, post: Post) -> None:
    """The pauses grow, and after the last one the mail is given up."""
    await replied(service, mail)
    post.answers["DATA"] = "451 4.3.0 not now"
    await mail.drain()
    tried = 1
    while (await mail.owed())[-1].state == "owed":
        tried += await mail.later(600)
    assert tried == len(send_mail.PAUSES_SECONDS) + 1
    assert 0.8 * DAY < sum(send_mail.PAUSES_SECONDS) < DAY
    assert post.inbox == []


async def test_a_server_that_is_down_is_said_once(
    service: Service, mail: Mail, post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    """The part is degraded and the worker ready, one line says so, and one that it is back; then all is sent."""
    await replied(service, mail)
    post.answers["MAIL"] = "421 4.3.2 going down"
    with caplog.at_level(logging.INFO, "service.workers"):
        for _ in range(4):
            await mail.later(300)
        assert (mail.parts.readiness().status, mail.parts.reason("mail")) == ("degraded", "mail.refused")
        post.answers.clear()
        await mail.later(DAY)
    assert len(post.inbox) == 1
    assert mail.parts.readiness().status == "ready"
    said = [record.message for record in caplog.records if record.name == "service.workers.loop"]
    assert said == ["part is degraded", "part is back"]


async def test_a_server_that_is_away_is_asked_seldom(service: Service, mail: Mail, post: Post) -> None:
    """While nobody listens one letter asks now and then, and nothing is lost."""
    parent, _ = await mail.author()
    port = post.port
    calls: list[Letter] = []

    async def away(letter: Letter) -> Result:
        calls.append(letter)
        return Result(Outcome.DOWN, "connect")

    mailer = Mailer(service.context, mail.parts, attempt=away, clock=lambda: mail.seconds)
    await service.published("A reply.", parent_id=parent)
    mail.mailer, sending = mailer, mail.mailer
    for _ in range(3):
        await mail.drain()
    assert len(calls) == 1
    assert mail.parts.reason("mail") == "mail.unavailable"
    mail.mailer = sending
    assert port == post.port
    assert await mail.later(2 * send_mail.PAUSES_SECONDS[0]) == 1


async def test_a_worker_that_dies_before_it_noted_sends_again(service: Service, mail: Mail, post: Post) -> None:
    """Killed between the server's yes and our commit it is sent twice, under one Message-ID; never from two at once."""
    await replied(service, mail)
    post.may_answer.clear()
    dying = asyncio.create_task(mail.drain())
    await eventually(lambda: len(post.inbox) == 1)
    other = Mail(service, post)
    assert await other.drain() == 0
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    post.may_answer.set()
    assert await other.drain() == 0
    assert await other.later(LEASE_SECONDS) == 1
    assert len({letter["Message-ID"] for letter in post.inbox}) == 1
    assert await other.later(LEASE_SECONDS) == 0


@pytest.mark.slow
async def test_a_killed_worker_loses_nothing(service: Service, mail: Mail, post: Post) -> None:
    """After kill -9 between the server's yes and the commit another worker sends the letter again, as the same one."""
    await replied(service, mail)
    await relay_all(service.context)
    given = structs.asdict(service.context.settings)
    environment = {name.upper(): str(int(one) if isinstance(one, bool) else one) for name, one in given.items()}
    post.may_answer.clear()
    command = [sys.executable, "-m", "tests.service.mailing_process"]
    process = await asyncio.create_subprocess_exec(*command, env={**os.environ, **environment})
    await eventually(lambda: len(post.inbox) == 1, within_seconds=60)
    process.kill()
    await process.wait()
    post.may_answer.set()
    assert await mail.drain() == 0
    # The process had the real time, and the lease is by that.
    assert await mail.later(LEASE_SECONDS + 60) == 1
    assert await mail.later(LEASE_SECONDS + 60) == 0
    assert len({letter["Message-ID"] for letter in post.inbox}) == 1
    assert len(post.inbox) == 2


async def test_what_a_server_took_is_noted_though_the_database_is_away(
    service: Service, mail: Mail, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit that fails once is tried again, so that the letter is not."""
    await replied(service, mail)
    noting, failures = send_mail.sent, [OSError(), OSError()]

    async def sent(*given: object) -> None:
        if failures:
            raise failures.pop()
        await noting(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(send_mail, "sent", sent)
    monkeypatch.setattr("service.workers.mailing._SETTLE_PAUSE_SECONDS", 0.0)
    await mail.drain()
    assert await mail.later(LEASE_SECONDS) == 0
    assert len(post.inbox) == 1


async def test_all_get_their_turn(service: Service, mail: Mail, post: Post) -> None:
    """A few letters at once, one to an address at a time, and who has one letter does not wait for who has many."""
    _, token = await mail.author()
    for number in range(AT_ONCE + 2):
        page = f"page-{number}"
        root = await service.published(f"Root {number}.", page=page, token=token)
        await service.published(f"Reply {number}.", page=page, parent_id=root["comment"]["id"])
    for number in range(AT_ONCE + 1):
        sent = await service.published(f"Of author {number}.", page=f"own-{number}")
        await mail.ask(sent["author_token"], f"author-{number}@mail.example")
    post.inbox.clear()
    await relay_all(service.context)
    post.may_answer.clear()
    turn = asyncio.create_task(mail.mailer.drain_once())
    await eventually(lambda: post.most_at_once == AT_ONCE)
    post.may_answer.set()
    assert await turn == AT_ONCE
    await mail.drain()
    to = [str(letter["To"]) for letter in post.inbox]
    last_single = max(index for index, one in enumerate(to) if one != ADA)
    assert sum(one == ADA for one in to[:last_single]) <= 3
    assert sum(one == ADA for one in to) == AT_ONCE + 2
    assert post.most_at_once == AT_ONCE


async def test_two_workers_share_what_is_owed(service: Service, mail: Mail, post: Post) -> None:
    """Each letter is sent by one of them."""
    for number in range(6):
        sent = await service.published(f"Of author {number}.", page=f"own-{number}")
        await mail.ask(sent["author_token"], f"author-{number}@mail.example")
    other = Mail(service, post)
    await asyncio.gather(mail.drain(), other.drain())
    await mail.drain()
    assert sorted(str(letter["To"]) for letter in post.inbox) == [f"author-{n}@mail.example" for n in range(6)]


async def test_a_letter_that_cannot_be_written_stops_no_other(
    service: Service, mail: Mail, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again like any failure, and its log line quotes nothing."""
    await replied(service, mail)
    monkeypatch.setattr("service.flow.mail_replies.excerpt", lambda text: 1 / 0)
    other = await service.published("Somebody else's.")
    await mail.ask(other["author_token"], "other@mail.example")
    await mail.drain()
    assert [letter["To"] for letter in post.inbox] == ["other@mail.example"]
    assert "unwritable" in [row.last_error for row in await mail.owed()]


async def test_addresses_are_in_no_log(
    service: Service, mail: Mail, post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither ours nor what a server quotes back, whichever command it refuses."""
    await replied(service, mail)
    caplog.set_level(logging.DEBUG)
    for command in ("MAIL", "RCPT", "DATA"):
        post.answers = {command: f"550 5.7.1 <{ADA}> is not welcome"}
        await mail.later(DAY / 4)
    # The test's own server says what it reads.
    said = " ".join(
        f"{record.getMessage()} {record.__dict__}" for record in caplog.records if record.name != "mail.log"
    )
    assert [secret for secret in (ADA, "comments@daily.example", "A reply.") if secret in said] == []


async def test_a_worker_sends_mail_where_there_is_a_server(service: Service, mail: Mail, post: Post) -> None:
    """Its part is well until something fails; without a server there is neither the loop nor the part."""
    token = (await service.published())["author_token"]
    running = Running(service)
    try:
        assert running.worker.parts.reason("mail") is None
        await mail.ask(token)
        await eventually(post.taken.is_set)
    finally:
        await running.end()
    assert post.recipients == [ADA]
    without = structs.replace(service.context.settings, smtp_url="", mail_from="")
    context = replace(service.context, settings=without)
    other = Running(Service(context, service.client, service.clock, service.tokens))
    await other.end()
    assert "mail" not in [part.part for part in other.worker.parts.readiness().parts]


class Far(MailServer):
    """A server that is treated as if it were on another machine."""

    @property
    def is_loopback(self) -> bool:
        """It is, in truth."""
        return False


async def test_a_password_is_not_sent_in_the_open() -> None:
    """Without STARTTLS it goes to this machine alone."""
    assert parse_mail_server("smtp://u:p%40ss@mx.example").must_encrypt
    assert parse_mail_server("smtp://u:p%40ss@mx.example")[-1] == "p@ss"
    assert not parse_mail_server("smtp://u:p@127.0.0.1:25").must_encrypt
    assert not parse_mail_server("smtps://u:p@mx.example").must_encrypt
    async with post_office() as open_server:
        server = parse_mail_server(open_server.url.replace("smtp://", "smtp://u:p@"))
        far = Far(*server)
        result = await attempt(far, "a@b.example", Letter(ADA, b"Subject: x\r\n\r\nx\r\n"), timeout_seconds=5)
        assert result == Result(Outcome.DOWN, "tls")
        assert open_server.commands == []
