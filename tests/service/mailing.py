"""The application with a mail server, and shorthands for what the tests of mail do."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from service.flow.relay import relay_all
from service.settings import Settings
from service.store import tables as t
from service.workers.loop import Parts
from service.workers.mailing import Mailer
from tests.leaks import plant
from tests.mail_server import Post, links, post_office
from tests.service_fixture import Service

SITE = "/v1/sites/test"
ME = f"{SITE}/me/mail"
ADA = "ada.lovelace@mail.example"
UNDO_SECONDS = 301


class Mail:
    """The mail of the application under test."""

    def __init__(self, service: Service, post: Post) -> None:
        self.service = service
        self.post = post
        self.parts = Parts("mail")
        self.seconds = 0.0
        self.mailer = Mailer(service.context, self.parts, clock=lambda: self.seconds)

    async def drain(self) -> int:
        """Relay and send all that is due; answer how many letters were begun."""
        await relay_all(self.service.context)
        begun = 0
        while number := await self.mailer.drain_once():
            begun += number
        return begun

    async def later(self, seconds: float) -> int:
        """Let time pass for all, and then drain."""
        self.service.clock.advance(seconds)
        self.seconds += seconds
        return await self.drain()

    async def ask(self, token: str, email: str = ADA, **wanted: Any) -> None:
        """Ask for mail to an address."""
        plant(email)
        body = {"email": email, "replies": True, "decisions": True, **wanted}
        await self.service.call("PUT", ME, as_=token, json=body, expect=202)

    async def confirmed(self, token: str, email: str = ADA, **wanted: Any) -> None:
        """Ask for mail and confirm the address; the letter of that is taken out of the inbox."""
        await self.ask(token, email, **wanted)
        await self.drain()
        letter = self.post.inbox.pop()
        assert letter["To"] == email
        await self.service.call("POST", links(letter)[0], expect=200)

    async def state(self, token: str) -> str:
        """Answer the state that the author sees."""
        state: str = (await self.service.call("GET", ME, as_=token, expect=200)).json()["state"]
        return state

    async def owed(self) -> list[Any]:
        """Answer all that is or was owed, in order."""
        async with self.service.context.database.reading() as connection:
            return list(await connection.execute(t.mails.select().order_by(t.mails.c.id)))

    async def author(self, body: str = "A civil opinion.", **fields: Any) -> tuple[str, str]:
        """Let there be a published comment whose author gets mail; answer its id and the author's token."""
        sent = await self.service.published(body, **fields)
        await self.confirmed(sent["author_token"])
        return sent["comment"]["id"], sent["author_token"]


@pytest.fixture
async def post() -> AsyncIterator[Post]:
    """A mail server on loopback."""
    async with post_office() as opened:
        yield opened


@pytest.fixture
def settings(settings: Settings, post: Post) -> Settings:
    """The usual settings, with mail."""
    return msgspec.structs.replace(settings, smtp_url=post.url, mail_from="comments@daily.example")


@pytest.fixture
def mail(service: Service, post: Post) -> Mail:
    """The mail of the application under test."""
    return Mail(service, post)
