"""Whatever stands in names, titles and texts, a letter is one letter: its headers are ours, its HTML runs nothing."""

import email
import email.policy
import json
from datetime import UTC, datetime
from html.parser import HTMLParser
from importlib.resources import files
from string import Formatter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from service.flow.mail_body import Block, as_html, as_plain, excerpt
from service.flow.mail_words import LANGUAGES, mail_words
from service.mail.message import Draft, compose, one_line
from service.mail_server import Sender, mailbox, one_mailbox, parse_mail_server, parse_sender
from service.settings import Settings, SettingsError

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
OURS = {
    "From", "To", "Subject", "Date", "Message-ID", "Content-Language", "Auto-Submitted", "Precedence",
    "List-Unsubscribe", "MIME-Version", "Content-Type",
}  # fmt: skip
AWAY = "https://comments.daily.example/v1/mail/unsubscribe?token=" + "x" * 80
EVERYTHING = st.text(st.characters(), max_size=300)
BREAKING = 'a\r\nBcc: x@y.example\n\nBody\x85\u2028\u2029\x0b\x0c\x1c\x00\ud800\u202e=?utf-8?q?=0ABcc:_x?= "<>,;:@'


def letter(subject: str, name: str, plain: str = "x", html: str = "x") -> email.message.EmailMessage:
    """Answer a letter as a mail program reads its bytes."""
    draft = Draft(subject, name, plain, html, "en", "abc", {"List-Unsubscribe": f"<{AWAY}>"})
    composed = compose(draft, sender=Sender("", "comments@daily.example"), to="ada@mail.example", at=NOW)
    assert composed.content.isascii()
    assert max(len(line) for line in composed.content.split(b"\r\n")) < 998
    assert b"\n" not in composed.content.replace(b"\r\n", b"")
    found = email.message_from_bytes(composed.content, policy=email.policy.default)
    assert isinstance(found, email.message.EmailMessage)
    return found


@settings(deadline=None)
@given(EVERYTHING, EVERYTHING)
@example(BREAKING, BREAKING)
@example("é" * 200, "é" * 200)
@example("x" * 300, "x" * 300)
@example("", "")
def test_nobody_writes_a_header(subject: str, name: str) -> None:
    """The headers are ours, one of each, and say who sends, to whom, and how to end it, whatever a name is."""
    found = letter(subject, name)
    assert set(found.keys()) == OURS
    assert len(found.keys()) == len(OURS)
    assert found["To"].addresses[0].addr_spec == "ada@mail.example"
    assert [one.addr_spec for one in found["From"].addresses] == ["comments@daily.example"]
    assert found["List-Unsubscribe"] == f"<{AWAY}>"
    assert found.defects == []


@settings(deadline=None)
@given(EVERYTHING)
@example(BREAKING)
def test_a_header_is_one_line_that_can_be_seen(text: str) -> None:
    """Nothing that ends a line, turns it around or hides is left, and it is not long."""
    line = one_line(text)
    assert line.isprintable() or set(line) & set("\u200c\u200d")
    assert len(line.splitlines()) <= 1
    assert len(line) <= 150


class Tags(HTMLParser):
    """What a browser would see of a page: its elements, links and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str | None] = []
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of an element."""
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value for name, value in attrs if name == "href"]


@settings(deadline=None)
@given(EVERYTHING, EVERYTHING)
@example("<script>alert(1)</script><img src=x onerror=alert(1)>", "\"'><a href='javascript:alert(1)'>")
@example("x\n-- \nhttps://evil.example", BREAKING)
def test_what_somebody_wrote_is_text_in_both_forms(text: str, name: str) -> None:
    """The HTML has our elements alone and links that are ours; in plain text every line of a quote is marked."""
    words = mail_words("en")
    intro = words("reply_intro", name=name, title=text)
    blocks = [Block("text", intro), Block("quote", excerpt(text)), Block("link", "Open", AWAY)]
    found = letter(text, name, as_plain(blocks), as_html(words, text, blocks))
    page = found.get_body(("html",))
    plain = found.get_body(("plain",))
    assert page is not None
    assert plain is not None
    seen = Tags(str(page.get_content()))
    assert set(seen.tags) <= {"html", "head", "meta", "title", "body", "p", "blockquote", "br", "a"}
    assert seen.attributes <= {"lang", "dir", "charset", "style", "href"}
    assert seen.links == [AWAY]
    between = str(plain.get_content()).rpartition(f"\nOpen\n{AWAY}")[0].partition("\n\n")[2]
    assert all(line.startswith(">") for line in between.splitlines() if line.strip())


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_all_texts(language: str) -> None:
    """With the same places for names and numbers."""
    texts, english = (
        json.loads(files("service.mail").joinpath(f"texts/{one}.json").read_text()) for one in (language, "en")
    )
    assert list(texts) == list(english)
    for key, text in texts.items():
        named = [{part[1] for part in Formatter().parse(one) if part[1]} for one in (text, english[key])]
        assert named[0] == named[1], key


def test_addresses_are_read_strictly() -> None:
    """Domains in small ASCII letters; several spellings of one mailbox are one in limits."""
    assert mailbox("Ada+x@Bücher.Example") == "Ada+x@xn--bcher-kva.example"
    assert one_mailbox("A.da+x@mail.example") == one_mailbox("ada@mail.example") == "ada@mail.example"
    assert parse_sender("The Daily <c@daily.example>") == Sender("The Daily", "c@daily.example")
    for wrong in ("", "x", "a@b.example\nBcc: c@d.example", "A <a@b>"):
        with pytest.raises(ValueError, match=r"must|not a"):
            parse_sender(wrong)


def test_the_server_is_read_strictly() -> None:
    """User and password are percent-encoded; ports are those of the scheme, and of submission where there is a user."""
    server = parse_mail_server("smtp://ada%40x:p%2Fw@mx.example")
    assert (server.host, server.port, server.user, server.password) == ("mx.example", 587, "ada@x", "p/w")
    assert (parse_mail_server("smtp://mx.example").port, parse_mail_server("smtps://mx.example").port) == (25, 465)
    for wrong in (
        "http://mx.example",
        "smtp://",
        "smtp://u@mx.example",
        "smtp://mx.example/path",
        "smtp://u:%0D%0A@mx.example",
    ):
        with pytest.raises(ValueError, match=r"must|needs"):
            parse_mail_server(wrong)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"SMTP_URL": "smtp://mx.example"}, "SMTP_URL and MAIL_FROM: both are needed for mail, or neither"),
        ({"MAIL_FROM": "c@daily.example"}, "SMTP_URL and MAIL_FROM: both are needed for mail, or neither"),
        ({"SMTP_URL": "mx.example", "MAIL_FROM": "c@daily.example"}, "SMTP_URL: must begin with smtp:// or smtps://"),
        ({"SMTP_URL": "smtp://u:sesame@mx:x", "MAIL_FROM": "c@daily.example"}, "SMTP_URL: is not valid"),
        ({"SMTP_URL": "smtp://mx.example", "MAIL_FROM": "daily"}, "MAIL_FROM: not a mail address"),
    ],
)
def test_a_wrong_setting_is_named_and_not_quoted(given: dict[str, str], said: str) -> None:
    """The service does not start with half of it, and its line holds no password."""
    with pytest.raises(SettingsError) as raised:
        Settings.from_environment(given)
    assert str(raised.value) == said
