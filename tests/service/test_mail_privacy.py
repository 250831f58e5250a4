"""An address is told to nobody, floods no stranger, and goes with its owner."""

# ruff: noqa: F401, F811 - Fixtures are imported by name.

import json
from datetime import timedelta

import pytest

from service.flow.forget_mail import TOLD, UNCONFIRMED
from service.flow.manage_mail import PER_ADDRESS
from service.store import tables as t
from tests.mail_server import Post, away, links, plain
from tests.service.answers import problem
from tests.service.mailing import ADA, ME, SITE, UNDO_SECONDS, Mail, mail, post, settings
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
FORM = {"content-type": "application/x-www-form-urlencoded"}


async def rows(service: Service, table: str) -> int:
    """Answer how many rows a table has."""
    async with service.context.database.reading() as connection:
        return len((await connection.execute(t.metadata.tables[table].select())).all())


async def test_one_click_unsubscribes(service: Service, mail: Mail, post: Post) -> None:
    """The link of a letter about replies ends these at once and without a sign-in, and leaves decisions (RFC 8058)."""
    parent, token = await mail.author()
    await service.published("A reply.", parent_id=parent)
    await mail.drain()
    path = away(post.inbox[0])
    page = await service.call("GET", path, expect=200)
    assert page.text.count("<button") == 3
    assert (await service.call("GET", ME, as_=token)).json()["replies"] is True
    await service.call("POST", path, expect=200, headers=FORM, content=b"List-Unsubscribe=One-Click")
    assert (await service.call("GET", ME, as_=token)).json() == {
        "state": "confirmed", "replies": False, "decisions": True,
    }  # fmt: skip
    await service.published("Another.", parent_id=parent)
    assert await mail.later(600) == 0
    answer = await service.call("POST", path, expect=200, headers=FORM, content=b"what=all")
    assert "forgotten" in answer.text
    assert await mail.state(token) == "none"
    assert await rows(service, "mail_addresses") == 0
    # The links of old letters go on working, though there is nothing left to end.
    for method in ("GET", "POST"):
        await service.call(method, path, expect=200)


async def test_a_made_up_link_does_nothing(service: Service, mail: Mail) -> None:
    """Only we make tokens; one for confirming does not unsubscribe, nor the other way round."""
    token = (await service.published())["author_token"]
    await mail.ask(token)
    await mail.drain()
    confirm, forget = links(mail.post.inbox[0])
    crossed = [confirm.replace("confirm", "unsubscribe"), forget.replace("unsubscribe", "confirm")]
    made_up = [
        confirm[:-2] + "xx",
        "/v1/mail/confirm?token=x",
        "/v1/mail/unsubscribe?token=%00",
        "/v1/mail/confirm?token=ä",
    ]
    for path in [*crossed, *made_up]:
        for method in ("GET", "POST"):
            assert problem(await service.call(method, path), "mail.link_over")
    assert await mail.state(token) == "waiting"
    await service.call("POST", forget, expect=200)
    assert await mail.state(token) == "none"
    assert problem(await service.call("POST", confirm), "mail.link_over")


async def test_a_strangers_mailbox_is_not_flooded(service: Service, mail: Mail, post: Post) -> None:
    """A few confirmations a day, whoever asks and however the address is spelt; the answer is the same for all."""
    spellings = [ADA, "Ada.Lovelace@mail.example", "adalovelace+1@mail.example", "ada.love.lace+2@MAIL.example"]
    answers = set()
    for number in range(PER_ADDRESS + 2):
        sent = await service.published(f"Of author {number}.", page=f"own-{number}")
        token, email = sent["author_token"], spellings[number % len(spellings)]
        body = {"email": email, "replies": True, "decisions": True}
        answer = await service.call("PUT", ME, as_=token, json=body, expect=202)
        answers.add((answer.text, frozenset(answer.headers) - {"x-request-id"}))
        assert await mail.state(token) == "waiting"
        assert "mail_per_address" not in str(answer.headers)
        await mail.drain()
    assert len(post.inbox) == PER_ADDRESS
    assert len(answers) == 1


async def test_confirmations_are_limited(service: Service, mail: Mail) -> None:
    """Of one commenter and of one network, and then it is said when to come again."""
    token = (await service.published())["author_token"]
    limits = {"mail_per_commenter": {"limit": 2, "per_seconds": 600}}
    await service.call("PUT", "/v1/admin/sites/test/limits", as_="admin", json=limits, expect=200)
    for number in range(2):
        await mail.ask(token, f"{number}@mail.example")
    body = {"email": "3@mail.example", "replies": True, "decisions": True}
    refused = problem(await service.call("PUT", ME, as_=token, json=body), "limits.exceeded")
    assert refused["extra"]["limit"] == "mail_per_commenter"


