"""Each hostile text in each field that a reader controls, in all that is made of it without a browser."""

from __future__ import annotations

import email
import email.policy
import json
import re
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

from msgspec.structs import replace

from service import schemas
from service.flow import fragment, reader_form
from service.flow.feed import _Feed
from service.flow.fragment import Look
from service.flow.mail_body import Block, as_html, as_plain, excerpt
from service.flow.mail_words import mail_words
from service.flow.reader_links import Links, article_of
from service.flow.reader_words import words_of
from service.flow.sanitise import to_html
from service.mail.message import Draft, compose
from service.mail_server import Sender
from tests.hostile import ACCEPTED, HOSTILE, TURNING, Hostile, check_letter, check_page
from tests.journey.test_promise_10_11_text import check_harmless
from tests.service.test_any_text import AT, CONTEXT, SETTINGS, SITE, comment
from tests.service.test_feeds import ATOM

ADDRESS = "ada@mail.example"
NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def view_of(hostile: Hostile) -> schemas.ThreadView:
    """Answer a thread with the text wherever a reader may put one."""
    return schemas.ThreadView(hostile.page, hostile.title, hostile.title, hostile.url, "open", 1, 1)


def written(hostile: Hostile) -> schemas.Comment:
    """Answer a comment with the text as body and name."""
    return replace(comment(hostile.name, hostile.body), replies=[], replies_next=None, reply_count=0)


def test_there_are_enough() -> None:
    """The texts are many, each is there once, and every class has some."""
    kinds = [one.kind for one in HOSTILE]
    assert len({one.text for one in HOSTILE}) == len(HOSTILE) >= 400
    assert len(set(kinds)) >= 20
    assert min(map(kinds.count, kinds)) >= 8


def test_the_sanitiser_lets_nothing_through() -> None:
    """The HTML of each is harmless, and is made in a moment however long and nested it is."""
    for hostile in HOSTILE:
        check_harmless(to_html(hostile.body))


def test_fragments_and_pages() -> None:
    """A thread's HTML has one comment of this name, the text as a text, and linked data that says it as it was."""
    for hostile in ACCEPTED:
        page = schemas.ThreadPage(view_of(hostile), [written(hostile)], None)
        for whole in (False, True):
            scene = fragment._scene(CONTEXT, SITE, hostile.page, Look(whole, "newest", None, None))
            read = check_page(fragment._written(SITE, None, page, scene), scripts=1)
            assert len(read.named("article")) == len(read.named("bdi")) == 1
            assert hostile.name in read.texts
            data = json.loads(next(one for one in read.texts if one.startswith('{"@context"')))
            assert (data["headline"], data["comment"][0]["text"]) == (hostile.title, hostile.body)
            assert data["comment"][0]["author"]["name"] == hostile.name


def test_forms_and_their_answers() -> None:
    """The form, the form that came back and what became of a comment hold the text as values and texts."""
    for hostile in ACCEPTED:
        links, words, view = Links(SETTINGS, "test", hostile.page, None), words_of("en"), view_of(hostile)
        filled = reader_form.Filled(hostile.name, hostile.body, hostile.text, hostile.text, hostile.text)
        mine = written(hostile)
        refused = check_page(reader_form.refusal_page(SITE, view, words, links, filled, hostile.text), scripts=0)
        assert refused.named("input", name="name")[0]["value"] == hostile.name
        assert f"\n{hostile.body}" in refused.text
        check_page(reader_form.form_page(SITE, view, words, links, filled, mine), scripts=0)
        again = links.form(receipt=hostile.text)
        check_page(reader_form.receipt_page(SITE, view, words, links, mine, again), scripts=0)
        for address in (again, links.whole(), article_of(SITE, hostile.url, "c1") or ""):
            # As a header's value, too: a sent form leads there.
            assert re.fullmatch(r"https?://[!#-;=?-~]+", address), address


def test_feeds() -> None:
    """A feed is XML that holds the text as a text, with one entry, and no word of ours is turned around by a name."""
    for hostile in ACCEPTED:
        row: Any = SimpleNamespace(
            id="c0", parent_id=None, author_name=hostile.name, created_at=AT, edited_at=None,
            html=to_html(hostile.body), page=hostile.page, title=hostile.title, url=hostile.url,
        )  # fmt: skip
        feed = _Feed(CONTEXT, SITE, words_of("en"), None)
        feed.head(SITE.id, hostile.title, Links(SETTINGS, "test", hostile.page, None).feed, hostile.url, [row], AT)
        check_feed(feed.rendered([row]).body, hostile)


def check_feed(raw: bytes, hostile: Hostile) -> None:
    """Check a feed with one entry."""
    [entry] = ElementTree.fromstring(raw).findall(f"{ATOM}entry")
    names = ["id", "title", "published", "updated", "author", "link", "content"]
    assert [child.tag.removeprefix(ATOM) for child in entry] == names
    said = re.sub("\r\n?", "\n", NO_XML.sub("\ufffd", hostile.name))
    assert entry.findtext(f"{ATOM}author/{ATOM}name") == said
    check_harmless(entry.findtext(f"{ATOM}content") or "")
    assert not hostile.title or not TURNING.search(entry.findtext(f"{ATOM}title") or "")
    [link] = entry.findall(f"{ATOM}link")
    assert re.fullmatch(r"https://news\.example/[!#-;=?-~]*", link.get("href", "")), link.get("href")


def test_letters() -> None:
    """A letter that tells of the text has our headers, our lines and our links, and no other, in every language."""
    for number, hostile in enumerate(ACCEPTED):
        words = mail_words(("en", "de", "fr", "es", "ar")[number % 5])
        name, title = hostile.name, hostile.title
        blocks = [
            Block("text", words("reply_intro", name=name, title=title)),
            Block("quote", excerpt(hostile.body)),
            Block("small", words("you_wrote", text=hostile.body)),
            Block("link", words("open"), article_of(SITE, hostile.url, "c1") or ""),
        ]
        subject = words("reply_subject", name=name, title=title)
        headers = {"List-Unsubscribe": "<https://comments.example/v1/mail/unsubscribe?token=t>"}
        draft = Draft(subject, name, as_plain(blocks), as_html(words, subject, blocks), words.language, "id", headers)
        raw = compose(draft, sender=Sender("Test", "comments@daily.example"), to=ADDRESS, at=AT).content
        letter = email.message_from_bytes(raw, policy=email.policy.default)
        check_letter(raw, letter, to=ADDRESS)
