"""Whatever a reader writes: pages stay HTML, feeds stay XML, linked data stays JSON, and the text stays a text."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import hypothesis
from hypothesis import strategies as st

from moderation.decision import Status
from service import schemas
from service.flow import fragment, reader_form, sanitise
from service.flow.feed import _Feed
from service.flow.fragment import Look
from service.flow.markup import data_script, element
from service.flow.reader_links import Links
from service.flow.reader_words import words_of
from service.settings import Settings
from tests.service.well_formed import Page

SETTINGS = Settings(colloquy_home="unused")
CONTEXT: Any = SimpleNamespace(settings=SETTINGS)
AT = datetime(2026, 11, 28, 1, 2, 3, tzinfo=UTC)
#: Everything but what is refused before it is kept: NUL and halves of surrogate pairs.
ANYTHING = st.characters(codec="utf-8", exclude_characters="\0")
NASTY = st.sampled_from([
    "</script>", "<!--", "-->", "]]>", "<![CDATA[", "</textarea>", "</noscript>", "\"'><", "&amp;", "&#0;", "\u2028",
    "\x0b\x1f\ufffe\uffff", "\r", "javascript:", "<svg onload=x>", "{name}", "\u202e",
])  # fmt: skip
TEXT = st.lists(st.one_of(st.text(ANYTHING, min_size=1, max_size=20), NASTY), min_size=1, max_size=6).map("".join)
SITE: Any = SimpleNamespace(
    id="0190a0a0-0000-7000-8000-000000000000", slug="test", name="Test", guests_allowed=True,
    body_max_characters=5_000, allowed_origins=["https://news.example"], prompt="What?", created_at=AT,
)  # fmt: skip


def comment(name: str, body: str) -> schemas.Comment:
    """Answer a comment as readers see it."""
    author = schemas.Author(name, "guest", [name], None, "k")
    html = sanitise.to_html(body)
    made = schemas.Comment("c1", None, author, body, html, AT, AT, Status.PUBLISHED, 0, 0, featured=True)
    return schemas.Comment(
        "c0", None, author, body, html, AT, AT, Status.PUBLISHED, 1, 0, replies=[made], replies_next="x"
    )


@hypothesis.given(TEXT, TEXT, TEXT, st.booleans())
def test_a_page_is_well_formed_html(name: str, body: str, title: str, whole: bool) -> None:
    """Every element is closed, nothing of a text becomes one, and the linked data says the text as it was."""
    view = schemas.ThreadView("page\n<", title, title, f"https://news.example/{title}", "open", 2, 7)
    page = schemas.ThreadPage(view, [comment(name, body)], "more")
    scene = fragment._scene(CONTEXT, SITE, view.page, Look(whole, "newest", None, None))
    text = fragment._written(SITE, None, page, scene)
    read = Page(text.removeprefix("<!doctype html>"))
    allowed = {"p", "br", "em", "strong", "a", "blockquote", "code", "pre", "ul", "ol", "li", "del"}
    ours = {
        "section", "h1", "h2", "div", "article", "header", "footer", "nav", "bdi", "span", "time", "noscript", "form",
        "label", "input", "textarea", "button", "script", "html", "head", "body", "main", "meta", "title", "style",
        "link",
    }  # fmt: skip
    assert {name for name, _ in read.elements} <= allowed | ours
    assert len(read.named("script")) == 1
    assert not [attribute for _, given in read.elements for attribute in given if attribute.startswith("on")]
    data = json.loads(next(one for one in read.texts if one.startswith('{"@context"')))
    assert data["comment"][0]["text"] == body
    assert data["comment"][0]["author"]["name"] == name
    assert data["headline"] == title
    for tag, given in read.elements:
        for attribute in ("href", "action"):
            if address := given.get(attribute):
                assert re.match(r"(https?://|mailto:|#c-)", address), (tag, address)


@hypothesis.given(TEXT, TEXT, TEXT)
def test_a_form_keeps_the_text(name: str, body: str, why: str) -> None:
    """The form that comes back holds exactly what was written, whatever it was."""
    view = schemas.ThreadView("page", None, "What?", None, "open", 0, 0)
    links, filled = Links(SETTINGS, "test", "page", None), reader_form.Filled(name, body)
    page = Page(str(reader_form.refusal_page(SITE, view, words_of("en"), links, filled, why)).partition("\n")[2])
    [field] = page.named("input", name="name")
    assert field["value"] == name
    [area] = [index for index, (tag, _) in enumerate(page.elements) if tag == "textarea"]
    assert area
    assert "\n" + body in page.text


@hypothesis.given(TEXT, TEXT, TEXT)
def test_a_feed_is_well_formed_xml(name: str, body: str, title: str) -> None:
    """A feed is XML 1.0 whatever was written, and says all of it that XML can say."""
    row: Any = SimpleNamespace(
        id="c0", parent_id="c1", author_name=name, created_at=AT, edited_at=None, html=sanitise.to_html(body),
        page=title, title=title, url=f"https://news.example/{title}",
    )  # fmt: skip
    feed = _Feed(CONTEXT, SITE, words_of("en"), None)
    feed.head("0190a0a0-0000-7000-8000-000000000000", title, "https://a.example/", None, [row], AT)
    root = ElementTree.fromstring(feed.rendered([row]).body)
    said = root.findtext("{*}entry/{*}author/{*}name") or ""
    kept = re.sub("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", name)
    # A line end is one character to every reader of XML (section 2.11).
    assert said == re.sub("\r\n?", "\n", kept)


@hypothesis.given(TEXT)
def test_texts_are_escaped_wherever_they_stand(text: str) -> None:
    """As a text and as an attribute a text is read back as it was; in a script it cannot end the script."""
    page = Page(element("p", {"title": text}, text))
    assert page.elements == [("p", {"title": text})]
    assert page.text == text
    script = data_script("application/ld+json", {"text": text})
    inside = script.removeprefix('<script type="application/ld+json">').removesuffix("</script>")
    assert not re.search("[<>&\u2028\u2029]", inside)
    assert json.loads(inside) == {"text": text}
