"""An SMTP server on loopback that keeps what it is handed, and says no where a test wants it to."""

from __future__ import annotations

import asyncio
import email
import email.policy
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

# ruff: noqa: N802 - aiosmtpd names its hooks after the commands.

LINK = re.compile(r"https?://\S+?/v1/mail/\w+\?token=[\w-]+")


class Post:
    """What was taken, in order; `answers` are what a command is answered in place of yes, by its name and argument."""

    def __init__(self) -> None:
        self.inbox: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.recipients: list[str] = []
        self.commands: list[str] = []
        self.answers: dict[str, str] = {}
        self.taken = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.port = 0
        self.most_at_once = 0
        self._under_way = 0

    @property
    def url(self) -> str:
        """SMTP_URL of this server."""
        return f"smtp://127.0.0.1:{self.port}"

    async def handle_MAIL(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        """Take a sender."""
        self.commands.append("MAIL")
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self.answers.get("MAIL", "250 OK")

    async def handle_RCPT(self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _: Any) -> str:
        """Take a recipient, or not."""
        self.commands.append("RCPT")
        answer = self.answers.get(address, self.answers.get("RCPT", "250 OK"))
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Take a message."""
        answer = self.answers.get("DATA", "250 OK")
        if answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.raw.append(envelope.content)
            found = email.message_from_bytes(envelope.content, policy=email.policy.default)
            assert isinstance(found, EmailMessage)
            self.inbox.append(found)
            self.recipients.extend(envelope.rcpt_tos)
            self.taken.set()
        self._under_way += 1
        self.most_at_once = max(self.most_at_once, self._under_way)
        try:
            # What was taken is kept, whoever dies before hearing so.
            await self.may_answer.wait()
        finally:
            self._under_way -= 1
        return answer


@asynccontextmanager
async def post_office(port: int = 0, post: Post | None = None, **options: Any) -> AsyncIterator[Post]:
    """Serve on loopback."""
    post = post or Post()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(post, hostname="mx.test", **options), "127.0.0.1", port)
    post.port = server.sockets[0].getsockname()[1]
    try:
        yield post
    finally:
        server.close()


def plain(message: EmailMessage) -> str:
    """Answer the plain text of a letter."""
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def html(message: EmailMessage) -> str:
    """Answer the HTML of a letter."""
    part = message.get_body(("html",))
    assert part is not None
    return str(part.get_content())


def links(message: EmailMessage) -> list[str]:
    """Answer the links of ours in a letter, as paths."""
    return ["/v1/mail/" + found.partition("/v1/mail/")[2] for found in LINK.findall(plain(message))]


def away(message: EmailMessage) -> str:
    """Answer the path of the link of `List-Unsubscribe`."""
    header = str(message["List-Unsubscribe"])
    assert header.startswith("<")
    assert header.endswith(">")
    return "/v1/mail/" + header[1:-1].partition("/v1/mail/")[2]
