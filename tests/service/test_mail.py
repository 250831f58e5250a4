"""Authors get mail about replies and decisions: once they agreed, once for each, and never about what is gone."""

# ruff: noqa: F401, F811 - Fixtures are imported by name.

import pytest

from tests.mail_server import Post, html, links, plain
from tests.service.answers import fields, problem
from tests.service.mailing import ADA, ME, SITE, UNDO_SECONDS, Mail, mail, post, settings
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio


async def test_an_address_counts_once_its_owner_agreed(service: Service, mail: Mail, post: Post) -> None:
    """The link opens a page that changes nothing, since programs follow links; its button confirms, twice as well."""
    token = (await service.published())["author_token"]
    assert await mail.state(token) == "none"
    await mail.ask(token)
    assert await mail.state(token) == "waiting"
    assert await mail.drain() == 1
    [letter] = post.inbox
    assert post.recipients == [ADA]
    assert letter["From"] == "Test <comments@daily.example>"
    confirm = links(letter)[0]
    page = await service.call("GET", confirm, expect=200)
    assert f'action="{confirm}"' in page.text
    assert (page.headers["cache-control"], page.headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert "script" not in page.text
    assert await mail.state(token) == "waiting"
    for _ in range(2):
        await service.call("POST", confirm, expect=200)
        assert await mail.state(token) == "confirmed"
    assert await mail.drain() == 0


async def test_a_confirmation_ends_after_two_days(service: Service, mail: Mail, post: Post) -> None:
    """Then its link is over, a browser reads so on a page, and the author has no address."""
    token = (await service.published())["author_token"]
    await mail.ask(token)
    await mail.drain()
    [confirm, _] = links(post.inbox[0])
    service.clock.advance(48 * 3600 + 1)
    assert problem(await service.call("POST", confirm), "mail.link_over")
    page = await service.call("GET", confirm, headers={"accept": "text/html", "accept-language": "de-AT,de"})
    assert (page.status_code, "gilt nicht mehr" in page.text) == (410, True)
    assert await mail.state(token) == "none"


async def test_a_letter_that_comes_too_late_is_not_sent(service: Service, mail: Mail, post: Post) -> None:
    """A confirmation that could not be sent for two days is dropped."""
    token = (await service.published())["author_token"]
    await mail.ask(token)
    await mail.later(48 * 3600 + 1)
    assert post.inbox == []
    assert [row.state for row in await mail.owed()] == ["dropped"]


async def test_a_reply_is_told_to_whom_it_answers(service: Service, mail: Mail, post: Post) -> None:
    """With name, words and a place, once; replies of one's own and roots are no news."""
    parent, token = await mail.author(author={"name": "Ada"}, title="More trams?", url="https://news.example/trams")
    await service.published("My own reply.", token=token, parent_id=parent)
    await service.published("Another root.")
    reply = await service.published(
        "Trams <b>are</b> late.\r\n\u2028From: you", parent_id=parent, author={"name": "B<o>b"}
    )
    assert await mail.drain() == 1
    [letter] = post.inbox
    assert post.recipients[-1] == ADA
    assert letter["Subject"] == "B<o>b replied to you: Test"
    assert "> Trams <b>are</b> late." in plain(letter)
    assert not [line for line in plain(letter).split("\n") if line.startswith("From:")]
    assert "Trams &lt;b&gt;are&lt;/b&gt; late." in html(letter)
    assert f"#c-{reply['comment']['id']}" in plain(letter)
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert await mail.drain() == 0


async def test_the_link_is_the_article_where_it_is_the_publishers(service: Service, mail: Mail, post: Post) -> None:
    """A page on one of the site's origins is linked, and what a reader named as one is not."""
    page = {"page": "p", "title": "More trams?", "url": "https://news.example/trams"}
    await service.call("POST", "/v1/admin/sites/test/threads", as_="publisher", json=page, expect=201)
    parent, _ = await mail.author(page="p")
    reply = await service.published("A reply.", page="p", parent_id=parent)
    await mail.drain()
    assert f"https://news.example/trams#c-{reply['comment']['id']}" in plain(post.inbox[0])
    assert post.inbox[0]["Subject"] == "Somebody replied to you: More trams?"


async def test_replies_are_collected(service: Service, mail: Mail, post: Post) -> None:
    """In ten minutes one letter about a thread: later replies are in the next, those of another thread come at once."""
    parent, token = await mail.author()
    elsewhere = await service.published("Of another thread.", page="other", token=token)
    await service.published("Reply 1.", parent_id=parent)
    await mail.drain()
    for number in (2, 3):
        await service.published(f"Reply {number}.", parent_id=parent)
        await mail.later(60)
    await service.published("Reply 4.", page="other", parent_id=elsewhere["comment"]["id"])
    await mail.drain()
    assert [letter["Subject"] for letter in post.inbox] == ["Somebody replied to you: Test"] * 2
    assert await mail.later(600) == 1
    assert post.inbox[-1]["Subject"] == "2 replies to you: Test"
    assert ("Reply 2." in plain(post.inbox[-1]), "Reply 3." in plain(post.inbox[-1])) == (True, True)


async def test_what_is_gone_is_not_told(service: Service, mail: Mail, post: Post) -> None:
    """A reply that was deleted before it was sent, one whose parent is gone, and one that was never published."""
    parent, token = await mail.author()
    gone = await service.published("Soon gone.", parent_id=parent)
    await service.call("DELETE", f"{SITE}/comments/{gone['comment']['id']}", as_=gone["author_token"], expect=204)
    await service.submit("A rude one.", parent_id=parent)
    await service.drain()
    await mail.drain()
    await service.published("An orphan.", parent_id=parent)
    await service.call("DELETE", f"{SITE}/comments/{parent}", as_=token, expect=204)
    await mail.drain()
    assert post.inbox == []


async def test_a_decision_is_told_with_its_reasons(service: Service, mail: Mail, post: Post) -> None:
    """What is held is not told; that it was published afterwards, rejected, removed or restored is."""
    comment, token = await mail.author()
    await service.submit("A rude one.", token=token)
    await service.submit("Another rude one.", token=token)
    await service.drain()
    assert await mail.drain() == 0
    first, second = await service.claim()
    await service.decide(first)
    await service.decide(second, "reject", reasons=["insult"])
    assert await mail.drain() == 0
    assert await mail.later(UNDO_SECONDS) == 1
    [letter] = post.inbox
    assert letter["Subject"] == "Decisions on 2 of your comments on Test"
    text = plain(letter)
    assert text.index("Your comment is published") < text.index("Your comment was not accepted")
    assert ("> A rude one." in text, "you can appeal" in text, "insult" in text) == (True, True, True)
    for action, subject in (("remove", "Your comment was taken down"), ("restore", "Your comment is shown again")):
        path = f"/v1/review/test/comments/{comment}/decision"
        body = {"revision": 1, "action": action, "reasons": ["other"] if action == "remove" else []}
        await service.call("POST", path, as_="moderator", json=body, expect=200)
        await mail.later(UNDO_SECONDS)
        assert post.inbox[-1]["Subject"].startswith(subject)


async def test_a_machines_refusal_is_told_at_once(service: Service, mail: Mail, post: Post) -> None:
    """What was published at once is no news, and what was refused at once is."""
    _, token = await mail.author()
    await service.published("Fine.", token=token)
    await service.submit("A vile one.", token=token)
    await service.drain()
    await mail.drain()
    assert [letter["Subject"] for letter in post.inbox] == ["Your comment was not accepted – Test"]


async def test_what_was_taken_back_at_once_is_not_told(service: Service, mail: Mail, post: Post) -> None:
    """A moderator's slip that is undone in time sends nothing, neither of the slip nor of the undoing."""
    comment, _ = await mail.author()
    body = {"revision": 1, "action": "remove", "reasons": ["other"]}
    path = f"/v1/review/test/comments/{comment}/decision"
    done = (await service.call("POST", path, as_="moderator", json=body, expect=200)).json()
    await service.call("POST", f"/v1/review/test/acts/{done['decision']['act_id']}/undo", as_="moderator", expect=200)
    await mail.later(UNDO_SECONDS)
    assert post.inbox == []


async def test_mail_is_in_the_authors_language(service: Service, mail: Mail, post: Post) -> None:
    """Letters and pages are in the language that was asked for; one that we do not speak is English."""
    token = (await service.published())["author_token"]
    for locale, said in (
        ("de-AT", "Bestätigen"),
        ("ar", "أكّد"),
        ("fr", "Confirmez"),
        ("es", "Confirme"),
        ("tlh", "Confirm"),
    ):
        await mail.ask(token, f"{locale}@mail.example", locale=locale)
        await mail.drain()
        letter = post.inbox[-1]
        assert str(letter["Subject"]).startswith(said)
        page = (await service.call("GET", links(letter)[0], expect=200)).text
        assert ('dir="rtl"' in page, 'dir="rtl"' in html(letter)) == (locale == "ar", locale == "ar")


async def test_what_is_wanted_can_be_changed_without_the_address(service: Service, mail: Mail, post: Post) -> None:
    """An author who has one changes what comes; nobody has to type, or can learn, the address for that."""
    parent, token = await mail.author()
    await service.call("PUT", ME, as_=token, json={"replies": False, "decisions": True}, expect=202)
    assert (await service.call("GET", ME, as_=token)).json() == {
        "state": "confirmed",
        "replies": False,
        "decisions": True,
    }
    await service.published("A reply.", parent_id=parent)
    assert await mail.drain() == 0
    other = (await service.published("Somebody else's."))["author_token"]
    assert fields(await service.call("PUT", ME, as_=other, json={"replies": True, "decisions": True})) == {"email"}
    nothing = {"email": ADA, "replies": False, "decisions": False}
    assert fields(await service.call("PUT", ME, as_=other, json=nothing)) == {"replies"}
    await service.call("DELETE", ME, as_=token, expect=204)
    assert await mail.state(token) == "none"
    assert post.inbox == []


NO_ADDRESSES = [
    "ada", "ada@", "@mail.example", "a b@mail.example", "ada@localhost", "ada@127.0.0.1", "ada@mail.example\n",
    "a\r\nBcc: x@y.example", '"a b"@mail.example', "ada@[127.0.0.1]", "ädä@mail.example", "a@b@c.example",
    "x" * 65 + "@mail.example", "ada@-mail.example", "<ada@mail.example>", "a,b@mail.example",
]  # fmt: skip


@pytest.mark.parametrize("email", NO_ADDRESSES)
async def test_what_is_no_address_is_refused(email: str, service: Service, mail: Mail) -> None:
    """Only what every server takes for one mailbox is an address."""
    token = (await service.published())["author_token"]
    body = {"email": email, "replies": True, "decisions": True}
    assert fields(await service.call("PUT", ME, as_=token, json=body)) == {"email"}