async def test_an_answer_never_holds_an_address(service: Service, mail: Mail) -> None:
    """Neither the author's own, nor whether another commenter has it, anywhere."""
    _, token = await mail.author()
    other = (await service.published("Somebody else's."))["author_token"]
    await mail.ask(other, ADA)
    assert await mail.state(other) == "waiting"
    assert await mail.state(token) == "confirmed"
    for path, as_ in ((ME, token), (f"{SITE}/me", token), (f"{SITE}/mine/export", token), (ME, other)):
        assert ADA not in (await service.call("GET", path, as_=as_, expect=200)).text
    async with service.context.database.reading() as connection:
        assert ADA not in str((await connection.execute(t.mail_addresses.select())).all())


async def test_another_address_has_nothing_of_the_first(service: Service, mail: Mail, post: Post) -> None:
    """Links in letters to the old address do nothing to the new one, and what was told is not told again."""
    parent, token = await mail.author()
    await service.published("A reply.", parent_id=parent)
    await mail.drain()
    old = away(post.inbox.pop())
    await mail.confirmed(token, "new@mail.example")
    await service.call("POST", old, expect=200)
    assert await mail.state(token) == "confirmed"
    await service.published("Another reply.", parent_id=parent)
    await mail.later(600)
    assert [letter["To"] for letter in post.inbox] == ["new@mail.example"]
    assert "1 replies" not in plain(post.inbox[0])


async def test_mail_goes_with_its_commenter(service: Service, mail: Mail, post: Post) -> None:
    """Erasure takes the address and all that is owed or was told; nothing is sent afterwards."""
    parent, token = await mail.author()
    await service.published("A reply.", parent_id=parent)
    await service.call("DELETE", f"{SITE}/me", as_=token, json={"confirm": "erase"}, expect=200)
    assert await mail.drain() == 0
    assert (await rows(service, "mail_addresses"), await rows(service, "mails")) == (0, 0)
    assert post.inbox == []


async def test_an_export_says_what_is_kept_but_the_address(service: Service, mail: Mail) -> None:
    """That there is one, what is wanted and what was told, for whoever holds the token; not the address."""
    parent, token = await mail.author()
    await service.published("A reply.", parent_id=parent)
    await mail.drain()
    document = json.loads((await service.call("GET", f"{SITE}/mine/export", as_=token, expect=200)).text)
    [address] = document["mail_addresses"]
    assert (address["state"], address["replies"], "address_sealed" in address) == ("confirmed", True, False)
    assert [(row["kind"], row["state"]) for row in document["mails"]] == [("confirm", "sent"), ("reply", "sent")]


async def test_what_nobody_confirmed_is_forgotten(service: Service, mail: Mail) -> None:
    """After seven days; a confirmed address stays, and what was told goes after thirty days."""
    parent, token = await mail.author()
    waiting = (await service.published("Somebody else's."))["author_token"]
    await mail.ask(waiting, "waiting@mail.example")
    await service.published("A reply.", parent_id=parent)
    await mail.drain()
    service.clock.advance(UNCONFIRMED.total_seconds() + 1)
    await service.sweep()
    assert (await mail.state(waiting), await mail.state(token)) == ("none", "confirmed")
    assert await rows(service, "mail_addresses") == 1
    service.clock.advance((TOLD - UNCONFIRMED + timedelta(days=1)).total_seconds())
    await service.sweep()
    assert await rows(service, "mails") == 0
    assert await mail.state(token) == "confirmed"


async def test_who_is_banned_hears_of_decisions_alone(service: Service, mail: Mail, post: Post) -> None:
    """They cannot ask for mail any more, and what others do is no news to them; what is decided about theirs is."""
    parent, token = await mail.author()
    await service.published("A reply.", parent_id=parent)
    commenter = (await service.call("GET", f"{SITE}/me", as_=token)).json()["id"]
    ban = {"kind": "ban", "reason": "other"}
    path = f"/v1/review/test/commenters/{commenter}/sanctions"
    await service.call("POST", path, as_="moderator", json=ban, expect=201)
    body = {"email": "x@mail.example", "replies": True, "decisions": True}
    assert problem(await service.call("PUT", ME, as_=token, json=body), "commenter.banned")
    await mail.drain()
    assert post.inbox == []
    down = {"revision": 1, "action": "remove", "reasons": ["other"]}
    await service.call("POST", f"/v1/review/test/comments/{parent}/decision", as_="moderator", json=down, expect=200)
    await mail.later(UNDO_SECONDS)
    assert [str(letter["Subject"]).partition(" –")[0] for letter in post.inbox] == ["Your comment was taken down"]


async def test_without_a_server_there_is_no_mail(service: Service) -> None:
    """The widget is told so where the settings name none, and is told of it where they do."""
    assert (await service.call("GET", f"{SITE}/embed", expect=200)).json()["mail"] is True
